"""A model crosses between libmlm and transformers, either way, with the same states and logits."""
import ctypes
import io
import json
import logging
import os
import subprocess
import tempfile
from ctypes import byref, c_int32, c_size_t

import torch
import transformers
from safetensors.torch import save_file
from transformers import AutoTokenizer, BertConfig, BertForMaskedLM, BertForPreTraining, BertModel

from parity import BUILD, check, check_close, finish, padded
import mlm

TOLERANCE = 1e-4
INDEX = "model.safetensors.index.json"
SEQUENCES = [[2, 17, 5, 94, 4, 3], [2, 40, 3], [2] + [7 + 13 * i % 80 for i in range(30)] + [3]]
for name in "encoder_forward encoder_logits encoder_sentence_logits".split():
    getattr(mlm.lib, "mlm_" + name).restype = mlm._checked


def states(encoder, sequences, layer, H):
    """[N,H], every token of every sequence."""
    N = sum(map(len, sequences))
    hidden = (ctypes.c_float * (N * H))()
    mlm.lib.mlm_encoder_forward(encoder, byref(mlm.make_batch(sequences)), c_int32(layer), hidden)
    return torch.tensor(list(hidden)).reshape(N, H)


def logits(encoder, sequences, V):
    """[N,V]"""
    N = sum(map(len, sequences))
    values = (ctypes.c_float * (N * V))()
    mlm.lib.mlm_encoder_logits(encoder, byref(mlm.make_batch(sequences)), mlm.int32(range(N)),
                               c_size_t(N), values)
    return torch.tensor(list(values)).reshape(N, V)


def theirs(model, sequences):
    """Hidden states of every layer [N,H] and logits [N,V] of the tokens that are no padding."""
    ids, mask = padded(sequences)
    with torch.no_grad():
        out = model.eval()(input_ids=ids, attention_mask=mask, output_hidden_states=True)
    scores = out.logits if hasattr(out, "logits") else out.prediction_logits
    return [h[mask.bool()] for h in out.hidden_states], scores[mask.bool()], out


def config(**changes):
    return BertConfig(**{**dict(vocab_size=97, hidden_size=32, num_hidden_layers=3,
        num_attention_heads=4, intermediate_size=48, max_position_embeddings=40), **changes})


