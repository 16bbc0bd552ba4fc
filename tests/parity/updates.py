"""What the comparisons of whole updates share: a small text, and PyTorch's AdamW as it is here."""
import torch

WORDS = "the a cat dog fish bird sleeps eats sees runs in on under house tree river".split()


def write_text(path):
    generator = torch.Generator().manual_seed(3)
    with open(path, "w") as out:
        for _ in range(400):
            choice = torch.randint(len(WORDS), (9,), generator=generator).tolist()
            out.write(" ".join(WORDS[i] for i in choice) + "\n\n")


def sequences_of(batch, array):
    offsets = batch.offsets[:batch.B + 1]
    return [array[a:b] for a, b in zip(offsets, offsets[1:])]


def adamw_of(model, rate, decay):
    """Of what is trained; no decay on biases and layer norms."""
    named = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    plain = [p for n, p in named if "bias" in n or "LayerNorm" in n]
    rest = [p for n, p in named if "bias" not in n and "LayerNorm" not in n]
    return torch.optim.AdamW([{"params": rest, "weight_decay": decay},
                              {"params": plain, "weight_decay": 0.0}], lr=rate, eps=1e-6)
