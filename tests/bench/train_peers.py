#!/usr/bin/env python3
"""Training steps of bench_train and of PyTorch in turn, in one sitting: tokens a second and peak
memory, and how many times as fast we are.

user    transformers.BertForMaskedLM as one writes it: AdamW, clipping, padded batches with their
        mask, logits of all tokens
expert  labelled rows only in the head, fused AdamW, no mask where there is no padding

Each is tried eager and compiled, for bf16 with autocast and in float after all; the expert also with
plain attention, the user only with scaled-dot-product attention, which transformers picks unasked.
The fastest mode goes on beside ours. Compiling is not timed.

    train_peers.py BENCH_TRAIN [--configs ...] [--precision f32,bf16] [--threads N]
                   [--shapes 32x128,8x512,natural] [--seconds S] [--rounds R] [--text FILE] [--cpu-time]"""
import argparse
import json
import subprocess
import time

import peers

NO_LABEL = -100


# ---- PyTorch, in a process of its own ------------------------------------------------------------


def make_batches(lengths, generator):
    """Padded to the longest: ids, mask, labels, the labelled rows, as many as workload.c labels."""
    import torch
    batches = []
    for batch in lengths:
        B, T = len(batch), max(batch)
        mask = torch.arange(T).repeat(B, 1) < torch.tensor(batch)[:, None]
        ids = torch.randint(0, peers.VOCAB_SIZE, (B, T), generator=generator) * mask
        real = mask.flatten().nonzero().squeeze(1)
        order = torch.randperm(len(real), generator=generator)
        rows = real[order[:int(0.15 * len(real) + 0.5)]].sort().values
        labels = torch.full((B, T), NO_LABEL)
        labels.view(-1)[rows] = ids.flatten()[rows]
        batches.append((ids, mask.long(), labels, rows))
    return batches


class Training:
    def __init__(self, model, threads, lengths, who, compiled, attention, autocast, cpu_time):
        import torch
        from transformers import BertForMaskedLM
        torch.set_num_threads(threads)
        torch.manual_seed(1)
        self.torch, self.clock = torch, peers.clock(cpu_time, threads)
        self.padded = any(len(set(batch)) > 1 for batch in lengths)
        self.batches = make_batches(lengths, torch.Generator().manual_seed(1))
        self.tokens = [sum(batch) for batch in lengths]
        self.model = BertForMaskedLM(peers.bert_config(model, attn_implementation=attention)).train()
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=1e-4, weight_decay=0.01, fused=who == "expert")
        self.autocast = torch.autocast("cpu", torch.bfloat16, enabled=autocast)
        self.loss = torch.compile(getattr(self, who)) if compiled else getattr(self, who)
        self.steps = 0

    def user(self, ids, mask, labels, rows):
        return self.model(input_ids=ids, attention_mask=mask, labels=labels).loss

    def expert(self, ids, mask, labels, rows):
        hidden = self.model.bert(
            input_ids=ids, attention_mask=mask if self.padded else None).last_hidden_state
        logits = self.model.cls(hidden.flatten(0, 1)[rows])
        return self.torch.nn.functional.cross_entropy(logits.float(), labels.flatten()[rows])

    def step(self):
        """Returns its tokens."""
        at = self.steps % len(self.batches)
        self.steps += 1
        with self.autocast:
            loss = self.loss(*self.batches[at])
        loss.backward()
        self.torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        loss.item()
        return self.tokens[at]

    def answer(self, seconds, warm=0):
        start = time.perf_counter()
        for _ in range(warm):
            self.step()
        warm = time.perf_counter() - start
        peers.forget_peak()
        tokens, start = 0, self.clock()
        while (taken := self.clock() - start) < seconds or tokens == 0:
            tokens += self.step()
        return {"tokens": tokens, "seconds": taken, "warm": warm, "MB": peers.resident("VmHWM")}


# ---- the comparison -----------------------------------------------------------------------------


def modes(who, precision):
    """name -> what Training takes."""
    found = {}
    for autocast in ([False] if precision == "f32" else [True, False]):
        for compiled in (True, False):
            for attention in (["sdpa", "eager"] if who == "expert" else ["sdpa"]):
                name = " ".join([who, "compiled" if compiled else "eager"] + [attention] * (
                    who == "expert") + ["autocast"] * autocast)
                found[name] = dict(who=who, compiled=compiled, attention=attention,
                                   autocast=autocast)
    return found


def ours(options, case, seconds):
    """tokens/s and MB, or None: not in this build."""
    model, precision, shape = case
    command = [options.bench, "--configs", model, "--precision", precision, "--shapes", shape,
               "--threads", str(options.threads), "--seconds", str(seconds), "--no-peak",
               "--no-phases"] + ["--cpu-time"] * options.cpu_time
    command += ["--text", options.text] if options.text else []
    fields = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    fields = fields.splitlines()[-1].split()
    return None if "build" in fields else (float(fields[4]), float(fields[-1]))


def lengths_of(options, shape):
    if shape != "natural":
        B, T = map(int, shape.split("x"))
        return [[T] * B]
    command = [options.bench, "--lengths"] + (["--text", options.text] if options.text else [])
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [list(map(int, line.split())) for line in lines.splitlines()]


def compare(options, case):
    model, precision, shape = case
    lengths = lengths_of(options, shape)
    # More than one, so that sizes which the compiler took for constants are compiled as variables.
    probe = dict(warm=min(len(lengths), 3) + 1, seconds=options.seconds)
    rate = lambda result: result["tokens"] / result["seconds"]
    sums = {}
    workers = {}
    for who in options.who:
        make = {name: lambda mode=mode: peers.Worker(
            model=model, threads=options.threads, lengths=lengths, cpu_time=options.cpu_time,
            **mode) for name, mode in modes(who, precision).items()}
        name, worker = peers.best_of(make, rate, probe)
        if worker:
            workers[name] = worker
    for _ in range(options.rounds):
        mine = ours(options, case, options.seconds)
        if mine:
            sums.setdefault("ours", []).append(dict(tokens=mine[0], seconds=1, MB=mine[1]))
        for name, worker in workers.items():
            sums.setdefault(name, []).append(worker.ask(seconds=options.seconds))
    for worker in workers.values():
        worker.end()
    total = {name: (sum(r["tokens"] for r in rounds) / sum(r["seconds"] for r in rounds),
                    max(r["MB"] for r in rounds)) for name, rounds in sums.items()}
    row = f"{model} {precision} {options.threads} threads {shape}:"
    if "ours" not in total:
        row += " ours not in this build;"
    for name, (speed, memory) in total.items():
        row += f" {name} {speed:.0f} tokens/s {memory:.0f} MB"
        if name != "ours" and "ours" in total:
            row += f" (ours {total['ours'][0] / speed:.2f}x)"
        row += ";"
    print(row.rstrip(";"), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("bench", nargs="?", help="bench_train")
    parser.add_argument("--configs", type=peers.comma(), default=list(peers.MODELS))
    parser.add_argument("--precision", type=peers.comma(), default=["f32", "bf16"])
    parser.add_argument("--threads", type=int, default=peers.CORES)
    parser.add_argument("--shapes", type=peers.comma(), default=["32x128", "8x512", "natural"])
    parser.add_argument("--who", type=peers.comma(), default=["user", "expert"])
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--text")
    parser.add_argument("--cpu-time", action="store_true")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        peers.serve(Training(**json.loads(options.worker)).answer)
        return
    if not options.bench:
        parser.error("where is bench_train?")
    for model in options.configs:
        for precision in options.precision:
            for shape in options.shapes:
                compare(options, (model, precision, shape))


main()
