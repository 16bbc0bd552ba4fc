"""Counts test cases: prints "passed failed skipped"; the output of what failed goes to stderr.

usage: count_results.py TESTLOG.json          Meson's log, an object a line
       count_results.py --tap STATUS LOG.tap  one program's TAP and exit status
"""
import json
import re
import sys


def count_tap(text):
    """Cases of a TAP stream: passed, failed, skipped, and those that count elsewhere.

    Check knows none of the last two: a comment of ours before a case that passed says so.
    """
    passed = failed = skipped = elsewhere = 0
    comment = None
    for line in text.splitlines():
        case = re.match(r"(not ok|ok)\b(.*)", line)
        if not case:
            told = re.match(r"# (skipped|elsewhere):", line)
            comment = told[1] if told else comment
            continue
        if case[1] == "not ok":
            failed += 1
        elif comment == "skipped" or re.search(r"# *skip", case[2], re.I):
            skipped += 1
        elif comment == "elsewhere":
            elsewhere += 1
        else:
            passed += 1
        comment = None
    return passed, failed, skipped, elsewhere


def count_program(name, text, succeeded, skipped=False):
    *counts, elsewhere = count_tap(text)
    if not succeeded and counts[1] == 0:
        counts[1] = 1  # it crashed, ran out of time, or its plan does not hold
    elif sum(counts) + elsewhere == 0:
        counts = [0, 0, 1] if skipped else [1, 0, 0]
    if counts[1]:
        lines = text.rstrip().splitlines()
        passed = re.compile(r"^ok\b")
        kept = [line for line in lines if not passed.match(line)][-120:]
        print(f"---- {name} ----", *kept, sep="\n", file=sys.stderr)
    return counts


def main():
    if sys.argv[1] == "--tap":
        with open(sys.argv[3], errors="replace") as log:
            totals = count_program(sys.argv[3], log.read(), sys.argv[2] == "0")
    else:
        totals = [0, 0, 0]
        with open(sys.argv[1]) as log:
            for line in log:
                test = json.loads(line)
                text = test.get("stdout", "")
                if test.get("stderr"):
                    text += "\n" + test["stderr"]
                counts = count_program(test["name"], text, test["result"] in ("OK", "SKIP"),
                                       test["result"] == "SKIP")
                totals = [a + b for a, b in zip(totals, counts)]
    print(*totals)


main()
