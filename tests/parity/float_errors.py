"""Errors against PyTorch in float64, beside those of PyTorch in float32, or in bf16 under autocast, on the
same models and inputs.

Outputs are compared by the largest error over the batches of a case, gradients tensor by tensor by the
relative error in 2-norm, of which the median over the batches counts: in some batch a unit of ReLU lies
on the other side of 0. That PyTorch's error of a tensor of a few numbers is very small is luck, so ours
is divided by at least half the median of PyTorch's errors in a case. `--table` prints every figure.
"""
import ctypes
import math
import statistics
import sys
from collections import defaultdict
from ctypes import POINTER, byref, c_char_p, c_float, c_int32, c_int64, c_size_t

import torch
import transformers

from parity import check, padded
import mlm

ALLOWED = 2.0
KEY_BIAS = 1e-6  # of query.bias: softmax ignores it
POOL_BERT = 3
transformers.utils.logging.disable_progress_bar()
torch.set_num_threads(1)  # the same sums everywhere; and threads that wait cost more than they give


class Tensor(mlm._Struct):
    _fields_ = [("struct_size", ctypes.c_uint32), ("ndim", c_int32), ("shape", c_int64 * 4),
                ("name", c_char_p), ("data", POINTER(c_float))]
    init = "mlm_tensor_init"


for function in "encoder_forward encoder_logits encoder_sentence_logits trainer_get_gradient".split():
    getattr(mlm.lib, "mlm_" + function).restype = mlm._checked
mlm.lib.mlm_encoder_tensor_count.restype = c_size_t


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


def theirs(model, inputs, dtype, bf16=False):
    """Outputs and gradients by name, in float64."""
    model = model.to(dtype).train()
    model.zero_grad()
    ids, mask = padded(inputs.ids)
    outputs = {}
    handle = model.bert.pooler.register_forward_hook(
        lambda module, given, made: outputs.update({"pooled output": made}))
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
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
    gradients = {name: p.grad.double().clone() for name, p in model.named_parameters()
                 if p.grad is not None}
    return {name: value.detach().double() for name, value in outputs.items()}, gradients


def filled(rows, columns, call):
    values = torch.empty(rows, columns)
    call(ctypes.cast(values.data_ptr(), POINTER(c_float)))
    return values.double()


def ours(directory, inputs, config, bf16=False):
    V, H, L = config.vocab_size, config.hidden_size, config.num_hidden_layers
    encoder = mlm.load_encoder(
        None, directory, mlm.EncoderOptions(precision=mlm.BF16 if bf16 else mlm.F32))
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


def errors_of(batches, folder, bf16):
    """batches: models and their Inputs. Gives name: [our error, PyTorch's], of outputs and of gradients;
    and the key biases' sizes."""
    largest, relative = defaultdict(lambda: [0.0, 0.0]), defaultdict(lambda: ([], []))
    key_bias = [0.0, 0.0]
    for model, inputs in batches:
        model.float().save_pretrained(folder)
        mine = ours(folder, inputs, model.config, bf16)
        single = theirs(model, inputs, torch.float32, bf16)
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


def compare(case, batches, folder, bf16=False):
    outputs, gradients, key_bias = errors_of(batches, folder, bf16)
    report(case, "outputs", outputs)
    report(case, "gradients", gradients)
    check(f"{case}: key.bias", key_bias[0] < KEY_BIAS,
          f"{key_bias[0]:.1e} of query.bias, PyTorch {key_bias[1]:.1e}")
