#!/bin/sh
# What pretrain makes of checkpoints that are damaged, missing, or of another run, and of metrics
# that end elsewhere.
# usage: checkpoints.sh SOURCE_ROOT PROGRAMS
root=$1 programs=$2
. "$root/tests/examples/common.sh"
"$programs/train_vocab" --vocab-size 120 --output vocab text.txt > out || exit 1
files='config.json model.safetensors optimizer.safetensors special_tokens_map.json tokenizer.json
tokenizer_config.json trainer.json vocab.txt'

# flip FILE: another bit in the middle
flip() {
    flip_at=$(($(wc -c < "$1") / 2))
    flip_byte=$(od -An -tu1 -j $flip_at -N 1 "$1")
    printf "\\$(printf %o $((flip_byte ^ 4)))" \
        | dd of="$1" bs=1 seek=$flip_at conv=notrunc 2> /dev/null
}

# fails NAME PATTERN ARGUMENT...: pretrain ends with status 1 and one line that has the pattern
fails() {
    fails_name=$1 fails_pattern=$2
    shift 2
    train "$@" > out 2> err
    holds "$fails_name: status 1" err [ $? -eq 1 ]
    count "$fails_name: and why" 1 "^pretrain: .*$fails_pattern" err
    holds "$fails_name: in one line" err [ "$(wc -l < err)" -eq 1 ]
}

# The metrics of the updates, without times.
untimed() {
    sed -n '/^{"step"/s/, "seconds": [0-9.]*//p' "$1"
}

# ---- damage
run "a run" train straight --steps 20 --metrics straight.jsonl
untimed straight.jsonl > straight.metrics
run "a run with kept checkpoints" train kept --steps 12 --save-every 2 --keep 3 \
    --metrics kept.jsonl
echo kept-checkpoint-10 kept-checkpoint-12 kept-checkpoint-8 > expected
echo kept-* > list
same "the last three" expected list
for file in $files; do
    same "DIR is the newest: $file" kept/$file kept-checkpoint-12/$file
done
cp -r kept single # copies, which share no disk block
for file in $files; do
    flip single/$file
    fails "a bit of $file" "single/$file:" single --steps 20 --resume
    cp kept/$file single/$file
    truncate -s -1 single/$file
    fails "a byte less of $file" "single/$file:" single --steps 20 --resume
    cp kept/$file single/$file
done
mv kept template
for number in 8 10 12; do mv kept-checkpoint-$number template-checkpoint-$number; done
for file in $files; do
    rm -rf kept kept-*
    for number in '' -checkpoint-8 -checkpoint-10 -checkpoint-12; do
        cp -r template$number kept$number
    done
    cp kept.jsonl again.jsonl
    flip kept/$file
    flip kept-checkpoint-12/$file
    train kept --steps 20 --resume --metrics again.jsonl > out 2> err
    holds "a bit of $file in two: the run ends" err [ $? -eq 0 ]
    count "a bit of $file in two: both are named" 2 \
        "^pretrain: warning: kept\(-checkpoint-12\)\?/$file: damaged" err
    count "a bit of $file in two: the third is taken" 1 \
        '^pretrain: warning: going on with kept-checkpoint-10$' err
    same "a bit of $file in two: the same model" straight/model.safetensors kept/model.safetensors
    untimed again.jsonl > again.metrics
    same "a bit of $file in two: the same metrics" straight.metrics again.metrics
done
rm -rf kept
run "the newest is gone" train kept --steps 20 --resume
same "the newest is gone: the same model" straight/model.safetensors kept/model.safetensors
for number in '' -checkpoint-8 -checkpoint-10 -checkpoint-12; do
    [ -d kept$number ] && flip kept$number/model.safetensors
done
train kept --steps 30 --resume > out 2> err
holds "all are damaged: status 1" err [ $? -eq 1 ]

# ---- metrics
run "half a run" train torn --steps 10 --metrics torn.jsonl
grep '^{"step": 1[123],' straight.jsonl >> torn.jsonl
printf '{"step": 14, "loss": 1.' >> torn.jsonl
run "torn metrics: the other half" train torn --steps 20 --resume --metrics torn.jsonl
untimed torn.jsonl > torn.metrics
same "torn metrics: mended" straight.metrics torn.metrics
run "another run" train other --steps 20 --seed 1 --metrics other.jsonl
cp other.jsonl before
fails "metrics of another run" 'other.jsonl: its step 20 is of another run' straight --steps 30 \
    --resume --metrics other.jsonl
same "metrics of another run: untouched" before other.jsonl

# ---- beginning
run "resuming what is not there begins" train new --steps 20 --resume
same "resuming what is not there begins: the same model" straight/model.safetensors \
    new/model.safetensors
fails "a mistyped directory" 'other.jsonl: is of a run that has no checkpoint in nwe:' nwe \
    --steps 20 --resume --metrics other.jsonl
same "a mistyped directory: the metrics are untouched" before other.jsonl
holds "a mistyped directory: nothing is made" err [ ! -e nwe ]

# ---- an older run
cp -r straight gone-checkpoint-8
cp -r straight lone-best
fails "a new run where an older one is" 'straight is of a run: --resume goes on with it, --overwrite' \
    straight --steps 20
fails "a new run where an older one is kept" 'gone-checkpoint-8 is of a run: --resume' gone --steps 20
for resume in '' --resume; do
    fails "a new run where an older one's best model is $resume" 'lone-best is of a run .*--overwrite' \
        lone --steps 20 --eval held_out.txt $resume
    fails "a new run with an older one's metrics $resume" 'other.jsonl: is of a run .*: --overwrite' \
        nowhere --steps 20 --metrics other.jsonl $resume
