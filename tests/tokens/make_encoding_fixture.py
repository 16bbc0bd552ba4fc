#!/usr/bin/env python3
"""Writes encoding_fixture.h: what the references give for a few hard texts.

    ./make_encoding_fixture.py > encoding_fixture.h       (tokenizers 0.22.2, Python 3.11)

Profile hf is `tokenizers` itself. Profile google is google-research/bert's tokenization.py, written
down again here in a few lines over Python's own str.lower, str.split and unicodedata.
"""

import itertools
import json
import unicodedata

import tokenizers
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

assert tokenizers.__version__ == "0.22.2" and unicodedata.unidata_version == "14.0.0"

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = ["un", "##want", "##ed", "runn", "##ing", "hello", "how", "are", "you", "straße", "the",
         "##σ", "##ς", "##ı", "i", "##̇", "[X]", "new", "##s", "do", "not"]
TEXTS = [
    "", " ", "UNwanted, running", " \tHeLLo!how  \n Are yoU?  ", "naïve café — Straße",
    "a\u0301\u0323b \u1e69 \u0344 \u0958\u093c", "İstanbul Iı ΑΣ ΑΣΑ Σ Α'Σ ΑΣ.Σ",
    "中文a字 한국어 カタカナ", "x\u200dy\u00ady\u0000z\ufffdw", "a\u2028b\u2029c\u3000d\u00a0e\x85f",
    "$1.50 ~`|<>^ €5 «q» ‽", "e\u0301\u1885\u0302x", "\U0002b830\U0002b930\ue000q",
    "[CLS] the [MASK]! [mask] x[SEP]y [UNK][PAD]", "##ing # ## un##ed", "a" * 100 + " " + "a" * 101,
    "a" * 200 + " " + "é" * 201, "\u16ea0\U0001e900\u1c89\u10d50 ᲐႠ", "\u1dfa\u0b56\u302e\u3099\u0345x",
    "a\u0f71\u0f72\u0f80b\U0001d165\U0001d16d\U0001d15f c",
]
INVALID = [b"a\xffb\xc3", b"\xe4\xb8 \xf0\x9f\x98x\xed\xa0\x80y", b"\xc0\xafn\xf4\x90\x80\x80",
           b"\xce\x91\xce\xa3\xff\xce\x91"]
OPTIONS = [  # lowercase, strip_accents, handle_chinese_chars, clean_text
    (1, -1, 1, 1), (0, -1, 1, 1), (1, 0, 1, 1), (0, 1, 1, 1), (1, -1, 0, 1), (1, -1, 1, 0)]


def normalizer(lowercase, strip, chinese, clean):
    return normalizers.BertNormalizer(lowercase=bool(lowercase), clean_text=bool(clean),
                                      handle_chinese_chars=bool(chinese),
                                      strip_accents=None if strip < 0 else bool(strip))


def google_words(text, lowercase, strip, chinese, clean):
    strip = lowercase if strip < 0 else strip
    if clean:
        text = "".join(
            " " if c in " \t\n\r" or unicodedata.category(c) == "Zs" else c for c in text
            if not (c in "\0\ufffd" or c not in "\t\n\r" and unicodedata.category(c) in ("Cc", "Cf")))
    ranges = [(0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F),
              (0x2B740, 0x2B81F), (0x2B820, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F)]
    if chinese:
        text = "".join(f" {c} " if any(a <= ord(c) <= b for a, b in ranges) else c for c in text)
    for word in text.split():
        word = word.lower() if lowercase else word
        if strip:
            word = "".join(c for c in unicodedata.normalize("NFD", word)
                           if unicodedata.category(c) != "Mn")
        spaced = "".join(
            f" {c} " if unicodedata.category(c)[0] == "P" or 33 <= ord(c) <= 126
            and not c.isalnum() else c for c in word)
        yield from spaced.split()


def wordpiece(vocab, word, limit):
    if len(word) > limit:
        return [vocab["[UNK]"]]
    ids, begin = [], 0
    while begin < len(word):
        prefix = "##" if begin else ""
        end = next((e for e in range(len(word), begin, -1) if prefix + word[begin:e] in vocab), None)
        if end is None:
            return [vocab["[UNK]"]]
        ids.append(vocab[prefix + word[begin:end]])
        begin = end
    return ids


def make_tokenizer(vocab, options):
    tokenizer = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = normalizer(*options)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(cleanup=False)
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", vocab["[SEP]"]),
                                                         ("[CLS]", vocab["[CLS]"]))
    tokenizer.add_special_tokens(SPECIAL)
    return tokenizer


def literal(data):
    """A C string; a new literal after each escape, which otherwise takes the digits behind it."""
    data = data.encode() if isinstance(data, str) else data
    out = "".join(f'\\{b:03o}' if b < 32 or b > 126 or b in b'"\\?' else chr(b) for b in data)
    return f'"{out}"'


def numbers(values):
    return ", ".join(map(str, values)) if values else "0"


cases, arrays, number = [], [], itertools.count()


