#!/bin/sh
# The programs do what they say, on a small text.
# usage: programs.sh SOURCE_ROOT PROGRAMS
root=$1 programs=$2
. "$root/tests/examples/common.sh"

# files NAME FOLDER FILE...: the folder has them
files() {
    files_name=$1 folder=$2
    shift 2
    check "$files_name" "$(for file; do [ -s "$folder/$file" ] || echo "$file"; done)"
}

run "train_vocab" "$programs/train_vocab" --vocab-size 120 --output vocab text.txt
tokenizer_files='vocab.txt tokenizer.json tokenizer_config.json special_tokens_map.json'
files "train_vocab: the files" vocab $tokenizer_files
holds "train_vocab: the size" vocab/vocab.txt \
    awk 'END { exit !(NR > 30 && NR <= 120) }' vocab/vocab.txt

run "train_vocab --max-words" "$programs/train_vocab" --vocab-size 120 --max-words 3 --output rare \
    text.txt
holds "train_vocab --max-words: the, in and the full stop are left" rare/vocab.txt \
    awk '/^(the|in|\.)$/ { ++n } /^(cat|house)$/ { exit 1 } END { exit n != 3 }' rare/vocab.txt
(ulimit -f 1; trap '' XFSZ
    "$programs/train_vocab" --vocab-size 120 --output full text.txt > out 2> err)
holds "train_vocab on a full disk fails" err [ $? -eq 1 ]
count "train_vocab on a full disk says so" 1 '^train_vocab: full/.*: cannot write: ' err
check "train_vocab on a full disk leaves nothing" "$(ls -d full* 2> /dev/null)"
mkfifo endless
yes 'The cat sleeps.' > endless 2> /dev/null &
timeout -s KILL 0.2 "$programs/train_vocab" --vocab-size 120 --output killed endless > /dev/null 2>&1
check "train_vocab killed while it reads leaves nothing" "$(ls -d killed* 2> /dev/null)"
kill $! 2> /dev/null
wait

sed '/^$/d' text.txt | head -n 5 > lines
"$programs/tokenize" --vocab vocab lines > out
count "tokenize: a line for a line" 5 '^the .* in the .* \.$' out
"$programs/tokenize" --vocab vocab --special < lines > out
count "tokenize --special, standard input" 5 '^\[CLS\] the .* \[SEP\]$' out
"$programs/tokenize" --vocab vocab --ids < lines > out
count "tokenize --ids" 5 '^[0-9][0-9 ]*[0-9]$' out
printf 'The cat.\r\n\nThe\ncat' | "$programs/tokenize" --vocab vocab --spans > out
printf '0-3 4-7 7-8\n\n0-3\n0-3\n' > expected
same "tokenize --spans: empty lines, CRLF, no line end at the end" expected out
{ yes the | head -n 300000 | tr '\n' ' '; echo; head -c 1000000 /dev/zero | tr '\0' a; echo; printf 'the cat'; } |
    "$programs/tokenize" --vocab vocab | awk '{ print NF, length }' > out
printf '300000 1199999\n1 5\n2 7\n' > expected
same "tokenize: lines of a megabyte" expected out
yes 'The cat sleeps.' | "$programs/tokenize" --vocab vocab 2> err | head -n 1 > out
count "tokenize: the first of many lines" 1 '^the cat sleeps \.$' out
holds "tokenize ends quietly on a closed pipe" err [ ! -s err ]
(trap '' PIPE; yes 'The cat.' 2> /dev/null | head -n 50000 2> /dev/null |
    "$programs/tokenize" --vocab vocab 2> err | head -n 1 > out)
holds "tokenize ends quietly where SIGPIPE is ignored" err [ ! -s err ]
mkfifo to from
timeout 30 "$programs/tokenize" --vocab vocab < to > from &
exec 3> to 4< from
echo 'The cat' >&3
read -r answer <&4
exec 3>&- 4<&-
wait
echo "$answer" > out
count "tokenize answers before it is told more" 1 '^the cat$' out

"$programs/pretrain" --output model --vocab vocab --config small.json --steps 1500 \
    --batch-size 8 --seq-length 32 --learning-rate 3e-3 --warmup 200 --schedule linear \
    --dropout 0 --eval held_out.txt --eval-every 750 --metrics metrics.jsonl text.txt > out 2> err
