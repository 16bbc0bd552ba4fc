#!/bin/sh
# A disk of 20 MB that fills, becomes read-only, has no room for a second checkpoint.
# usage: full_disk.sh SOURCE_ROOT PROGRAMS
if [ "$3" != mounted ]; then
    # As its own user's root, where that is allowed, the script may mount what nobody else sees.
    if unshare -rm mount -t tmpfs none /mnt 2> /dev/null; then
        exec unshare -rm sh "$0" "$1" "$2" mounted
    fi
    echo "1..0 # SKIP nothing may be mounted here"
    exit 0
fi
root=$1 programs=$2
. "$root/tests/examples/common.sh"
mkdir disk
mount -t tmpfs -o size=20m none disk || exit 1
trap 'umount "$work/disk"; rm -rf "$work"' EXIT
"$programs/train_vocab" --vocab-size 120 --output vocab text.txt > out || exit 1
cat > model.json <<'END'
{"hidden_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 256,
 "max_position_embeddings": 32}
END

# train DIR ARGUMENT...
train() {
    train_output=$1
    shift
    "$programs/pretrain" --output "$train_output" --metrics "${metrics:-$train_output.jsonl}" --vocab vocab \
        --config model.json --batch-size 4 --seq-length 32 --quiet "$@" text.txt
}
fill() {
    dd if=/dev/zero of=disk/filler bs=1k > /dev/null 2>&1
}
sums() {
    (cd "$1" && sha256sum ./*.json ./*.safetensors vocab.txt)
}
# The metrics of the updates, without times.
untimed() {
    sed -n '/^{"step"/s/, "seconds": [0-9.]*//p' "$1"
}

run "a run elsewhere" train whole --steps 160
run "a run on the disk" train disk/run --steps 20
sums disk/run > before
fill
train disk/run --resume --steps 40 --save-every 5 > out 2> err
holds "full: the run goes on to its end and fails" err [ $? -eq 1 ]
count "full: every save that fails is told, with the file and the reason" 5 \
    '^pretrain: warning: step [0-9]* is not saved: disk/run/.*: No space left on device' err
count "full: at the end the command that goes on" 1 \
    '^pretrain: ended without saving step 40; go on from step 20 with: .*--resume' err
sums disk/run > after
same "full: the checkpoint is as it was" before after
holds "full: nothing half-written is left" out [ ! -e disk/run.mlm-new ]

# Space comes back while it runs. What the run before it said must not be taken for its own.
rm err
train disk/run --resume --steps 160 --save-every 25 > out 2> err &
process=$!
wait_until grep -qs 'is not saved' err
rm disk/filler
wait $process
holds "space comes back: the run succeeds" err [ $? -eq 0 ]
same "space comes back: the same model" whole/model.safetensors disk/run/model.safetensors
untimed whole.jsonl > whole.metrics
untimed disk/run.jsonl > run.metrics
same "space comes back: no line of the metrics is lost" whole.metrics run.metrics

mount -o remount,ro disk
sums disk/run > before
train disk/run --metrics other.jsonl --resume --steps 310 > out 2> err
holds "read-only: status 1" err [ $? -eq 1 ]
count "read-only: the directory and the reason" 1 \
    '^pretrain: warning: step 310 is not saved: disk/run.mlm-new: .*: Read-only file system' err
says "read-only: no new run" 1 'disk/new.*: Read-only file system' pretrain --output disk/new \
    --vocab vocab --config model.json --seq-length 32 text.txt --quiet
sums disk/run > after
same "read-only: the checkpoint is as it was" before after
mount -o remount,rw disk

fill
rm -rf disk/run disk/run.jsonl
fill
says "full from the start: status 1, and why" 1 'disk/new/.*: No space left on device' pretrain \
    --output disk/new --vocab vocab --config model.json --seq-length 32 text.txt --quiet
holds "full from the start: nothing is left" out [ ! -e disk/new -a ! -e disk/new.mlm-new ]
truncate -s 14m disk/filler
train disk/run --steps 20 --save-every 5 > out 2> err
holds "room for one: status 1" err [ $? -eq 1 ]
count "room for one: it is said at the start" 1 \
    '^pretrain: warning: disk/run: saving takes up to [0-9.]* MB more, and the disk has room for' err
count "room for one: the first checkpoint stands" 1 '"step": 0,' disk/run/trainer.json
rm disk/filler
train disk/run --resume --steps 20 --save-every 5 > out 2> err
holds "room for two: it goes on" err [ $? -eq 0 ]

# A training that diverges and cannot save what it goes back to. Its metrics are on the full disk,
# whose space comes back, or elsewhere, where they get ahead of the checkpoint.
wild() {
    train "$@" --learning-rate 1 --warmup 60 --max-loss-rise 1 --save-every 3 --on-divergence back
}
wild wild --steps 160 > out 2> err
holds "diverging" err [ $? -eq 0 ]
went=$(sed -n 's/^pretrain: step \([0-9]*\): the loss.*/\1/p' err | head -n 1)
before=$(((${went:-1} - 1) / 3 * 3))
rm -r disk/run*
run "diverging: up to a save before" wild disk/run --steps $before
cp -a disk kept
# Of the last block of the metrics a part of a line is left.
{
    printf '%*s\n' $((8192 - 100 - $(wc -c < kept/run.jsonl) % 4096)) ''
    cat kept/run.jsonl
} > disk/run.jsonl
fill
rm err
wild disk/run --resume --steps 160 > out 2> err &
process=$!
wait_until grep -qs 'diverged: back' err
rm disk/filler
wait $process
holds "diverging on a full disk: the run succeeds" err [ $? -eq 0 ]
holds "diverging on a full disk: metrics waited" err grep -q 'lines wait in memory' err
holds "diverging on a full disk: it told that it did not save" err grep -q "step [0-9]* is not saved" err
same "diverging on a full disk: the same model" wild/model.safetensors disk/run/model.safetensors
untimed wild.jsonl > wild.metrics
untimed disk/run.jsonl > run.metrics
same "diverging on a full disk: no line of the metrics is lost or abandoned" wild.metrics run.metrics

rm -r disk/run*
cp -a kept/run* disk
fill
metrics=elsewhere.jsonl
cp kept/run.jsonl $metrics
wild disk/run --resume --steps 160 > out 2> err
holds "diverging without space: status 1" err [ $? -eq 1 ]
rm disk/filler
wild disk/run --resume --steps 160 > out 2> err
holds "diverging without space: it goes on from before" err [ $? -eq 0 ]
count "diverging without space: and says what the metrics lack till then" 1 \
    "^pretrain: warning: --metrics $metrics: lines up to step $before are missing" err
same "diverging without space: the same model" wild/model.safetensors disk/run/model.safetensors
untimed $metrics > run.metrics
same "diverging without space: the same metrics" wild.metrics run.metrics
finish
