"""What train_peers.py and infer_peers.py share: models, a process for each mode of a peer, so that
its memory and its threads are its own, and running them in turn."""
import json
import os
import resource
import subprocess
import sys
import time

VOCAB_SIZE = 30522
MODELS = {"tiny": (128, 2), "mini": (256, 4), "small": (512, 4), "medium": (512, 8),
          "base": (768, 12)}  # hidden size, layers
CORES = len(os.sched_getaffinity(0))


def comma(kind=str):
    return lambda text: [kind(part) for part in text.split(",")]


def bert_config(name, **more):
    from transformers import BertConfig
    H, L = MODELS[name]
    return BertConfig(vocab_size=VOCAB_SIZE, hidden_size=H, num_hidden_layers=L,
                      num_attention_heads=H // 64, intermediate_size=4 * H, **more)


def resident(key):
    """VmRSS or VmHWM of this process, in MB."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(key)) / 1e3


def forget_peak():
    """VmHWM counts from here: what a compiler needed before is not the step's."""
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")


def clock(cpu_time, threads):
    return (lambda: time.process_time() / threads) if cpu_time else time.perf_counter


class Worker:
    """A process of this script that answers lines of JSON; arguments are all it knows."""

    def __init__(self, **arguments):
        environment = dict(os.environ, OMP_NUM_THREADS=str(arguments["threads"]),
                           MKL_NUM_THREADS=str(arguments["threads"]), HF_HUB_OFFLINE="1")
        self.process = subprocess.Popen(
            [sys.executable, sys.argv[0], "--worker", json.dumps(arguments)], env=environment,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def ask(self, **request):
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            return json.loads(self.process.stdout.readline())
        except (BrokenPipeError, ValueError):
            lines = self.process.stderr.read().strip().splitlines() or ["ended without a word"]
            raise RuntimeError(lines[-1]) from None

    def end(self):
        self.process.kill()
        self.process.communicate()


def serve(answer):
    """The worker's side: answer(**request) is what the other side gets."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print goes to standard error
    for line in sys.stdin:
        out.write(json.dumps(answer(**json.loads(line))) + "\n")
        out.flush()


def best_of(workers, rate, probe):
    """The fastest of {name: function that makes a worker}; the others end. Each is probed, then the
    fastest before it and it once more; of the last two probes of each the better counts, since other
    work only slows. There are never more than two, for memory."""
    def ask(name, worker, **request):
        try:
            return worker.ask(**request)
        except RuntimeError as error:
            print(f"    {name}: {error}", flush=True)
            return None

    best = None
    for name, make in workers.items():
        worker = make()
        result = ask(name, worker, **probe)
        if not result:
            worker.end()
            continue
        print(f"    {name}: {rate(result):.5g}, first call {result['warm']:.0f} s", flush=True)
        winner = (name, worker, [rate(result)])
        if best:
            for one, again, rates in (best, winner):
                result = ask(one, again, seconds=probe["seconds"])
                rates[:] = [rates[-1], rate(result)] if result else [0]
            loser, winner = sorted((best, winner), key=lambda one: max(one[2]))
            loser[1].end()
        best = winner
    return best[:2] if best else (None, None)
