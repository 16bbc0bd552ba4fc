#!/usr/bin/env python3
"""MB of text a second, ours and the peers' own batch calls in turn, from bytes in memory to ids in
memory; load times. Peers that cannot be imported are left out.
    tokenize_peers.py [DATA [SECONDS]]     DATA: a folder with text/ and vocab/; LIBMLM: libmlm.so"""
import ctypes
import gc
import lzma
import os
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "examples/python"))
import mlm

CORES = len(os.sched_getaffinity(0))


def seconds(call):
    gc.collect()
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


class Ours:
    def __init__(self, threads, vocabulary, lowercase, lines, spans):
        options = mlm.TokenizerOptions(lowercase=lowercase)
        self.tokenizer = mlm.Tokenizer.load(mlm.runtime(threads), vocabulary, options)
        count, size = len(lines), sum(map(len, lines)) + 2 * len(lines)
        self.arguments = [
            self.tokenizer, (ctypes.c_char_p * count)(*lines),
            (ctypes.c_size_t * count)(*map(len, lines)), ctypes.c_int32(count), None,
            (ctypes.c_int32 * (count + 1))(), (ctypes.c_int32 * size)(),
            (ctypes.c_int32 * (2 * size))() if spans else None, ctypes.c_size_t(size),
            ctypes.byref(ctypes.c_size_t())]

    def __call__(self):
        mlm.lib.mlm_tokenizer_encode_batch(*self.arguments)


def huggingface(vocabulary, lowercase, lines, spans):
    from tokenizers import BertWordPieceTokenizer
    tokenizer = BertWordPieceTokenizer(vocabulary, lowercase=lowercase)._tokenizer
    texts = [line.decode() for line in lines]
    call = tokenizer.encode_batch if spans else tokenizer.encode_batch_fast
    return lambda: call(texts)


def blingfire(lines):
    import blingfire as peer
    model = peer.load_model(os.path.join(os.path.dirname(peer.__file__), "bert_base_tok.bin"))
    ids = (ctypes.c_int32 * (max(map(len, lines)) + 1))()
    call, room = peer.blingfire.TextToIds, ctypes.c_int32(len(ids))
    def run():
        for line in lines:
            call(ctypes.c_void_p(model), line, ctypes.c_int32(len(line)), ids, room, 100)
    return run


def child(arguments):
    """A row in a process of its own: the threads of `tokenizers` are set by its environment."""
    data, name, threads, spans, limit = *arguments[:2], *map(int, arguments[2:4]), float(arguments[4])
    text, vocabulary, lowercase = {
        "uncased": ("enwiki-12m.train", "uncased", 1), "cased": ("enwiki-12m.train", "cased", 0),
        "multi-script": ("udhr", "multilingual-cased", 0)}[name]
    lines = lzma.open(f"{data}/text/{text}.txt.xz").read(4000000).split(b"\n")[:-1]
    size = sum(map(len, lines)) / 1e6
    path = f"{data}/vocab/bert-base-{vocabulary}.txt"
    calls = {"libmlm": Ours(threads, path, lowercase, lines, spans)}
    try:
        calls["tokenizers"] = huggingface(path, bool(lowercase), lines, spans)
    except ImportError:
        pass
    if name == "uncased" and threads == 1 and not spans:
        try:
            calls["blingfire"] = blingfire(lines)
        except ImportError:
            pass
    best, end = dict.fromkeys(calls, 1e9), time.perf_counter() + limit
    while True:
        for peer, call in calls.items():
            best[peer] = min(best[peer], seconds(call))
        if time.perf_counter() > end:
            break
    row = f"{name}{' with spans' if spans else ''}, {threads} threads:"
    print(row, ", ".join(f"{peer} {size / took:.1f} MB/s" + (
        f" (ratio {took / best['libmlm']:.1f})" if peer != "libmlm" else "")
        for peer, took in best.items()), flush=True)


def main():
    data, limit = (sys.argv[1:] + [os.environ.get("MLM_TEST_DATA"), "3"][len(sys.argv) - 1:])[:2]
    if not data:
        sys.exit("tokenize_peers.py: no DATA, and MLM_TEST_DATA is not set")
    path, runtime = f"{data}/vocab/bert-base-uncased.txt", mlm.runtime(1)
    took = min(seconds(lambda: mlm.Tokenizer.load(runtime, path)) for _ in range(10))
    print(f"loading 30522 tokens: {1e3 * took:.1f} ms")
    print("`tokenizers` makes Python objects; `blingfire` is called once a line through ctypes")
    for threads in sorted({1, CORES}):
        environment = dict(os.environ, RAYON_NUM_THREADS=str(threads), TOKENIZERS_PARALLELISM="true")
        for name in ("uncased", "cased", "multi-script"):
            for spans in "01":
                subprocess.run([sys.executable, __file__, "encode", data, name, str(threads), spans,
                                limit], env=environment, check=True)


if sys.argv[1:2] == ["encode"]:
    child(sys.argv[2:])
else:
    main()
