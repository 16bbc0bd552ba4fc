#!/usr/bin/env python3
"""Writes profiles_fixture.h: how many code points each reference treats in a way, and which Unicode
versions that shows.

    ./make_profiles_fixture.py [/usr/share/unicode] > profiles_fixture.h
                                (tokenizers 0.22.2, Python 3.11, Debian's unicode-data 15.0)

Profile hf is asked through `tokenizers`, profile google through Python's own unicodedata and str, as
tokenization.py does. Only the age of a code point is from the data files.
"""
import pathlib
import sys
import unicodedata

import tokenizers
from tokenizers.normalizers import NFD, BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

assert tokenizers.__version__ == "0.22.2" and unicodedata.unidata_version == "14.0.0"
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "parity"))
from google_tokenization import CHINESE, is_punctuation

FOLDER = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "/usr/share/unicode")
CODES = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
clean = BertNormalizer(True, False, False, False).normalize_str
chinese = BertNormalizer(False, True, False, False).normalize_str
strip = BertNormalizer(False, False, True, False).normalize_str
lower = BertNormalizer(False, False, False, True).normalize_str
decompose = NFD().normalize_str
category = unicodedata.category


def words(c):
    return [word for word, _ in BertPreTokenizer().pre_tokenize_str(f"x{c}y")]


def moves(c):
    """Whether a character changes places with marks of the lowest or the highest class."""
    return decompose(c + "\u0334") == "\u0334" + c or decompose("\u0345" + c) == c + "\u0345"


def is_dropped(c):
    return c in "\0\ufffd" or category(c) in ("Cc", "Cf") and c not in "\t\n\r"


CLASSES = [  # name, profile hf, profile google
    ("dropped", lambda c: clean(c) == "", is_dropped),
    ("space", lambda c: clean(c) == " ", lambda c: c in "\t\n\r" or category(c) == "Zs"),
    ("break", lambda c: words(c) == ["x", "y"], lambda c: f"x{c}y".split() == ["x", "y"]),
    ("punctuation", lambda c: words(c) == ["x", c, "y"], is_punctuation),
    ("mark", lambda c: strip(c) == "", lambda c: category(c) == "Mn"),
    ("chinese", lambda c: chinese(c) == f" {c} ",
     lambda c: any(first <= ord(c) <= last for first, last in CHINESE)),
    ("decomposes", lambda c: decompose(c) != c, lambda c: unicodedata.normalize("NFD", c) != c),
    # Of what decomposes the parts' classes count.
    ("combining", moves,
     lambda c: unicodedata.combining(c) > 0 and unicodedata.normalize("NFD", c) == c),
    ("lowercase", lambda c: lower(c) != c, lambda c: c.lower() != c),
]


def hash_of(codes):
    """FNV-1a, a code point a step."""
    value = 2166136261
    for c in codes:
        value = (value ^ c) * 16777619 & 0xFFFFFFFF
    return value


def ages():
    out = {}
    for line in open(FOLDER / "DerivedAge.txt", encoding="utf-8"):
        fields = line.split("#")[0].split(";")
        if len(fields) > 1:
            first, _, last = fields[0].strip().partition("..")
            for c in range(int(first, 16), int(last or first, 16) + 1):
                out[c] = tuple(map(int, fields[1].split(".")))
    return out


def newest(codes, age):
    """The newest version of which a set has a character, and that character."""
    version, code = max((age[c], -c) if c in age else ((99, 0), -c) for c in codes)
    return "later than 15.0" if version == (99, 0) else "%d.%d" % version, -code


def main():
    age = ages()
    print("/* Written by make_profiles_fixture.py. */\n#include <stddef.h>\n#include <stdint.h>\n")
    print("typedef struct profiles_case {\n    const char *what;\n    struct {\n"
          "        uint32_t count, hash; /* of the code points */\n"
          "        const char *newest;   /* Unicode version of which a character is so, */\n"
          "        int32_t code;         /* as this one */\n    } profiles[2];\n"
          "    uint32_t both; /* code points that are so in both */\n} profiles_case;\n")
    print("static const profiles_case profiles_cases[] = {")
    for name, *rules in CLASSES:
        sets = [[c for c in CODES if rule(chr(c))] for rule in rules]
        print(f'    {{"{name}",\n        {{', end="")
        for i, codes in enumerate(sets):
            # Private use and what a range has before it is assigned say nothing of a version.
            version, code = newest([c for c in codes if category(chr(c)) != "Co"], age) \
                if name != "chinese" else ("any", codes[-1])
            print(f'{", " if i else ""}{{{len(codes)}, 0x{hash_of(codes):08x}, "{version}", 0x{code:X}}}', end="")
        print(f"}},\n        {len(set(sets[0]) & set(sets[1]))}}},")
    print("};")


main()
