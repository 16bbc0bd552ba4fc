#!/bin/sh
# usage: unicode_tables.sh FOLDER: unicode_tables.c is what make_unicode_tables.py writes.
set -eu
if [ ! -f /usr/share/unicode/DerivedAge.txt ]; then
    echo "no Unicode data files (Debian's unicode-data)"
    exit 77
fi
python3 "$1/make_unicode_tables.py" | cmp - "$1/unicode_tables.c"
