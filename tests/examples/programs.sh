#!/bin/sh
# The programs do what they say, on a small text.
# usage: programs.sh SOURCE_ROOT PROGRAMS
root=$1 programs=$2
. "$root/tests/examples/common.sh"

# prints NAME PATTERN: the last output has a line with it
prints() {
    grep -q -- "$2" out && check "$1" "" || check "$1" "no '$2' in:
$(cat out)"
}

run "train_vocab" "$programs/train_vocab" --vocab-size 120 --output vocab text.txt
check "its files" "$(for file in vocab.txt tokenizer.json tokenizer_config.json \
    special_tokens_map.json; do [ -s "vocab/$file" ] || echo "$file"; done)"
check "its size" "$([ "$(wc -l < vocab/vocab.txt)" -le 120 ] || wc -l vocab/vocab.txt)"

sed '/^$/d' text.txt | head -n 5 > lines
"$programs/tokenize" --vocab vocab lines > out
check "tokenize: a line for a line" "$([ "$(wc -l < out)" -eq 5 ] || cat out)"
prints "tokenize: tokens" "^the .* in the .* \.$"
"$programs/tokenize" --vocab vocab --special < lines > out
prints "tokenize --special, standard input" "^\[CLS\] the .* \[SEP\]$"
"$programs/tokenize" --vocab vocab --ids < lines > out
check "tokenize --ids" "$(grep -vx '[0-9 ]*' out)"
printf 'The cat.\r\n\nThe\ncat' | "$programs/tokenize" --vocab vocab --spans > out
printf '0-3 4-7 7-8\n\n0-3\n0-3\n' > expected
same "tokenize --spans: empty lines, CRLF, no line end at the end" expected out
yes 'The cat sleeps.' | "$programs/tokenize" --vocab vocab 2> err | head -n 1 > out
check "tokenize ends quietly on a closed pipe" "$(cat err)"
mkfifo to from
"$programs/tokenize" --vocab vocab < to > from &
exec 3> to 4< from
echo 'The cat' >&3
read -r answer <&4
exec 3>&- 4<&-
wait
check "tokenize answers before it is told more" "$([ "$answer" = 'the cat' ] || echo "$answer")"

"$programs/pretrain" --output model --vocab vocab --config small.json --steps 600 --batch-size 8 \
    --seq-length 32 --learning-rate 1e-2 --eval held_out.txt --eval-every 300 \
    --metrics metrics.jsonl text.txt > out 2> err
status=$?
check "pretrain" "$([ $status -eq 0 ] || cat err)"
form='^held-out loss: [0-9]*\.[0-9]\{3\} nats, unigram entropy: [0-9]*\.[0-9]\{3\} nats$'
check "pretrain: held-out lines and nothing else on standard output" \
    "$([ "$(grep -c "$form" out)" -eq 2 ] && [ "$(wc -l < out)" -eq 2 ] || cat out)"
check "pretrain: plain progress lines without a terminal" \
    "$(grep -q '^step 600/600  loss .* tokens/s .* left$' err || cat err; tr -cd '\r\033' < err)"
check "pretrain learns from context" "$(tail -n 1 out |
    awk '{ sub(",", ""); if (!($3 < $7 - 0.5)) print }')"
check "pretrain: the files of a model" "$(for file in config.json model.safetensors vocab.txt \
    tokenizer.json tokenizer_config.json special_tokens_map.json trainer.json \
    optimizer.safetensors; do [ -s "model/$file" ] || echo "$file"; done)"
check "pretrain --metrics: an object for each update" \
    "$([ "$(grep -c '^{"step": .*}$' metrics.jsonl)" -eq 600 ] || tail -n 3 metrics.jsonl)"
check "pretrain --metrics: evaluations" \
    "$([ "$(grep -c '"eval_loss": ' metrics.jsonl)" -eq 2 ] || grep eval metrics.jsonl)"
tail -n 1 out > expected
"$programs/evaluate" --model model --seq-length 32 held_out.txt > out
head -n 1 out > got
same "evaluate: the loss that pretrain ended with" expected got
prints "evaluate: accuracy" '^accuracy: [01]\.[0-9]* of [0-9]* masked tokens$'

run "pretrain --init" "$programs/pretrain" --output continued --init model --steps 2 \
    --seq-length 32 --batch-size 2 --quiet text.txt
run "pretrain learns a vocabulary and accumulates" "$programs/pretrain" --output learned \
    --vocab-size 60 --config small.json --steps 2 --accumulate 2 --seq-length 16 --batch-size 2 \
    --masking whole-word --schedule cosine --warmup 1 --dropout 0 --weight-decay 0 --quiet text.txt
"$programs/pretrain" --output patient --vocab vocab --config small.json --steps 1000 \
    --batch-size 8 --seq-length 32 --learning-rate 0 --eval held_out.txt --eval-every 1 \
    --patience 3 text.txt > out 2> err
check "pretrain --patience ends the run" "$(grep -q 'no lower held-out loss after 4 updates' err ||
    cat err)"
check "pretrain --patience keeps the best" "$([ -s patient-best/model.safetensors ] || ls)"

"$programs/fill_mask" --model model --top 2 "The old cat [MASK] in the [MASK]." > out
check "fill_mask: K lines for each mask" "$([ "$(grep -c '^  [01]\.[0-9]\{4\}  ' out)" -eq 4 ] ||
    cat out)"
prints "fill_mask says what belongs together" sleeps
printf 'a [MASK].\nthe [MASK] sings.\n' | "$programs/fill_mask" --model model > out
check "fill_mask: standard input" "$([ "$(wc -l < out)" -eq 12 ] || cat out)"
"$programs/fill_mask" --model model "no mask here" > out 2> err
check "fill_mask without a mask" "$([ $? -eq 1 ] && grep -q 'no \[MASK\] in' err || cat out err)"
"$programs/fill_mask_threads" --model model "a [MASK]." "the [MASK] sings." "x" > out
check "fill_mask_threads" "$([ "$(wc -l < out)" -eq 3 ] || cat out)"

"$programs/mask" --vocab vocab --seed 3 "The old cat sleeps in the house." > out
for pattern in '\[CLS\]' '^ *1  The  *the  *0-3 ' '^altered sequence: \[CLS\] ' '^labels: -100 '; do
    prints "mask: $pattern" "$pattern"
done
"$programs/mask" --model model "The old cat sleeps in the house." > out
prints "mask --model" '^loss: [0-9.]* nats, the mean over 1 chosen tokens$'
check "mask --model: five candidates" "$([ "$(grep -c '^  [01]\.[0-9]\{4\}  ' out)" -eq 5 ] ||
    cat out)"

"$programs/embed" --model model lines > out
check "embed: H numbers a line" "$(awk 'NF != 32' out; [ "$(wc -l < out)" -eq 5 ] || wc -l out)"
while read -r line; do echo "$line" | "$programs/embed" --model model; done < lines > alone
check "embed: a line says the same alone and among others" "$(paste -d ' ' out alone |
    awk '{ for (i = 1; i <= 32; ++i) { d = $i - $(i + 32); if (d > 1e-5 || d < -1e-5) print d } }')"
"$programs/embed" --model model --normalize --pooling cls lines > out
check "embed --normalize" "$(awk '{ s = 0; for (i = 1; i <= NF; ++i) s += $i * $i
    if (s < 0.9999 || s > 1.0001) print s }' out)"

"$programs/accumulate_allreduce" --vocab vocab --steps 3 text.txt > out
prints "accumulate_allreduce" 'parameters of the ranks: the same bytes'
finish
