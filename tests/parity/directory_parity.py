"""Tokenizer files both ways: with tokenizers and with AutoTokenizer, also where files disagree."""
import itertools
import json
import random
import sys
import tempfile

from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import AutoTokenizer

from parity import ROOT, check, finish
from tokenizer_texts import decode, encode_batch
import mlm

sys.path.insert(0, str(ROOT / "tests/tokens"))
from make_directory_fixture import ADDED, BERT, CONFIG, DIRECTORIES, JSON, LINES, MAP, SPECIAL, TEXTS, \
    TOKENS, VOCABULARY, added, decoder, tokenizer_json, write

NAMES = ["NewTok", "zed", "Thé", "foo", " x", "a b", "xx", "É", " ", "\u200b ", "é"]
# Where transformers takes no notice of a file's id or of a missing token, libmlm refuses.
REFUSED = ("where tokenizers has", "is missing", "of one id", "both have id")


def texts(seed, count=60):
    rng = random.Random(seed)
    parts = NAMES + TOKENS[:10] + ["é", "e\u0301", "中", " ", " ", "\t", "\u00a0", "_", "-", "1", "a", "x", "ZED"]
    return TEXTS + ["".join(rng.choices(parts, k=rng.randint(1, 12))) for _ in range(count)]


def same(name, folder, lines):
    """Whether a directory of either side has the same ids here and in transformers."""
    theirs = AutoTokenizer.from_pretrained(folder)
    ours = mlm.Tokenizer.load(None, folder)
    rows = [theirs(line)["input_ids"] for line in lines]
    wrong = [line for line, row in zip(lines, rows) if ours.encode(line) != row]
    check(name, not wrong, f"{len(wrong)} differ, first: {wrong[0]!r}" if wrong else "")
    wrong = [row for row in rows if decode(ours, row, 3) != theirs.decode(row, skip_special_tokens=True)]
    check(f"{name}, decoded", not wrong, f"{len(wrong)} differ, first: {wrong[0]!r}" if wrong else "")
    return ours


def fixed():
    for name, files in DIRECTORIES.items():
        with tempfile.TemporaryDirectory() as folder:
            write(folder, files)
            ours = same(f"directory: {name}", folder, texts(1))
            saved = f"{folder}/saved"
            mlm.lib.mlm_tokenizer_save(ours, saved.encode())
            same(f"directory saved: {name}", saved, texts(1))
            theirs = Tokenizer.from_file(f"{saved}/tokenizer.json")
            theirs.encode_special_tokens = "split_special_tokens" in files.get(CONFIG, {})
            check(f"its tokenizer.json: {name}",
                  all(theirs.encode(text).ids == ours.encode(text) for text in texts(1)))


def some_files(rng):
    """Files that need not agree."""
    pick = lambda *values: rng.choice(values)
    names = rng.sample(NAMES[:4], rng.randint(0, 3))
    new = [added(len(TOKENS) + i, name, rng.random() < 0.3,
                 **{flag: rng.random() < 0.3 for flag in ("single_word", "lstrip", "rstrip")})
           for i, name in enumerate(n for n in names if n != "foo")]
    config = dict(rng.sample([("do_lower_case", pick(True, False)), ("strip_accents", pick(True, False, None)),
        ("tokenize_chinese_chars", pick(True, False)), ("mask_token", pick("foo", "[MASK]")),
        ("unk_token", pick("bar", "[UNK]")), ("cls_token", pick("[CLS]", "foo")),
        ("tokenizer_class", pick("BertTokenizer", "BertTokenizerFast", "PreTrainedTokenizerFast",
                                 "DistilBertTokenizer")),
        ("bos_token", pick("[CLS]", "zed")), ("x_token", pick("foo", "NewTok")),
        ("extra_special_tokens", pick(["foo"], ["zed", "a"], {"image": "zed"})),
        ("additional_special_tokens", pick(["bar"], ["zed", "foo"])),
        ("split_special_tokens", pick(True, False))], rng.choice((0, 1, 2, 3, 4, 5, 7))))
    if rng.random() < 0.3:
        config["added_tokens_decoder"] = decoder(SPECIAL + new)
    files = {CONFIG: config}
    if rng.random() < 0.7:
        listed = SPECIAL if rng.random() < 0.7 else rng.sample(SPECIAL, rng.randint(0, 4))
        files[JSON] = tokenizer_json(listed + (new if rng.random() < 0.5 else []), pick(True, False),
            pick(True, False), pick(True, False, None), pick(True, False), pick(100, 2))
    else:
        files[VOCABULARY] = LINES
        config.update(BERT)
    if rng.random() < 0.3:
        files[MAP] = dict(rng.sample([("mask_token", pick("foo", "bar")), ("sep_token", pick("[SEP]", "bar")),
            ("bos_token", "a"), ("extra_special_tokens", ["b", "zed"]),
            ("additional_special_tokens", ["foo", "x"])], rng.randint(1, 4)))
    if rng.random() < 0.2 and new:
        files[ADDED] = {token["content"]: token["id"] for token in new}
        # Their order beside that file's would matter in ways that no file in use has.
        for name in ("x_token", "extra_special_tokens"):
            config.pop(name, None)
    return files


