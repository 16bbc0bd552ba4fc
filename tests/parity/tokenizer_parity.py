"""The same tokens as Hugging Face's tokenizers, with a vocabulary of ours and with BERT's."""
import lzma
import pathlib
import tempfile

from tokenizers import Tokenizer
from transformers import AutoTokenizer

from parity import DATA, ROOT, check, finish, skip
import mlm

HARD = ["", " ", "Hello, World!", "naïve café — déjà vu", "你好世界 and 日本語", "a\u0300\u0301b", "[MASK]", "x [MASK]y",
        "tabs\tand\nlines\r\n", "\u200bzero\u200d width", "emoji 😀👍🏽!", "İstanbul ẞtraße", "don't-stop_now",
        "a" * 99 + " " + "b" * 101, "１２３ ｆｕｌｌ", "한국어 텍스트", "\x00\x01control\x7f", "e\u0301 vs \u00e9",
        "Ω≈ç√∫˜µ≤≥÷", "مرحبا بالعالم", "नमस्ते दुनिया", "100% $5.00 #tag @user", "[CLS] [SEP] [PAD] [UNK]"]


def compare(name, ours, theirs, texts):
    """theirs: a function from text to ids."""
    wrong = [text for text in texts if ours.encode(text) != theirs(text)]
    check(f"{name}: {len(texts)} texts", not wrong,
          f"{len(wrong)} differ, first: {wrong[0]!r}" if wrong else "")


def learned(folder):
    pages = [str(page) for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]]
    lines = [line for page in pages for line in open(page, encoding="utf-8").read().splitlines()]
    for lowercase in (1, 0):
        tokenizer = mlm.Tokenizer.train(None, pages, mlm.VocabOptions(vocab_size=600),
                                        mlm.TokenizerOptions(lowercase=lowercase))
        path = f"{folder}/lowercase{lowercase}"
        mlm.lib.mlm_tokenizer_save(tokenizer, path.encode())
        for kind, theirs in (
                ("transformers", lambda t, a=AutoTokenizer.from_pretrained(path): a(t)["input_ids"]),
                ("tokenizer.json", lambda t, a=Tokenizer.from_file(f"{path}/tokenizer.json"):
                    a.encode(t).ids)):
            compare(f"learned, lowercase {lowercase}, {kind}", tokenizer, theirs, HARD + lines)


def of_bert():
    for name in ("bert-base-uncased", "bert-base-cased", "bert-base-multilingual-cased"):
        vocab = pathlib.Path(DATA) / "vocab"
        theirs = Tokenizer.from_str(lzma.open(vocab / f"{name}.tokenizer.json.xz", "rt",
                                              encoding="utf-8").read())
        options = mlm.TokenizerOptions(lowercase=int("uncased" in name))
        ours = mlm.Tokenizer.load(None, vocab / f"{name}.txt", options)
        text = lzma.open(pathlib.Path(DATA) / "text/udhr.txt.xz", "rt", encoding="utf-8").read()
        compare(name, ours, lambda t, a=theirs: a.encode(t).ids, HARD + text.splitlines()[::20])


with tempfile.TemporaryDirectory() as temporary:
    learned(temporary)
if DATA:
    of_bert()
else:
    skip("BERT's vocabularies", "MLM_TEST_DATA is not set")
finish()
