#!/bin/sh
# What the library exports, what its archive defines and what it asks of the C library.
# usage: exports.sh SOURCE_ROOT SHARED_LIBRARY ARCHIVE ABI_VERSION ASSERTIONS(0, 1)
. "$1/tests/support/tap.sh"
header=$1/include/mlm/mlm.h
map=$1/lib/libmlm.map
shared=$2
archive=$3
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

# only_in NAME OTHER: the lines of the first list that the second lacks
only_in() {
    comm -23 "$work/$1" "$work/$2" | tr '\n' ' '
}

tr '\n' ' ' < "$header" | grep -oE 'MLM_API [^;({#]*\(' |
    sed -n 's/.*[ *]\(mlm_[a-z0-9_]*\)($/\1/p' | sort -u > "$work/header"
sed -n 's/^ *\(mlm_[a-z0-9_]*\);$/\1/p' "$map" | sort > "$work/map"
nm -D --defined-only "$shared" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' |
    sort > "$work/library"

check "the map has every function of mlm.h" "$(only_in header map)" \
    "declared in include/mlm/mlm.h, to be added to lib/libmlm.map:"
check "mlm.h has every name of the map" "$(only_in map header)" \
    "in lib/libmlm.map, not declared in include/mlm/mlm.h:"
check "the map names nothing twice" "$(uniq -d "$work/map")" "twice in lib/libmlm.map:"
check "the library has every function of the map" "$(only_in map library)" \
    "exported by lib/libmlm.map, defined nowhere:"
check "the library exports nothing else" "$(only_in library map)" "not in lib/libmlm.map:"

# Sanitizers add symbols of their own.
bad=$(nm -g --defined-only "$archive" 2>/dev/null |
    awk 'NF == 3 && $3 !~ /^mlm_/ && $3 !~ /^__(asan|odr_asan|tsan|ubsan)/ { print $3 }')
check "every global symbol of libmlm.a begins with mlm_" "$bad"

forbidden='v?f?d?printf|__v?f?d?printf_chk|puts|fputs|putchar|perror|stdout|stderr'
forbidden="$forbidden|_?exit|_Exit|quick_exit|abort|raise|signal|sigaction"
forbidden="$forbidden|(secure_)?getenv|setenv|unsetenv|putenv|setlocale|uselocale|newlocale"
forbidden="$forbidden|s?rand|s?random|[dlm]rand48"
[ "$5" = 1 ] || forbidden="$forbidden|__assert_fail"
bad=$(nm -A -u "$archive" 2>/dev/null | grep -wE " U ($forbidden)" | sed 's/.*://')
check "the library neither prints, exits nor touches environment, locale or signals" "$bad"

soname=$(readelf -d "$shared" | sed -n 's/.*(SONAME).*\[\(.*\)\]$/\1/p')
[ "$soname" = "libmlm.so.$4" ] && soname=
check "the soname is libmlm.so.$4" "$soname"
finish
