#!/bin/sh
# A folder of lib/ includes only from itself and from the folders above it in lib/README.md's table,
# and no two files of lib/ have one name.
# usage: include_order.sh SOURCE_ROOT
. "$1/tests/support/tap.sh"
cd "$1/lib" || exit 1

folders=$(sed -n 's/^| `\([a-z]*\)\/` |.*/\1/p' README.md)
exists=$(ls -d */ | tr -d /)

missing=
for folder in $exists; do
    echo "$folders" | grep -qx "$folder" || missing="$missing $folder"
done
for folder in $folders; do
    [ -d "$folder" ] || missing="$missing $folder"
done
check "lib/README.md's table has the folders of lib/" "$missing" "only in one of the two:"

allowed=
for folder in $folders; do
    allowed="$allowed|$folder"
    bad=$(find "$folder" -name '*.[ch]' -exec grep -nE '^ *# *include +"' {} + |
        grep -vE "\"(${allowed#|})/[A-Za-z0-9_/]+\.(h|c|inc)\"|\"mlm/mlm\.h\"")
    check "$folder/ includes from folders above it" "$bad" "against the order:"
done

twice=$(find . -name '*.[ch]' | sed 's|.*/||' | sort | uniq -d)
check "names of files are unique" "$twice" "twice:"
finish