status=$?
holds "pretrain" err [ $status -eq 0 ]
count "pretrain prints held-out lines" 2 \
    '^held-out loss: [0-9]*\.[0-9]\{3\} nats, unigram entropy: [0-9]*\.[0-9]\{3\} nats$' out
count "pretrain prints nothing else" 2 '' out
count "pretrain: plain progress lines without a terminal" 1 \
    '^step 1500/1500  loss .* tokens/s  [0-9:]* left$' err
check "pretrain: nothing for terminals without one" "$(tr -cd '\r\033' < err)"
holds "pretrain learns from context" out awk 'END { sub(",", ""); exit !($3 < $7 - 0.5) }' out
files "pretrain: a model and a checkpoint" model config.json model.safetensors trainer.json \
    optimizer.safetensors $tokenizer_files
count "pretrain --metrics: an object for each update" 1500 '^{"step": .*}$' metrics.jsonl
count "pretrain --metrics: evaluations" 2 '"eval_loss": ' metrics.jsonl
count "pretrain --metrics: the data" 1 '^{"data": {"bytes": .*}}$' metrics.jsonl
holds "pretrain --metrics: its numbers" metrics.jsonl awk 'NR == 2 {
    exit !(/"documents": 50, "sentences": 300, / && /"truncated_tokens": 0, "duplicate_lines": /) }
    ' metrics.jsonl
count "pretrain tells of the data" 1 '^data: 0.0 MB, 50 documents, 300 lines, [0-9]* tokens in' err
count "pretrain tells of lengths" 1 '^  sequences .*: [0-9.]* %$' err
tail -n 1 out > expected
"$programs/evaluate" --model model --seq-length 32 held_out.txt > out
head -n 1 out > got
same "evaluate: the loss that pretrain ended with" expected got
count "evaluate: accuracy" 1 '^accuracy: [01]\.[0-9]* of [0-9]* masked tokens$' out

cached="--vocab vocab --config small.json --steps 3 --seq-length 32 --batch-size 4 --quiet"
"$programs/pretrain" --output plain $cached text.txt 2> /dev/null
run "pretrain --cache" "$programs/pretrain" --output cached $cached --cache tokens text.txt
ls -i tokens > expected
run "pretrain --cache again" "$programs/pretrain" --output again $cached --cache tokens text.txt
ls -i tokens > out
same "pretrain --cache is not made again" expected out
same "pretrain --cache: the same bytes" plain/model.safetensors cached/model.safetensors
same "pretrain --cache again: the same bytes" plain/model.safetensors again/model.safetensors
same "pretrain --cache: the same checkpoint" plain/trainer.json again/trainer.json
"$programs/pretrain" --output never $cached --cache vocab/vocab.txt text.txt > out 2> err
count "pretrain --cache: another's file stays" 1 '^pretrain: vocab/vocab.txt: is not a token cache' err
run "it is as it was" "$programs/tokenize" --vocab vocab lines

# trap_of NAME PATTERN TEXT: the one warning that pretrain gives on the text
trap_of() {
    "$programs/pretrain" --output trapped $cached "$3" > out 2> err
    rm -r trapped
    grep '^pretrain: warning: ' err > warnings
    count "pretrain warns: $1" 1 "$2" warnings
    count "pretrain warns of nothing else: $1" 1 '' warnings
}
awk 'BEGIN { letters = "abcdefghilnoprstuwy"; for (i = 0; i < 200; ++i) printf "the %s cat %s %s\n%s",
    substr(letters, 1 + i % 19, 1), substr(letters, 1 + int(i / 19), 1),
    substr(letters, 1 + i % 7, 1), i % 3 ? "" : "\n" }' > plain.txt
sed 's/ [bcd] / %&%& /' plain.txt > unknown.txt
sed '/^$/d' plain.txt > one.txt
sed '/./s/$/\n/' one.txt > many.txt
cat plain.txt plain.txt > twice.txt
"$programs/pretrain" --output trapped $cached plain.txt > out 2> err
count "pretrain: no warning on a plain text" 0 warning err
rm -r trapped
trap_of '[UNK]' ' % of the tokens are \[UNK\]' unknown.txt
trap_of 'one document' 'no empty line: each file is one document' one.txt
trap_of 'a document a line' 'an empty line behind every line' many.txt
trap_of 'duplicates' '50.0 % of the lines came before' twice.txt

run "pretrain --init" "$programs/pretrain" --output continued --init model --steps 2 \
    --seq-length 32 --batch-size 2 --quiet text.txt
