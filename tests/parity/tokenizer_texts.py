"""Texts on which tokenizers are compared, a vocabulary that tells their results apart, and our calls."""
import ctypes
import gzip
import json
import lzma
import pathlib
import random
from ctypes import byref, c_int32, c_size_t

import numpy

from parity import DATA
import mlm

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
CODES = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
OPTIONS = "profile lowercase strip_accents handle_chinese_chars clean_text"
TokenizerOptions = mlm._struct("tokenizer_options", [(c_int32, OPTIONS)])
EncodeOptions = mlm._struct("encode_options", [(c_int32, "add_special_tokens max_length")])


def vocabulary():
    """Every character, at a word's begin and inside, and some longer pieces."""
    letters = random.Random(1)
    pieces = {"".join(letters.choices("abcxyzασ中e", k=letters.randint(2, 4))) for _ in range(300)}
    tokens = SPECIAL + [chr(c) for c in CODES if c not in (0, 10)] + sorted(pieces)
    return tokens + ["##" + token for token in tokens[len(SPECIAL):]]


def create(tokens, options):
    out = [token.encode() for token in tokens]
    return mlm.Handle("tokenizer", "create", None, (ctypes.c_char_p * len(out))(*out),
                      c_size_t(len(out)), byref(TokenizerOptions(**options)))


def encode_batch(tokenizer, texts):
    """offsets [B+1], ids [N], spans [N,2] of texts of bytes."""
    lengths = [len(text) for text in texts]
    capacity = sum(lengths)
    offsets = numpy.zeros(len(texts) + 1, numpy.int32)
    ids, spans = numpy.zeros(capacity, numpy.int32), numpy.zeros((capacity, 2), numpy.int32)
    pointer = lambda array: array.ctypes.data_as(mlm.Ids)
    mlm.lib.mlm_tokenizer_encode_batch(
        tokenizer, (ctypes.c_char_p * len(texts))(*texts), (c_size_t * len(texts))(*lengths),
        c_int32(len(texts)), byref(EncodeOptions(add_special_tokens=0)), pointer(offsets),
        pointer(ids), pointer(spans), c_size_t(capacity), byref(c_size_t()))
    return offsets, ids[:offsets[-1]], spans[:offsets[-1]]


def code_points(size=512):
    """Every code point alone and between letters, so many to a text."""
    for i in range(0, len(CODES), size):
        yield " ".join(f"{chr(c)} x{chr(c)}y" for c in CODES[i:i + size])


def decode(tokenizer, ids, flags):
    """flags: 1 without special tokens, 2 cleaned up."""
    out, length = ctypes.create_string_buffer(16 * len(ids) + 64), c_size_t()
    mlm.lib.mlm_tokenizer_decode(tokenizer, mlm.int32(ids), c_size_t(len(ids)), c_int32(flags), out,
                                 c_size_t(len(out)), byref(length))
    return out.raw[:length.value].decode()


