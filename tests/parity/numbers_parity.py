"""Random models of many shapes: errors at most twice those of PyTorch in float32 (float_errors.py). A case
is a shape and an activation; each of its batches has weights of its own."""
import tempfile

import torch
from transformers import BertConfig, BertForPreTraining

from float_errors import Inputs, compare
from parity import finish

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
    "untied": (331, 64, 2, 4, 256, "gelu", [[128] * 2, [45], [16, 200]] * 2),
    "base": (3001, 768, 2, 12, 3072, "gelu", [[128] * 2, [257], [33, 64]]),
}


def model_of(V, H, L, A, I, act, seed, **more):
    """Weights of a trained model's size: products that neither vanish nor drown in their bias."""
    config = BertConfig(vocab_size=V, hidden_size=H, num_hidden_layers=L, num_attention_heads=A,
                        intermediate_size=I, hidden_act=ACTIVATIONS[act], hidden_dropout_prob=0.0,
                        attention_probs_dropout_prob=0.0, **more)
    model, generator = BertForPreTraining(config), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if parameter.ndim == 2:
                parameter.copy_(noise * (0.05 if "embeddings" in name else parameter.shape[1] ** -0.5))
            else:
                parameter.copy_(noise * 0.1 + (1.0 if "LayerNorm.weight" in name else 0.0))
    return model


with tempfile.TemporaryDirectory() as folder:
    for case, (*shape, batches) in CASES.items():
        more = {"tie_word_embeddings": False} if case == "untied" else {}
        compare(case, ((model_of(*shape, seed, **more), Inputs(lengths, shape[0], 100 + seed))
                       for seed, lengths in enumerate(batches)), folder)
    # Where the CPU has no bf16, ours are those of fp32.
    for case in ("odd widths, silu", "mini, tanh", "deep", "base"):
        *shape, batches = CASES[case]
        compare(f"{case}, bf16", ((model_of(*shape, seed), Inputs(lengths, shape[0], 100 + seed))
                                  for seed, lengths in enumerate(batches)), folder, bf16=True)
finish()