printf 'Zyxel\n\nthe\nquokka\n' > field.txt
adapt="--init model --add-words field.txt --freeze-layers 1 --seq-length 32 --quiet"
run "pretrain --add-words" "$programs/pretrain" --output adapted $adapt --steps 2 text.txt
holds "pretrain --add-words: at the end" adapted/vocab.txt awk '
    { last = now; now = $0 } END { exit last != "zyxel" || now != "quokka" }' adapted/vocab.txt
run "pretrain --add-words --resume" "$programs/pretrain" --output adapted $adapt --steps 4 \
    --resume text.txt
run "pretrain --add-words at once" "$programs/pretrain" --output at-once $adapt --steps 4 text.txt
same "pretrain --add-words --resume: the same bytes" adapted/model.safetensors \
    at-once/model.safetensors
printf 'zyxel\nco-op\n' > bad.txt
"$programs/pretrain" --output never --init model --add-words bad.txt text.txt 2> err
count "pretrain --add-words names the line" 1 "^pretrain: bad.txt:2: .*'co-op'" err
run "pretrain learns a vocabulary and accumulates" "$programs/pretrain" --output learned \
    --vocab-size 60 --config small.json --steps 2 --accumulate 2 --seq-length 16 --batch-size 2 \
    --masking whole-word --schedule cosine --warmup 1 --dropout 0 --weight-decay 0 --quiet text.txt
"$programs/pretrain" --output patient --vocab vocab --config small.json --steps 1000 \
    --batch-size 8 --seq-length 32 --learning-rate 0 --eval held_out.txt --eval-every 1 \
    --patience 3 text.txt > out 2> err
count "pretrain --patience ends the run" 1 'no lower held-out loss after 4 updates' err
files "pretrain --patience keeps the best" patient-best config.json model.safetensors

"$programs/fill_mask" --model model --top 2 "The old cat [MASK] in the [MASK]." > out
count "fill_mask: K lines for each mask" 4 '^  [01]\.[0-9]\{4\}  ' out
"$programs/fill_mask" --model model --top 1 "The old cat sleeps in the house. \
The old [MASK] sings in the tree. The old child plays in the garden." > out
count "fill_mask says what belongs together" 1 '  bird$' out
printf 'a [MASK].\nthe [MASK] sings.\n' | "$programs/fill_mask" --model model > out
count "fill_mask: standard input" 12 '' out
"$programs/fill_mask" --model model "no mask here" > out 2> err
holds "fill_mask without a mask fails" err [ $? -eq 1 ]
count "fill_mask without a mask says so" 1 "^fill_mask: no \[MASK\] in 'no mask here'" err
"$programs/fill_mask_threads" --model model "a [MASK]." "the old [MASK] sings." "x" > out
count "fill_mask_threads: an answer for each text" 3 '  ->  ' out
count "fill_mask_threads: in order" 1 '^x  ->  (no \[MASK\])$' out

"$programs/mask" --vocab vocab --seed 3 "The old cat sleeps in the house." > out
for pattern in '\[CLS\]' '^ *1  The  *the  *0-3 ' '^altered sequence: \[CLS\] ' '^labels: -100 ' \
    ' masked \| kept \| random '; do
    holds "mask: $pattern" out grep -- "$pattern" out
done
printf '%s\n' '[PAD]' '[UNK]' '[CLS]' '[SEP]' '[MASK]' far '##mer' > words.txt
"$programs/mask" --vocab words.txt "Farmer far" > out
count "mask: a word of two tokens" 1 '^ *1  Farmer  *far  *0-3 ' out
count "mask: its second token" 1 '^ *2  *##mer  *3-6 ' out
"$programs/mask" --model model "The old cat sleeps in the house." > out
count "mask --model" 1 '^loss: [0-9.]* nats, the mean over 1 chosen tokens$' out
count "mask --model: five candidates" 5 '^  [01]\.[0-9]\{4\}  ' out

for masking in token whole-word; do
    "$programs/mask" --vocab vocab --seq-length 32 --masking $masking --mask-probability 0.5 \
        --check text.txt > out 2> err
    holds "mask --check: $masking" out [ $? -eq 0 ]
    count "mask --check: verdict, $masking" 1 '^verdict: as the options say$' out
done
"$programs/mask" --vocab vocab --check lines > out 2> err
holds "mask --check: a short text is no verdict" out [ $? -eq 1 ]
count "mask --check: and says so" 1 '^verdict: none$' out
count "mask --check says that it is short" 1 '^mask: lines: too short to tell' err

