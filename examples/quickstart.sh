#!/usr/bin/env bash
# From nothing to a small BERT: installs what is missing, builds, pre-trains on WordNet's definitions
# and example sentences (or on text files of yours), measures on held-out text, fills masks.
set -eu

usage() {
    cat <<'END'
usage: examples/quickstart.sh [--steps N] [TEXT...]

Under ten minutes on two cores. Builds in build/ and writes to build/quickstart/. On Debian, packages
that are missing are installed first (with sudo where the user is not root).

  --steps N   updates of the model; fewer are quicker and worse
  TEXT        text files, a sentence a line, an empty line between documents; the last twentieth
              of each is held out. Without: WordNet's, from the package wordnet-base.
END
}

steps=9000
while [ $# -gt 0 ]; do
    case $1 in
    --steps) steps=${2:?--steps needs a number}; shift 2 ;;
    --help) usage; exit 0 ;;
    -*) usage >&2; exit 2 ;;
    *) break ;;
    esac
done

# Told now and not after the training. Paths are those of the folder it was called from.
case $steps in
'' | *[!0-9]*) echo "quickstart.sh: --steps $steps is no number" >&2; exit 2 ;;
esac
held_out=0
for text; do
    [ -f "$text" ] && [ -r "$text" ] || { echo "quickstart.sh: cannot read $text" >&2; exit 1; }
    held_out=$((held_out + $(wc -l < "$text") / 20))
    shift
    set -- "$@" "$(realpath -- "$text")"
done
if [ $# -gt 0 ] && [ $held_out -eq 0 ]; then
    echo "quickstart.sh: the texts need 20 lines or more, of which the last twentieth is held out" >&2
    exit 1
fi
cd "$(dirname "$0")/.."

packages='build-essential meson ninja-build pkg-config libopenblas-dev libjansson-dev'
[ $# -gt 0 ] || packages="$packages wordnet-base"
. tests/support/install.sh
install_packages $packages

echo "== building in build/"
[ -f build/build.ninja ] || meson setup build > /dev/null
programs='examples/pretrain examples/mask examples/fill_mask examples/evaluate'
# A list of words.
ninja -C build $programs > build/quickstart.log || { tail -n 40 build/quickstart.log; exit 1; }

out=build/quickstart
rm -rf "$out"
mkdir -p "$out"
if [ $# -gt 0 ]; then
    for text; do
        lines=$(wc -l < "$text")
        head -n $((lines - lines / 20)) "$text" >> "$out/train.txt"
        tail -n $((lines / 20)) "$text" >> "$out/held_out.txt"
    done
else
    wordnet=/usr/share/wordnet
    awk -v train="$out/train.txt" -v held_out="$out/held_out.txt" -f examples/wordnet.awk \
        $wordnet/data.noun $wordnet/data.verb $wordnet/data.adj $wordnet/data.adv
fi
echo "== text: $(wc -w < "$out/train.txt") words to learn from, $(wc -w < "$out/held_out.txt") held out"

echo "== pre-training"
model=$out/model
build/examples/pretrain --output "$model" --vocab-size 8000 --config tiny --dropout 0 \
    --steps "$steps" --batch-size 48 --seq-length 128 --learning-rate 1e-3 \
    --schedule linear --warmup $((steps / 20)) --metrics "$out/metrics.jsonl" "$out/train.txt"

echo "== one sentence, as the model sees it in training"
build/examples/mask --vocab "$model" --model "$model" --seed 2 \
    "farmer: a person who operates a farm and grows food for other people."

echo "== filling masks"
for sentence in "Paris: the capital and largest [MASK] of France." \
    "physician: a [MASK] who treats the sick." "violin: a musical [MASK]."; do
    build/examples/fill_mask --model "$model" --top 5 "$sentence"
done

echo "== held-out text"
build/examples/evaluate --model "$model" "$out/held_out.txt"
echo "model: $PWD/$model"
echo "metrics: $PWD/$out/metrics.jsonl"
