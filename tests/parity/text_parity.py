"""Ids and spans of any text, with every option: Hugging Face's tokenizers, google-research/bert's rules.

The vocabulary has every code point, so no difference hides behind [UNK].

usage: text_parity.py [SEED] [--all]    --all: every text of MLM_TEST_DATA with each of the 24 options
                                        of profile hf, not with 2 of them (many minutes)
"""
import codecs
import itertools
import random
import re
import sys
import unicodedata

import numpy
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

from google_tokenization import Vocabulary, encode as google_encode, split_words
from parity import ROOT, check, finish, skip
from tokenizer_texts import SPECIAL, code_points, create, data_texts, decode, encode_batch, \
    limit_texts, random_bytes, random_texts, vocabulary

HF, GOOGLE = range(2)
TOKENS = vocabulary()
ALL = "--all" in sys.argv
SEED = int(sys.argv[1]) if len(sys.argv) > 1 + ALL else 7


def character_starts(text):
    """For each byte of a text of bytes the number of the character it is in, and their count at the
    end. A part that is not UTF-8 is one character."""
    sizes = []

    def invalid(error):
        sizes.append(error.end - error.start)
        return "\udc80", error.end

    codecs.register_error("count", invalid)
    parts = iter(sizes)
    lengths = [next(parts) if c == "\udc80" else len(c.encode()) for c in text.decode("utf-8", "count")]
    return numpy.repeat(numpy.arange(len(lengths) + 1), lengths + [1])


def characters_of(texts, offsets, spans):
    """Spans of bytes as spans of characters."""
    out = numpy.empty_like(spans)
    for text, begin, end in zip(texts, offsets, offsets[1:]):
        byte = numpy.frombuffer(text + b"a", numpy.uint8)
        number = numpy.cumsum((byte & 0xC0) != 0x80) - 1
        out[begin:end] = number[spans[begin:end]]
    return out


def report(name, texts, wrong):
    check(f"{name}: {len(texts)} texts", not wrong,
          f"{len(wrong)} differ, first: {wrong[0]!r:.300}" if wrong else "")


def compare_hf(name, ours, theirs, texts):
    given = [text.encode() for text in texts]
    offsets, ids, spans = encode_batch(ours, given)
    spans = characters_of(given, offsets, spans)
    wrong = []
    for text, begin, end, encoding in zip(texts, offsets, offsets[1:],
                                          theirs.encode_batch(texts, add_special_tokens=False)):
        if ids[begin:end].tolist() != encoding.ids or \
                list(map(tuple, spans[begin:end].tolist())) != encoding.offsets:
            wrong.append(text)
    report(name, texts, wrong)


def hf_tokenizer():
    theirs = Tokenizer(models.WordPiece({token: i for i, token in enumerate(TOKENS)},
                                        unk_token="[UNK]", max_input_chars_per_word=100))
    theirs.add_special_tokens(SPECIAL)
    theirs.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return theirs


def options_of_hf(theirs):
    sets = {"code points": list(code_points()), "random": list(random_texts(SEED)),
            "limits": list(limit_texts()), "MLM_TEST_DATA": data_texts()}
    data = sets["MLM_TEST_DATA"]
    options = itertools.product((1, 0), (None, 0, 1), (1, 0), (1, 0))
    for turn, (lower, strip, clean, chinese) in enumerate(options):
        theirs.normalizer = normalizers.BertNormalizer(
            bool(clean), bool(chinese), None if strip is None else bool(strip), bool(lower))
        ours = create(TOKENS, dict(profile=HF, lowercase=lower, clean_text=clean,
                                   strip_accents=-1 if strip is None else strip,
                                   handle_chinese_chars=chinese))
        sets["MLM_TEST_DATA"] = data if ALL else data[turn % 12::12]
        for what, texts in sets.items():
            if texts:
                compare_hf(f"hf, lowercase {lower}, strip_accents {strip}, clean_text {clean}, "
                           f"handle_chinese_chars {chinese}: {what}", ours, theirs, texts)


def invalid_bytes(theirs):
    texts = list(random_bytes(SEED))
    for clean in (1, 0):
        theirs.normalizer = normalizers.BertNormalizer(bool(clean), True, None, True)
        ours = create(TOKENS, dict(profile=HF, clean_text=clean))
        offsets, ids, spans = encode_batch(ours, texts)
        wrong = []
        for text, begin, end in zip(texts, offsets, offsets[1:]):
            encoding = theirs.encode(text.decode("utf-8", "replace"), add_special_tokens=False)
            number = character_starts(text)[spans[begin:end]]
            if ids[begin:end].tolist() != encoding.ids or \
                    list(map(tuple, number.tolist())) != encoding.offsets:
                wrong.append(text)
        report(f"hf, invalid UTF-8, clean_text {clean}", texts, wrong)