def pools():
    span = lambda *ranges: [chr(c) for first, last in ranges for c in range(first, last + 1)]
    marks = span((0x300, 0x36F), (0x591, 0x5BD), (0x610, 0x61A), (0x64B, 0x65F), (0x900, 0x903),
                 (0x93C, 0x94D), (0xF71, 0xF87), (0x1AB0, 0x1AC0), (0x1DC0, 0x1DFF), (0x20D0, 0x20F0),
                 (0x302A, 0x302F), (0x3099, 0x309A), (0xFE20, 0xFE2F), (0x1D165, 0x1D172),
                 (0x16FF0, 0x16FF1), (0x1E000, 0x1E02A), (0x1DF9, 0x1DFB), (0x8D3, 0x8E1))
    latin = span((0x41, 0x5A), (0x61, 0x7A), (0xC0, 0x24F), (0x1E00, 0x1EFF))
    return {
        "marks": marks * 3 + list("aeoAσ가") + span((0xC0, 0xFF)),
        "decompositions": span((0x340, 0x345), (0xF73, 0xF81), (0x1F00, 0x1FFF), (0x1D15E, 0x1D164),
                               (0x2F800, 0x2FA1D), (0xFB1D, 0xFB4E), (0x958, 0x95F)) + marks,
        "sigma": list("ΑΣΣΣσςasİIı'.:\u00ad\u0345\u0301 \u200b\u2028\u1d2c\u02b0·中-"),
        "hangul": span((0xAC00, 0xAC40), (0x1100, 0x11FF), (0xA960, 0xA97C), (0xD7B0, 0xD7FB),
                       (0xD790, 0xD7A3), (0x302E, 0x302F)),
        "chinese": span((0x4DB0, 0x4E10), (0x9FE0, 0xA010), (0x2B730, 0x2B930), (0x2CE90, 0x2CEC0),
                        (0xF8F0, 0xFAFF), (0x3000, 0x3030)) + list("ab,。 "),
        "spaces": span((0, 0x20), (0x7F, 0xA1), (0x2000, 0x200F), (0x2028, 0x202F), (0x205F, 0x2064))
                  + list("\u1680\u180e\u3000\ufeff\ufffd\u0085") + list("abÉ,") * 5,
        "unassigned": span((0x378, 0x379), (0xE000, 0xE003), (0xF8FD, 0xF8FF), (0xE0000, 0xE0080),
                           (0xF0000, 0xF0003), (0xFFFFD, 0x100001), (0x10FFFC, 0x10FFFF),
                           (0x1FAE0, 0x1FAFF), (0xFDD0, 0xFDD2)) + list("aé "),
        "new": span((0x1C89, 0x1C8A), (0xA7CB, 0xA7DC), (0x10D40, 0x10D90), (0x16EA0, 0x16ED8),
                    (0x1BCA0, 0x1BCA3), (0x11F00, 0x11F60), (0x13430, 0x1345F), (0x2E40, 0x2E5D)),
        "mixed": latin + span((0x370, 0x52F), (0x5D0, 0x5EA), (0x620, 0x64A), (0x904, 0x939),
                              (0xE00, 0xE4F), (0x3040, 0x30FF)) + marks + list(" .,-'你好中文"),
        "special": SPECIAL + ["[mask]", "[MASK", "MASK]", "[", "]", "a", "é", " ", "中", "##x", "\u0301"],
        "prefixes": list("####abc  "),
        "emoji": span((0x1F600, 0x1F640), (0x1F3FB, 0x1F3FF), (0x1F1E6, 0x1F1FF)) + list("\u200d\ufe0fa"),
        "any": [chr(c) for c in CODES],
    }


def random_texts(seed, each=400):
    rng = random.Random(seed)
    for name, pool in pools().items():
        for _ in range(each):
            yield "".join(rng.choices(pool, k=rng.choice((1, 2, 3, 5, 8, 13, 40, 150))))
    everything = [c for pool in pools().values() for c in pool]
    for _ in range(each):
        yield "".join(rng.choices(everything, k=60))


def limit_texts():
    """Words at the limits, of characters that stay, double, vanish or part."""
    for size in (98, 99, 100, 101, 102, 198, 199, 200, 201, 202):
        for one in ("a", "é", "e\u0301", "Σ", "İ", "𝔞", "가", "ß", "\u0301", "a\u200b", "क्"):
            yield one * (size // len(one)) + "a" * (size % len(one))
            yield "x " + one * size + "! y"
    for size in range(30, 70):
        yield "각" * size + "가"
    for size in (10, 1000, 20000):
        for marks in ("\u0301", "\u0301\u0316", "\u0f73\u0345", "\u093c\u05b0\u302e", "\u1abf\u0301"):
            yield "a" + marks * size + "b\u0301"


def data_texts():
    if not DATA:
        return []
    folder = pathlib.Path(DATA)
    read = lambda name: lzma.open(folder / name, "rt", encoding="utf-8").read()
    texts = read("text/udhr.txt.xz").splitlines() + read("text/enwiki-12m.valid.txt.xz").splitlines()
    with gzip.open(folder / "conformance/torture.hf.jsonl.gz", "rt", encoding="utf-8") as lines:
        return texts + [json.loads(line)["text"] for line in lines]


def random_bytes(seed, count=20000):
    """Texts with bytes broken, of all lead and continuation bytes."""
    rng = random.Random(seed)
    parts = [bytes([b]) for b in range(256)] + [c.encode() for c in "aé中😀Σ\ufffd  .\u0301"] * 8 + [
        b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\x80", b"\xe0\x80", b"\xf0\x9f\x98", b"\xe4\xb8"] * 4
    for _ in range(count):
        yield b"".join(rng.choices(parts, k=rng.randint(1, 12)))
