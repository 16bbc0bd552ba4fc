"""The vocabulary that is learned, against the rule written down in Python and against `tokenizers`."""
import collections
import heapq
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


NORMALIZER, SPLITTER = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()


def words_of(line):
    return [word for word, _ in SPLITTER.pre_tokenize_str(NORMALIZER.normalize_str(line))]


def count_words(text):
    return collections.Counter(word for line in text.split("\n") for word in words_of(line))


def against_oracle():
    text = "\n".join(page.read_text(encoding="utf-8")
                     for page in sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")]))
    counts = count_words(text)
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


def written_out(counts):
    return "\n".join(" ".join([word] * count) for word, count in counts.items())


def learn_from(counts, **options):
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".txt") as file:
        file.write(written_out(counts))
        file.flush()
        return ours(file.name, **options)


def random_texts():
    generator = random.Random(4)
    same = True
    for letters in ("ab", "abcdefghij", "aαбक中國가𝒳z"):
        for frequency, limit in ((1, 1000), (3, 5)):
            text = random_counts(generator, 60, letters, 6)
            counts = count_words(written_out(text))
            expected = learn_oracle.learn(counts, 150, frequency, limit)
            same &= expected == learn_from(
                text, vocab_size=150, min_frequency=frequency, limit_alphabet=limit)
            if limit == 1000:
                same &= expected == replay(counts, 150, frequency)
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
        theirs = trained(written_out(counts).split("\n"), vocab_size=28, min_frequency=2)
        same &= (set(tokens) == set(theirs) and [t for t in tokens if len(t.strip("#")) > 1]
                 == [t for t in theirs if len(t.strip("#")) > 1])
    check("texts without ties as tokenizers", same)


def replay(counts, vocab_size, min_frequency=2, letters=None):
    """What the oracle learns, for texts of any size: only the pairs that a merge changes are counted
    anew. With the letters of `tokenizers` ties go to the pair with the lower ids, as there."""
    tokens = {token: i for i, token in enumerate(
        [*learn_oracle.SPECIAL, *(letters or learn_oracle.letters_of(counts, 1000))])}
    rank = tokens.get if letters else str.encode
    words = [(learn_oracle.split(word, tokens), count) for word, count in counts.items()]
    pairs, queued, places = (collections.defaultdict(factory) for factory in (int, int, set))
    heap = []

    def change(index, sign):
        pieces, count = words[index]
        for pair in zip(pieces, pieces[1:]):
            pairs[pair] += sign * count
            if sign > 0:
                places[pair].add(index)
                changed.add(pair)

    def push(pair):
        if pairs[pair] > queued[pair]:
            queued[pair] = pairs[pair]
            heapq.heappush(heap, (-pairs[pair], rank(pair[0]), rank(pair[1]), pair))

    def pop():
        pair = heapq.heappop(heap)[3]
        queued[pair] = 0
        return pair

    changed = set()
    for index in range(len(words)):
        change(index, 1)
    while True:
        for pair in changed:
            push(pair)
        while heap and -heap[0][0] != pairs[heap[0][3]]:
            push(pop())
        if not heap or len(tokens) >= vocab_size or -heap[0][0] < max(min_frequency, 1):
            return list(tokens)
        pair, changed = pop(), set()
        tokens.setdefault(pair[0] + pair[1][2:], len(tokens))
        for index in places.pop(pair):
            change(index, -1)
            learn_oracle.merge(words[index][0], pair)
            change(index, 1)


def count_at_most(text, max_words):
    """What is left of the counts when the rarest words, of those the oldest, are dropped after each
    block: the lines that fit into a megabyte, and no more than 32768."""
    counts, size, lines = collections.Counter(), 0, 0

    def drop():
        if len(counts) > max_words:
            most = max_words - max_words // 4
            for word in sorted(counts, key=counts.get)[:len(counts) - most]:
                del counts[word]

    for line in text.splitlines(keepends=True):
        length = len(line.encode())
        if size + length > 2**20 or lines == 2**15:
            drop()
            size = lines = 0
        size, lines = size + length, lines + 1
        counts.update(words_of(line))
    drop()
    return counts


def limited(text):
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".txt") as file:
        file.write(text)
        file.flush()
        for max_words in (1000, 20000):
            check(f"at most {max_words} words", ours(file.name, vocab_size=3000, max_words=max_words)
                  == replay(count_at_most(text, max_words), 3000))


def only_ties_differ(text):
    """Ours is the oracle's vocabulary, and so is that of `tokenizers`, id for id, but for the choice
    between equally frequent pairs."""
    counts, theirs = count_words(text), trained(text.split("\n"), vocab_size=30522, min_frequency=2)
    letters = [token for token in theirs if len(token.removeprefix("##")) == 1]
    check("30522 tokens of tokenizers as the oracle with ties by its ids",
          theirs == replay(counts, 30522, letters=letters))
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".txt") as file:
        file.write(text)
        file.flush()
        tokens = ours(file.name, vocab_size=30522)
    check("30522 tokens as the oracle", tokens == replay(counts, 30522))
    for size, least in ((8000, 0.99), (30522, 0.96)):
        share = len(set(theirs[:size]) & set(tokens[:size])) / size
        check(f"{share:.4f} of the first {size} tokens as tokenizers", share >= least)


against_oracle()
random_texts()
texts_without_ties()
if DATA:
    wiki = lzma.open(pathlib.Path(DATA) / "text/enwiki-12m.train.txt.xz", "rt", encoding="utf-8").read()
    limited(wiki[:2500000])
    only_ties_differ(wiki)
else:
    skip("tokenizers' trainer on Wikipedia", "MLM_TEST_DATA is not set")
finish()
