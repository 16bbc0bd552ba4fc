"""Ten updates with frozen embeddings and layers: as PyTorch's AdamW with requires_grad=False."""
import pathlib
import tempfile
from ctypes import byref, c_int32

import torch
from transformers import BertForMaskedLM

from parity import check, check_close, finish, padded
from updates import adamw_of, sequences_of, write_text
import mlm

STEPS, RATE, DECAY = 10, 1e-3, 0.1
FREEZINGS = [(1, 0), (0, 1), (1, 1), (1, 3)]


def freeze(model, embeddings, layers):
    frozen = list(model.bert.embeddings.parameters()) if embeddings else []
    for layer in model.bert.encoder.layer[:layers]:
        frozen += layer.parameters()
    for parameter in frozen:
        parameter.requires_grad = False


def their_step(model, optimizer, batch):
    ids, mask = padded(sequences_of(batch, batch.input_ids))
    labels, _ = padded(sequences_of(batch, batch.labels), value=-100)
    loss = model(input_ids=ids, attention_mask=mask, labels=labels).loss
    loss.backward()
    trained = [p for p in model.parameters() if p.requires_grad]
    norm = torch.nn.utils.clip_grad_norm_(trained, 1.0)
    optimizer.step()
    optimizer.zero_grad()
    return loss.item(), norm.item()


def compare(folder, text, tokenizer, embeddings, layers):
    name = f"embeddings {embeddings}, layers {layers}"
    corpus = mlm.corpus(None, tokenizer, [text], mlm.CorpusOptions(B=16, T=32))
    masker = mlm.masker(None, tokenizer)
    encoder = mlm.load_encoder(None, f"{folder}/start")
    model = BertForMaskedLM.from_pretrained(f"{folder}/start").train()
    freeze(model, embeddings, layers)
    optimizer = adamw_of(model, RATE, DECAY)
    trainer = mlm.trainer(None, encoder, mlm.TrainerOptions(
        lr_scheduler=2, learning_rate=RATE, weight_decay=DECAY, freeze_embeddings=embeddings,
        freeze_layers=layers))
    ours, theirs = [], []
    for _, batch in zip(range(STEPS), mlm.batches(corpus)):
        masked = mlm.apply_masks(masker, batch)
        theirs.append(their_step(model, optimizer, masked))
        mlm.lib.mlm_trainer_accumulate(trainer, byref(masked))
        metrics = mlm.update(trainer)
        ours.append((metrics.loss, metrics.grad_norm))
    ours, theirs = torch.tensor(ours), torch.tensor(theirs)
    check_close(f"{name}: losses", ours[:, 0], theirs[:, 0], 1e-5)
    check_close(f"{name}: gradient norms", ours[:, 1], theirs[:, 1], 1e-5)
    mlm.lib.mlm_encoder_save(encoder, f"{folder}/end".encode(), c_int32(mlm.F32))
    end = dict(BertForMaskedLM.from_pretrained(f"{folder}/end").named_parameters())
    start = dict(BertForMaskedLM.from_pretrained(f"{folder}/start").named_parameters())
    worst = 0.0
    for key, parameter in model.named_parameters():
        if not parameter.requires_grad:
            check(f"{name}: {key} keeps its bytes", torch.equal(end[key], start[key]))
        else:
            worst = max(worst, (end[key] - parameter).abs().max().item())
    check(f"{name}: trained parameters", worst <= 1e-5, f"largest difference {worst:.2e}")


with tempfile.TemporaryDirectory() as folder:
    text = str(pathlib.Path(folder) / "text.txt")
    write_text(text)
    tokenizer = mlm.Tokenizer.train(None, [text], mlm.VocabOptions(vocab_size=100))
    encoder = mlm.encoder(None, mlm.EncoderConfig(vocab_size=len(tokenizer), hidden_size=32,
        num_hidden_layers=3, num_attention_heads=4, intermediate_size=64, max_position_embeddings=32,
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, initializer_range=0.1))
    mlm.lib.mlm_encoder_save(encoder, f"{folder}/start".encode(), c_int32(mlm.F32))
    for embeddings, layers in FREEZINGS:
        compare(folder, text, tokenizer, embeddings, layers)
finish()