def decoding():
    words = ("do not don n't 'm 's 've 're ' . , ? ! a b ## # ### .' '. n'tn't '' \" ` it I have "
             "not. do! é 中").split()
    tokens = SPECIAL + words + ["##" + word for word in words if word != "##"]
    tokens = list(dict.fromkeys(tokens))
    theirs = Tokenizer(models.WordPiece({t: i for i, t in enumerate(tokens)}, unk_token="[UNK]"))
    theirs.add_special_tokens(SPECIAL)
    ours, rng = create(tokens, {}), random.Random(SEED)
    rows = [rng.choices(range(len(tokens)), k=rng.randint(0, 12)) for _ in range(20000)]
    for special, clean in itertools.product((0, 1), repeat=2):
        theirs.decoder = decoders.WordPiece(prefix="##", cleanup=bool(clean))
        wrong = [row for row in rows if decode(ours, row, special + 2 * clean)
                 != theirs.decode(row, skip_special_tokens=bool(special))]
        report(f"decoding, skip special {special}, clean up {clean}", rows, wrong)


def google():
    if unicodedata.unidata_version != "14.0.0":
        return skip("profile google", f"this Python has Unicode {unicodedata.unidata_version}, "
                                      "the reference 14.0.0 (Python 3.11)")
    vocab = Vocabulary({token: i for i, token in enumerate(TOKENS)})
    sets = {"code points": [t.encode() for t in code_points()],
            "random": [t.encode() for t in random_texts(SEED)],
            "limits": [t.encode() for t in limit_texts()],
            "MLM_TEST_DATA": [t.encode() for t in data_texts()],
            "invalid UTF-8": list(random_bytes(SEED))}
    for lower in (1, 0):
        ours = create(TOKENS, dict(profile=GOOGLE, lowercase=lower))
        for what, texts in sets.items():
            offsets, ids, _ = encode_batch(ours, texts)
            wrong = [text for text, begin, end in zip(texts, offsets, offsets[1:])
                     if ids[begin:end].tolist() != google_encode(text.decode("utf-8", "ignore"), vocab,
                                                                 lower)]
            if texts:
                report(f"google, lowercase {lower}: {what}", texts, wrong)


def read_escapes(text):
    r"""The bytes of a text with \t, \n, \r, \u00A0, \U00020000, and \xFF, which is a byte."""
    out = b""
    for part in re.split(r"(\\[tnr]|\\u[0-9A-F]{4}|\\U[0-9A-F]{8}|\\x[0-9A-F]{2})", text):
        if part.startswith("\\x"):
            out += bytes.fromhex(part[2:])
        elif part.startswith("\\"):
            out += part.encode().decode("unicode_escape").encode()
        else:
            out += part.encode()
    return out


def words_of(tokens):
    words = []
    for token in tokens:
        if token[:2] == "##" and words:
            words[-1] += token[2:]
        else:
            words.append(token)
    return words


def documented(theirs):
    """The table of docs/tokenizer.md that shows what becomes of each kind of character."""
    page = (ROOT / "docs/tokenizer.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| [^|]+ \| `(.+?)` \| `(.+?)` \| `(.+?)` \|$", page, flags=re.M)
    theirs.normalizer = normalizers.BertNormalizer()
    ours = [create(TOKENS, dict(profile=profile)) for profile in (HF, GOOGLE)]
    wrong = []
    for text, *expected in rows:
        given = read_escapes(text)
        references = [theirs.encode(given.decode("utf-8", "replace"), add_special_tokens=False).tokens,
                      list(split_words(given.decode("utf-8", "ignore"), True))]
        for profile in (HF, GOOGLE):
            _, ids, _ = encode_batch(ours[profile], [given])
            said = read_escapes(expected[profile]).decode().split(" ")
            if not said == words_of(references[profile]) == words_of(TOKENS[i] for i in ids):
                wrong.append((text, profile, words_of(references[profile])))
    report("docs/tokenizer.md's table", rows, wrong)
    check("it has its rows", len(rows) > 30)


theirs = hf_tokenizer()
documented(theirs)
decoding()
invalid_bytes(theirs)
google()
options_of_hf(theirs)
finish()
