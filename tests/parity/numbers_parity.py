"""Errors against PyTorch in float64, beside those of PyTorch in float32, on the same models and inputs.

A case is a shape and an activation. Over its batches, each with weights of its own, outputs are
compared by the largest error of all, gradients tensor by tensor by the relative error in 2-norm, of
which the median counts: in some batch a unit of ReLU lies on the other side of 0. That PyTorch's error
of a tensor of a few numbers is very small is luck, so ours is divided by at least half the median of
PyTorch's errors in a case.
`--table` prints every figure.
"""
import ctypes
import math
import statistics
import sys
import tempfile
from collections import defaultdict
from ctypes import POINTER, byref, c_char_p, c_float, c_int32, c_int64, c_size_t

import torch
import transformers
from transformers import BertConfig, BertForPreTraining

from parity import check, finish, padded
import mlm

ALLOWED = 2.0
KEY_BIAS = 1e-6  # of query.bias: softmax ignores it
POOL_BERT = 3
ACTIVATIONS = {"gelu": "gelu", "tanh": "gelu_new", "relu": "relu", "silu": "silu"}
# name: V, H, L, A, I, activation, the lengths of each batch's sequences
CASES = {
    "one token": (97, 64, 2, 4, 256, "gelu", [[1]] * 12),
    "odd widths": (1009, 51, 3, 3, 131, "gelu", [[7], [33, 1, 97], [211, 5], [64] * 5] * 2),
    "odd widths, silu": (331, 75, 2, 5, 203, "silu", [[19], [77, 3, 129], [301], [2] * 9] * 2),
    "tiny, 64 sequences": (2003, 128, 2, 2, 512, "gelu", [[*range(1, 128, 2)], [64] * 64] * 2),
    "tiny, 512 tokens": (2003, 128, 2, 2, 512, "gelu", [[512], [511, 37], [300]] * 2),
    "mini, tanh": (1500, 256, 4, 4, 1024, "tanh", [[128] * 2, [317, 16]] * 3),
    "mini, relu": (1500, 256, 4, 4, 1024, "relu", [[128] * 2, [317, 16]] * 3),
    "deep": (1009, 192, 12, 3, 768, "gelu", [[128] * 2, [45], [16, 200]] * 2),
    "base": (3001, 768, 2, 12, 3072, "gelu", [[128] * 2, [257], [33, 64]]),
}


class Tensor(mlm._Struct):
    _fields_ = [("struct_size", ctypes.c_uint32), ("ndim", c_int32), ("shape", c_int64 * 4),
                ("name", c_char_p), ("data", POINTER(c_float))]
    init = "mlm_tensor_init"


for function in "encoder_forward encoder_logits encoder_sentence_logits trainer_get_gradient".split():
    getattr(mlm.lib, "mlm_" + function).restype = mlm._checked
mlm.lib.mlm_encoder_tensor_count.restype = c_size_t


def model_of(V, H, L, A, I, act, seed):
    """Weights of a trained model's size: products that neither vanish nor drown in their bias."""
    config = BertConfig(vocab_size=V, hidden_size=H, num_hidden_layers=L, num_attention_heads=A,
                        intermediate_size=I, hidden_act=ACTIVATIONS[act], hidden_dropout_prob=0.0,
                        attention_probs_dropout_prob=0.0)
    model, generator = BertForPreTraining(config), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if parameter.ndim == 2:
                parameter.copy_(noise * (0.05 if "embeddings" in name else parameter.shape[1] ** -0.5))
            else:
                parameter.copy_(noise * 0.1 + (1.0 if "LayerNorm.weight" in name else 0.0))
    return model


class Inputs:
    def __init__(self, lengths, V, seed):
        generator = torch.Generator().manual_seed(seed)
        draw = lambda n, most: torch.randint(most, (n,), generator=generator).tolist()
        self.ids = [draw(n, V) for n in lengths]
        self.types = [sorted(draw(n, 2)) for n in lengths]
        self.labels = [[id if one < 3 else -100 for id, one in zip(draw(n, V), draw(n, 20))]
                       for n in lengths]
        self.labels[0][0] = 1
        self.follows = draw(len(lengths), 2)


def theirs(model, inputs, dtype):
    """Outputs and gradients by name, in float64."""
    model = model.to(dtype).train()
    model.zero_grad()
    ids, mask = padded(inputs.ids)
    outputs = {}
    handle = model.bert.pooler.register_forward_hook(
        lambda module, given, made: outputs.update({"pooled output": made}))
    out = model(input_ids=ids, attention_mask=mask, token_type_ids=padded(inputs.types)[0],
                labels=padded(inputs.labels, -100)[0],
                next_sentence_label=torch.tensor(inputs.follows), output_hidden_states=True)
    out.loss.backward()
    handle.remove()
    real = mask.bool()
    for layer, states in enumerate(out.hidden_states):
        outputs[f"hidden states {layer}"] = states[real]
    outputs["MLM logits"] = out.prediction_logits[real]
    outputs["sentence logits"] = out.seq_relationship_logits
    gradients = {name: p.grad.double().clone() for name, p in model.named_parameters()}
    return {name: value.detach().double() for name, value in outputs.items()}, gradients


