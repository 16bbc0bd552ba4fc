#!/bin/sh
# Installs into a temporary folder and builds callers against what was installed.
# usage: consumers.sh SOURCE_ROOT BUILD_ROOT PREFIX BLAS; CC and CXX (empty: none) the compilers.
. "$1/tests/support/tap.sh"
root=$1 build=$2 prefix=$3 blas=$4
: "${CC:=cc}"
here=$root/tests/consumers
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

run "meson install" env DESTDIR="$work/stage" meson install --no-rebuild --quiet -C "$build"
installed=$work/stage$prefix
pc=$(find "$installed" -name libmlm.pc)
library=$(dirname "$(dirname "$pc")")
# The folder stands for the prefix.
sed -i "s|^prefix=.*|prefix=$installed|" "$pc"
export PKG_CONFIG_PATH="$(dirname "$pc")${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}"
export LD_LIBRARY_PATH="$library${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"

missing=
for file in "$installed"/include/mlm/mlm.h "$installed"/include/mlm/compose.h \
    "$installed"/include/mlm/mlm.hpp "$library"/libmlm.so "$library"/libmlm.so.0 \
    "$library"/libmlm.a "$installed"/share/doc/libmlm/README.md; do
    [ -e "$file" ] || missing="$missing ${file#"$installed"/}"
done
check "everything is installed" "$missing" "missing:"

if [ "$blas" = openblas ]; then
    private=$(pkg-config --print-requires-private libmlm | sed 's/ .*//' | sort | tr '\n' ' ')
    [ "$private" = "jansson openblas " ] && private=
    check "jansson and the BLAS are private requirements" "$private"
fi
version=$(pkg-config --modversion libmlm)
header=$(sed -n 's/^#define MLM_VERSION_M[AI].* \([0-9]*\)$/\1/p; s/^#define MLM_VERSION_P.* \([0-9]*\)$/\1/p' \
    "$installed/include/mlm/mlm.h" | paste -sd.)
[ "$version" = "$header" ] && version=
check "libmlm.pc has the header's version" "$version"

# compiled NAME COMPILER SOURCE [FLAG...]: builds, then runs
compiled() {
    name=$1
    shift
    # The compiler is a list of words.
    rm -f "$work/program"
    run "$name builds" $1 "$2" -o "$work/program" $(shift 2; echo "$@") -lm
    run "$name runs" "$work/program"
}

strict='-Wall -Wextra -pedantic -Werror'
compiled "C, shared" "$CC" "$here/consumer.c" -std=c99 $strict $(pkg-config --cflags --libs libmlm)
if [ -n "$CXX" ]; then
    compiled "C++, shared" "$CXX" "$here/consumer.cpp" -std=c++11 $strict \
        $(pkg-config --cflags --libs libmlm)
else
    skip "C++, shared" "no C++ compiler"
fi

if command -v cmake > /dev/null; then
    run "CMake configures" cmake -S "$here/cmake" -B "$work/cmake" -DCMAKE_C_COMPILER="${CC##* }"
    run "CMake builds" cmake --build "$work/cmake"
    run "CMake's program runs" "$work/cmake/consumer"
else
    skip "CMake" "no cmake"
fi

if command -v python3 > /dev/null; then
    run "Python through ctypes" python3 "$here/consumer.py" "$library/libmlm.so"
else
    skip "Python through ctypes" "no python3"
fi

# Only the archive is left: what pkg-config --static names must be enough.
mkdir "$work/static"
mv "$library"/libmlm.so* "$work/static"
if echo 'int main(void) { return 0; }' > "$work/empty.c" &&
    $CC "$work/empty.c" -o "$work/empty" $(pkg-config --static --libs jansson \
        $([ "$blas" = openblas ] && echo openblas)) 2> "$work/refused"; then
    compiled "C, static" "$CC" "$here/consumer.c" -std=c99 \
        $(pkg-config --static --cflags --libs libmlm)
    [ -z "$CXX" ] || compiled "C++, static" "$CXX" "$here/consumer.cpp" -std=c++11 \
        $(pkg-config --static --cflags --libs libmlm)
else
    skip "static" "a dependency's own .pc does not link: $(grep -m 1 'cannot find' "$work/refused")"
fi

mkdir -p "$work/subproject/subprojects"
cp "$here/subproject/meson.build" "$here/consumer.c" "$work/subproject"
ln -s "$root" "$work/subproject/subprojects/libmlm"
unset PKG_CONFIG_PATH LD_LIBRARY_PATH
run "Meson subproject configures" meson setup "$work/subproject/build" "$work/subproject" \
    -Dlibmlm:blas="$blas"
run "Meson subproject builds" ninja -C "$work/subproject/build"
run "Meson subproject's program runs" "$work/subproject/build/consumer"
finish
