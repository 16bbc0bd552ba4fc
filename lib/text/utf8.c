#include "text/utf8.h"

#include <string.h>

static bool is_continuation(uint8_t byte)
{
    return (byte & 0xC0) == 0x80;
}

int32_t mlm__utf8_decode(const uint8_t *text, const uint8_t *end, size_t *size)
{
    uint8_t first = text[0];
    *size = 1;
    if (first < 0x80)
        return first;
    if (first < 0xC2 || first > 0xF4)
        return MLM__UTF8_INVALID;
    size_t length = mlm__utf8_size(first);
    /* The second byte's range excludes overlong forms, surrogates and what is over 10FFFF. */
    uint8_t low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
    uint8_t high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
    if (text + 1 == end || text[1] < low || text[1] > high)
        return MLM__UTF8_INVALID;
    int32_t code = (first & (0xFF >> (length + 1))) << 6 | (text[1] & 0x3F);
    for (size_t i = 2; i < length; i++) {
        *size = i;
        if (text + i == end || !is_continuation(text[i]))
            return MLM__UTF8_INVALID;
        code = code << 6 | (text[i] & 0x3F);
    }
    *size = length;
    return code;
}

const uint8_t *mlm__utf8_previous(const uint8_t *begin, const uint8_t *text)
{
    const uint8_t *start = text - 1;
    while (start > begin && text - start < 4 && is_continuation(*start))
        start--;
    size_t size;
    if (mlm__utf8_decode(start, text, &size) != MLM__UTF8_INVALID && start + size == text)
        return start;
    return text - 1;
}

size_t mlm__utf8_encode(int32_t code, uint8_t *out)
{
    if (code < 0x80) {
        out[0] = (uint8_t)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (uint8_t)(0xC0 | code >> 6);
        out[1] = (uint8_t)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (uint8_t)(0xE0 | code >> 12);
        out[1] = (uint8_t)(0x80 | (code >> 6 & 0x3F));
        out[2] = (uint8_t)(0x80 | (code & 0x3F));
        return 3;
    }
    out[0] = (uint8_t)(0xF0 | code >> 18);
    out[1] = (uint8_t)(0x80 | (code >> 12 & 0x3F));
    out[2] = (uint8_t)(0x80 | (code >> 6 & 0x3F));
    out[3] = (uint8_t)(0x80 | (code & 0x3F));
    return 4;
}

size_t mlm__utf8_count(const uint8_t *text, size_t size)
{
    size_t count = 0;
    for (size_t i = 0; i < size; i++)
        count += !is_continuation(text[i]);
    return count;
}

/* The first bytes of text that are ASCII, eight at a time. */
static size_t ascii_run(const uint8_t *text, size_t size)
{
    size_t i = 0;
    for (uint64_t word; i + sizeof word <= size; i += sizeof word) {
        memcpy(&word, text + i, sizeof word);
        if (word & UINT64_C(0x8080808080808080))
            break;
    }
    return i;
}

size_t mlm__utf8_count_invalid(const uint8_t *text, size_t size)
{
    const uint8_t *end = text + size;
    size_t invalid = 0;
    while ((text += ascii_run(text, (size_t)(end - text))) < end) {
        size_t length;
        if (mlm__utf8_decode(text, end, &length) == MLM__UTF8_INVALID)
            invalid += length;
        text += length;
    }
    return invalid;
}

bool mlm__utf8_valid(const uint8_t *text, size_t size)
{
    const uint8_t *end = text + size;
    size_t length;
    for (; text < end; text += length) {
        if (mlm__utf8_decode(text, end, &length) == MLM__UTF8_INVALID)
            return false;
    }
    return true;
}
