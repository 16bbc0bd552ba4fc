#!/usr/bin/env python3
"""Makes fixtures/ and encoder_fixture.{h,c}: four small models as transformers 5.15.1 saves them, and
what torch 2.13.0 computes with them in double. The tests have no other source of truth.

    python make_fixtures.py

Parameters are drawn wide, so that every one of them shows in the result.
"""
import os
import shutil

import torch
from transformers import BertConfig, BertForMaskedLM, BertForPreTraining, BertModel

HERE = os.path.dirname(os.path.abspath(__file__))
OFFSETS = [0, 5, 6, 15]
SHAPE = dict(vocab_size=40, hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
             intermediate_size=24, max_position_embeddings=12, attn_implementation="eager")
POSITIONS = [3, 14, 0, 5, 3]


def draw(model):
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.normal_(0, 0.35)
            if "LayerNorm.weight" in name:
                parameter.add_(1)
    return model


def save(model, name, dtype, **how):
    """The model as it is when read back: rounded to dtype, computing in double."""
    folder = os.path.join(HERE, "fixtures", name)
    shutil.rmtree(folder, ignore_errors=True)
    model.to(dtype).save_pretrained(folder, **how)
    for file in os.listdir(folder):
        os.chmod(os.path.join(folder, file), 0o644)
    return type(model).from_pretrained(folder, attn_implementation="eager").double().eval()


def array(name, values, kind="double"):
    flat = values.flatten().tolist()
    text = ", ".join(repr(x) for x in flat)
    lines, line = [], "   "
    for word in text.split(" "):
        if len(line) + len(word) + 1 > 98:
            lines.append(line)
            line = "   "
        line += " " + word
    lines.append(line)
    declaration = f"const {kind} {name}[{len(flat)}]"
    return declaration, declaration + " = {\n" + "\n".join(lines) + "};\n"


def main():
    torch.manual_seed(20181011)
    N = OFFSETS[-1]
    ids = torch.randint(0, SHAPE["vocab_size"], (N,))
    types = torch.randint(0, 2, (N,))
    labels = torch.full((N,), -100)
    for n in (1, 3, 5, 6, 12, 14):
        labels[n] = torch.randint(0, SHAPE["vocab_size"], ())
    sentence_labels = torch.tensor([1, 0, 1])
    B = len(OFFSETS) - 1

    def each(model, take):
        """take(output, b) of every sequence by itself: no padding, no mask."""
        out = []
        with torch.no_grad():
            for b in range(B):
                part = slice(OFFSETS[b], OFFSETS[b + 1])
                out.append(take(model(input_ids=ids[None, part], token_type_ids=types[None, part],
                                      output_hidden_states=True)))
        return out

    def cut(hidden):
        return hidden.split([b - a for a, b in zip(OFFSETS, OFFSETS[1:])])

    text = []
    text.append(array("fixture_offsets", torch.tensor(OFFSETS), "int32_t"))
    text.append(array("fixture_ids", ids, "int32_t"))
    text.append(array("fixture_types", types, "int32_t"))
    text.append(array("fixture_sentence_labels", sentence_labels, "int32_t"))
    text.append(array("fixture_positions", torch.tensor(POSITIONS), "int32_t"))

    def losses(logits):
        chosen = labels >= 0
        return torch.nn.functional.cross_entropy(logits[chosen], labels[chosen], reduction="none")

    model = save(draw(BertForMaskedLM(BertConfig(**SHAPE))), "masked", torch.float32)
    hidden = [torch.cat([h[0] for h in layer]) for layer in
              zip(*each(model, lambda out: out.hidden_states))]
    logits = torch.cat(each(model, lambda out: out.logits[0]))
    labels[[3, 12]] = logits[[3, 12]].argmax(1)
    text.append(array("fixture_labels", labels, "int32_t"))
    last = cut(hidden[-1])
    text.append(array("masked_hidden", torch.stack(hidden)))
    text.append(array("masked_logits", logits[POSITIONS]))
    text.append(array("masked_losses", losses(logits)))
    text.append(array("masked_correct", (logits.argmax(1) == labels).sum(), "int32_t"))
    text.append(array("masked_mean", torch.stack([h.mean(0) for h in last])))
    text.append(array("masked_max", torch.stack([h.max(0).values for h in last])))
    text.append(array("masked_unit_mean", torch.nn.functional.normalize(
        torch.stack([h.mean(0) for h in last]))))
    probabilities, order = logits[POSITIONS].softmax(1).sort(1, descending=True)
    text.append(array("masked_top_ids", order[:, :7], "int32_t"))
    text.append(array("masked_top_probabilities", probabilities[:, :7]))

    model = save(draw(BertForPreTraining(BertConfig(hidden_act="gelu_new", **SHAPE))),
                 "pre_training", torch.bfloat16)
    sentence = torch.cat(each(model, lambda out: out.seq_relationship_logits))
    logits = torch.cat(each(model, lambda out: out.prediction_logits[0]))
    text.append(array("pre_training_hidden",
                      torch.cat(each(model, lambda out: out.hidden_states[-1][0]))))
    text.append(array("pre_training_losses", losses(logits)))
    text.append(array("pre_training_sentence_logits", sentence))
    text.append(array("pre_training_sentence_losses", torch.nn.functional.cross_entropy(
        sentence, sentence_labels, reduction="none")))
    text.append(array("pre_training_sentence_correct",
                      (sentence.argmax(1) == sentence_labels).sum(), "int32_t"))
    with torch.no_grad():
        text.append(array("pre_training_pooled", torch.cat([
            model.bert(input_ids=ids[None, a:b], token_type_ids=types[None, a:b]).pooler_output
            for a, b in zip(OFFSETS, OFFSETS[1:])])))

    model = save(draw(BertModel(BertConfig(hidden_act="silu", **SHAPE))), "bare", torch.float16)
    text.append(array("bare_hidden", torch.cat(each(model, lambda out: out.last_hidden_state[0]))))

    model = save(draw(BertForMaskedLM(BertConfig(hidden_act="relu", tie_word_embeddings=False,
        pad_token_id=3, **{**SHAPE, "num_hidden_layers": 1}))), "untied", torch.float32,
        max_shard_size="8KB")
    text.append(array("untied_logits",
                      torch.cat(each(model, lambda out: out.logits[0]))[POSITIONS]))

    with open(os.path.join(HERE, "encoder_fixture.h"), "w") as file:
        file.write("/* Made by make_fixtures.py. */\n#include <stdint.h>\n\n")
        file.writelines(f"extern {declaration};\n" for declaration, _ in text)
    with open(os.path.join(HERE, "encoder_fixture.c"), "w") as file:
        file.write('/* Made by make_fixtures.py. */\n#include "encoder_fixture.h"\n\n')
        file.write("\n".join(definition for _, definition in text))


main()
