#!/bin/sh
# usage: libfuzzer.sh REPLAY FUZZER SECONDS: libFuzzer for so long, from the target's own seeds
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
mkdir "$work/seeds" && "$1" --write "$work/seeds" &&
    "$2" -seed=1 -max_len=4096 -max_total_time="$3" -print_final_stats=1 \
        -artifact_prefix="$work/" "$work/seeds"