def shake(model, seed):
    """Biases and layer norms away from 0 and 1, weights larger than at the start of training."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.1)
    return model


def compare(name, encoder, model, sequences=SEQUENCES):
    hidden, scores, _ = theirs(model, sequences)
    for layer, expected in enumerate(hidden):
        check_close(f"{name}: states after layer {layer}",
                    states(encoder, sequences, layer, expected.shape[1]), expected, TOLERANCE)
    check_close(f"{name}: logits", logits(encoder, sequences, scores.shape[1]), scores, TOLERANCE)


def from_transformers(folder):
    for act in ("gelu", "gelu_new", "gelu_pytorch_tanh", "relu", "silu"):
        model = shake(BertForMaskedLM(config(hidden_act=act)), 1)
        model.save_pretrained(f"{folder}/{act}")
        compare(f"from transformers, {act}", mlm.load_encoder(None, f"{folder}/{act}"), model)


def shards(folder):
    """A decoder of its own, odd settings, and several files: every one of them shows in the logits."""
    for tied in (True, False):
        name = f"from shards, {'tied' if tied else 'untied'}"
        model = shake(BertForPreTraining(config(tie_word_embeddings=tied, layer_norm_eps=0.1,
            type_vocab_size=5, pad_token_id=None)), 5)
        model.save_pretrained(f"{folder}/shards{tied}", max_shard_size="20KB")
        check(f"{name}: an index", os.path.exists(f"{folder}/shards{tied}/{INDEX}"))
        compare(name, mlm.load_encoder(None, f"{folder}/shards{tied}"), model)


def sentence_head(folder):
    model = shake(BertForPreTraining(config()), 2)
    model.save_pretrained(f"{folder}/sentences")
    encoder = mlm.load_encoder(None, f"{folder}/sentences")
    compare("from BertForPreTraining", encoder, model)
    _, _, out = theirs(model, SEQUENCES)
    values = (ctypes.c_float * (2 * len(SEQUENCES)))()
    mlm.lib.mlm_encoder_sentence_logits(encoder, byref(mlm.make_batch(SEQUENCES)), values)
    check_close("from BertForPreTraining: sentence logits",
                torch.tensor(list(values)).reshape(-1, 2), out.seq_relationship_logits, TOLERANCE)


def bare_and_old(folder):
    """A BertModel, whose file has no "bert." and no head; and the names and copies of old files."""
    model = shake(BertModel(config(), add_pooling_layer=False), 3)
    model.save_pretrained(f"{folder}/bare")
    encoder = mlm.load_encoder(None, f"{folder}/bare")
    ids, mask = padded(SEQUENCES)
    with torch.no_grad():
        expected = model.eval()(input_ids=ids, attention_mask=mask).last_hidden_state[mask.bool()]
    check_close("from BertModel: last states", states(encoder, SEQUENCES, -1, 32), expected, TOLERANCE)

    model = shake(BertForPreTraining(config()), 4)
    model.save_pretrained(f"{folder}/old")
    old = {}
    for name, tensor in model.state_dict().items():
        name = name.replace("LayerNorm.weight", "LayerNorm.gamma")
        old[name.replace("LayerNorm.bias", "LayerNorm.beta")] = tensor.clone()
    old["bert.embeddings.position_ids"] = torch.arange(40)[None]
    save_file(old, f"{folder}/old/model.safetensors", {"format": "pt"})
    settings = json.load(open(f"{folder}/old/config.json"))
    settings["architectures"] = ["BertForMaskedLM"]
    json.dump(settings, open(f"{folder}/old/config.json", "w"))
    compare("from a file of old", mlm.load_encoder(None, f"{folder}/old"), model)


def opened(name, kind, path):
    """A directory of ours as `kind`: nothing missing, nothing left over, not a word."""
    log = io.StringIO()
    handler = logging.StreamHandler(log)
    transformers.utils.logging.add_handler(handler)
    model, info = kind.from_pretrained(path, output_loading_info=True, dtype=torch.float32)
    transformers.utils.logging.remove_handler(handler)
    problems = {key: list(value) for key, value in info.items() if value}
    check(f"{name}: every tensor is known and there", not problems, str(problems or ""))
    check(f"{name}: no warning", not log.getvalue(), log.getvalue().strip())
    return model


def to_transformers(folder):
    shape = dict(vocab_size=97, hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
                 intermediate_size=48, max_position_embeddings=40)
    for sentence_head, kind, untied in ((0, BertForMaskedLM, 0), (1, BertForPreTraining, 0),
                                        (0, BertForMaskedLM, 1), (1, BertForPreTraining, 1)):
        encoder = mlm.encoder(None, mlm.EncoderConfig(
            sentence_head=sentence_head, untied_word_embeddings=untied, **shape))
        for dtype, name in ((mlm.F32, "f32"), (mlm.BF16, "bf16")):
            path = f"{folder}/{name}{sentence_head}{untied}"
            mlm.lib.mlm_encoder_save(encoder, path.encode(), c_int32(dtype))
            name = f"to {kind.__name__}, {name}{', untied' if untied else ''}"
            compare(name, mlm.load_encoder(None, path), opened(name, kind, path))


def trained(folder):
    """What pretrain writes: tokenizer and model, opened by transformers."""
    text = f"{folder}/text.txt"
    with open(text, "w") as out:
        for i in range(200):
            out.write(f"The {['cat', 'dog', 'fish'][i % 3]} number {i} sleeps in the house.\n\n")
    path = f"{folder}/trained"
    subprocess.run([BUILD / "examples/pretrain", "--output", path, "--vocab-size", "200", "--config",
                    "tiny", "--steps", "20", "--learning-rate", "1e-3", "--quiet", text], check=True)
    model, tokenizer = BertForMaskedLM.from_pretrained(path), AutoTokenizer.from_pretrained(path)
    lines = ["The dog sleeps in the [MASK].", "A fish number 7!", "Überraschung: naïve \u4f60\u597d"]
    ids = [tokenizer(line)["input_ids"] for line in lines]
    ours = mlm.Tokenizer.load(None, path)
    check("trained: the same tokens", [ours.encode(line) for line in lines] == ids)
    compare("trained", mlm.load_encoder(None, path), model, ids)


with tempfile.TemporaryDirectory() as temporary:
    from_transformers(temporary)
    shards(temporary)
    sentence_head(temporary)
    bare_and_old(temporary)
    to_transformers(temporary)
    trained(temporary)
finish()
