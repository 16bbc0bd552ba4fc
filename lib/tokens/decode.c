#include <string.h>

#include "base/error.h"
#include "tokens/handle.h"

/* What tokenizers' WordPiece decoder replaces in each token with the space before it. */
static const struct {
    const char *from, *to;
} clean_up_rules[] = {
    {" .", "."},
    {" ?", "?"},
    {" !", "!"},
    {" ,", ","},
    {" ' ", "'"},
    {" n't", "n't"},
    {" 'm", "'m"},
    {" do not", " don't"},
    {" 's", "'s"},
    {" 've", "'ve"},
    {" 're", "'re"},
};

/* Longest token and the space before it. No rule makes it longer. */
enum { ROOM = MLM__TOKEN_LENGTH + 2 };

static size_t clean_up(char *text, size_t length)
{
    for (size_t r = 0; r < sizeof clean_up_rules / sizeof clean_up_rules[0]; r++) {
        const char *from = clean_up_rules[r].from, *to = clean_up_rules[r].to;
        size_t from_length = strlen(from), to_length = strlen(to), end = 0;
        for (size_t i = 0; i < length;) {
            if (length - i >= from_length && memcmp(text + i, from, from_length) == 0) {
                memcpy(text + end, to, to_length);
                end += to_length;
                i += from_length;
            } else {
                text[end++] = text[i++];
            }
        }
        length = end;
    }
    return length;
}

/* The text of one token; "##" goes, but for the first, and others get a space before them. */
static size_t text_of(const mlm_tokenizer *tokenizer, int32_t id, bool first, char room[ROOM])
{
    const char *token = tokenizer->vocabulary.tokens[id];
    size_t length = 0;
    if (!first && token[0] == '#' && token[1] == '#')
        token += 2;
    else if (!first)
        room[length++] = ' ';
    size_t size = strlen(token);
    memcpy(room + length, token, size);
    return length + size;
}

mlm_status mlm_tokenizer_decode(const mlm_tokenizer *tokenizer, const int32_t *ids, size_t count,
    int32_t flags, char *text, size_t capacity, size_t *length)
{
    const char *missing = !tokenizer          ? "tokenizer"
                          : !ids && count     ? "ids"
                          : !text && capacity ? "text"
                          : !length           ? "length"
                                              : NULL;
    if (missing)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_tokenizer_decode: %s is NULL", missing);
    *length = 0;
    if (flags & ~(MLM_DECODE_SKIP_SPECIAL | MLM_DECODE_CLEAN_UP))
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_tokenizer_decode: flags is %d", flags);
    for (size_t i = 0; i < count; i++) {
        if (ids[i] < 0 || (size_t)ids[i] >= tokenizer->vocabulary.V)
            return mlm__error(MLM_ERR_ARGUMENT,
                "mlm_tokenizer_decode: ids[%zu] is %d, vocabulary has %zu", i, ids[i],
                tokenizer->vocabulary.V);
    }
    char room[ROOM];
    size_t need = 0;
    bool first = true;
    for (size_t i = 0; i < count; i++) {
        if (flags & MLM_DECODE_SKIP_SPECIAL && tokenizer->flags[ids[i]] & MLM__TOKEN_ADDED_SPECIAL)
            continue;
        size_t size = text_of(tokenizer, ids[i], first, room);
        first = false;
        if (flags & MLM_DECODE_CLEAN_UP)
            size = clean_up(room, size);
        if (need + size <= capacity)
            memcpy(text + need, room, size);
        need += size;
    }
    *length = need;
    if (need > capacity)
        return mlm__error(
            MLM_ERR_CAPACITY, "mlm_tokenizer_decode: %zu bytes, capacity is %zu", need, capacity);
    if (need < capacity)
        text[need] = 0;
    return MLM_OK;
}
