#!/usr/bin/env python3
"""Writes fixtures.safetensors: what transformers' BertForPreTraining computes in float64 for the
model and the batch of model.c. Needs torch, transformers, safetensors."""
import pathlib

import torch
from safetensors.torch import save_file
from transformers import BertConfig, BertForPreTraining

ACTIVATIONS = ["gelu", "gelu_new", "relu", "silu"]  # in the order of MLM_GELU ...
OFFSETS = [0, 1, 6, 15]
INPUT_IDS = [2, 7, 36, 0, 7, 3, 9, 9, 11, 30, 4, 5, 36, 1, 2]
TOKEN_TYPE_IDS = [0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1, 1]
LABELS = [5, -100, 36, -100, 0, -100, 9, -100, -100, 17, -100, 3, -100, -100, 2]
SENTENCE_LABELS = [1, -100, 0]
LOSS_SCALE, SENTENCE_SCALE = 0.7, 1.3


def make_model(act):
    model = BertForPreTraining(BertConfig(
        vocab_size=37, hidden_size=12, num_hidden_layers=2, num_attention_heads=3,
        intermediate_size=20, max_position_embeddings=9, type_vocab_size=2, hidden_act=act,
        layer_norm_eps=1e-12, pad_token_id=0, attn_implementation="eager")).double().eval()
    with torch.no_grad():
        for i, (name, parameter) in enumerate(model.named_parameters()):
            centre = 1 if name.endswith("LayerNorm.weight") else 0
            j = torch.arange(parameter.numel(), dtype=torch.int64)
            mixed = (i * 1000003 + j) * 2654435761 % 2**32
            parameter.copy_((centre + 0.6 * (mixed.double() / 2**32) - 0.3).view_as(parameter))
    return model


def compute(act, out):
    model = make_model(act)
    loss, hidden, logits, pooled, sentence_logits, losses, sentence_losses = 0, [], [], [], [], [], []
    for b, (begin, end) in enumerate(zip(OFFSETS, OFFSETS[1:])):
        row = lambda values: torch.tensor([values[begin:end]])
        result = model.bert(input_ids=row(INPUT_IDS), token_type_ids=row(TOKEN_TYPE_IDS),
                            output_hidden_states=True)
        scores, sentence = model.cls(result.last_hidden_state, result.pooler_output)
        each = torch.nn.functional.cross_entropy(scores[0], row(LABELS)[0], reduction="none")
        loss = loss + LOSS_SCALE * each.sum()
        losses += [each[i] for i, label in enumerate(LABELS[begin:end]) if label >= 0]
        if SENTENCE_LABELS[b] >= 0:
            one = torch.nn.functional.cross_entropy(sentence, torch.tensor([SENTENCE_LABELS[b]]))
            loss = loss + SENTENCE_SCALE * one
            sentence_losses.append(one)
        hidden.append(torch.stack([states[0] for states in result.hidden_states]))
        logits.append(scores[0])
        pooled.append(result.pooler_output)
        sentence_logits.append(sentence)
    loss.backward()
    out[f"{act}/hidden"] = torch.cat(hidden, dim=1)
    out[f"{act}/logits"] = torch.cat(logits)
    out[f"{act}/pooled"] = torch.cat(pooled)
    out[f"{act}/sentence_logits"] = torch.cat(sentence_logits)
    out[f"{act}/losses"] = torch.stack(losses)
    out[f"{act}/sentence_loss"] = torch.stack(sentence_losses).sum().reshape(1)
    for name, parameter in model.named_parameters():
        out[f"{act}/{name}"] = parameter.grad


def main():
    out = {}
    for act in ACTIVATIONS:
        compute(act, out)
    tensors = {name: tensor.detach().contiguous() for name, tensor in out.items()}
    save_file(tensors, pathlib.Path(__file__).with_name("fixtures.safetensors"))


main()
