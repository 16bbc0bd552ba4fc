# TAP for the shell tests: check NAME TROUBLE [HEADING], skip NAME REASON, run NAME COMMAND..., finish.
tap_count=0
tap_failed=0

check() {
    tap_count=$((tap_count + 1))
    if [ -z "$2" ]; then
        echo "ok $tap_count - $1"
    else
        tap_failed=1
        echo "not ok $tap_count - $1"
        printf '%s\n' "${3:-}" "$2" | sed '/^$/d; s/^/# /'
    fi
}

skip() {
    tap_count=$((tap_count + 1))
    echo "ok $tap_count - $1 # SKIP $2"
}

# Passes when the command does; what it printed is the trouble otherwise.
run() {
    tap_name=$1
    shift
    if tap_output=$("$@" 2>&1); then
        check "$tap_name" ""
    else
        check "$tap_name" "$tap_output
status $? of: $*"
    fi
}

finish() {
    echo "1..$tap_count"
    exit "$tap_failed"
}
