#!/bin/sh
# pretrain and evaluate with --next-sentence, on documents of one theme each.
# usage: next_sentence.sh SOURCE_ROOT PROGRAMS
root=$1 programs=$2
. "$root/tests/examples/common.sh"

themed() {
    awk -v seed="$1" -v documents="$2" 'BEGIN {
        srand(seed)
        for (d = 0; d < documents; ++d) {
            theme = int(rand() * 8)
            for (s = 0; s < 6; ++s) {
                line = ""
                for (w = 0; w < 5; ++w)
                    line = line sprintf("%c%c ", 97 + theme, 97 + int(rand() * 4))
                print line
            }
            print ""
        }
    }'
}
themed 1 400 > text.txt
themed 2 40 > held_out.txt
run "train_vocab" "$programs/train_vocab" --vocab-size 120 --output vocab text.txt
pairs="--next-sentence --eval held_out.txt --eval-every 100 --threads 1"

# member NAME FILE: the last value of the member
member() {
    sed -n "s/.*\"$1\": \([0-9.e+-]*\).*/\1/p" "$2" | tail -n 1
}

run "pretrain --next-sentence" "$programs/pretrain" --output model --vocab vocab \
    --config small.json --steps 800 --batch-size 16 --seq-length 32 --learning-rate 5e-3 \
    --dropout 0 --quiet $pairs --metrics metrics.jsonl text.txt
count "pretrain --next-sentence: both metrics of each update" 800 \
    '"sentence_loss": [0-9.e-]*, "sentence_accuracy": [0-9]' metrics.jsonl
count "pretrain --next-sentence: both metrics of each evaluation" 8 \
    '"eval_sentence_loss": [0-9.e-]*, "eval_sentence_accuracy": [0-9]' metrics.jsonl
# Guessing has ln 2 = 0.693. About one random B in eight is of A's theme, which nothing tells.
echo "$(member eval_sentence_loss metrics.jsonl) $(member eval_sentence_accuracy metrics.jsonl)" > got
holds "the sentence loss falls well below ln 2" got awk '{ exit !($1 < 0.5 && $2 > 0.75) }' got
count "saved as BertForPreTraining" 1 'BertForPreTraining' model/config.json

"$programs/evaluate" --model model --seq-length 32 --next-sentence held_out.txt > out 2> err
count "evaluate --next-sentence" 1 ', sentence loss: 0\.[0-9]* nats, accuracy: [01]\.[0-9]*$' out
"$programs/evaluate" --model model --seq-length 32 held_out.txt > out 2> err
count "evaluate without pairs" 0 'sentence' out

train straight --steps 12 --save-every 0 --next-sentence --threads 2
train resumed --steps 5 --save-every 0 --next-sentence --threads 1
train resumed --steps 12 --save-every 0 --next-sentence --threads 1 --resume
for file in model.safetensors optimizer.safetensors config.json; do
    same "pairs, resumed: $file" straight/$file resumed/$file
done
says "resume without pairs" 1 'sentence_head' pretrain --output resumed $small --steps 14 --resume \
    text.txt

train masked --steps 2
says "evaluate --next-sentence without a sentence head" 1 'masked has no sentence head' \
    evaluate --model masked --seq-length 32 --next-sentence held_out.txt
says "evaluate: sequences longer than the model" 1 '128 is more than the 64 positions' \
    evaluate --model masked held_out.txt
cp -r masked headless
sed -i 's/BertForMaskedLM/BertForPreTraining/' headless/config.json
for program in fill_mask mask; do
    "$programs/$program" --model headless "aa [MASK]" > out 2> err
    count "$program warns of heads that are made from the seed" 2 'warning: .*made from the seed' err
done
sed 's/{/{"type_vocab_size": 1, /' small.json > one_type.json
says "segments that a model cannot tell apart" 1 'type_vocab_size is 1' pretrain --output o \
    --vocab vocab --config one_type.json --seq-length 32 --next-sentence text.txt
"$programs/pretrain" --output continued --init masked --steps 2 --seq-length 32 --batch-size 2 \
    --next-sentence text.txt > out 2> err
count "pretrain --init of a masked LM" 1 'no cls.seq_relationship' err
count "... becomes a BertForPreTraining" 1 'BertForPreTraining' continued/config.json
"$programs/pretrain" --output again --init model --steps 2 --seq-length 32 --batch-size 2 \
    --next-sentence text.txt > out 2> err
count "pretrain --init of a BertForPreTraining keeps its heads" 0 'made from the seed' err
says "pretrain --next-sentence: too short" 1 'T is 4' pretrain --output short $small \
    --seq-length 4 --next-sentence text.txt
finish
