"""Masks of one's own: every number of a sentence is hidden, and the model trained to guess it.

No masker is involved. A batch is arrays of 32-bit integers; where numpy is installed they are
its arrays, else lists, and mlm.make_batch takes both.

usage: own_masks.py [--steps N]
"""
import argparse
import os
import tempfile
from ctypes import byref

import mlm

try:
    import numpy
except ImportError:
    numpy = None

NUMBERS = "one two three four five six seven eight nine".split()


def hide(ids, hidden, mask):
    """input_ids and labels of a sentence: tokens of the set hidden become mask and are asked."""
    if numpy is None:
        return ([mask if i in hidden else i for i in ids],
                [i if i in hidden else mlm.NO_LABEL for i in ids])
    ids = numpy.array(ids)
    chosen = numpy.isin(ids, list(hidden))
    return numpy.where(chosen, mask, ids), numpy.where(chosen, ids, mlm.NO_LABEL)


parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--steps", type=int, default=200)
arguments = parser.parse_args()

sentences = [f"after {a} comes {b}" for a, b in zip(NUMBERS, NUMBERS[1:])]
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "vocab.txt")
    words = "[PAD] [UNK] [CLS] [SEP] [MASK] after comes".split() + NUMBERS
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(words) + "\n")
    tokenizer = mlm.Tokenizer.load(None, path)

mask = tokenizer.special(mlm.MASK)
ids = [tokenizer.encode(sentence) for sentence in sentences]
# Of the two numbers of a sentence the second is hidden: position 4 of [CLS] after a comes b [SEP].
pairs = [hide(row, {row[4]}, mask) for row in ids]
encoder = mlm.encoder(None, mlm.EncoderConfig(
    vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
    intermediate_size=64, max_position_embeddings=16, hidden_dropout_prob=0,
    attention_probs_dropout_prob=0))
trainer = mlm.trainer(None, encoder, mlm.TrainerOptions(
    learning_rate=3e-3, lr_scheduler=mlm.CONSTANT))
for step in range(arguments.steps):
    batch = mlm.make_batch([p[0] for p in pairs], [p[1] for p in pairs],
                           position=step * len(pairs))
    mlm.lib.mlm_trainer_accumulate(trainer, byref(batch))
    metrics = mlm.update(trainer)
print(f"loss {metrics.loss:.3f} nats, accuracy {metrics.accuracy:.2f}")
token, probability = mlm.fill_mask(encoder, tokenizer, "after six comes [MASK]", 1)[0][0]
print(f"after six comes {token} ({probability:.2f})")
