#!/bin/sh
# The C++ and the Python callers train a few updates and fill a mask.
# usage: callers.sh SOURCE_ROOT PROGRAMS LIBRARY PYTHON; PYTHON is empty where it cannot load it
root=$1 programs=$2 library=$3 python=$4
. "$root/tests/examples/common.sh"

# trains NAME COMMAND...: its output has losses that fall and five candidates
trains() {
    trains_name=$1
    shift
    "$@" > out 2> err
    trains_status=$?
    check "$trains_name" "$([ $trains_status -eq 0 ] || cat err)"
    check "$trains_name: the loss falls" "$(awk '/^step/ { if (!first) first = $4; last = $4 }
        END { if (!(last < first)) print first, last }' out)"
    check "$trains_name: fills the mask" "$([ "$(grep -c '^  [01]\.[0-9]\{4\}  ' out)" -eq 5 ] ||
        cat out)"
}

if [ -x "$programs/cpp_train" ]; then
    trains "cpp_train" "$programs/cpp_train" 30 "the [MASK] sings." text.txt
    "$programs/cpp_train" 1 "the [MASK]." nowhere.txt > out 2> err
    check "cpp_train: an exception with the library's line" \
        "$([ $? -eq 1 ] && grep -q '^cpp_train: .*nowhere.txt' err || cat err)"
else
    skip "cpp_train" "no C++ compiler"
fi
if [ -n "$python" ]; then
    export LIBMLM="$library" PYTHONDONTWRITEBYTECODE=1
    trains "train.py" "$python" "$root/examples/python/train.py" --steps 30 \
        --sentence "the [MASK] sings." text.txt
    "$python" "$root/examples/python/own_masks.py" > out 2> err
    check "own_masks.py" "$([ $? -eq 0 ] || cat err)"
    check "own_masks.py learns what comes after" \
        "$(grep -q '^after six comes seven' out || cat out)"
    "$python" "$root/examples/python/train.py" nowhere.txt > out 2> err
    check "train.py: an exception with the library's line" \
        "$([ $? -eq 1 ] && grep -q '^mlm.Error: .*nowhere.txt' err || cat err)"
else
    skip "Python callers" "no Python that can load the library"
fi
finish
