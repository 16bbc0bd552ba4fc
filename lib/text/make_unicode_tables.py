#!/usr/bin/env python3
r"""Writes unicode_tables.c from the Unicode data files (version 15.0, Debian's package
unicode-data), for the two profiles of the tokenizer:

    ./make_unicode_tables.py [/usr/share/unicode] > unicode_tables.c

What each profile's reference was built with, and so what is frozen here:

    hf      tokenizers 0.22.2: categories of Unicode 8.0 (crate unicode_categories), decomposition
            and combining classes of 9.0 (unicode-normalization-alignments), white space and
            lowercase of Rust's standard library (17.0), \w of Rust's regex (16.0)
    google  tokenization.py under Python 3.11: all of Unicode 14.0

A newer file is restricted to an older version with DerivedAge.txt; what was changed later for
characters that existed is listed below. The code point sweeps in tests/tokens check the result.
"""

import sys

FOLDER = sys.argv[1] if len(sys.argv) > 1 else "/usr/share/unicode"
CODES = 0x110000
HF, GOOGLE = 0, 1

# Categories of Unicode 8.0 that later versions changed.
CATEGORY_8 = {0x166D: "Po", 0x111C9: "Po", 0x1734: "Mn", 0x1885: "Lo", 0x1886: "Lo", 0xA9BD: "Mc"}

# Lowercase of Unicode 16.0 and 17.0, not yet in 15.0.
LOWER_17 = {0x1C89: 0x1C8A, 0xA7CB: 0x264, 0xA7CC: 0xA7CD, 0xA7CE: 0xA7CF, 0xA7D2: 0xA7D3,
            0xA7D4: 0xA7D5, 0xA7DA: 0xA7DB, 0xA7DC: 0x19B,
            **{c: c + 0x20 for c in range(0x10D50, 0x10D66)},
            **{c: c + 0x1B for c in range(0x16EA0, 0x16EB9)}}

# What \w got with Unicode 15.1 and 16.0, not yet in 15.0.
WORD_16 = [(0x897, 0x897), (0x1C89, 0x1C8A), (0xA7CB, 0xA7CD), (0xA7DA, 0xA7DC), (0x105C0, 0x105F3),
           (0x10D40, 0x10D65), (0x10D69, 0x10D6D), (0x10D6F, 0x10D85), (0x10EC2, 0x10EC4),
           (0x10EFC, 0x10EFC), (0x11380, 0x11389), (0x1138B, 0x1138B), (0x1138E, 0x1138E),
           (0x11390, 0x113B5), (0x113B7, 0x113C0), (0x113C2, 0x113C2), (0x113C5, 0x113C5),
           (0x113C7, 0x113CA), (0x113CC, 0x113D3), (0x113E1, 0x113E2), (0x116D0, 0x116E3),
           (0x11BC0, 0x11BE0), (0x11BF0, 0x11BF9), (0x11F5A, 0x11F5A), (0x13460, 0x143FA),
           (0x16100, 0x16139), (0x16D40, 0x16D6C), (0x16D70, 0x16D79), (0x18CFF, 0x18CFF),
           (0x1CCF0, 0x1CCF9), (0x1E5D0, 0x1E5FA), (0x2EBF0, 0x2EE5D)]

FLAGS = ["DROP", "SPACE", "BREAK", "PUNCTUATION", "MARK", "CHINESE", "DECOMPOSES", "CASED",
         "CASE_IGNORABLE", "WORD"]
BIT = {name: 1 << i for i, name in enumerate(FLAGS)}

CHINESE = [(0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F),
           (0x2B740, 0x2B81F), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F)]
# Extension E begins at 2B820; tokenizers 0.22.2 has 2B920.
CHINESE_E = {HF: (0x2B920, 0x2CEAF), GOOGLE: (0x2B820, 0x2CEAF)}

RUST_WHITE_SPACE = {*range(9, 14), 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029,
                    0x202F, 0x205F, 0x3000}
PYTHON_SPACE = RUST_WHITE_SPACE | {*range(0x1C, 0x20)}


def property_file(name):
    """(first, last, value) of each line of a file in the usual format."""
    with open(f"{FOLDER}/{name}", encoding="utf-8") as file:
        for line in file:
            fields = [field.strip() for field in line.split("#")[0].split(";")]
            if len(fields) > 1:
                first, _, last = fields[0].partition("..")
                yield int(first, 16), int(last or first, 16), fields[1]


def property_set(name, *values):
    return {c for first, last, value in property_file(name) if value in values
            for c in range(first, last + 1)}


def read_unicode_data():
    category, combining, mapping, lower = {}, {}, {}, {}
    with open(f"{FOLDER}/UnicodeData.txt", encoding="utf-8") as file:
        for line in file:
            f = line.split(";")
            code = int(f[0], 16)
            first = start if f[1].endswith("Last>") else code
            start = code
            for c in range(first, code + 1):
                category[c], combining[c] = f[2], int(f[3])
            if f[5] and not f[5].startswith("<"):
                mapping[code] = [int(c, 16) for c in f[5].split()]
            if f[13]:
                lower[code] = int(f[13], 16)
    return category, combining, mapping, lower


