#!/bin/sh
# A run that is killed at random instants, also while it saves, and started again with other numbers
# of threads ends with the same bytes as one that never was.
# usage: kills.sh SOURCE_ROOT PROGRAMS [KILLS]
root=$1 programs=$2 kills=${3:-8}
. "$root/tests/examples/common.sh"
"$programs/train_vocab" --vocab-size 120 --output vocab text.txt > out || exit 1

# below N: a random whole number
below() {
    echo $(($(od -An -N4 -tu4 /dev/urandom) % $1))
}

milliseconds() {
    echo $(($(date +%s%N) / 1000000))
}

# The metrics without times.
untimed() {
    sed 's/, "seconds": [0-9.]*//' "$1"
}

# start NAME ARGUMENT...: one more attempt at the run, in the background
start() {
    start_name=$1
    shift
    "$programs/pretrain" --output "$start_name" --metrics "$start_name.jsonl" --quiet --resume \
        --threads $((1 + $(below 3))) "$@" text.txt > out 2> err &
    process=$!
}

saving=0 most=180
# survives NAME FILES ARGUMENT...: the files (lists of names) of the run that is killed again and
# again are those of the run that is not
survives() {
    name=$1 files=$2 killed=0
    shift 2
    began=$(milliseconds)
    run "$name: never killed" "$programs/pretrain" --output straight --metrics straight.jsonl \
        --quiet "$@" text.txt
    # From the start of the process on, through reading, training and saving; most of the time
    # long enough to get on, and too short to end.
    longest=$((($(milliseconds) - began) * 2 / 3))
    [ $longest -gt 20 ] || longest=20
    [ $longest -lt $most ] || longest=$most
    while [ $killed -lt "$kills" ]; do
        start killed "$@"
        sleep "0.$(printf %03d "$(below $longest)")"
        kill -s KILL $process 2> kill_error
        wait $process 2> kill_error
        [ $? -eq 137 ] || break
        [ -d killed.mlm-new ] && saving=$((saving + 1))
        killed=$((killed + 1))
    done
    start killed "$@"
    wait $process
    holds "$name: it ends after $killed kills" err [ $? -eq 0 ]
    for file in $files; do
        same "$name: $file" "straight$file" "killed$file"
    done
    untimed straight.jsonl > straight.metrics
    untimed killed.jsonl > killed.metrics
    same "$name: metrics" straight.metrics killed.metrics
    ls -d straight* | sed 's/^straight//' > straight.list
    ls -d killed* | sed 's/^killed//' | grep -v '\.list$' > killed.list
    grep -v '\.list$' straight.list > list
    same "$name: nothing else is left" list killed.list
    rm -rf straight* killed*
}

model=/model.safetensors
all="$model /optimizer.safetensors /trainer.json"
small='--config small.json --batch-size 4 --seq-length 32 --learning-rate 1e-2'
survives "a save an update" "$all" $small --vocab vocab --steps 30 --save-every 1
survives "learned vocabulary, accumulation" "$all /vocab.txt" $small --vocab-size 120 --accumulate 2 \
    --steps 60 --save-every 7
survives "early stopping" "$all -best$model -best/trainer.json" $small --vocab vocab --steps 300 \
    --save-every 3 --eval held_out.txt --eval-every 2 --patience 3
survives "next-sentence pairs, kept checkpoints" "$all -checkpoint-28$model -checkpoint-26$model" \
    $small --vocab vocab --next-sentence --steps 30 --save-every 2 --keep 3
most=600 # it diverges early, and is to be killed after that
survives "going back" "$all" $small --vocab vocab --steps 120 --save-every 10 --learning-rate 1 \
    --warmup 20 --max-loss-rise 1 --on-divergence back
echo "# $saving kills came while a save was going on"

# Two signals: the second comes at any moment, also within the save that the first has asked for.
"$programs/pretrain" --output straight --quiet $small --vocab vocab --steps 200 text.txt 2> err
holds "never stopped" err [ $? -eq 0 ]
statuses=
for round in 1 2 3 4 5 6 7 8; do
    start killed $small --vocab vocab --steps 200
    wait_until [ -s killed.jsonl ]
    kill -s TERM $process 2> kill_error
    sleep "0.0$(printf %02d "$(below 60)")"
    kill -s INT $process 2> kill_error
    wait $process 2> kill_error
    statuses="$statuses $?"
done
echo "$statuses" > statuses
echo "# statuses after two signals:$statuses"
holds "two signals: saved, or ended by the second" statuses grep -Eqx '( (3|130|143)){8}' statuses
start killed $small --vocab vocab --steps 200
wait $process
holds "two signals: it ends" err [ $? -eq 0 ]
same "two signals: the same bytes" straight$model killed$model
finish