"$programs/embed" --model model lines > out
holds "embed: H numbers a line" out awk 'NF != 32 { exit 1 } END { exit NR != 5 }' out
while read -r line; do echo "$line" | "$programs/embed" --model model; done < lines > alone
paste -d ' ' out alone > both
holds "embed: a line says the same alone and among others" both awk 'NF != 64 { exit 1 }
    { for (i = 1; i <= 32; ++i) { d = $i - $(i + 32); if (d > 1e-5 || d < -1e-5) exit 1 } }' both
"$programs/embed" --model model --normalize --pooling cls lines > out
holds "embed --normalize" out awk '{ s = 0; for (i = 1; i <= NF; ++i) s += $i * $i
    if (s < 0.9999 || s > 1.0001) exit 1 } END { exit NR != 5 }' out

"$programs/embed" --model model --layer 1 --normalize --pooling cls lines > layer
paste -d ' ' out layer > both
holds "embed --layer: the last as without" both awk 'NF != 64 { exit 1 }
    { for (i = 1; i <= 32; ++i) { d = $i - $(i + 32); if (d > 1e-5 || d < -1e-5) exit 1 } }' both
"$programs/embed" --model model --layer 0 --normalize --pooling cls lines | sort -u > out
count "embed --layer 0: [CLS] knows nothing of its text yet" 1 '' out
sed 's/$/ The farmer./' lines > longer
"$programs/embed" --model model --max-length 8 longer > out
"$programs/embed" --model model --max-length 8 lines > expected
same "embed --max-length cuts" expected out
"$programs/embed" --model model --layer 2 lines > out 2> err
holds "embed --layer: more than there are" err grep -q '^embed: --layer 2: the model has 1 ' err
"$programs/embed" --model model --max-length 65 lines > out 2> err
holds "embed --max-length: more than the model reads" err grep -q 'the model reads 64 tokens' err

"$programs/score" --model model lines > out
holds "score: three numbers a line" out awk 'NF != 3 || $1 >= 0 || $3 != 8 ||
    $2 * 8 - $1 > 1e-4 || $1 - $2 * 8 > 1e-4 { exit 1 } END { exit NR != 5 }' out
while read -r line; do echo "$line" | "$programs/score" --model model; done < lines > alone
paste alone out > both
holds "score: a line says the same alone and among others" both awk '
    { d = $1 - $4; if (d > 1e-3 || d < -1e-3 || $3 != $6) exit 1 }' both
# Right and wrong are what the scores of single lines say.
paste -d'|' out lines | sort -g | cut -d'|' -f2 > unlikely_first
likely=$(tail -n 1 unlikely_first) unlikely=$(head -n 1 unlikely_first)
printf '%s\t%s\n' "$likely" "$unlikely" "$unlikely" "$likely" "The cat." "the  CAT ." > pairs
"$programs/score" --model model --pairs pairs > out
count "score --pairs: right, wrong and a tie" 1 \
    '^accuracy: 0.3333 of 3 pairs, 1 ties counted as wrong$' out
printf 'a\tb\nno tab\n' | "$programs/score" --model model --pairs > out 2> err
count "score --pairs: a line that is no pair" 1 '^score: line 2: not two texts' err
{ cat lines; yes the | head -n 80 | tr '\n' ' '; } | "$programs/score" --model model > out 2> err
count "score: a line that is too long" 1 '^score: line 6: 82 tokens .* the model reads 64$' err

"$programs/evaluate" --model model --seq-length 32 --shown --together 4 held_out.txt > out
count "evaluate --shown: a loss of each kind" 3 \
    '^where the position shows the .*: [0-9.]* nats of [0-9]* masked tokens$' out
holds "evaluate --shown: together they are the loss" out awk '/^held-out/ { loss = $3 }
    /^where/ { sub(".*: ", ""); sum += $1 * $4; n += $4 } /^accuracy/ { of = $4 }
    END { d = sum / n - loss; exit !(n == of && d < 2e-3 && d > -2e-3) }' out
count "evaluate --together" 1 \
    '^masked together: .*independence costs -*[0-9.]* nats a token, of [0-9]* in 4 sequences$' out

"$programs/accumulate_allreduce" --vocab vocab --steps 3 text.txt > out
count "accumulate_allreduce" 1 '^parameters of the ranks: the same bytes$' out
finish