def add_case(kind, options, split, text, ids, spans):
    data = text if isinstance(text, bytes) else text.encode()
    name = f"case_{next(number)}"
    arrays.append(f"static const int32_t {name}_ids[] = {{{numbers(ids)}}};")
    where = "NULL"
    if spans is not None:
        byte = lambda i: len(text[:i].encode())
        arrays.append(f"static const int32_t {name}_spans[] = "
                      f"{{{numbers([byte(i) for span in spans for i in span])}}};")
        where = f"{name}_spans"
    cases.append(f"    {{{kind}, {numbers(options)}, {split}, {literal(data)}, {len(data)}, "
                 f"{len(ids)}, {name}_ids, {where}}},")


def main():
    letters = set()
    for options in OPTIONS:
        for text in TEXTS + [i.decode(errors="replace") for i in INVALID]:
            letters |= set(normalizer(*options).normalize_str(text))
            letters |= {c for word in google_words(text, *options) for c in word}
    tokens = SPECIAL + sorted(letters - set(" \t\n\r")) + ["##" + c for c in sorted(letters)]
    tokens = list(dict.fromkeys(t for t in tokens + WORDS if t.strip("\0") == t and "\0" not in t
                                and t.strip() == t))
    vocab = {token: i for i, token in enumerate(tokens)}

    for options in OPTIONS:
        tokenizer = make_tokenizer(vocab, options)
        for text in TEXTS + INVALID:
            valid = isinstance(text, str)
            for split in (0, 1):
                tokenizer.encode_special_tokens = bool(split)
                e = tokenizer.encode(text if valid else text.decode(errors="replace"),
                                     add_special_tokens=False)
                if split == 0 or "[" in str(text):
                    add_case("MLM_PROFILE_HF", options, split, text, e.ids,
                             e.offsets if valid else None)
            plain = text if valid else text.decode(errors="ignore")
            ids = [i for w in google_words(plain, *options) for i in wordpiece(vocab, w, 200)]
            add_case("MLM_PROFILE_GOOGLE", options, 0, text, ids, None)

    print("/* Written by make_encoding_fixture.py. */")
    print("#include <stddef.h>\n#include <stdint.h>\n\n#include \"mlm/mlm.h\"\n")
    print("static const char *const fixture_tokens[] = {")
    for token in tokens:
        print(f"    {literal(token)},")
    print("};\n")
    print("\n".join(arrays))
    print("""
typedef struct encoding_case {
    int32_t profile, lowercase, strip_accents, handle_chinese_chars, clean_text;
    int32_t split_special_tokens;
    const char *text;
    size_t length, count;
    const int32_t *ids, *spans;
} encoding_case;
""")
    print("static const encoding_case encoding_cases[] = {")
    print("\n".join(cases))
    print("};\n")

    added = make_tokenizer(vocab, OPTIONS[0])
    added.add_special_tokens([AddedToken("[X]", lstrip=True, rstrip=True, normalized=False)])
    added.add_tokens([AddedToken("COVID", normalized=True), AddedToken("new", normalized=False,
                      single_word=True), AddedToken("Zürich 中", normalized=True, single_word=True),
                      AddedToken("co", normalized=True, rstrip=True),
                      AddedToken("[X]]", normalized=False, special=True)])
    # Numbers: a compiler may refuse so long a string.
    data = json.dumps(json.loads(added.to_str()), ensure_ascii=True).encode() + b"\0"
    print("static const char added_json[] = {")
    for i in range(0, len(data), 24):
        print(f"    {numbers(data[i:i + 24])},")
    print("};\n")
    cases.clear()
    arrays.clear()
    for text in ["covid19 Covid COVIDs", "a [X]  b", "  [X]]c[X]", "new news anew new. néw",
                 "zurich 中 Zürich中x xZürich 中", "co  vid cocovid", "[MASK]covid [X] [X]\u3000new",
                 "co\u0301vid", "new_ _new new\u0301 new\u200d",
                 # letters of Unicode 15.1 and 16.0, and some that come later
                 "\u1c89new new\U0002ebf0 \U00016d40new new\ua7cb \U0001e5d0new", "\u1c8bnew new\U000323b0"]:
        e = added.encode(text, add_special_tokens=False)
        add_case("MLM_PROFILE_HF", OPTIONS[0], 0, text, e.ids, e.offsets)
    print("\n".join(arrays))
    print("\nstatic const encoding_case added_cases[] = {")
    print("\n".join(cases))
    print("};\n")

    print("typedef struct decoding_case {\n    int32_t flags;\n    size_t count;\n"
          "    const int32_t *ids;\n    const char *text;\n} decoding_case;\n")
    rows = []
    tokenizer = make_tokenizer(vocab, OPTIONS[0])
    for text in ["hello, how are you? i do not runn!", "un##ed ' s [MASK] x 's ##ing", "[UNK] 中文.", ""]:
        e = tokenizer.encode(text)
        for flags in range(4):
            tokenizer.decoder = decoders.WordPiece(cleanup=bool(flags & 2))
            decoded = tokenizer.decode(e.ids, skip_special_tokens=bool(flags & 1))
            print(f"static const int32_t decode_{len(rows)}[] = {{{numbers(e.ids)}}};")
            rows.append(f"    {{{flags}, {len(e.ids)}, decode_{len(rows)}, {literal(decoded)}}},")
    print("\nstatic const decoding_case decoding_cases[] = {")
    print("\n".join(rows))
    print("};")


main()