def disagreeing(count=400):
    equal, refused, wrong = 0, 0, []
    for seed in range(count):
        files = some_files(random.Random(seed))
        with tempfile.TemporaryDirectory() as folder:
            write(folder, files)
            try:
                ours = mlm.Tokenizer.load(None, folder)
            except mlm.Error as error:
                refused += 1
                if not any(reason in str(error) for reason in REFUSED):
                    wrong.append((seed, str(error)))
                continue
            theirs = AutoTokenizer.from_pretrained(folder)
            bad = [line for line in texts(seed, 20) if ours.encode(line) != theirs(line)["input_ids"]]
            equal += not bad
            if bad:
                wrong.append((seed, bad[0], json.dumps({k: v for k, v in files.items() if k != JSON})))
    check(f"{count} directories whose files disagree: {equal} equal, {refused} refused", not wrong,
          str(wrong[:3]) if wrong else "")
    check("most directories whose files disagree are read", equal > count / 2)


def spans_and_ids(tokenizer, lines):
    offsets, ids, spans = encode_batch(tokenizer, [line.encode() for line in lines])
    return [(ids[b:e].tolist(), [(len(line.encode()[:f].decode()), len(line.encode()[:t].decode()))
                                 for f, t in spans[b:e].tolist()])
            for line, b, e in zip(lines, offsets, offsets[1:])]


def added_tokens(folder):
    """Every set of flags, both forms of post-processor: theirs read here, and ours read there."""
    lines = texts(3, 400)
    for flags in itertools.product((False, True), repeat=5):
        single, left, right, normalized, special = flags
        theirs = Tokenizer(models.WordPiece({t: i for i, t in enumerate(TOKENS)}, unk_token="[UNK]"))
        theirs.normalizer = normalizers.BertNormalizer(lowercase=single != left)
        theirs.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        sep, cls = ("[SEP]", 3), ("[CLS]", 2)
        theirs.post_processor = processors.BertProcessing(sep, cls) if left else \
            processors.TemplateProcessing("[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", [cls, sep])
        theirs.add_special_tokens(TOKENS[:5])
        new = [AddedToken(name, single_word=single, lstrip=left, rstrip=right, normalized=normalized,
                          special=special) for name in NAMES]
        (theirs.add_special_tokens if special else theirs.add_tokens)(new)
        theirs.save(f"{folder}/tokenizer.json")
        # Of two that are one when normalised it keeps the first, in another order than before.
        theirs = Tokenizer.from_file(f"{folder}/tokenizer.json")
        ours = mlm.Tokenizer.load(None, f"{folder}/tokenizer.json")
        expected = [(e.ids, e.offsets)
                    for e in theirs.encode_batch(lines, add_special_tokens=False)]
        got = spans_and_ids(ours, lines)
        wrong = [line for line, g, e in zip(lines, got, expected) if g != e]
        name = "single_word {}, lstrip {}, rstrip {}, normalized {}, special {}".format(*map(int, flags))
        check(f"added tokens, {name}", not wrong, f"{len(wrong)}: {wrong[0]!r}" if wrong else "")
        saved = f"{folder}/saved"
        mlm.lib.mlm_tokenizer_save(ours, saved.encode())
        again, auto = Tokenizer.from_file(f"{saved}/tokenizer.json"), AutoTokenizer.from_pretrained(saved)
        wrong = [line for line in lines if not again.encode(line).ids == auto(line)["input_ids"]
                 == theirs.encode(line).ids == ours.encode(line)]
        check(f"added tokens saved, {name}", not wrong, f"{len(wrong)}: {wrong[0]!r}" if wrong else "")


fixed()
disagreeing()
with tempfile.TemporaryDirectory() as temporary:
    added_tokens(temporary)
finish()
