#!/usr/bin/env python3
"""Writes directory_fixture.h: tokenizer directories whose files disagree, are old, or were written by
save_pretrained, and the ids that AutoTokenizer gives with them.

    ./make_directory_fixture.py > directory_fixture.h       (transformers 5.15.1)
"""

import json
import os
import tempfile

os.environ["HF_HUB_OFFLINE"] = "1"
import transformers
from transformers import AddedToken, AutoTokenizer, BertTokenizer

assert transformers.__version__ == "5.15.1"
transformers.logging.set_verbosity_error()

TOKENS = ("[PAD] [UNK] [CLS] [SEP] [MASK] the ##s The a b x ##x foo bar é e 中 国 [ ] mask").split()
LINES = "\n".join(TOKENS) + "\n"
TEXTS = ["The thes Thé 中国 a", "a [MASK] b[SEP]", "NewTok newtok zed Zed zeds", "foo bar a\x01b", "xxx xyz"]
BERT = {"tokenizer_class": "BertTokenizer"}


def added(number, content, special=False, **flags):
    return {"id": number, "content": content, "single_word": False, "lstrip": False,
            "rstrip": False, "normalized": not special, "special": special, **flags}


SPECIAL = [added(i, TOKENS[i], special=True) for i in range(5)]


def decoder(tokens):
    return {str(t["id"]): {k: v for k, v in t.items() if k != "id"} for t in tokens}


def tokenizer_json(tokens=SPECIAL, clean=True, chinese=True, strip=None, lower=False, longest=100,
                   unk="[UNK]", cls="[CLS]"):
    ids = {token: i for i, token in enumerate(TOKENS)}
    piece = lambda kind, name, part: {kind: {"id": name, "type_id": part}}
    single = [piece("SpecialToken", cls, 0), piece("Sequence", "A", 0),
              piece("SpecialToken", "[SEP]", 0)]
    pair = single + [piece("Sequence", "B", 1), piece("SpecialToken", "[SEP]", 1)]
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": tokens,
            "normalizer": {"type": "BertNormalizer", "clean_text": clean,
                           "handle_chinese_chars": chinese, "strip_accents": strip,
                           "lowercase": lower},
            "pre_tokenizer": {"type": "BertPreTokenizer"},
            "post_processor": {
                "type": "TemplateProcessing", "single": single, "pair": pair,
                "special_tokens": {name: {"id": name, "ids": [ids[name]], "tokens": [name]}
                                   for name in (cls, "[SEP]")}},
            "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
            "model": {"type": "WordPiece", "unk_token": unk, "continuing_subword_prefix": "##",
                      "max_input_chars_per_word": longest, "vocab": ids}}


NEW, ZED = added(21, "NewTok"), added(22, "zed", single_word=True)
CONFIG, MAP, JSON = "tokenizer_config.json", "special_tokens_map.json", "tokenizer.json"
VOCABULARY, ADDED = "vocab.txt", "added_tokens.json"
DIRECTORIES = {
    "vocabulary of a BERT": {VOCABULARY: LINES, "config.json": {"model_type": "bert"}},
    "tokenizer.json alone": {JSON: tokenizer_json()},
    "of a BERT": {JSON: tokenizer_json(), "config.json": {"model_type": "bert"}},
    "of its class": {JSON: tokenizer_json(), CONFIG: BERT},
    "of the class in use before": {JSON: tokenizer_json(lower=True), CONFIG: {
        "tokenizer_class": "BertTokenizerFast", "do_lower_case": False}},
    "of no class": {JSON: tokenizer_json(), CONFIG: {"do_lower_case": True}},
    "of another class": {JSON: tokenizer_json(lower=True), CONFIG: {
        "tokenizer_class": "PreTrainedTokenizerFast", "do_lower_case": False}},
    "options made anew": {JSON: tokenizer_json(clean=False, longest=2, chinese=False, strip=False),
                          CONFIG: BERT},
    "options as they are": {JSON: tokenizer_json(clean=False, longest=2, chinese=False, strip=True)},
    "unknown by tokenizer_config.json": {JSON: tokenizer_json(), CONFIG: BERT | {"unk_token": "foo"}},
    "unknown made anew": {JSON: tokenizer_json(unk="foo"), CONFIG: BERT},
    "unknown as it is": {JSON: tokenizer_json(unk="foo")},
    "cls by tokenizer_config.json": {JSON: tokenizer_json(), CONFIG: BERT | {"cls_token": "foo"}},
    "cls made anew": {JSON: tokenizer_json(cls="bar"), CONFIG: BERT},
    "cls as it is": {JSON: tokenizer_json(cls="bar"), CONFIG: {"cls_token": "foo"}},
    "map before configuration": {VOCABULARY: LINES, CONFIG: BERT | {"mask_token": "foo"},
                                 MAP: {"mask_token": "bar"}},
    "map not read": {VOCABULARY: LINES, MAP: {"mask_token": "bar"}, CONFIG: BERT | {
        "mask_token": "foo", "added_tokens_decoder": decoder(SPECIAL)}},
    "flags of a special token": {VOCABULARY: LINES, CONFIG: BERT, MAP: {"sep_token": {
        "content": "bar", "lstrip": True, "rstrip": True, "normalized": True, "single_word": True}}},
    "added_tokens.json": {VOCABULARY: LINES, CONFIG: BERT, ADDED: {"NewTok": 21, "zed ": 22}},
    "added and known": {VOCABULARY: LINES, CONFIG: BERT, ADDED: {"foo": 12, "zed": 21}},
    "added and special": {VOCABULARY: LINES, ADDED: {"zed": 21},
                          CONFIG: BERT | {"additional_special_tokens": ["zed"]}},
    "special without an id": {VOCABULARY: LINES, CONFIG: BERT | {
        "extra_special_tokens": ["zed", "foo"]}},
    "special in the map": {VOCABULARY: LINES, CONFIG: BERT, MAP: {
        "additional_special_tokens": ["zed", "foo"]}},
    "added_tokens_decoder": {VOCABULARY: LINES, CONFIG: BERT | {
        "added_tokens_decoder": decoder(SPECIAL + [NEW, ZED])}},
    "added twice": {JSON: tokenizer_json(SPECIAL + [added(21, "foo")]), CONFIG: BERT | {
        "added_tokens_decoder": decoder(SPECIAL + [NEW])}},
    "added in tokenizer.json": {JSON: tokenizer_json(SPECIAL + [NEW, ZED]), CONFIG: BERT},
    "tokenizer.json before vocab.txt": {JSON: tokenizer_json(), CONFIG: BERT, VOCABULARY: "a\nb\n"},
    "none added": {JSON: tokenizer_json([]), CONFIG: BERT},
    "none listed": {JSON: tokenizer_json([])},
    "one listed": {JSON: tokenizer_json(SPECIAL[3:4] + [NEW])},
    "none listed, some named": {JSON: tokenizer_json([]), CONFIG: {"mask_token": "[MASK]",
                                                                   "sep_token": "bar"}},
    "none listed, one named with flags": {JSON: tokenizer_json([]), MAP: {"mask_token": {
        "content": "[MASK]", "lstrip": True, "rstrip": True, "single_word": False}}},
    "names before further ones": {JSON: tokenizer_json([NEW]), CONFIG: {
        "mask_token": "newtok", "extra_special_tokens": ["zed"]}},
    "special tokens are text": {JSON: tokenizer_json(SPECIAL + [NEW]), CONFIG: BERT | {
        "split_special_tokens": True, "bos_token": "NewTok"}},
    "other names": {VOCABULARY: LINES, MAP: {"bos_token": "foo", "additional_special_tokens": ["a"]},
                    CONFIG: BERT | {"bos_token": "bar", "image_token": "zed",
                                    "extra_special_tokens": {"sound": "newtok"}}},
    "lists of two names": {VOCABULARY: LINES, MAP: {"extra_special_tokens": ["zed"]}, CONFIG: BERT | {
        "extra_special_tokens": ["NewTok"], "additional_special_tokens": ["foo"]}},
    "cls of two names": {JSON: tokenizer_json(cls="bar"), CONFIG: {"cls_token": "x"}},
    "white space of two tokens": {JSON: tokenizer_json(SPECIAL + [
        added(21, "NewTok", rstrip=True), added(22, " newtok", rstrip=True),
        added(23, " zed", lstrip=True)])},
}