category, combining, mapping, lower = read_unicode_data()
age = {c: tuple(map(int, value.split("."))) for first, last, value in property_file("DerivedAge.txt")
       for c in range(first, last + 1)}
cased = property_set("DerivedCoreProperties.txt", "Cased")
case_ignorable = property_set("DerivedCoreProperties.txt", "Case_Ignorable")
alphabetic = property_set("DerivedCoreProperties.txt", "Alphabetic")
assert age[0x1FAE8] == (15, 0) and max(age.values()) == (15, 0), "the data files must be 15.0"


def exists(code, version):
    return age.get(code, (99, 0)) <= version


def decomposition(code):
    if code not in mapping:
        return [code]
    return [c for part in mapping[code] for c in decomposition(part)]


def is_ascii_punctuation(code):
    return 33 <= code <= 47 or 58 <= code <= 64 or 91 <= code <= 96 or 123 <= code <= 126


def profile_flags(profile, code):
    version = (8, 0) if profile == HF else (14, 0)
    kind = category.get(code, "Cn") if exists(code, version) else "Cn"
    if profile == HF:
        kind = CATEGORY_8.get(code, kind)
    names = set()
    line = code in (9, 10, 13)
    dropped = ("Cc", "Cf", "Co") if profile == HF else ("Cc", "Cf")
    if code in (0, 0xFFFD) or kind in dropped and not line:
        names.add("DROP")
    if code in RUST_WHITE_SPACE if profile == HF else line or kind == "Zs":
        names.add("SPACE")
    if code in (RUST_WHITE_SPACE if profile == HF else PYTHON_SPACE):
        names.add("BREAK")
    if is_ascii_punctuation(code) or kind[0] == "P":
        names.add("PUNCTUATION")
    if kind == "Mn":
        names.add("MARK")
    if any(first <= code <= last for first, last in CHINESE + [CHINESE_E[profile]]):
        names.add("CHINESE")
    if exists(code, (9, 0) if profile == HF else (14, 0)):
        if code in mapping or 0xAC00 <= code <= 0xD7A3:
            names.add("DECOMPOSES")
    if exists(code, (14, 0)):
        names |= {"CASED"} if code in cased else set()
        names |= {"CASE_IGNORABLE"} if code in case_ignorable else set()
    # \w of Rust's regex, for added tokens that stand alone.
    kind = category.get(code, "Cn")
    if code in alphabetic or kind[0] == "M" or kind in ("Nd", "Pc") or code in (0x200C, 0x200D) or \
            any(first <= code <= last for first, last in WORD_16):
        names.add("WORD")
    return sum(BIT[name] for name in names)


def record(code):
    """lowercase distance and flags and combining class of the two profiles."""
    distance = [0, 0]
    target = LOWER_17.get(code, lower.get(code, code))
    distance[HF] = target - code
    if code in lower and exists(code, (14, 0)):
        distance[GOOGLE] = lower[code] - code
    classes = [combining.get(code, 0) if exists(code, version) else 0 for version in ((9, 0), (14, 0))]
    return (*distance, profile_flags(HF, code), profile_flags(GOOGLE, code), *classes)


def two_stage(values, size):
    """values cut into blocks of size; (block number of each, the distinct blocks end to end)."""
    blocks, numbers, flat = {}, [], []
    for i in range(0, len(values), size):
        block = tuple(values[i:i + size])
        if block not in blocks:
            blocks[block] = len(blocks)
            flat.extend(block)
        numbers.append(blocks[block])
    return numbers, flat


def array(kind, name, values):
    print(f"const {kind} {name}[{len(values)}] = {{")
    line = "   "
    for value in values:
        text = f" {value},"
        if len(line) + len(text) > 98:
            print(line)
            line = "   "
        line += text
    print(line)
    print("};\n")


def main():
    records = {}
    numbers = [records.setdefault(record(code), len(records)) for code in range(CODES)]
    index, blocks = two_stage(numbers, 128)
    pool, places = [0], [0] * 0x30000
    for code in sorted(mapping):
        if exists(code, (14, 0)):
            places[code] = len(pool)
            parts = decomposition(code)
            before, after = len(chr(code).encode()), len("".join(map(chr, parts)).encode())
            assert after <= 3 * before and len(parts) <= 4
            pool += [len(parts), *parts]
    decomposition_index, decomposition_places = two_stage(places, 64)

    print("/* Written by make_unicode_tables.py from the Unicode data files. */")
    print('#include "text/unicode_tables.h"\n')
    print(f"const mlm__character mlm__characters[{len(records)}] = {{")
    for (lower_hf, lower_google, flags_hf, flags_google, class_hf, class_google) in records:
        print(f"    {{{{{lower_hf}, {lower_google}}}, {{0x{flags_hf:x}, 0x{flags_google:x}}}, "
              f"{{{class_hf}, {class_google}}}}},")
    print("};\n")
    array("uint16_t", "mlm__character_index", index)
    array("uint16_t", "mlm__character_blocks", blocks)
    array("uint16_t", "mlm__decomposition_index", decomposition_index)
    array("uint16_t", "mlm__decomposition_places", decomposition_places)
    array("int32_t", "mlm__decompositions", pool)


main()
