#include "text/words.h"

#include "text/unicode_tables.h"
#include "text/utf8.h"

/* MLM__KIND_... of the character at bytes[at], never WIDE, and its size. */
static uint8_t kind_of(
    const mlm__normalizer *normalizer, const uint8_t *bytes, size_t length, size_t at, size_t *size)
{
    uint8_t kind = normalizer->kind[bytes[at]];
    *size = 1;
    if (kind != MLM__KIND_WIDE)
        return kind;
    int32_t code = mlm__utf8_decode(bytes + at, bytes + length, size);
    uint32_t flags = mlm__character_of(code)->flags[normalizer->profile];
    if (flags & MLM__CHAR_BREAK)
        return MLM__KIND_BREAK;
    return flags & MLM__CHAR_PUNCTUATION ? MLM__KIND_PUNCTUATION : MLM__KIND_LETTER;
}

bool mlm__word_next(const mlm__normalizer *normalizer, const uint8_t *bytes, size_t length,
    size_t at, mlm__word *word)
{
    size_t size = 0;
    uint8_t kind = MLM__KIND_BREAK;
    for (; at < length; at += size) {
        kind = kind_of(normalizer, bytes, length, at, &size);
        if (kind != MLM__KIND_BREAK)
            break;
    }
    if (at == length)
        return false;
    word->begin = at;
    at += size;
    while (kind == MLM__KIND_LETTER && at < length &&
           kind_of(normalizer, bytes, length, at, &size) == MLM__KIND_LETTER)
        at += size;
    word->end = at;
    return true;
}
