#!/bin/sh
# The C++ and the Python callers train a few updates and fill a mask.
# usage: callers.sh SOURCE_ROOT PROGRAMS LIBRARY PYTHON; PYTHON is empty where it cannot load the
# library
root=$1 programs=$2 library=$3 python=$4
. "$root/tests/examples/common.sh"

# trains NAME COMMAND...: its output has losses that fall and five candidates
trains() {
    trains_name=$1
    shift
    "$@" > out 2> err
    trains_status=$?
    holds "$trains_name" err [ $trains_status -eq 0 ]
    holds "$trains_name: the loss falls" out awk '/^step/ { if (!first) first = $4; last = $4 }
        END { exit !(last > 0 && last < first) }' out
    count "$trains_name: fills the mask" 5 '^  [01]\.[0-9]\{4\}  ' out
}

if [ -x "$programs/cpp_train" ]; then
    trains "cpp_train" "$programs/cpp_train" 30 "the [MASK] sings." text.txt
    "$programs/cpp_train" 1 "the [MASK]." nowhere.txt > out 2> err
    holds "cpp_train: an exception ends it" err [ $? -eq 1 ]
    count "cpp_train: an exception has the library's line" 1 '^cpp_train: .*nowhere.txt' err
else
    skip "cpp_train" "no C++ compiler"
fi
# Both lists, a name a line: what returns a status, and what Python turns into an exception.
grep -o 'mlm_status mlm_[a-z_]*(' "$root/include/mlm/mlm.h" | sed 's/.* mlm_//; s/($//' | sort > declared
sed -n '/^for _name in """/,/""".split/p' "$root/examples/python/mlm.py" |
    sed 's/for _name in//; s/"""//g; s/\.split.*//' | tr -s ' ' '\n' | sed '/^$/d' | sort > checked
check "mlm.py knows every function that returns a status" "$(comm -3 declared checked)"
if [ -n "$python" ]; then
    export LIBMLM="$library" PYTHONDONTWRITEBYTECODE=1
    trains "train.py" "$python" "$root/examples/python/train.py" --steps 30 \
        --sentence "the [MASK] sings." text.txt
    "$python" "$root/examples/python/own_masks.py" > out 2> err
    holds "own_masks.py" err [ $? -eq 0 ]
    count "own_masks.py learns what comes after" 1 '^after six comes seven' out
    "$python" "$root/examples/python/train.py" nowhere.txt > out 2> err
    holds "train.py: an exception ends it" err [ $? -eq 1 ]
    count "train.py: an exception has the library's line" 1 '^mlm.Error: .*nowhere.txt' err
else
    skip "Python callers" "no Python that can load the library"
fi
finish
