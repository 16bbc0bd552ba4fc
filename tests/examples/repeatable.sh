#!/bin/sh
# pretrain writes the same bytes for the same command: with any number of threads, after a stop and
# a resume.
# usage: repeatable.sh SOURCE_ROOT PROGRAMS
root=$1 programs=$2
. "$root/tests/examples/common.sh"
"$programs/train_vocab" --vocab-size 120 --output vocab text.txt > out || exit 1

run "one thread" train one --steps 12 --threads 1
run "two threads" train two --steps 12 --threads 2
same "any number of threads" one/model.safetensors two/model.safetensors
run "once more" train again --steps 12
same "the same seed" one/model.safetensors again/model.safetensors
for threads in 1 2; do
    run "bf16, $threads" train bf16-$threads --steps 12 --precision bf16 --threads $threads
done
same "any number of threads in bf16" bf16-1/model.safetensors bf16-2/model.safetensors
run "another seed" train other --steps 12 --seed 1
cmp -s one/model.safetensors other/model.safetensors
holds "another seed is another model" /dev/null [ $? -eq 1 ]
# At a rate of 0 nothing but the order of the sequences changes how many tokens an update has.
awk 'NR * NR % 11 != 3' text.txt > uneven.txt
for seed in 0 1; do
    "$programs/pretrain" --output order $small --steps 12 --seed $seed --learning-rate 0 \
        --metrics order.jsonl uneven.txt
    sed -n 's/^{"step": .*"tokens": \([0-9]*\).*/\1/p' order.jsonl > order$seed
    rm -r order order.jsonl
done
cmp -s order0 order1
holds "another seed is another order" order0 [ $? -eq 1 ]
count "an update's tokens" 12 '^[0-9][0-9]*$' order0

evaluating='--eval held_out.txt --eval-every 4'
run "2n updates" train whole --steps 20 $evaluating
run "n updates" train halves --steps 10 $evaluating
run "n more in another process" train halves --steps 20 $evaluating --resume --metrics more.jsonl
count "n more, and not 2n" 10 '^{"step": 1[1-9]\|^{"step": 20' more.jsonl
count "each once" 10 '^{"step": ' more.jsonl
for file in model.safetensors optimizer.safetensors trainer.json; do
    same "2n = n + n: $file" whole/$file halves/$file
done
run "a finished run resumed" train halves --steps 20 $evaluating --resume
same "it stays as it is" whole/model.safetensors halves/model.safetensors
train halves --steps 20 $evaluating --resume --masking whole-word > out 2> err
holds "resuming with something else is refused" err [ $? -eq 1 ]
count "resuming with something else names it" 1 '^pretrain: .*strategy' err

# begin COMMAND...: a run that does not end by itself, started by the command, has begun
begin() {
    rm -rf stopped metrics.jsonl
    "$@" "$programs/pretrain" --output stopped $small --steps 1000000 --metrics metrics.jsonl \
        text.txt > out 2> err &
    process=$!
    wait_until [ -s metrics.jsonl ]
}
for signal in TERM INT HUP; do
    rm -rf straight
    begin env --default-signal=HUP
    kill -s $signal $process
    wait $process
    status=$?
    holds "SIG$signal: status 3" err [ $status -eq 3 ]
    count "SIG$signal: one line that says how to go on" 1 \
        '^pretrain: stopped at step [0-9]* and saved; .*--resume' err
    stop=$(sed -n 's/^pretrain: stopped at step \([0-9]*\) .*/\1/p' err)
    holds "SIG$signal: what is saved is the step it says" stopped/trainer.json \
        grep "\"step\": *${stop:-none}\>" stopped/trainer.json
    steps=$((${stop:-0} + 5))
    run "SIG$signal: resume" train stopped --steps $steps --resume
    run "SIG$signal: never stopped" train straight --steps $steps
    same "SIG$signal: the same bytes" straight/model.safetensors stopped/model.safetensors
done