done
same "an older run's metrics are untouched" before other.jsonl
cp -r other overwritten
cp -r other overwritten-checkpoint-18
rm overwritten-checkpoint-18/report.html
cp other.jsonl overwritten.jsonl
run "an older run's place, if the user says so" train overwritten --steps 20 --overwrite \
    --metrics overwritten.jsonl
same "its checkpoint is the new one's" straight/trainer.json overwritten/trainer.json
holds "its kept ones are gone" out [ ! -e overwritten-checkpoint-18 ]
untimed overwritten.jsonl > overwritten.metrics
same "its metrics are the new one's" straight.metrics overwritten.metrics
mkdir taken-checkpoint-3 taken-checkpoint-5 taken-checkpoint-6 taken-checkpoint-7
cp straight/config.json straight/model.safetensors taken-checkpoint-5
cp straight/model.safetensors straight/optimizer.safetensors taken-checkpoint-6
fails "a model of no run where a kept one goes" \
    'taken-checkpoint-5/model.safetensors is no checkpoint of a run' taken --steps 20 --overwrite --keep 2
run "a model of no run where none is kept" train taken --steps 4 --overwrite
train taken --steps 8 --resume --save-every 1 --keep 2 > out 2> err
count "a model of no run where a kept one goes later: it is said" 1 \
    'taken-checkpoint-5 is no checkpoint of a run, and stays$' err
for file in config.json model.safetensors; do
    same "a model of no run stays: $file" straight/$file taken-checkpoint-5/$file
done
holds "what is left of a removed one is gone" err [ ! -e taken-checkpoint-6 ]
holds "and its empty directory" err [ ! -e taken-checkpoint-3 ]
# A new run that was killed when it had saved and not yet removed what is older.
"$programs/pretrain" --output begun $small --steps 1000000 --save-every 0 text.txt > out 2> err &
process=$!
wait_until [ -e begun/trainer.json ]
kill -s KILL $process
wait $process
cp -r other begun-checkpoint-18
rm begun-checkpoint-18/report.html
cp -r begun-checkpoint-18 begun-best
(ulimit -f 20; train begun --steps 2 --save-every 0 --keep 2 --resume --eval held_out.txt) \
    > out 2> err
count "a new run killed at its beginning" 1 'step 2 is not saved: begun/' err
holds "what is older is gone" err [ ! -e begun-checkpoint-18 -a ! -e begun-best ]
cp -r straight model
rm model/trainer.json
fails "a model that is no run's" 'model/model.safetensors is no checkpoint of a run' model \
    --steps 20 --resume
mkdir inside
cd inside || exit 1
"$programs/pretrain" --output . --vocab ../vocab --config ../small.json --seq-length 32 \
    --quiet ../text.txt 2> err
holds "the working directory: status 1" err [ $? -eq 1 ]
count "the working directory: and why" 1 'it is the working directory' err
cd ..
(ulimit -f 20; train limited --steps 20) > out 2> err
holds "a limit of the size of files is an error" err [ $? -eq 1 ]
count "a limit of the size of files names the file" 1 '/model.safetensors: .*: File too large' err

# ---- another run's options, with both values
head -n 200 text.txt > shorter.txt
"$programs/train_vocab" --vocab-size 110 --output smaller text.txt > out || exit 1
sed 's/"hidden_size": 32/"hidden_size": 64/' small.json > wider.json
differs() {
    differs_pattern=$1
    shift
    "$programs/pretrain" --output straight $small --steps 30 --resume "$@" > out 2> err
    holds "$* on resuming: status 1" err [ $? -eq 1 ]
    count "$* on resuming: both values" 1 "^pretrain: .*$differs_pattern" err
}
trained='the checkpoint was trained with'
differs "T is 16, $trained 32" --seq-length 16 text.txt
differs "B is 2, $trained 4" --batch-size 2 text.txt
differs "seed is 5, $trained 0" --seed 5 text.txt
differs "packing is pairs, $trained full\|sentence_head is" --next-sentence text.txt
differs "strategy is whole_words, $trained tokens" --masking whole-word text.txt
differs "mlm_probability is 0.25, $trained 0.15" --mask-probability 0.25 text.txt
differs "accumulate is 2, $trained 1" --accumulate 2 text.txt
differs "sequences is [0-9]*, $trained [0-9]*" shorter.txt
differs "vocabulary is [0-9a-f]*, $trained [0-9a-f]*\|vocab_size is [0-9]*" --vocab smaller text.txt
differs "hidden_size is 32, the encoder has 64" --config wider.json text.txt
differs "freeze_layers is 1, $trained 0" --freeze-layers 1 text.txt

# ---- the command that goes on
cp text.txt "it's a text.txt"
cp -r straight commanded
"$programs/pretrain" --output commanded $small --steps 100000 --overwrite --metrics commanded.jsonl \
    "it's a text.txt" > running.out 2> running &
process=$!
wait_until [ -s commanded.jsonl ]
fails "metrics that a run is writing" 'commanded.jsonl: another run is writing to it' elsewhere \
    --steps 20 --metrics commanded.jsonl --overwrite
kill -s TERM $process
wait $process
holds "stopped: status 3" running [ $? -eq 3 ]
stop=$(sed -n 's/^pretrain: stopped at step \([0-9]*\) .*/\1/p' running)
sed -n 's/^pretrain: .*go on with: //p' running | sed "s/--steps 100000/--steps $((stop + 5))/" > command
run "the command that it says" sh command
count "the command that it says goes on" $((stop + 5)) '^{"step"' commanded.jsonl
finish
