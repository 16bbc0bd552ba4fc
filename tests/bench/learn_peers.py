#!/usr/bin/env python3
"""Learning a vocabulary from a text file, ours and the trainer of `tokenizers` in turn, each in a
process of its own with the same threads: MB of text a second, CPU time, peak memory.
    learn_peers.py [TEXT.xz [RUNS]]     TEXT: the data's 10.9 MB; LIBMLM: libmlm.so"""
import lzma
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile
import time

VOCAB_SIZE = 30522
CORES = len(os.sched_getaffinity(0))


def ours(path, threads):
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "examples/python"))
    import mlm
    runtime, options = mlm.runtime(threads), mlm.VocabOptions(vocab_size=VOCAB_SIZE)
    return lambda: mlm.Tokenizer.train(runtime, [path], options)


def huggingface(path, threads):
    from tokenizers import BertWordPieceTokenizer  # RAYON_NUM_THREADS has the threads
    tokenizer = BertWordPieceTokenizer()
    return lambda: tokenizer.train([path], vocab_size=VOCAB_SIZE, show_progress=False)


PEERS = {"libmlm": ours, "tokenizers": huggingface}


def usage():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return time.perf_counter(), used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def child(peer, path, threads):
    call = PEERS[peer](path, int(threads))
    before = usage()
    call()
    print(*(after - start for after, start in zip(usage(), before)))


def measure(peer, path, threads):
    """Seconds, CPU seconds, MB; None where the peer cannot be imported."""
    environment = dict(os.environ, RAYON_NUM_THREADS=str(threads), TOKENIZERS_PARALLELISM="true")
    run = subprocess.run([sys.executable, __file__, "child", peer, path, str(threads)],
                         env=environment, stdout=subprocess.PIPE, text=True)
    return tuple(map(float, run.stdout.split())) if run.returncode == 0 else None


def main():
    data = os.environ.get("MLM_TEST_DATA")
    if len(sys.argv) < 2 and not data:
        sys.exit("learn_peers.py: no TEXT, and MLM_TEST_DATA is not set")
    packed = sys.argv[1] if len(sys.argv) > 1 else f"{data}/text/enwiki-12m.train.txt.xz"
    runs = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    with tempfile.NamedTemporaryFile(suffix=".txt") as file:
        with lzma.open(packed) as text:
            shutil.copyfileobj(text, file)
        file.flush()
        size = os.path.getsize(file.name) / 1e6
        print(f"{VOCAB_SIZE} tokens from {size:.1f} MB, best of {runs} runs in turn")
        for threads in sorted({1, CORES}):
            results = {peer: [] for peer in PEERS}
            for _ in range(runs):
                for peer in PEERS:
                    results[peer].append(measure(peer, file.name, threads))
            best = {peer: min(rows) for peer, rows in results.items() if None not in rows}
            for peer, (seconds, cpu, memory) in best.items():
                print(f"{threads} threads: {peer} {size / seconds:.1f} MB/s, {seconds:.2f} s, "
                      f"CPU {cpu:.2f} s, {memory:.0f} MB"
                      f" (ratio {seconds / best['libmlm'][0]:.1f}, "
                      f"of CPU {cpu / best['libmlm'][1]:.1f})", flush=True)


if sys.argv[1:2] == ["child"]:
    child(*sys.argv[2:])
else:
    main()