def filled(rows, columns, call):
    values = torch.empty(rows, columns)
    call(ctypes.cast(values.data_ptr(), POINTER(c_float)))
    return values.double()


def ours(directory, inputs, V, H, L):
    encoder = mlm.load_encoder(None, directory)
    batch = mlm.make_batch(inputs.ids, inputs.labels)
    batch.token_type_ids = mlm.int32(i for types in inputs.types for i in types)
    batch.sentence_labels = mlm.int32(inputs.follows)
    N, B = sum(map(len, inputs.ids)), len(inputs.ids)
    outputs = {f"hidden states {layer}": filled(N, H, lambda out: mlm.lib.mlm_encoder_forward(
        encoder, byref(batch), c_int32(layer), out)) for layer in range(L + 1)}
    outputs["MLM logits"] = filled(N, V, lambda out: mlm.lib.mlm_encoder_logits(
        encoder, byref(batch), mlm.int32(range(N)), c_size_t(N), out))
    outputs["pooled output"] = filled(B, H, lambda out: mlm.lib.mlm_encoder_embed(
        encoder, byref(batch), c_int32(POOL_BERT), c_int32(0), out))
    outputs["sentence logits"] = filled(B, 2, lambda out: mlm.lib.mlm_encoder_sentence_logits(
        encoder, byref(batch), out))
    trainer = mlm.trainer(None, encoder, mlm.TrainerOptions(total_steps=1))
    mlm.lib.mlm_trainer_accumulate(trainer, byref(batch))
    mlm.update(trainer)
    gradients = {}
    for index in range(mlm.lib.mlm_encoder_tensor_count(encoder)):
        tensor = Tensor()
        mlm.lib.mlm_trainer_get_gradient(trainer, c_size_t(index), byref(tensor))
        shape = tensor.shape[:tensor.ndim]
        values = (c_float * math.prod(shape)).from_address(ctypes.addressof(tensor.data.contents))
        gradients[tensor.name.decode()] = torch.frombuffer(values, dtype=torch.float32).double() \
            .reshape(shape)
    return outputs, gradients


def errors_of(case, folder):
    """name: [our error, PyTorch's], of outputs and of gradients; and the key biases' sizes."""
    *shape, batches = CASES[case]
    largest, relative = defaultdict(lambda: [0.0, 0.0]), defaultdict(lambda: ([], []))
    key_bias = [0.0, 0.0]
    for seed, lengths in enumerate(batches):
        model, inputs = model_of(*shape, seed), Inputs(lengths, shape[0], 100 + seed)
        model.save_pretrained(folder)
        mine, single = ours(folder, inputs, *shape[:3]), theirs(model, inputs, torch.float32)
        true = theirs(model, inputs, torch.float64)
        for who, (outputs, gradients) in enumerate((mine, single)):
            for name, value in true[0].items():
                error = (outputs[name] - value).abs().max().item()
                largest[name][who] = max(largest[name][who], error)
            for name, value in true[1].items():
                if name.endswith("key.bias"):
                    query = true[1][name.replace("key.bias", "query.bias")].norm()
                    if query > 0:
                        size = (gradients[name].norm() / query).item()
                        key_bias[who] = max(key_bias[who], size)
                elif value.norm() > 0:
                    error = ((gradients[name] - value).norm() / value.norm()).item()
                    relative[name][who].append(error)
    medians = {name: list(map(statistics.median, pair)) for name, pair in relative.items()}
    return largest, medians, key_bias


def report(case, what, errors):
    """One line for a kind of number: the worst of its ratios."""
    floor = statistics.median(single for _, single in errors.values()) / 2
    ratios = {name: mine / max(single, floor) for name, (mine, single) in errors.items()}
    if "--table" in sys.argv:
        for name, (mine, single) in errors.items():
            print(f"#   {name:60} {mine:.2e} {single:.2e} {ratios[name]:.2f}")
    name = max(ratios, key=ratios.get)
    mine, single = errors[name]
    check(f"{case}: {what}", ratios[name] <= ALLOWED,
          f"largest ratio {ratios[name]:.2f}, {name}: {mine:.1e}, PyTorch {single:.1e}; "
          f"median ratio {statistics.median(ratios.values()):.2f}")


transformers.utils.logging.disable_progress_bar()
torch.set_num_threads(1)  # the same sums everywhere; and threads that wait cost more than they give
with tempfile.TemporaryDirectory() as folder:
    for case in CASES:
        outputs, gradients, key_bias = errors_of(case, folder)
        report(case, "outputs", outputs)
        report(case, "gradients", gradients)
        check(f"{case}: key.bias", key_bias[0] < KEY_BIAS,
              f"{key_bias[0]:.1e} of query.bias, PyTorch {key_bias[1]:.1e}")
finish()
