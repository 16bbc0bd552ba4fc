"""The vocabulary that is learned, against the rule written down in Python and against `tokenizers`."""
import collections
import lzma
import pathlib
import sys
import tempfile

from tokenizers import models, normalizers, pre_tokenizers, trainers, Tokenizer

from parity import DATA, ROOT, check, finish, skip
import mlm

sys.path.insert(0, str(ROOT / "tests/tokens"))
import learn_oracle


def ours(path, **options):
    tokenizer = mlm.Tokenizer.train(None, [path], mlm.VocabOptions(**options))
    count = mlm.lib.mlm_tokenizer_vocab_size(tokenizer)
    return [mlm.lib.mlm_tokenizer_token(tokenizer, i).decode() for i in range(count)]


def against_oracle():
    text = "\n".join(page.read_text(encoding="utf-8")
                     for page in sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")]))
    normalizer, splitter = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    counts = collections.Counter(
        word for word, _ in splitter.pre_tokenize_str(normalizer.normalize_str(text)))
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".txt") as file:
        file.write(text)
        file.flush()
        for size, frequency, limit in ((600, 2, 1000), (400, 2, 30), (1000, 5, 1000)):
            name = f"vocab_size {size}, min_frequency {frequency}, limit_alphabet {limit}"
            check(name, ours(file.name, vocab_size=size, min_frequency=frequency,
                             limit_alphabet=limit)
                  == learn_oracle.learn(counts, size, frequency, limit))


def against_tokenizers(text):
    """Where pairs are too frequent to be equally frequent, the merges of `tokenizers` are the same;
    rarer ones differ, because it breaks ties by ids that depend on a hash map's order."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.train_from_iterator(text.splitlines(), trainers.WordPieceTrainer(
        vocab_size=10**6, min_frequency=300, limit_alphabet=1000, show_progress=False,
        special_tokens=list(learn_oracle.SPECIAL)))
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".txt") as file:
        file.write(text)
        file.flush()
        tokens = ours(file.name, vocab_size=10**6, min_frequency=300)
    check(f"{len(tokens)} tokens learned as by tokenizers", set(tokens) == set(tokenizer.get_vocab()),
          str(sorted(set(tokens) ^ set(tokenizer.get_vocab()))[:10]))


against_oracle()
if DATA:
    path = pathlib.Path(DATA) / "text/enwiki-12m.train.txt.xz"
    against_tokenizers(lzma.open(path, "rt", encoding="utf-8").read(2000000))
else:
    skip("tokenizers' trainer on Wikipedia", "MLM_TEST_DATA is not set")
finish()
