"""Twenty updates of two masked batches each: the same losses and parameters as PyTorch's AdamW."""
import pathlib
import tempfile
from ctypes import byref, c_int32

import torch
from transformers import BertForMaskedLM, get_linear_schedule_with_warmup

from parity import check_close, finish, padded
from updates import adamw_of, sequences_of, write_text
import mlm

STEPS, ACCUMULATE, WARMUP, RATE, DECAY = 20, 2, 5, 1e-3, 0.01


def rows_of(batch):
    return list(zip(sequences_of(batch, batch.input_ids), sequences_of(batch, batch.labels)))


def their_step(model, optimizer, schedule, rows):
    ids, mask = padded([ids for ids, _ in rows])
    labels, _ = padded([labels for _, labels in rows], value=-100)
    loss = model(input_ids=ids, attention_mask=mask, labels=labels).loss
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    schedule.step()
    optimizer.zero_grad()
    return loss.item(), norm.item()


with tempfile.TemporaryDirectory() as folder:
    text = str(pathlib.Path(folder) / "text.txt")
    write_text(text)
    tokenizer = mlm.Tokenizer.train(None, [text], mlm.VocabOptions(vocab_size=100))
    corpus = mlm.corpus(None, tokenizer, [text], mlm.CorpusOptions(B=16, T=32))
    masker = mlm.masker(None, tokenizer)
    encoder = mlm.encoder(None, mlm.EncoderConfig(vocab_size=len(tokenizer), hidden_size=32,
        num_hidden_layers=2, num_attention_heads=4, intermediate_size=64, max_position_embeddings=32,
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, initializer_range=0.1))
    mlm.lib.mlm_encoder_save(encoder, f"{folder}/start".encode(), c_int32(mlm.F32))
    model = BertForMaskedLM.from_pretrained(f"{folder}/start").train()
    trainer = mlm.trainer(None, encoder, mlm.TrainerOptions(learning_rate=RATE, weight_decay=DECAY,
        warmup_steps=WARMUP, total_steps=STEPS))
    optimizer = adamw_of(model, RATE, DECAY)
    schedule = get_linear_schedule_with_warmup(optimizer, WARMUP, STEPS)

    ours, theirs = [], []
    stream = mlm.batches(corpus)
    for _ in range(STEPS):
        rows = []
        for _ in range(ACCUMULATE):
            masked = mlm.apply_masks(masker, next(stream))
            rows += rows_of(masked)
            mlm.lib.mlm_trainer_accumulate(trainer, byref(masked))
        theirs.append(their_step(model, optimizer, schedule, rows))
        metrics = mlm.update(trainer)
        ours.append((metrics.loss, metrics.grad_norm))
    ours, theirs = torch.tensor(ours), torch.tensor(theirs)
    check_close("losses, relative", ours[:, 0] / theirs[:, 0], torch.ones(STEPS), 1e-5)
    check_close("gradient norms", ours[:, 1], theirs[:, 1], 1e-5)
    mlm.lib.mlm_encoder_save(encoder, f"{folder}/end".encode(), c_int32(mlm.F32))
    end = dict(BertForMaskedLM.from_pretrained(f"{folder}/end").named_parameters())
    for name, parameter in model.named_parameters():
        check_close(f"after {STEPS} updates: {name}", end[name].detach(), parameter.detach(), 1e-5)
finish()
