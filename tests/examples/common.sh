# For the tests of the programs: TAP, a folder to work in, a small text, and what a program said.
# The caller has set programs and root.
. "$root/tests/support/tap.sh"
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

# Sentences with something to learn: subject, verb and place belong together.
awk 'BEGIN {
    split("cat fish bird farmer child", who); split("sleeps swims sings works plays", does)
    split("house river tree field garden", where); split("old young small big quiet", how)
    for (i = 0; i < 300; ++i) {
        k = i * 7 % 5 + 1; h = int(i / 3) % 5 + 1
        print "The " how[h] " " who[k] " " does[k] " in the " where[k] "."
        if (i % 6 == 5) print ""
    }
}' > text.txt
head -n 60 text.txt > held_out.txt
cat > small.json <<'END'
{"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64,
 "max_position_embeddings": 64}
END

# holds NAME FILE COMMAND...: passes when the command does; else FILE is the trouble
holds() {
    holds_name=$1 holds_file=$2
    shift 2
    if "$@" > /dev/null 2>&1; then
        check "$holds_name" ""
    else
        check "$holds_name" "not so: $*
$(head -n 30 "$holds_file" 2>&1)"
    fi
}

# count NAME NUMBER PATTERN FILE: so many lines of the file have the pattern
count() {
    holds "$1" "$4" [ "$(grep -c -- "$3" "$4")" -eq "$2" ]
}

# says NAME STATUS PATTERN PROGRAM ARGUMENT...: the program ends with the status, prints nothing on
# standard output and one line on standard error, which begins with its name and has the pattern.
says() {
    says_name=$1 says_status=$2 says_pattern=$3
    shift 3
    "$programs/$@" > out 2> err < /dev/null
    says_got=$?
    if [ $says_got -eq "$says_status" ] && [ ! -s out ] && [ "$(wc -l < err)" -eq 1 ] \
        && grep -q "^$1: " err && grep -q -- "$says_pattern" err; then
        check "$says_name" ""
    else
        check "$says_name" "status $says_got, not $says_status, or not '$says_pattern':
$(head -n 20 out err)"
    fi
}

# same NAME FILE FILE
same() {
    run "$1" cmp "$2" "$3"
}

# wait_until COMMAND...: until it is true, or ten seconds have passed
wait_until() {
    tries=0
    until "$@" || [ $tries -eq 500 ]; do
        sleep 0.02
        tries=$((tries + 1))
    done
}

# train OUTPUT ARGUMENT...: pretrain on the text, small and quiet
small='--vocab vocab --config small.json --batch-size 4 --seq-length 32 --learning-rate 1e-2 --quiet'
train() {
    train_output=$1
    shift
    "$programs/pretrain" --output "$train_output" $small "$@" text.txt
}
