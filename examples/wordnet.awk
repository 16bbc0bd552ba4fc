# WordNet's data files to English sentences, a document a synset: its words with the definition, then
# the example sentences. Each twentieth document goes to the file named by held_out, to measure with.
#   awk -v train=FILE -v held_out=FILE -f wordnet.awk data.noun data.verb data.adj data.adv

/^[0-9]/ {
    gloss_at = index($0, " | ")
    digits = "0123456789abcdef"
    words = 16 * (index(digits, substr($4, 1, 1)) - 1) + index(digits, substr($4, 2, 1)) - 1
    name = ""
    for (i = 0; i < words; i++) {
        word = $(5 + 2 * i)
        sub(/\([a-z]+\)$/, "", word)
        gsub(/_/, " ", word)
        name = name (i ? ", " : "") word
    }
    # definition; another; "an example"; "another"
    parts = split(substr($0, gloss_at + 3), quoted, "\"")
    definition = quoted[1]
    sub(/[; ]+$/, "", definition)

    output = ++documents % 20 ? train : held_out
    print name ": " definition "." > output
    for (i = 2; i <= parts; i += 2)
        if (quoted[i] ~ / /)
            print quoted[i] (quoted[i] ~ /[.?!]$/ ? "" : ".") > output
    print "" > output
}