# A terminal that closes can say so twice, and say it to what nohup started.
begin env --default-signal=HUP
kill -s HUP $process
kill -s HUP $process
wait $process
holds "SIGHUP twice: status 3" err [ $? -eq 3 ]
begin env --ignore-signal=HUP
kill -s TERM $process
kill -s HUP $process
wait $process
holds "SIGTERM, then SIGHUP under nohup: status 3" err [ $? -eq 3 ]

# ---- --metrics FILE that is not this run's
# left NAME PATTERN FILE OUTPUT ARGUMENT...: status 1, and neither file nor output is touched
left() {
    left_name=$1 left_pattern=$2 left_file=$3 left_output=$4
    shift 4
    cp "$left_file" left.file
    cat "$left_output"/*.json* > left.output
    train "$left_output" --metrics "$left_file" "$@" 2> err
    holds "$left_name: status 1" err [ $? -eq 1 ]
    count "$left_name: and why" 1 "^pretrain: --metrics $left_file: $left_pattern" err
    same "$left_name: the file is left alone" left.file "$left_file"
    cat "$left_output"/*.json* > after.output
    same "$left_name: and so is the run" left.output after.output
}
printf 'Things to do:\nsleep\n' > notes.txt
for option in --resume --overwrite; do
    left "no metrics file, $option" 'it is no metrics file' notes.txt one --steps 14 $option
done
# killed_at_0: own is a run that was killed before its second save
killed_at_0() {
    rm -rf own
    "$programs/pretrain" --output own $small --steps 1000000 --save-every 0 text.txt 2> err &
    process=$!
    wait_until [ -s own/trainer.json ]
    kill -s KILL $process
    wait $process 2> kill_error
    grep -q '"step": 0,' own/trainer.json
}
head -n 200 text.txt > shorter.txt
train foreign --steps 4 --seed 1 --metrics seed.jsonl 2> err
"$programs/pretrain" --output foreign --overwrite $small --steps 4 --metrics data.jsonl shorter.txt \
    2> err
train own --steps 12 2> err
for steps in 12 0; do
    [ $steps -ne 0 ] || run "killed at step 0" killed_at_0
    left "another run's metrics, step $steps, seed" 'is of another run: its seed is 1, that' \
        seed.jsonl own --steps 14 --resume
    left "another run's metrics, step $steps, data" 'is of another run: its sequences is ' \
        data.jsonl own --steps 14 --resume
done
# Killed after the first save of a run that replaces an older one.
train older --steps 3 --learning-rate 1e-3 --metrics older.jsonl 2> err
run "step 0 with an older run's metrics" train own --steps 14 --resume --metrics older.jsonl
count "step 0: the configuration is the new one's" 1 '^{"configuration": .*"steps": 14,' older.jsonl
count "step 0: the older one's is gone" 1 '^{"configuration": ' older.jsonl
count "step 0: the data are told once" 1 '^{"data": ' older.jsonl
count "step 0: the updates are the new one's" 14 '^{"step": ' older.jsonl

# Readers of metrics and held-out losses that go away are not the end of a training.
mkfifo pipe
head -n 3 pipe > head.jsonl &
{ train unread --steps 400 --metrics pipe --eval held_out.txt --eval-every 50 2> err
    echo $? > status; } | head -n 1 > out
holds "readers that go: the run goes on to its end" err [ "$(cat status)" -eq 0 ]
count "readers that go: it is said once" 1 '^pretrain: warning: --metrics pipe: nobody reads' err
holds "readers that go: the last step is saved" unread/trainer.json grep -q '"step": 400,' \
    unread/trainer.json
"$programs/pretrain" --output waiting $small --steps 4 --metrics pipe text.txt 2> err &
process=$!
wait_until [ -s waiting/trainer.json ]
sleep 0.1
kill -s TERM $process
wait $process
holds "no reader: a signal ends the waiting" err [ $? -eq 3 ]
count "no reader: it says how to go on" 1 '^pretrain: stopped at step 0, .* pipe; go on with: ' err
cat pipe > read.jsonl &
run "no reader: resume" train waiting --steps 4 --metrics pipe --resume
wait $!
count "no reader: a later one gets it all" 4 '^{"step": ' read.jsonl
finish
