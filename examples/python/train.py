"""Learns a vocabulary, trains a small BERT for some updates and fills a mask.

usage: train.py [--steps N] [--sentence TEXT] FILE...
"""
import argparse
from ctypes import byref

import mlm

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--steps", type=int, default=100)
parser.add_argument("--sentence", default="the [MASK] is here.")
parser.add_argument("files", nargs="+", metavar="FILE")
arguments = parser.parse_args()

runtime = mlm.runtime()
tokenizer = mlm.Tokenizer.train(runtime, arguments.files, mlm.VocabOptions(vocab_size=4000))
corpus = mlm.corpus(runtime, tokenizer, arguments.files, mlm.CorpusOptions(B=16, T=64))
masker = mlm.masker(runtime, tokenizer)
encoder = mlm.encoder(runtime, mlm.EncoderConfig(
    vocab_size=len(tokenizer), hidden_size=64, num_hidden_layers=2, num_attention_heads=2,
    intermediate_size=256, max_position_embeddings=64))
trainer = mlm.trainer(runtime, encoder, mlm.TrainerOptions(
    learning_rate=1e-3, warmup_steps=arguments.steps // 10, total_steps=arguments.steps))

for _, batch in zip(range(arguments.steps), mlm.batches(corpus)):
    mlm.lib.mlm_trainer_accumulate(trainer, byref(mlm.apply_masks(masker, batch)))
    metrics = mlm.update(trainer)
    if metrics.step % 10 == 0 or metrics.step == arguments.steps:
        print(f"step {metrics.step}  loss {metrics.loss:.3f} nats")

for candidates in mlm.fill_mask(encoder, tokenizer, arguments.sentence):
    for token, probability in candidates:
        print(f"  {probability:6.4f}  {token}")
