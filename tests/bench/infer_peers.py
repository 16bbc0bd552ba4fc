#!/usr/bin/env python3
"""Hidden states of one sentence of 16 tokens on one thread, and of 64 sentences of natural lengths
on all: ours, PyTorch's (padded, with a mask) and ONNX Runtime's in turn, in one sitting. Milliseconds
a call, the median; peak memory of a process that does nothing else; how many times as fast we are as
the fastest of the others. For each precision the peers are tried in all their modes: eager and
compiled, float and bf16.

    LIBMLM=libmlm.so infer_peers.py [--configs mini,base] [--seconds S] [--rounds R] [--cpu-time]"""
import argparse
import ctypes
import json
import math
import os
import pathlib
import random
import statistics
import sys
import tempfile
import time

import peers

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "examples/python"))


def natural_lengths(count):
    """As workload.c's, the short lines left out: those are headings, not sentences."""
    generator = random.Random(1)
    return [min(512, max(4, int(math.exp(generator.gauss(4.19, 0.62))))) for _ in range(count)]


def make_ids(lengths):
    generator = random.Random(2)
    return [[generator.randrange(peers.VOCAB_SIZE) for _ in range(T)] for T in lengths]


# ---- each makes a function that computes the hidden states once ----------------------------------


def ours(model, threads, ids, precision, **_):
    import mlm
    H, L = peers.MODELS[model]
    runtime = mlm.runtime(threads)
    encoder = mlm.encoder(runtime, mlm.EncoderConfig(
        vocab_size=peers.VOCAB_SIZE, hidden_size=H, num_hidden_layers=L,
        num_attention_heads=H // 64, intermediate_size=4 * H),
        mlm.EncoderOptions(precision=mlm.BF16 if precision == "bf16" else mlm.F32))
    batch = mlm.make_batch(ids)
    hidden = (ctypes.c_float * (H * sum(map(len, ids))))()
    return lambda: mlm.lib.mlm_encoder_forward(
        encoder, ctypes.byref(batch), ctypes.c_int32(-1), hidden)


def padded(ids):
    import torch
    T = max(map(len, ids))
    rows = torch.tensor([row + [0] * (T - len(row)) for row in ids])
    mask = torch.tensor([[1] * len(row) + [0] * (T - len(row)) for row in ids])
    return rows, mask if len(set(map(len, ids))) > 1 else None


def bert(model, threads):
    import torch
    from transformers import BertModel
    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)
    return BertModel(peers.bert_config(model), add_pooling_layer=False).eval()


def pytorch(model, threads, ids, compiled, bf16, **_):
    import torch
    network = bert(model, threads)
    if bf16:
        network = network.bfloat16()
    if compiled:
        network = torch.compile(network)
    rows, mask = padded(ids)
    def run():
        with torch.inference_mode():
            network(input_ids=rows, attention_mask=mask)
    return run


def onnx(model, threads, ids, **_):
    import numpy
    import onnxruntime
    import torch
    rows, mask = padded(ids)
    mask = torch.ones_like(rows) if mask is None else mask

    class Hidden(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.bert = bert(model, threads)

        def forward(self, input_ids, attention_mask):
            return self.bert(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.onnx")
        torch.onnx.export(Hidden(), (rows, mask), path, input_names=["input_ids", "attention_mask"],
                          dynamo=False, opset_version=17)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])
    inputs = {"input_ids": rows.numpy(), "attention_mask": mask.numpy()}
    inputs = {name: numpy.ascontiguousarray(value) for name, value in inputs.items()}
    return lambda: session.run(None, inputs)


class Inference:
    def __init__(self, kind, threads, cpu_time, **arguments):
        self.run = {"ours": ours, "pytorch": pytorch, "onnx": onnx}[kind](
            threads=threads, **arguments)
        self.clock = peers.clock(cpu_time, threads)

    def answer(self, seconds, warm=0):
        start = time.perf_counter()
        for _ in range(warm):
            self.run()
        warm = time.perf_counter() - start
        peers.forget_peak()
        took, end = [], time.perf_counter() + seconds
        while time.perf_counter() < end or len(took) < 3:
            start = self.clock()
            self.run()
            took.append(self.clock() - start)
        return {"ms": 1e3 * statistics.median(took), "warm": warm, "MB": peers.resident("VmHWM")}


# ---- the comparison -------------------------------------------------------------------------------


def modes():
    """name -> (best of which precision it may be, arguments)"""
    found = {"ONNX Runtime": ("f32", dict(kind="onnx"))}
    for compiled in (False, True):
        for bf16 in (False, True):
            name = f"PyTorch {'compiled' if compiled else 'eager'}{' bf16' * bf16}"
            found[name] = ("bf16" if bf16 else "f32",
                           dict(kind="pytorch", compiled=compiled, bf16=bf16))
    return found


def compare(options, model, what, lengths, threads):
    shared = dict(model=model, threads=threads, ids=make_ids(lengths), cpu_time=options.cpu_time)
    cases = {f"ours {precision}": (precision, dict(kind="ours", precision=precision))
             for precision in ("f32", "bf16")} | modes()
    workers, results = {}, {}
    for name, (_, arguments) in cases.items():
        worker = peers.Worker(**shared, **arguments)
        try:
            worker.ask(seconds=0, warm=3)
            workers[name] = worker
        except RuntimeError as error:
            print(f"    {name}: {error}", flush=True)
            worker.end()
    for _ in range(options.rounds):
        for name, worker in workers.items():
            results.setdefault(name, []).append(worker.ask(seconds=options.seconds))
    for worker in workers.values():
        worker.end()
    print(f"{model}, {what}, {threads} threads:", flush=True)
    median = {name: statistics.median(r["ms"] for r in rounds) for name, rounds in results.items()}
    for name, rounds in results.items():
        print(f"    {name:24} {median[name]:9.3f} ms  {max(r['MB'] for r in rounds):6.0f} MB")
    for precision, allowed in (("f32", ["f32"]), ("bf16", ["f32", "bf16"])):
        rivals = {name: median[name] for name in modes() if name in median
                  and cases[name][0] in allowed}
        mine = median.get(f"ours {precision}")
        if mine and rivals:
            best = min(rivals, key=rivals.get)
            print(f"    ours {precision} {rivals[best] / mine:.2f}x as fast as {best}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--configs", type=peers.comma(), default=["mini", "base"])
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cpu-time", action="store_true")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        peers.serve(Inference(**json.loads(options.worker)).answer)
        return
    for model in options.configs:
        compare(options, model, "one sentence of 16 tokens", [16], 1)
        compare(options, model, "64 sentences of natural lengths", natural_lengths(64), peers.CORES)


main()
