"""What google-research/bert's tokenization.py makes of a text, written anew from its description."""
import unicodedata

CHINESE = [(0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F),
           (0x2B740, 0x2B81F), (0x2B820, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F)]
ASCII_PUNCTUATION = {c for c in map(chr, range(33, 127)) if not c.isalnum()}
LONGEST_WORD = 200


def clean(text):
    for c in text:
        kind = unicodedata.category(c)
        if c in " \t\n\r" or kind == "Zs":
            yield " "
        elif c not in "\0\ufffd" and kind not in ("Cc", "Cf"):
            chinese = any(first <= ord(c) <= last for first, last in CHINESE)
            yield f" {c} " if chinese else c


def is_punctuation(c):
    return c in ASCII_PUNCTUATION or unicodedata.category(c).startswith("P")


def split_words(text, lower):
    for word in "".join(clean(text)).split():
        if lower:
            word = "".join(c for c in unicodedata.normalize("NFD", word.lower())
                           if unicodedata.category(c) != "Mn")
        yield from "".join(f" {c} " if is_punctuation(c) else c for c in word).split()


def pieces(word, vocab):
    """The longest tokens from the left on; None where there is none, or the word is too long."""
    found, begin = [], 0
    while begin < len(word):
        prefix = "##" if begin else ""
        end = min(len(word), begin + vocab.longest)
        while end > begin and prefix + word[begin:end] not in vocab:
            end -= 1
        if end == begin or len(word) > LONGEST_WORD:
            return None
        found.append(vocab[prefix + word[begin:end]])
        begin = end
    return found


class Vocabulary(dict):
    def __init__(self, ids):
        super().__init__(ids)
        self.longest = max(map(len, ids))


def encode(text, vocab, lower):
    ids = []
    for word in split_words(text, lower):
        found = pieces(word, vocab)
        ids += [vocab["[UNK]"]] if found is None else found
    return ids
