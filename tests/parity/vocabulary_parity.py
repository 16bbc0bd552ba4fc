"""The vocabulary that is learned, against the rule written down in Python and against `tokenizers`."""
import collections
import lzma
import pathlib
import random
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


def random_counts(generator, words, letters, most):
    """How often each of some random words occurs."""
    return {"".join(generator.choices(letters, k=generator.randint(1, 9))):
            generator.randint(1, most) for _ in range(words)}


def learn_from(counts, **options):
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".txt") as file:
        file.write("\n".join(" ".join([word] * count) for word, count in counts.items()))
        file.flush()
        return ours(file.name, **options)


def random_texts():
    generator = random.Random(4)
    same = True
    for letters in ("ab", "abcdefghij", "aαбक中國가𝒳z"):
        for frequency, limit in ((1, 1000), (3, 5)):
            text = random_counts(generator, 60, letters, 6)
            counts = collections.Counter()
            normalizer, splitter = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
            for line, count in text.items():
                for word, _ in splitter.pre_tokenize_str(normalizer.normalize_str(line)):
                    counts[word] += count
            same &= (learn_from(text, vocab_size=150, min_frequency=frequency, limit_alphabet=limit)
                     == learn_oracle.learn(counts, 150, frequency, limit))
    check("random texts as the oracle", same)


def trained(lines, **options):
    """The tokens of the trainer of `tokenizers` in the order of their ids."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.train_from_iterator(lines, trainers.WordPieceTrainer(
        limit_alphabet=1000, show_progress=False, special_tokens=list(learn_oracle.SPECIAL),
        **options))
    return sorted(tokenizer.get_vocab(), key=tokenizer.token_to_id)


def texts_without_ties():
    """Only the order of the "##" letters is a hash map's there."""
    generator = random.Random(5)
    same, found = True, 0
    while found < 10:
        counts, ties = random_counts(generator, 60, "abcd", 1000), []
        learn_oracle.learn(counts, 28, 2, ties=ties)
        if ties:
            continue
        found += 1
        tokens = learn_from(counts, vocab_size=28)
        theirs = trained([" ".join([word] * count) for word, count in counts.items()],
                         vocab_size=28, min_frequency=2)
        same &= (set(tokens) == set(theirs) and [t for t in tokens if len(t.strip("#")) > 1]
                 == [t for t in theirs if len(t.strip("#")) > 1])
    check("texts without ties as tokenizers", same)


def share_of_tokenizers(text):
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".txt") as file:
        file.write(text)
        file.flush()
        theirs = set(trained(text.splitlines(), vocab_size=8000, min_frequency=2))
        share = len(theirs & set(ours(file.name, vocab_size=8000))) / len(theirs)
        check(f"{share:.4f} of 8000 tokens as tokenizers", share >= 0.99)


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
random_texts()
texts_without_ties()
if DATA:
    path = pathlib.Path(DATA) / "text/enwiki-12m.train.txt.xz"
    wiki = lzma.open(path, "rt", encoding="utf-8").read()
    against_tokenizers(wiki[:2000000])
    share_of_tokenizers(wiki)
else:
    skip("tokenizers' trainer on Wikipedia", "MLM_TEST_DATA is not set")
finish()
