#!/bin/sh
# Every program tells its options, and says in one line what is wrong with a command.
# usage: options.sh SOURCE_ROOT PROGRAMS
root=$1 programs=$2
. "$root/tests/examples/common.sh"

for program in mask train_vocab tokenize pretrain fill_mask embed evaluate fill_mask_threads \
    accumulate_allreduce score report; do
    "$programs/$program" --help > out 2> err
    status=$?
    # Each row of a program's table in its source is in its help.
    missing=$(sed -n 's/.*{OPTION_[A-Z]*, "\(--[a-z-]*\)".*/\1/p' "$root/examples/$program.c" |
        while read -r option; do grep -q -- "^  $option " out || echo "$option"; done)
    [ $status -eq 0 ] && grep -q "^usage: $program " out && [ ! -s err ] || missing="status $status"
    check "$program --help" "$missing"
    says "$program: an unknown option" 2 "unknown option '--colour'" "$program" --colour
    says "$program: nothing at all" 2 missing "$program"
done

design='--output --vocab --vocab-size --config --init --steps --batch-size --accumulate --seq-length
--learning-rate --warmup --schedule --weight-decay --dropout --masking --mask-probability --seed
--threads --precision --eval --eval-every --patience --min-delta --max-bad-updates --max-loss-rise
--on-divergence --save-every --keep --resume --metrics --quiet --add-words --freeze-embeddings
--freeze-layers'
"$programs/pretrain" --help > out
check "pretrain has every option" \
    "$(for option in $design; do grep -q -- "^  $option[ ]" out || echo "$option"; done)"

says "a missing value" 2 "--steps: its value N is missing" pretrain --steps
says "no number" 2 "--steps: 'ten' is not a whole number" pretrain --steps ten
says "a number and more" 2 "--steps: '10x' is not" pretrain --steps 10x
says "too small a number" 2 "--batch-size: '0' is not" pretrain --batch-size 0
says "too large a number" 2 "--steps: '99999999999999999999' is not" pretrain \
    --steps 99999999999999999999
says "not a number" 2 "--dropout: 'nan' is not" pretrain --dropout nan
says "a wrong word" 2 "'sideways' is none of linear|cosine" pretrain --schedule sideways
says "a word cut short" 2 "'whole' is none of token|whole-word" pretrain --masking=whole
says "a switch with a value" 2 "--resume takes no value" pretrain --resume=yes
says "options that exclude each other" 2 "exclude each other" tokenize --vocab v --ids --spans
says "two vocabularies" 2 "exclude each other" pretrain --output o --vocab v --vocab-size 9 text.txt
says "patience without held-out text" 2 "needs --eval" pretrain --output o --patience 2 text.txt
says "a least improvement without patience" 2 "needs --patience" pretrain --output o --eval e \
    --min-delta 0.1 text.txt
says "new words that are never trained" 2 "with --freeze-embeddings" pretrain --output o --init m \
    --add-words w --freeze-embeddings text.txt
says "one argument too many" 2 "too many: 'b'" tokenize --vocab v a b

"$programs/cpp_train" --help > out 2> err || [ ! -x "$programs/cpp_train" ]
check "cpp_train --help" "$([ $? -eq 0 ] || cat out err)"

for line in "train_vocab --vocab-size 50 --output v" "pretrain --output o"; do
    says "${line%% *}: no such text" 1 nowhere.txt $line nowhere.txt
done
says "no such vocabulary" 1 nowhere tokenize --vocab nowhere
for program in fill_mask embed evaluate fill_mask_threads score; do
    says "$program: no such model" 1 nowhere "$program" --model nowhere text.txt
done
says "no such held-out text" 1 nowhere.txt pretrain --output o --vocab-size 60 --eval nowhere.txt \
    text.txt
says "no such model to continue" 1 nowhere pretrain --output o --init nowhere text.txt
says "no such configuration" 1 nowhere.json pretrain --output o --vocab-size 60 \
    --config nowhere.json text.txt
: > file
says "an output that is a file" 1 "not a directory" pretrain --output file --vocab-size 60 \
    --config small.json --seq-length 32 text.txt
says "an output within a file" 1 "file/o" pretrain --output file/o --vocab-size 60 \
    --config small.json --seq-length 32 text.txt
says "a sequence longer than the model" 1 "64 positions" pretrain --output o --vocab-size 60 \
    --config small.json --seq-length 65 text.txt
holds "a run that never began leaves nothing" err [ ! -e o ]

# Before anything is installed or built, and with paths of the folder it is called from.
programs=$root/examples
says "quickstart: no number" 2 "--steps ten is no number" quickstart.sh --steps ten
says "quickstart: no such text" 1 "cannot read missing.txt" quickstart.sh missing.txt
head -n 19 text.txt > short.txt
says "quickstart: nothing to hold out" 1 "20 lines or more" quickstart.sh short.txt
finish
