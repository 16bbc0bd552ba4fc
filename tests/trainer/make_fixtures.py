#!/usr/bin/env python3
"""Writes adamw_fixture.h and schedule_fixture.h beside itself: updates and learning rates of
torch and transformers in float64.

Weights and gradients are exact in float and made by the same rule here and in the tests.
"""
import pathlib

import torch
import transformers

STEPS, DECAYED, PLAIN = 20, 37, 11


def weight(i):
    return ((i * 7919 + 13) % 2001 - 1000) / 8192


def gradient(i, step):
    return ((i * 104729 + step * 1299709 + i * step) % 2003 - 1001) / 4096


def values(name, numbers):
    lines = [f"static const double {name}[{len(numbers)}] = {{"]
    lines += [f"    {number!r}," for number in numbers]
    return "\n".join(lines + ["};"])


def start():
    decayed = torch.tensor([weight(i) for i in range(DECAYED)], dtype=torch.float64)
    plain = torch.tensor([weight(DECAYED + i) for i in range(PLAIN)], dtype=torch.float64)
    return [decayed.requires_grad_(), plain.requires_grad_()]


def set_gradients(parameters, step):
    place = 0
    for parameter in parameters:
        count = parameter.numel()
        parameter.grad = torch.tensor(
            [gradient(place + i, step) for i in range(count)], dtype=torch.float64)
        place += count


def flat(parameters):
    return torch.cat([parameter.detach() for parameter in parameters]).tolist()


def adamw(schedule, max_norm):
    parameters = start()
    optimizer = torch.optim.AdamW(
        [{"params": parameters[:1], "weight_decay": 0.1}, {"params": parameters[1:], "weight_decay": 0.0}],
        lr=1e-2, betas=(0.9, 0.999), eps=1e-6)
    scheduler = schedule(optimizer)
    norms = []
    for step in range(STEPS):
        set_gradients(parameters, step)
        limit = max_norm if max_norm else float("inf")
        norms.append(torch.nn.utils.clip_grad_norm_(parameters, limit).item())
        optimizer.step()
        scheduler.step()
    return flat(parameters), norms


def google():
    """google-research/bert, optimization.py: AdamWeightDecayOptimizer.apply_gradients."""
    parameters = [parameter.detach() for parameter in start()]
    moments = [(torch.zeros_like(p), torch.zeros_like(p)) for p in parameters]
    for step in range(STEPS):
        set_gradients(parameters, step)
        norm = torch.cat([p.grad for p in parameters]).norm()
        for index, (p, (m, v)) in enumerate(zip(parameters, moments)):
            g = p.grad * min(1.0, (1.0 / (norm + 1e-6)).item())
            m.copy_(0.9 * m + 0.1 * g)
            v.copy_(0.999 * v + 0.001 * g * g)
            update = m / (v.sqrt() + 1e-6)
            if index == 0:
                update += 0.1 * p
            p.copy_(p - 1e-2 * (STEPS - step) / STEPS * update)
    return flat(parameters)


def rates(schedule, count):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = schedule(optimizer)
    result = []
    for _ in range(count):
        result.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    return result


def write(name, arrays):
    with open(pathlib.Path(__file__).parent / name, "w") as file:
        print(f"/* Made by make_fixtures.py with torch {torch.__version__} and transformers "
              f"{transformers.__version__}. */", *arrays, sep="\n", file=file)


def main():
    linear = lambda o: transformers.get_linear_schedule_with_warmup(o, 4, 25)
    cosine = lambda o: transformers.get_cosine_schedule_with_warmup(o, 0, 25)
    clipped, norms = adamw(linear, 1.0)
    unclipped, _ = adamw(cosine, 0.0)
    write("adamw_fixture.h", [
        values("clipped_parameters", clipped),
        values("clipped_norms", norms),
        values("unclipped_parameters", unclipped),
        values("google_parameters", google())])
    write("schedule_fixture.h", [
        values("linear_rates", rates(
            lambda o: transformers.get_linear_schedule_with_warmup(o, 7, 50), 53)),
        values("cosine_rates", rates(
            lambda o: transformers.get_cosine_schedule_with_warmup(o, 7, 50), 51)),
        values("constant_rates", rates(
            lambda o: transformers.get_constant_schedule_with_warmup(o, 7), 10)),
        values("stable_decay_rates", rates(
            lambda o: transformers.get_wsd_schedule(
                o, 7, 5, num_training_steps=50, decay_type="1-sqrt"), 53))])


if __name__ == "__main__":
    main()
