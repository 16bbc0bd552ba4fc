"""Updates on sentence pairs, accumulated over batches of unequal B: the losses, gradients and
parameters of BertForPreTraining and PyTorch's AdamW."""
import pathlib
import tempfile
from ctypes import byref, c_int32

import torch
from transformers import BertForPreTraining

from parity import check_close, finish, padded
from updates import WORDS, adamw_of, sequences_of
import mlm

STEPS, RATE, DECAY = 5, 1e-3, 0.01


def write_text(path):
    generator = torch.Generator().manual_seed(5)
    with open(path, "w") as out:
        for d in range(120):
            for _ in range(int(torch.randint(1, 9, (), generator=generator))):
                length = int(torch.randint(2, 14, (), generator=generator))
                choice = torch.randint(len(WORDS), (length,), generator=generator).tolist()
                out.write(" ".join(WORDS[i] for i in choice) + "\n")
            out.write("\n")


def rows_of(batch):
    """What padding, and thus PyTorch, needs of a batch: a list of its sequences."""
    return list(zip(sequences_of(batch, batch.input_ids), sequences_of(batch, batch.token_type_ids),
                    sequences_of(batch, batch.labels), batch.sentence_labels[:batch.B]))


def arrays_of(rows):
    ids, mask = padded([row[0] for row in rows])
    types, _ = padded([row[1] for row in rows])
    labels, _ = padded([row[2] for row in rows], value=-100)
    return dict(input_ids=ids, attention_mask=mask, token_type_ids=types, labels=labels,
                next_sentence_label=torch.tensor([row[3] for row in rows]))


def losses_of(model, given):
    out, labels = model(**given), given["next_sentence_label"]
    sentence = torch.nn.functional.cross_entropy(out.seq_relationship_logits, labels)
    right = (out.seq_relationship_logits.argmax(1) == labels).double().mean()
    return out.loss, (out.loss - sentence).item(), sentence.item(), right.item()


def their_step(model, optimizer, rows):
    """One padded batch of all sequences: its loss is the mean over all labels and that over all
    sentences, which accumulated batches must have too."""
    loss, *shown = losses_of(model, arrays_of(rows))
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()
    return [*shown, norm.item()]


with tempfile.TemporaryDirectory() as folder:
    text = str(pathlib.Path(folder) / "text.txt")
    write_text(text)
    tokenizer = mlm.Tokenizer.train(None, [text], mlm.VocabOptions(vocab_size=100))
    PAIRS = 2  # MLM_PACK_PAIRS
    corpora = [mlm.corpus(None, tokenizer, [text], mlm.CorpusOptions(B=B, T=32, packing=PAIRS, seed=B))
               for B in (16, 3, 7)]
    masker = mlm.masker(None, tokenizer)
    encoder = mlm.encoder(None, mlm.EncoderConfig(vocab_size=len(tokenizer), hidden_size=32,
        num_hidden_layers=2, num_attention_heads=4, intermediate_size=64, max_position_embeddings=32,
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, initializer_range=0.1,
        sentence_head=1))
    mlm.lib.mlm_encoder_save(encoder, f"{folder}/start".encode(), c_int32(mlm.F32))
    model = BertForPreTraining.from_pretrained(f"{folder}/start").train()
    trainer = mlm.trainer(None, encoder, mlm.TrainerOptions(learning_rate=RATE, weight_decay=DECAY,
        warmup_steps=0, total_steps=STEPS, lr_scheduler=2))
    optimizer = adamw_of(model, RATE, DECAY)
    streams = [mlm.batches(corpus) for corpus in corpora]
    ours, theirs = [], []
    for _ in range(STEPS):
        rows = []
        for stream in streams:
            masked = mlm.apply_masks(masker, next(stream))
            rows += rows_of(masked)
            mlm.lib.mlm_trainer_accumulate(trainer, byref(masked))
        theirs.append(their_step(model, optimizer, rows))
        metrics = mlm.update(trainer)
        ours.append([metrics.loss, metrics.sentence_loss, metrics.sentence_accuracy,
                     metrics.grad_norm])
    ours, theirs = torch.tensor(ours), torch.tensor(theirs)
    for i, name in enumerate(["losses", "sentence losses", "sentence accuracies", "gradient norms"]):
        check_close(name, ours[:, i], theirs[:, i], 1e-5)
    # Evaluation: the running means over batches of unequal B are those of all rows.
    total, rows = mlm.Metrics(), []
    for stream in streams:
        masked = mlm.apply_masks(masker, next(stream))
        rows += rows_of(masked)
        mlm.lib.mlm_encoder_evaluate(encoder, byref(masked), byref(total))
    with torch.no_grad():
        theirs = torch.tensor(losses_of(model, arrays_of(rows))[1:])
    check_close("evaluation", torch.tensor([total.loss, total.sentence_loss,
                                            total.sentence_accuracy]), theirs, 1e-5)
    mlm.lib.mlm_encoder_save(encoder, f"{folder}/end".encode(), c_int32(mlm.F32))
    end = dict(BertForPreTraining.from_pretrained(f"{folder}/end").named_parameters())
    for name, parameter in model.named_parameters():
        check_close(f"after {STEPS} updates: {name}", end[name].detach(), parameter.detach(), 1e-5)
finish()
