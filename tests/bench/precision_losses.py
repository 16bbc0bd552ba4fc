#!/usr/bin/env python3
"""Trains the same model twice, with float and with bf16 matrix products and the same seeds, and
compares the losses on held-out text: at most 0.5 % apart, else the exit status is 1.

    LIBMLM=libmlm.so precision_losses.py TEXT HELD_OUT [--config tiny] [--steps 2000] [--batch 32]"""
import argparse
import pathlib
import sys
from ctypes import byref

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "examples/python"))
import mlm
import peers

ALLOWED, RATE, SEED = 0.005, 1e-3, 1


def held_out_loss(runtime, tokenizer, encoder, path):
    """The same batches and masks for every model."""
    corpus = mlm.corpus(runtime, tokenizer, [path], mlm.CorpusOptions(B=32, T=128, epochs=1))
    masker = mlm.masker(runtime, tokenizer)
    total = mlm.Metrics()
    for batch in mlm.batches(corpus):
        mlm.lib.mlm_encoder_evaluate(encoder, byref(mlm.apply_masks(masker, batch)), byref(total))
    return total.loss


def train(runtime, tokenizer, options, precision):
    H, L = peers.MODELS[options.config]
    encoder = mlm.encoder(runtime, mlm.EncoderConfig(
        vocab_size=len(tokenizer), hidden_size=H, num_hidden_layers=L,
        num_attention_heads=H // 64, intermediate_size=4 * H),
        mlm.EncoderOptions(precision=precision, seed=SEED))
    trainer = mlm.trainer(runtime, encoder, mlm.TrainerOptions(
        learning_rate=RATE, warmup_steps=options.steps // 10, total_steps=options.steps, seed=SEED))
    corpus = mlm.corpus(
        runtime, tokenizer, [options.text], mlm.CorpusOptions(B=options.batch, T=128, seed=SEED))
    masker = mlm.masker(runtime, tokenizer, mlm.MaskerOptions(seed=SEED))
    for _, batch in zip(range(options.steps), mlm.batches(corpus)):
        mlm.lib.mlm_trainer_accumulate(trainer, byref(mlm.apply_masks(masker, batch)))
        metrics = mlm.update(trainer)
        if metrics.step % 200 == 0:
            print(f"    step {metrics.step}: loss {metrics.loss:.4f}", flush=True)
    return held_out_loss(runtime, tokenizer, encoder, options.held_out)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("text")
    parser.add_argument("held_out")
    parser.add_argument("--config", choices=peers.MODELS, default="tiny")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--batch", type=int, default=32)
    options = parser.parse_args()
    runtime = mlm.runtime()
    tokenizer = mlm.Tokenizer.train(runtime, [options.text], mlm.VocabOptions(vocab_size=8000))
    losses = {}
    for name, precision in (("f32", mlm.F32), ("bf16", mlm.BF16)):
        try:
            losses[name] = train(runtime, tokenizer, options, precision)
        except mlm.Error as error:
            sys.exit(f"{name}: {error}")
        print(f"{name}: held-out loss {losses[name]:.4f} after {options.steps} steps", flush=True)
    apart = abs(losses["bf16"] / losses["f32"] - 1)
    print(f"{100 * apart:.2f} % apart, {100 * ALLOWED} % allowed")
    sys.exit(apart > ALLOWED)


main()
