"""New words in a tokenizer: the saved directory gives the same ids in tokenizers and transformers."""
import pathlib
import tempfile

from tokenizers import Tokenizer
from transformers import AutoTokenizer

from parity import check, finish
import mlm

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "in", "##su", "##lin", "of",
              "##s", "##er", "a", ".", ","]
WORDS = ["Insulin", "\u00dcber", "gene", "the", "INSULIN", "ge\u0301nome", "\u03c3\u03c4\u03bf\u03c2"]
TEXTS = ["The insulin in genes.", "Insulins, \u00fcber of the G\u00c9NOME", "\u03a3\u03a4\u039f\u03a3 gener",
         "[MASK] insulin <drug>gene insul in", "a<DRUG>a,cell line insulin"]


def compare(name, tokenizer, folder):
    mlm.lib.mlm_tokenizer_save(tokenizer, folder.encode())
    fast, auto = Tokenizer.from_file(f"{folder}/tokenizer.json"), AutoTokenizer.from_pretrained(folder)
    ours = [list(tokenizer.encode(text)) for text in TEXTS]
    check(f"{name}: tokenizers", ours == [fast.encode(text).ids for text in TEXTS])
    check(f"{name}: AutoTokenizer", ours == [auto(text)["input_ids"] for text in TEXTS])
    check(f"{name}: sizes", len(tokenizer) == fast.get_vocab_size() == len(auto))
    again = mlm.Tokenizer.load(None, folder)
    check(f"{name}: loaded again", ours == [list(again.encode(text)) for text in TEXTS])


with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder) / "old"
    path.mkdir()
    (path / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n")
    old = mlm.Tokenizer.load(None, str(path / "vocab.txt"))
    grown = old.add_words(WORDS)
    check("five words are new", len(grown) == len(old) + 5)
    compare("plain vocabulary", grown, f"{folder}/plain")

    mlm.lib.mlm_tokenizer_save(old, f"{folder}/old".encode())
    theirs = AutoTokenizer.from_pretrained(f"{folder}/old")
    theirs.add_special_tokens({"additional_special_tokens": ["<drug>"]})
    theirs.add_tokens(["cell line"])
    theirs.save_pretrained(f"{folder}/added")
    old = mlm.Tokenizer.load(None, f"{folder}/added")
    grown = old.add_words(WORDS)
    check("old ids stay", all(grown.token(i) == old.token(i) for i in range(len(old))))
    check("new ids come after them", grown.token(len(old)) == "insulin")
    compare("with added tokens", grown, f"{folder}/grown")
finish()
