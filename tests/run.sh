#!/usr/bin/env bash
# Installs what is missing, builds, runs all tests; the last line is "N passed, N failed".
set -u
cd "$(dirname "$0")/.." || exit 1

usage() {
    cat <<'END'
usage: tests/run.sh [--full] [--parity]

Builds with gcc and runs every test, then once more under AddressSanitizer and
UndefinedBehaviorSanitizer. Everything is built in build-tests/. On Debian, packages that are
missing are installed first (with sudo where the user is not root).

  --full     also clang, libFuzzer for four minutes, ThreadSanitizer, BLIS in place of OpenBLAS,
             and no SIMD kernels
  --parity   also the live comparison with PyTorch and transformers, in a virtual environment in
             build-tests/ (a large download)

MLM_TEST_DATA names a folder with texts and conformance sets; tests that need it are skipped
without it.
END
}

full=no parity=no
for argument; do
    case $argument in
    --full) full=yes ;;
    --parity) parity=yes ;;
    --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
    esac
done

passed=0 failed=0 skipped=0
jobs=$(nproc 2>/dev/null || echo 2)

# count PASSED FAILED SKIPPED
count() {
    passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
    echo "    $1 passed, $2 failed, $3 skipped"
}

# configuration NAME "SETUP ARGUMENTS" "TEST ARGUMENTS": one build, its tests
configuration() {
    local name=$1 setup=$2 selection=$3 folder=build-tests/$1 log
    log=build-tests/$name.log
    echo "== $name: meson setup $setup; meson test $selection"
    [ -f "$folder/build.ninja" ] || rm -rf "$folder"
    # The arguments are lists of words.
    if ! { meson setup $( [ -d "$folder" ] && echo --reconfigure ) "$folder" -Dwerror=true \
            -Dtests=enabled $setup && ninja -C "$folder" -j "$jobs"; } > "$log" 2>&1; then
        echo "    does not build:"
        tail -n 60 "$log" | sed 's/^/    /'
        count 0 1 0
        return
    fi
    rm -f "$folder/meson-logs/testlog.json"
    meson test -C "$folder" --no-rebuild --num-processes "$jobs" $selection > "$log" 2>&1
    # The failures' logs on standard error, the numbers on standard output.
    count $(python3 tests/support/count_results.py "$folder/meson-logs/testlog.json" || echo 0 1 0)
}

parity_scripts() {
    local venv=build-tests/venv requirements=tests/parity/requirements.txt script log status
    echo "== parity with PyTorch and transformers"
    log=build-tests/parity.log
    if ! cmp -s "$requirements" "$venv/installed.txt"; then
        if ! { python3 -m venv --clear "$venv" &&
            "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
                -r "$requirements" && cp "$requirements" "$venv/installed.txt"; } > "$log" 2>&1
        then
            echo "    the packages of $requirements cannot be installed:"
            tail -n 20 "$log" | sed 's/^/    /'
            count 0 1 0
            return
        fi
    fi
    for script in tests/parity/*_parity.py; do
        echo "   $script"
        log=build-tests/$(basename "$script" .py).tap
        MLM_BUILD=$PWD/build-tests/release "$venv/bin/python" "$script" > "$log" 2> "$log.stderr"
        status=$?
        tail -n 30 "$log.stderr" >> "$log"
        count $(python3 tests/support/count_results.py --tap "$status" "$log")
    done
}

packages='build-essential meson ninja-build pkg-config libopenblas-dev libjansson-dev check
    python3 cmake gfortran binutils'
[ $full = yes ] && packages="$packages clang libclang-rt-dev libblis-openmp-dev libblis-dev unicode-data"
[ $parity = yes ] && packages="$packages python3-venv"
. tests/support/install.sh
install_packages $packages || exit 1

mkdir -p build-tests
[ -n "${MLM_TEST_DATA:-}" ] || echo "MLM_TEST_DATA is not set: tests that need its texts are skipped"

configuration release '' ''

export CK_FORK=no
export ASAN_OPTIONS=allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
# Whole models with the best row kernels only; the kernels' own tests take all.
configuration sanitized '-Dbuildtype=debugoptimized -Db_sanitize=address,undefined' \
    '--timeout-multiplier 5 --no-suite cpus'

if [ $full = yes ]; then
    numeric='--suite kernels --suite layers --suite encoder --suite trainer'
    # Not in double: the same source, and central differences are long.
    configuration threads '-Dbuildtype=debugoptimized -Db_sanitize=thread' \
        "--timeout-multiplier 10 --suite base --suite tokens --suite threads $numeric --no-suite double"
    CC=clang CXX=clang++ configuration fuzz '-Dbuildtype=debugoptimized -Db_sanitize=address,undefined' \
        '--suite fuzz'
    unset CK_FORK
    CC=clang CXX=clang++ configuration clang '' ''
    configuration blis '-Dblas=blis' "$numeric"
    configuration plain '-Dsimd=false' "$numeric"
fi
unset CK_FORK
[ $parity = yes ] && parity_scripts

line="$passed passed, $failed failed"
[ $skipped -gt 0 ] && line="$line, $skipped skipped"
echo "$line"
[ $failed -eq 0 ]
