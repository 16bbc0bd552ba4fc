"""What the live comparisons share: the library under test, TAP, batches as both sides want them."""
import os
import pathlib
import sys

import torch

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("MLM_BUILD", ROOT / "build"))
DATA = os.environ.get("MLM_TEST_DATA")
os.environ.setdefault("LIBMLM", str(BUILD / "lib/libmlm.so"))
os.environ.setdefault("HF_HUB_OFFLINE", "1")
sys.path.insert(0, str(ROOT / "examples/python"))

_count, _failed = 0, False


def check(name, good, detail=""):
    global _count, _failed
    _count += 1
    _failed = _failed or not good
    print("ok" if good else "not ok", _count, "-", name, f"({detail})" if detail else "", flush=True)


def check_close(name, ours, theirs, tolerance):
    difference = (ours.double() - theirs.double()).abs().max().item()
    check(name, difference <= tolerance, f"largest difference {difference:.2e}, {tolerance:g} allowed")


def skip(name, reason):
    global _count
    _count += 1
    print("ok", _count, "-", name, "# SKIP", reason)


def finish():
    print(f"1..{_count}")
    sys.exit(_failed)


def padded(sequences, value=0):
    """[B,T] and its attention mask, from sequences of different lengths."""
    rows = [torch.tensor(sequence, dtype=torch.long) for sequence in sequences]
    array = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=value)
    lengths = torch.tensor([len(sequence) for sequence in sequences])
    return array, (torch.arange(array.shape[1])[None] < lengths[:, None]).long()
