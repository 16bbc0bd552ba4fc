#!/usr/bin/env python3
"""Writes adamw_fixture.h, schedule_fixture.h and training_fixture.h beside itself: updates,
learning rates and a short training of BertForPreTraining, by torch and transformers in float64.

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
        [{"params": parameters[:1], "weight_decay": 0.1},
         {"params": parameters[1:], "weight_decay": 0.0}],
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


def made_up(name, count):
    """The test's initial values of a parameter, exact in float."""
    first = sum((place + 1) * ord(letter) for place, letter in enumerate(name)) % 1000
    base = 1.0 if name.endswith("LayerNorm.weight") else 0.0
    return [base + weight(first + i) for i in range(count)]


def sequence(position):
    """input_ids, token_type_ids, labels and sentence label of one sequence of the stream."""
    places = range(5 + position % 5)
    ids = [1 + (position * 37 + t * 11 + position * t) % 30 for t in places]
    types = [int(2 * t >= len(places)) for t in places]
    labels = [1 + (position * 13 + t * 7) % 30 if (position + t) % 4 == 1 else -100 for t in places]
    return ids, types, labels, position // 2 % 2


def train():
    """Five sequences an update; the first three have sentence labels, the others none."""
    config = transformers.BertConfig(
        vocab_size=31, hidden_size=8, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=16, max_position_embeddings=12, hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0)
    model = transformers.BertForPreTraining(config).double().train()
    parameters = dict(model.named_parameters())
    with torch.no_grad():
        for name, parameter in parameters.items():
            numbers = torch.tensor(made_up(name, parameter.numel()), dtype=torch.float64)
            parameter.copy_(numbers.reshape(parameter.shape))
    plain = [n for n in parameters if n.endswith("bias") or "LayerNorm" in n]
    optimizer = torch.optim.AdamW(
        [{"params": [parameters[n] for n in parameters if n not in plain], "weight_decay": 0.1},
         {"params": [parameters[n] for n in plain], "weight_decay": 0.0}],
        lr=1e-2, betas=(0.9, 0.999), eps=1e-6)
    scheduler = transformers.get_linear_schedule_with_warmup(optimizer, 4, 25)
    sums = lambda logits, labels: torch.nn.functional.cross_entropy(
        logits, torch.tensor(labels), reduction="sum")
    losses, sentence_losses, norms = [], [], []
    for step in range(STEPS):
        optimizer.zero_grad()
        loss, labelled, sentence_loss = 0.0, 0, 0.0
        for index in range(5):
            ids, types, labels, sentence_label = sequence(5 * step + index)
            out = model(input_ids=torch.tensor([ids]), token_type_ids=torch.tensor([types]))
            loss = loss + sums(out.prediction_logits[0], labels)
            labelled += sum(label >= 0 for label in labels)
            if index < 3:
                sentence_loss = sentence_loss + sums(out.seq_relationship_logits, [sentence_label])
        loss, sentence_loss = loss / labelled, sentence_loss / 3
        (loss + sentence_loss).backward()
        losses.append(loss.item())
        sentence_losses.append(sentence_loss.item())
        norms.append(torch.nn.utils.clip_grad_norm_(parameters.values(), 1.0).item())
        optimizer.step()
        scheduler.step()
    # The ends of each parameter stand for the whole.
    ends = lambda p: ", ".join(repr(p.detach().flatten()[i].item()) for i in (0, 1, -1))
    trained = ["static const trained_parameter trained_parameters[] = {"]
    trained += [f'    {{"{name}",\n        {ends(p)}}},' for name, p in sorted(parameters.items())]
    return [
        values("training_losses", losses), values("training_sentence_losses", sentence_losses),
        values("training_norms", norms),
        "typedef struct trained_parameter {", "    const char *name;",
        "    double first, second, last;", "} trained_parameter;"] + trained + ["};"]


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
    write("training_fixture.h", train())
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
