#!/bin/sh
# The report on a training: what is on the page, for few and many lines, and for hostile ones.
# usage: report.sh SOURCE_ROOT PROGRAMS
root=$1 programs=$2
. "$root/tests/examples/common.sh"
"$programs/train_vocab" --vocab-size 120 --output vocab text.txt > out || exit 1

# charts FILE NUMBER: so many curves
charts() {
    [ "$(grep -c '<figure class=chart>' "$1")" -eq "$2" ]
}

# ---- of pretrain ---------------------------------------------------------------------------------
cp text.txt '<b>&text.txt'
"$programs/pretrain" --output model $small --steps 60 --eval held_out.txt --eval-every 20 \
    --save-every 20 --metrics metrics.jsonl '<b>&text.txt' > out 2> err
holds "pretrain ends well" err [ $? -eq 0 ]
page=model/report.html
holds "a page is in --output" err [ -s $page ]
holds "it has five curves" $page charts $page 5
for title in Loss Accuracy 'Learning rate' 'Gradient norm' Speed; do
    count "it has: $title" 1 "<h3>$title</h3>" $page
done
for text in 'unigram entropy of the held-out text' '<h2>Sample predictions</h2>' \
    '<th>hidden size<td>32</tr>' '<th>learning rate<td>0.01</tr>' 'Best held-out loss'; do
    holds "it has: $text" $page grep -q "$text" $page
done
count "file names are escaped" 1 '&lt;b&gt;&amp;text.txt' $page
count "and nowhere as they are" 0 '<b>' $page
count "nothing comes from elsewhere" 0 'src=\|href=\|url(\|@import\|fetch(\|https\?:' $page
count "the metrics begin with the configuration" 1 '^{"configuration": {' metrics.jsonl
holds "and end with the samples" metrics.jsonl sh -c 'tail -n 1 metrics.jsonl | grep -q "^{.samples.: {"'
"$programs/report" metrics.jsonl > again.html
same "report draws the same page from the metrics file" $page again.html
# What the samples say is what fill-mask says of the same model would be too much here: the masked
# words are those of the text.
sed -n 's/.*"samples".*"sentences": \[{"tokens": \[\([^]]*\)\].*/\1/p' metrics.jsonl | tr -d '",' > tokens
tr 'A-Z\n' 'a-z ' < held_out.txt | sed 's/\./ ./g' | tr -s ' ' > words
holds "samples are held-out text with the masked words in place" tokens \
    grep -qF -- "$(cut -d ' ' -f 1-8 tokens)" words

echo mine > model/notes.txt
cp metrics.jsonl straight.jsonl
"$programs/pretrain" --output model $small --steps 80 --eval held_out.txt --eval-every 20 \
    --save-every 20 --metrics metrics.jsonl --resume '<b>&text.txt' > out 2> err
holds "a checkpoint with a page in it is resumed" err [ $? -eq 0 ]
count "a resumed run repeats no configuration" 1 '^{"configuration"' metrics.jsonl
count "nor samples" 1 '^{"samples"' metrics.jsonl
count "the page is of the whole run" 1 '<dt>Updates<dd>80<' $page
count "files of the user stay" 1 mine model/notes.txt
count "trainer.json lists neither" 0 'report.html\|notes.txt' model/trainer.json

"$programs/pretrain" --output quiet $small --steps 10 text.txt > out 2> err
holds "without metrics, too" err charts quiet/report.html 5
count "without metrics: its updates" 1 '<dt>Updates<dd>10<' quiet/report.html
"$programs/pretrain" --output quiet $small --steps 20 --resume text.txt > out 2> err
count "without metrics a resumed run says what it lacks" 1 'Updates before step 11 are not in' \
    quiet/report.html
"$programs/pretrain" --output pairs $small --next-sentence --steps 10 text.txt > out 2> err
holds "two more curves with --next-sentence" err charts pairs/report.html 7

# ---- of any file ---------------------------------------------------------------------------------
awk 'BEGIN { for (i = 1; i <= 200000; ++i)
    printf "{\"step\": %d, \"loss\": %.6f, \"grad_norm\": %g, \"tokens\": 10, \"seconds\": %g}\n", i,
        5 + i % 2, i == 77 ? 1e6 : 1, i / 100 }' > many.jsonl
"$programs/report" many.jsonl > many.html
count "many lines: all are counted" 1 '<dt>Updates<dd>200,000<small>2.00M tokens' many.html
count "many lines: speed" 1 '>1,000 tokens/s<' many.html
holds "many lines: a small page" many.html [ "$(wc -c < many.html)" -lt 200000 ]
holds "many lines: a point is the mean" many.html grep -q '"training":\[5.5,5.5,' many.html
holds "many lines: with its range" many.html grep -q '<path class=range' many.html

cat > hostile.jsonl <<'END'
{"configuration": {"</script><script>alert(1)</script>": ["<img src=x onerror=alert(1)>", "'\""]}}
{"data": {"warnings": ["a < b & c"], "line_lengths": [0, 2, 4, 0], "_lengths": [-1, "<i>"], "deep": [[[[[[[[[[[[1]]]]]]]]]]]]}}
not JSON
{"step": 1, "loss": 1e308, "accuracy": -1e308, "learning_rate": 0}

{"step": "2", "loss": 3}
{"step": -5, "loss": 3}
{"step": 3, "loss": "x", "accuracy": null, "grad_norm": 0, "tokens": 5, "seconds": 0}
[{"step": 4}]
{"step": 9223372036854775807, "loss": -1e308, "seconds": -1}
{"samples": {"step": 9, "sentences": [{"tokens": ["<i>", "##x", null, "y"], "masked": [{"place": 0,
{"samples": {"step": 9, "sentences": [{"tokens": ["<i>", "##x", null, "y"], "masked": [{"place": 0, "token": "<i>", "shown": "<u>", "predictions": [{"token": "<s>", "probability": 2}, {}, 7]}, {}]}, 5]}}
{"step": 5, "loss": 2
END
"$programs/report" hostile.jsonl > hostile.html 2> err
holds "hostile lines do no harm" err [ $? -eq 0 ]
count "hostile lines: none of it is markup" 0 '<img\|<i>\|<u>\|<s>\|alert(1)<\|<script>alert' hostile.html
count "hostile lines: but text" 1 '&lt;img src=x onerror=alert(1)&gt;' hostile.html
count "data: a bar a length, as far as there are any" 1 \
    '"1 or more: 0">.*"2 or more: 2">.*"4 or more: 4"><i style="height:80.0%"></i>4</div></div>' hostile.html
count "hostile lines: those that are none are counted" 1 'are no JSON object: 4\.' hostile.html
holds "hostile lines: no number that is none" hostile.html \
    sh -c '! grep -Eqi "[^a-z](nan|inf)[^a-z]" hostile.html'
: > empty.jsonl
"$programs/report" empty.jsonl > empty.html
count "no line: it says so" 1 'No update is in these metrics' empty.html
says "no such file" 1 'nowhere.jsonl: No such file' report nowhere.jsonl
says "a folder" 1 'model: Is a directory' report model
finish
