#!/bin/sh
# Training that goes wrong: what pretrain notices, what it does about it, and that a run which is
# killed in between does the same.
# usage: trouble.sh SOURCE_ROOT PROGRAMS
root=$1 programs=$2
. "$root/tests/examples/common.sh"
"$programs/train_vocab" --vocab-size 120 --output vocab text.txt > out || exit 1

# ---- early stopping, and the best model apart from the last --------------------------------------
evaluating='--eval held_out.txt --eval-every 10 --metrics early.jsonl'
train early --steps 1000 $evaluating --patience 2 --min-delta 0.3 > out 2> err
last=$(sed -n 's/^{"step": \([0-9]*\).*"evaluations_since_best": 2}/\1/p' early.jsonl)
holds "--patience ends the run at the second evaluation in a row" early.jsonl \
    grep -q "\"step\": ${last:-none}," early/trainer.json
# What the rule says of the losses that the metrics file has.
sed -n 's/.*"eval_loss": \([0-9.e+-]*\),.*"best_eval_loss": \([0-9.e+-]*\),.*_since_best": \([0-9]*\).*/\1 \2 \3/p' \
    early.jsonl > told
holds "--min-delta: lower by less is not lower; the metrics tell the best" told awk '
    NR == 1 || $1 < best - 0.3 { best = $1; since = 0 } NR > 1 && $1 >= last - 0.3 { since = stale + 1 }
    { last = best; stale = since; if ($2 != best || $3 != since) exit 1 }
    END { exit since != 2 || NR < 4 }' told
holds "some evaluations were lower, by too little" told awk '
    NR > 1 && $1 < $2 { found = 1 } END { exit !found }' told
best=$(awk '$3 == 0 { best = $2 } END { print best }' told)
loss_of() {
    "$programs/evaluate" --model "$1" --seq-length 32 held_out.txt | sed -n '1s/.*loss: \([0-9.]*\) .*/\1/p'
}
echo "$best $(loss_of early-best) $(loss_of early)" > losses
holds "DIR-best has the best held-out loss, DIR another" losses awk '
    { d = $1 - $2; exit !(d < 1e-3 && d > -1e-3 && $3 != $2) }' losses
cp early.jsonl before.jsonl
train early --steps 1000 $evaluating --patience 2 --min-delta 0.3 --resume > out 2> err
sed '/^{"samples"/d' before.jsonl > before && sed '/^{"samples"/d' early.jsonl > after
same "a run that ran out of patience has still none when it is resumed" before after
run "with more patience it goes on" train early --steps 1000 $evaluating --patience 3 --resume
holds "and gets further" early.jsonl [ "$(grep -c '^{"step"' early.jsonl)" -gt "$last" ]
train kept --steps 4 --eval held_out.txt --eval-every 2 > out 2> err
holds "without patience the best is kept too" err [ -s kept-best/model.safetensors ]

# ---- what is not finite -------------------------------------------------------------------------
run "a model" train sound --steps 2
cp -r sound spoiled
# The last number of the file becomes NaN.
printf '\000\000\300\177' | dd of=spoiled/model.safetensors bs=1 conv=notrunc \
    seek=$(($(wc -c < spoiled/model.safetensors) - 4)) 2> dd_error
"$programs/pretrain" --output never --init spoiled --seq-length 32 --batch-size 4 --steps 9 --quiet \
    --metrics never.jsonl text.txt > out 2> err
holds "nothing but NaN: status 1" err [ $? -eq 1 ]
count "nothing but NaN: ten updates are dropped" 10 \
    '^pretrain: warning: after step 0: .*the loss is -\?nan; the update is dropped (' err
count "nothing but NaN: it says what it did" 1 '^pretrain: diverged at step 0; stopped, and never ' err
"$programs/pretrain" --output never --init spoiled --seq-length 32 --batch-size 4 --steps 9 --quiet \
    --max-bad-updates 3 --overwrite text.txt > out 2> err
count "--max-bad-updates" 3 'is dropped' err
count "no update, no line" 0 '^{"step"' never.jsonl
holds "there is a report all the same" err grep -q 'No update' never/report.html

# ---- a loss that rises --------------------------------------------------------------------------
wild='--learning-rate 1 --warmup 60 --save-every 10 --max-loss-rise 1'
train wild $wild --steps 150 --metrics wild.jsonl > out 2> err
holds "a loss that rises: status 1" err [ $? -eq 1 ]
count "a loss that rises: where, and by how much" 1 \
    '^pretrain: step [0-9]*: the loss, [0-9.]* nats, is [0-9.]* above its moving average once more$' err
step=$(sed -n 's/^pretrain: diverged at step \([0-9]*\); stopped.*/\1/p' err)
holds "a loss that rises: what is saved is older" wild/trainer.json awk -v at="${step:-0}" '
    /"step":/ { gsub(/[^0-9]/, ""); exit !($0 < at && $0 >= at - 20) }' wild/trainer.json
run "--max-loss-rise 0 lets it rise" train wild0 $wild --max-loss-rise 0 --steps 150

train back $wild --steps 150 --on-divergence back --metrics back.jsonl > out 2> err
holds "back: the run reaches its end" err [ $? -eq 0 ]
went=$(grep -c '^pretrain: diverged: back to the checkpoint of step [0-9]*, and on with 0.[0-9]* times' err)
holds "back: each time it says where to" err [ "$went" -ge 1 ]
holds "back: not to the newest, which may be spoiled" err awk '
    /^pretrain: step / { at = $3 + 0 }
    /back to the checkpoint/ { n++; bad += $9 + 0 && at - $9 <= 10 } END { exit !n || bad }' err
