"""A model crosses between libmlm and transformers, either way, with the same states and logits."""
import contextlib
import ctypes
import io
import json
import logging
import pathlib
import subprocess
import tempfile
import warnings
from ctypes import byref, c_int32, c_size_t

import torch
import transformers
from safetensors.torch import save_file
from transformers import AutoTokenizer, BertConfig, BertForMaskedLM, BertForPreTraining, BertModel

from parity import BUILD, check, check_close, finish, padded
import mlm

TOLERANCE = 1e-4
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


def other_numbers(folder):
    """Members that change the numbers, and members that must not."""
    for name, changes in {
            "layer_norm_eps": dict(layer_norm_eps=1e-2), "type_vocab_size": dict(type_vocab_size=5),
            "no pad token": dict(pad_token_id=None), "pad token 40": dict(pad_token_id=40),
            "untied": dict(tie_word_embeddings=False),
            "chunks": dict(chunk_size_feed_forward=2, classifier_dropout=0.5)}.items():
        model = shake(BertForMaskedLM(config(**changes)), 5)
        path = f"{folder}/{name}"
        model.save_pretrained(path)
        compare(f"from transformers, {name}", mlm.load_encoder(None, path), model)


def dtypes_and_shards(folder):
    for kind in (BertForMaskedLM, BertForPreTraining):
        for dtype in (torch.float32, torch.float16, torch.bfloat16):
            for size in ("50GB", "30KB"):
                name = f"{kind.__name__}, {str(dtype)[6:]}, {size} a file"
                path = f"{folder}/{name}"
                model = shake(kind(config()), 6).to(dtype)
                model.save_pretrained(path, max_shard_size=size)
                sharded = len(list(pathlib.Path(path).glob("*.safetensors"))) > 1
                check(f"{name}: its files", sharded == (size == "30KB"))
                compare(name, mlm.load_encoder(None, path), model.float())


def refused(folder):
    """Models that the numbers would be wrong for."""
    base = json.loads(config().to_json_string(use_diff=False))
    for member, value in {"position_embedding_type": "relative_key", "model_type": "roberta",
                          "is_decoder": True, "add_cross_attention": True, "hidden_act": "mish"}.items():
        with open(f"{folder}/config.json", "w") as file:
            json.dump({**base, member: value}, file)
        try:
            mlm.load_encoder(None, folder)
            said = ""
        except mlm.Error as error:
            said = str(error)
        check(f"{member} {value} is refused by name", f"config.json: {member}: " in said, said)


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


@contextlib.contextmanager
def logged():
    """What transformers and Python warn of."""
    log = io.StringIO()
    handler = logging.StreamHandler(log)
    transformers.utils.logging.add_handler(handler)
    with warnings.catch_warnings(record=True) as others:
        yield log
    transformers.utils.logging.remove_handler(handler)
    log.writelines(f"{other.message}\n" for other in others)


def opened(name, kind, path):
    """A directory of ours as `kind`: nothing missing, nothing left over, not a word."""
    with logged() as log:
        model, info = kind.from_pretrained(path, output_loading_info=True, dtype=torch.float32)
    problems = {key: list(value) for key, value in info.items() if value}
    check(f"{name}: every tensor is known and there", not problems, str(problems or ""))
    check(f"{name}: no warning", not log.getvalue(), log.getvalue().strip())
    return model


def to_transformers(folder):
    shape = dict(vocab_size=97, hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
                 intermediate_size=48, max_position_embeddings=40)
    for sentence_head, untied, kind in ((0, 0, BertForMaskedLM), (1, 0, BertForPreTraining),
                                        (0, 1, BertForMaskedLM), (1, 1, BertForPreTraining)):
        encoder = mlm.encoder(None, mlm.EncoderConfig(
            sentence_head=sentence_head, untied_word_embeddings=untied, **shape))
        for dtype, name in ((mlm.F32, "f32"), (mlm.BF16, "bf16")):
            path = f"{folder}/{name}{sentence_head}{untied}"
            mlm.lib.mlm_encoder_save(encoder, path.encode(), c_int32(dtype))
            name = f"to {'untied ' if untied else ''}{kind.__name__}, {name}"
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
    model = opened("trained", BertForMaskedLM, path)
    with logged() as log:
        tokenizer = AutoTokenizer.from_pretrained(path)
    check("trained: no warning of the tokenizer", not log.getvalue(), log.getvalue().strip())
    lines = ["The dog sleeps in the [MASK].", "A fish number 7!", "Überraschung: naïve \u4f60\u597d"]
    ids = [tokenizer(line)["input_ids"] for line in lines]
    ours = mlm.Tokenizer.load(None, path)
    check("trained: the same tokens", [ours.encode(line) for line in lines] == ids)
    compare("trained", mlm.load_encoder(None, path), model, ids)


with tempfile.TemporaryDirectory() as temporary:
    from_transformers(temporary)
    other_numbers(temporary)
    dtypes_and_shards(temporary)
    refused(temporary)
    sentence_head(temporary)
    bare_and_old(temporary)
    to_transformers(temporary)
    trained(temporary)
finish()
