/* UTF-8. */
#ifndef MLM_TEXT_UTF8_H
#define MLM_TEXT_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MLM__UTF8_INVALID = -1, MLM__UTF8_REPLACEMENT = 0xFFFD };

/* The code point that begins at text (before end) and, in *size, its bytes. Where none begins:
   MLM__UTF8_INVALID, and *size is that of the maximal part of a sequence that the standard says to
   replace as one (Unicode 3.9, "Substitution of Maximal Subparts"; Rust's and Python's rule too). */
int32_t mlm__utf8_decode(const uint8_t *text, const uint8_t *end, size_t *size);

/* Where the code point that ends before text begins; begin < text. Steps over one byte where the
   bytes before are no code point. */
const uint8_t *mlm__utf8_previous(const uint8_t *begin, const uint8_t *text);

/* Writes a code point, at most 4 bytes, and returns how many. */
size_t mlm__utf8_encode(int32_t code, uint8_t *out);

/* Bytes of the code point that a first byte of valid text announces. */
static inline size_t mlm__utf8_size(uint8_t first)
{
    return first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
}

/* Code points of valid text. */
size_t mlm__utf8_count(const uint8_t *text, size_t size);

/* Bytes that belong to no code point. */
size_t mlm__utf8_count_invalid(const uint8_t *text, size_t size);

bool mlm__utf8_valid(const uint8_t *text, size_t size);

#endif