count "back: each update is in the metrics once" 150 '^{"step"' back.jsonl
factor=$(awk "BEGIN { print 0.5 ^ $went }")
count "back: the rate is lower at the end" 1 "^{\"step\": 150,.*\"rate_factor\": $factor" back.jsonl
holds "back: the checkpoint knows" back/trainer.json grep -q "\"rate_factor\": $factor" \
    back/trainer.json
holds "back: the report knows" back/report.html grep -q "with $factor times the learning rate" \
    back/report.html
holds "back: no two losses in a row rise far above what came before" back.jsonl awk '
    /^{"step"/ { gsub(/[,:]/, ""); loss = $4; n++; w = n < 100 ? n : 100
        mean = n == 1 ? loss : mean + (loss - mean) / w; rose = loss > mean + 1.01 ? rose + 1 : 0
        bad += rose > 1 } END { exit bad > 0 }' back.jsonl
run "stopped half-way" train halves $wild --steps 50 --on-divergence back
run "and resumed" train halves $wild --steps 150 --on-divergence back --resume
all='model.safetensors optimizer.safetensors trainer.json'
for file in $all; do
    same "back: the same in two halves: $file" back/$file halves/$file
done
# What the run has gone back from is no checkpoint of it any more.
at=$(sed -n 's/^pretrain: step \([0-9]*\): the loss.*/\1/p' err | head -n 1)
save=$(((${at:-0} - 2) / 3 * 3)) end=$((${at:-0} + 5))
run "stopped at a save before it diverges" train gone $wild --save-every 3 --steps $save \
    --on-divergence back
for number in '' -checkpoint-$((save - 3)) -checkpoint-$save; do
    cp -r gone$number narrow$number
done
run "and resumed till after" train gone $wild --save-every 0 --steps $end \
    --on-divergence back --resume
printf "gone-checkpoint-%s\n" $((save - 3)) $end | sort > expected
ls -d gone-checkpoint-* | sort > list
same "back: what comes after the checkpoint it goes back to is not kept" expected list
# Nor where it cannot be saved: no file may be so large.
(ulimit -f 20; train narrow $wild --save-every 0 --steps $end --on-divergence back --resume) \
    > out 2> err
holds "back, but not saved: status 1" err [ $? -eq 1 ]
count "back, but not saved: it says so" 1 "step $((save - 3)) is not saved: .*: File too large" err
echo narrow-checkpoint-$((save - 3)) > expected
ls -d narrow-checkpoint-* > list
same "back, but not saved: what it has left is not kept" expected list
run "back, but not saved: it goes on" train narrow $wild --save-every 0 --steps $end \
    --on-divergence back --resume
for file in $all; do
    same "back, but not saved: the same in the end: $file" gone/$file narrow/$file
done
printf "narrow-checkpoint-%s\n" $((save - 3)) $end | sort > expected
ls -d narrow-checkpoint-* | sort > list
same "back, but not saved: the same ones are kept" expected list
run "another rate" train halves $wild --learning-rate 0.01 --steps 160 --resume --metrics other.jsonl
holds "another rate is the rate" other.jsonl awk '/^{"step"/ { gsub(/[,:]/, ""); exit $8 != 0.01 }' \
    other.jsonl
train lost --learning-rate 1 --warmup 0 --save-every 500 --max-loss-rise 0.001 --steps 2000 \
    --on-divergence back > out 2> err
holds "no rate helps: status 1" err [ $? -eq 1 ]
count "no rate helps: five attempts" 5 'diverged: back' err
count "no rate helps: it says so" 1 \
    '^pretrain: diverged at step [0-9]*, also with 0.03125 times the learning rate; stopped' err

# ---- a plateau ----------------------------------------------------------------------------------
train flat --steps 320 --warmup 10 --learning-rate 0 > out 2> err
count "a plateau is said once" 1 \
    '^pretrain: warning: after 310 updates the loss, .* is no lower than the text.s unigram entropy' err
count "a plateau: the learning rate is blamed" 1 '^pretrain:   learning rate 0: low for this' err
count "a plateau: masking is fine" 1 '^pretrain:   masking 1[0-9.]* % of .* by \[MASK\]: fine$' err
count "a plateau: labels are fine" 1 '^pretrain:   labels: 0 of [0-9]* are not .*: fine$' err
count "a plateau: duplicate lines are not" 1 '^pretrain:   duplicate lines: 9[0-9.]* %: the model' err
count "a plateau: unknown tokens are fine" 1 '^pretrain:   unknown tokens: 0.0 %: fine$' err
train flat --steps 325 --warmup 10 --learning-rate 0 --resume > out 2> err
count "a plateau: said again at the first update of a run that is resumed later" 1 \
    '^pretrain: warning: after 321 updates the loss' err
# A longer warmup is another time to look.
train looked --steps 312 --warmup 10 --learning-rate 0 --metrics looked.jsonl > out 2> err
train unlooked --steps 312 --warmup 20 --learning-rate 0 --metrics unlooked.jsonl > out 2> err
for name in looked unlooked; do
    sed -n 's/, "seconds.*//; /^{"step"/p' $name.jsonl > $name.steps
done
same "looking at it takes nothing from the corpus" looked.steps unlooked.steps
train steep --steps 320 --warmup 10 > out 2> err
count "no plateau, no word" 0 'unigram' err
finish
