#!/usr/bin/env python3
"""Writes the files of this folder with the safetensors package, version 0.8."""
import pathlib

import torch
from safetensors.torch import save_file

here = pathlib.Path(__file__).parent

save_file(
    {
        "encoder.weight": torch.arange(6, dtype=torch.float32).reshape(2, 3) / 4 - 0.5,
        "encoder.bias": torch.tensor([1e-38, -3.5, float("inf")]),
        "scale": torch.tensor(7.25),
        "empty": torch.zeros(0, 4),
        "größe": torch.tensor([[1.0]]),
    },
    here / "plain.safetensors",
    metadata={"format": "pt"},
)
save_file(
    {
        "encoder.weight": (torch.arange(6, dtype=torch.float32).reshape(2, 3) / 4 - 0.5).bfloat16(),
        "rounded": torch.tensor([1 + 2**-8, 1 + 3 * 2**-8, 1 + 2**-8 + 2**-20, -3.5]).bfloat16(),
    },
    here / "bf16.safetensors",
    metadata={"format": "pt"},
)
save_file(
    {
        "half": torch.tensor([1.5, -65504.0, 2.0**-24, -(2.0**-14)], dtype=torch.float16),
        "bfloat": torch.tensor([[1.5, -(2.0**127)]], dtype=torch.bfloat16),
        "position_ids": torch.arange(4).reshape(1, 4),
        "double": torch.tensor([0.1], dtype=torch.float64),
        "flags": torch.tensor([True, False, True]),
    },
    here / "mixed.safetensors",
)
