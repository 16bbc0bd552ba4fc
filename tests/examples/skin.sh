#!/bin/sh
# usage: skin.sh PROGRAM: the test program in a folder that is removed after it
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
"$1" "$work"
