#!/usr/bin/env python3
"""Writes normalize_fixture.h: texts whose marks move, normalised by `tokenizers`.

    ./make_normalize_fixture.py > normalize_fixture.h     (tokenizers 0.22.2)
"""

import tokenizers
from tokenizers.normalizers import BertNormalizer

assert tokenizers.__version__ == "0.22.2"

TEXTS = ["Ab \t\u00e9\u4e2dc\u00a0\u200bd", "\u1e69\u0323\u0301x", "q\u0307\u0323 \ud55c\uae00 \u0344",
         "\u0f71\u1dfa\u0f72\u0f74\u0f80\u0f71y", "\u302e\u0323\u302f\u0345\u1b44\u0301z\u3099\u0300",
         "\U0001d15f\U0001d165\U0001d16d\u302e", "\u1ec7\u302a\u302e\u1ec7\u302e\u0323", "\u0130I\u0307",
         "\u0b47\u0b56\u0b57\u0dd9\u0dcf\u0dca\u1f82\u1b05", "\u09c7\u09be\u09cd\u302e\u093c\u0958"]


def literal(data):
    return '"' + "".join(f"\\{b:03o}" if b < 32 or b > 126 else chr(b) for b in data) + '"'


def main():
    print("/* Written by make_normalize_fixture.py. */\n#include <stddef.h>\n#include <stdint.h>\n")
    rows = []
    for lowercase in (0, 1):
        for strip in (0, 1):
            for text in TEXTS:
                normalizer = BertNormalizer(lowercase=bool(lowercase), strip_accents=bool(strip))
                normal = normalizer.normalize_str(text).encode()
                rows.append((lowercase, strip, text.encode(), normal))
    print("typedef struct normalize_case {\n    int32_t lowercase, strip_accents;\n"
          "    const char *text, *normalized;\n} normalize_case;\n")
    print("static const normalize_case normalize_cases[] = {")
    for lowercase, strip, text, normal in rows:
        print(f"    {{{lowercase}, {strip}, {literal(text)},\n        {literal(normal)}}},")
    print("};")


main()
