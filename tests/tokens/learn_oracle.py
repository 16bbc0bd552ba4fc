#!/usr/bin/env python3
"""The rule of docs/tokenizer.md for learning a vocabulary, the slow and obvious way.

    ./learn_oracle.py > learned_fixture.h
"""

import collections
import unicodedata

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def letters_of(counts, limit_alphabet, special=SPECIAL):
    """The tokens of the alphabet in the order of their ids. A letter that is a special token stays."""
    letters = collections.Counter()
    for word, count in counts.items():
        for letter in word:
            letters[letter] += count
    kept = set(sorted(letters, key=lambda c: (-letters[c], c))[:limit_alphabet])
    kept |= set(letters) & set(special)
    further = {c for word in counts for c in word[1:]} & kept
    return sorted(kept) + ["##" + c for c in sorted(further)]


def split(word, tokens):
    return [c if i == 0 else "##" + c for i, c in enumerate(word) if c in tokens]


def merge(pieces, pair):
    i = 0
    while i + 1 < len(pieces):
        if (pieces[i], pieces[i + 1]) == pair:
            pieces[i:i + 2] = [pair[0] + pair[1][2:]]
        i += 1


def learn(counts, vocab_size, min_frequency=2, limit_alphabet=1000, special=SPECIAL, ties=None):
    """counts: how often each word occurs. The tokens in the order of their ids. Pairs that were
    chosen among equally frequent ones are appended to ties."""
    tokens = dict.fromkeys([*special, *letters_of(counts, limit_alphabet, special)])
    words = [(split(word, tokens), count) for word, count in counts.items()]
    while len(tokens) < vocab_size:
        pairs = collections.Counter()
        for pieces, count in words:
            for pair in zip(pieces, pieces[1:]):
                pairs[pair] += count
        if not pairs:
            break
        best = min(pairs, key=lambda p: (-pairs[p], p[0].encode(), p[1].encode()))
        if pairs[best] < max(min_frequency, 1):
            break
        if ties is not None and list(pairs.values()).count(pairs[best]) > 1:
            ties.append(best)
        tokens[best[0] + best[1][2:]] = None
        for pieces, _ in words:
            merge(pieces, best)
    return list(tokens)


TEXT = """she sells sea shells by the sea shore the shells she sells are sea shells i am sure
aaaa aaa aa aaaaa aaaa baaaab naïve été ça où aaaa aaaa banana bananas ananas 中文 中文字 中
so if she sells shells on the sea shore then i am sure she sells sea shore shells ababab abab ba
"""


def literal(text):
    return '"' + "".join(f"\\{b:03o}" if b < 32 or b > 126 else chr(b) for b in text.encode()) + '"'


def main():
    plain = "".join(c for c in unicodedata.normalize("NFD", TEXT) if unicodedata.category(c) != "Mn")
    counts = collections.Counter(
        "".join(f" {c} " if c in "中文字" else c for c in plain).split())
    print("/* Written by learn_oracle.py. */\n#include <stdint.h>\n")
    print("static const char learned_text[] =")
    for line in TEXT.splitlines(keepends=True):
        print(f"    {literal(line)}")
    print("    ;\n")
    print("typedef struct learned_case {\n    int32_t vocab_size, min_frequency, limit_alphabet;\n"
          "    int32_t V;\n    const char *const *tokens;\n} learned_case;\n")
    cases = []
    for size, frequency, limit in [(120, 2, 1000), (60, 2, 1000), (500, 1, 1000), (80, 3, 12), (1, 0, 3)]:
        tokens = learn(counts, size, frequency, limit)
        print(f"static const char *const learned_{len(cases)}[] = {{")
        print("\n".join(f"    {literal(token)}," for token in tokens))
        print("};\n")
        cases.append(f"    {{{size}, {frequency}, {limit}, {len(tokens)}, learned_{len(cases)}}},")
    print("static const learned_case learned_cases[] = {")
    print("\n".join(cases))
    print("};")


if __name__ == "__main__":
    main()