def write(folder, files):
    for name, content in files.items():
        with open(f"{folder}/{name}", "w", encoding="utf-8") as file:
            file.write(content if isinstance(content, str) else compact(content))


def compact(value):
    return json.dumps(value, separators=(",", ":"))


def saved(**options):
    """What save_pretrained writes."""
    with tempfile.TemporaryDirectory() as folder:
        tokenizer = BertTokenizer({t: i for i, t in enumerate(TOKENS)}, **options)
        tokenizer.add_tokens([AddedToken("NewTok", lstrip=True), "zed"])
        tokenizer.add_special_tokens({"additional_special_tokens": ["Thé"]})
        tokenizer.save_pretrained(folder)
        files = {name: open(f"{folder}/{name}", encoding="utf-8").read()
                 for name in sorted(os.listdir(folder))}
    assert set(files) == {CONFIG, JSON}
    return {CONFIG: files[CONFIG], JSON: json.loads(files[JSON])}


def literal(text):
    return '"' + "".join(c if " " <= c <= "~" and c not in '"\\?' else "".join(
        f"\\{b:03o}" for b in c.encode()) for c in text) + '"'


def main():
    directories = DIRECTORIES | {"saved": saved(), "saved cased": saved(do_lower_case=False)}
    print("/* Written by make_directory_fixture.py. */\n#include <stddef.h>\n#include <stdint.h>\n")
    print("enum { DIRECTORY_FILES = 3, DIRECTORY_TEXTS = %d, DIRECTORY_IDS = 24 };\n" % len(TEXTS))
    print("static const char *const directory_texts[] = {")
    print("\n".join(f"    {literal(text)}," for text in TEXTS) + "\n};\n")
    print("typedef struct directory_case {\n    const char *what;\n"
          "    const char *files[DIRECTORY_FILES][2]; /* name, content */\n"
          "    int32_t ids[DIRECTORY_TEXTS][DIRECTORY_IDS]; /* -1 behind the last */\n"
          "} directory_case;\n")
    print("static const directory_case directory_cases[] = {")
    for what, files in directories.items():
        with tempfile.TemporaryDirectory() as folder:
            write(folder, files)
            tokenizer = AutoTokenizer.from_pretrained(folder)
            rows = [tokenizer(text)["input_ids"] + [-1] for text in TEXTS]
        assert len(files) <= 3 and max(map(len, rows)) <= 24
        print(f"    {{{literal(what)},\n        {{")
        for name, content in files.items():
            content = content if isinstance(content, str) else compact(content)
            print(f"            {{{literal(name)},\n                {literal(content)}}},")
        print("        },\n        {")
        print("\n".join(f"            {{{', '.join(map(str, row))}}}," for row in rows))
        print("        }},")
    print("};")


if __name__ == "__main__":
    main()
