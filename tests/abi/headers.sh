#!/bin/sh
# Each public header compiles alone, without a warning, in every language it promises; layout.c
# knows every struct and every constant.
# usage: headers.sh SOURCE_ROOT; CC and CXX (empty: none) are the compilers.
. "$1/tests/support/tap.sh"
root=$1
include=$1/include
: "${CC:=cc}"
strict='-pedantic -Wall -Wextra -Wconversion -Wsign-conversion -Wshadow -Wundef -Werror'

# compile LANGUAGE STANDARD HEADER COMPILER [FLAG...]
compile() {
    language=$1 standard=$2 header=$3 compiler=$4
    shift 4
    printf '#include "mlm/%s"\nint unit;\n' "$header" > "$work/unit.$language"
    # The compilers and the flags are lists of words.
    run "mlm/$header alone as $standard $*" $compiler "-std=$standard" $strict "$@" \
        -I "$include" -c "$work/unit.$language" -o "$work/unit.o"
}

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
for path in "$include"/mlm/*.h; do
    header=$(basename "$path")
    compile c c99 "$header" "$CC" -Wc++-compat -Wstrict-prototypes
    compile c c11 "$header" "$CC" -Wc++-compat -Wstrict-prototypes
done
compile c c11 mlm.h "$CC" -Wpadded
compile c c11 mlm.h "$CC" -Wpadded -ffreestanding -m32
for path in "$include"/mlm/*.h "$include"/mlm/*.hpp; do
    [ -e "$path" ] || continue
    for standard in c++11 c++20; do
        if [ -n "$CXX" ]; then
            compile cpp "$standard" "$(basename "$path")" "$CXX"
        else
            skip "mlm/$(basename "$path") alone as $standard" "no C++ compiler"
        fi
    done
done

header=$include/mlm/mlm.h
layout=$root/tests/abi/layout.c
# Without comments and line ends, declarations are easy to find.
plain=$(tr '\n' ' ' < "$header" |
    sed 's:/\*:\x01:g; s:\*/:\x02:g; s:\x01[^\x02]*\x02::g')
missing=
for struct in $(echo "$plain" | grep -oE 'typedef struct mlm_[a-z_]+ \{' | awk '{ print $3 }'); do
    grep -q "SIZE($struct," "$layout" || missing="$missing $struct"
done
check "layout.c has every struct of mlm.h" "$missing" "to be added to tests/abi/layout.c:"
missing=
for name in $(echo "$plain" | grep -oE 'enum [a-z_]*[ ]*\{[^}]*\}' | grep -oE 'MLM_[A-Z0-9_]+'); do
    grep -q "VALUE($name," "$layout" || missing="$missing $name"
done
check "layout.c has every constant of mlm.h" "$missing" "to be added to tests/abi/layout.c:"
finish
