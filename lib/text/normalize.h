/* BERT's normalisation of text, with the way back to the bytes it came from.
 *
 *                     profile hf                      profile google
 *   invalid UTF-8     each part becomes U+FFFD        ignored
 *   clean_text        controls, U+0000, U+FFFD go; white space becomes a space
 *   chinese           a space on both sides of each ideograph
 *   strip_accents     NFD without Mn                  after lowercase
 *   lowercase         letter by letter                of the whole word: final sigma
 *
 * The order is the table's but for google, which has lowercase before strip_accents. */
#ifndef MLM_TEXT_NORMALIZE_H
#define MLM_TEXT_NORMALIZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct mlm__normalizer {
    int32_t profile; /* MLM_PROFILE_... */
    bool clean_text, handle_chinese_chars, strip_accents, lowercase;
    uint8_t ascii[128]; /* what becomes of each: MLM__ASCII_DROPPED: it goes */
    uint8_t kind[256];  /* of the first byte of normalised characters: MLM__KIND_... */
} mlm__normalizer;

enum { MLM__ASCII_DROPPED = 0xFF };
enum { MLM__KIND_LETTER, MLM__KIND_BREAK, MLM__KIND_PUNCTUATION, MLM__KIND_WIDE /* not ASCII */ };

void mlm__normalizer_init(mlm__normalizer *normalizer, int32_t profile, bool clean_text,
    bool handle_chinese_chars, bool strip_accents, bool lowercase);

/* Normalised text. The arrays are the caller's. */
typedef struct mlm__normalized {
    size_t length;
    uint8_t *bytes; /* [MLM__NORMALIZED_GROWTH * size of the text] valid UTF-8 */
    int32_t *from;  /* the same: offset in text of the character each byte comes from; or NULL */
} mlm__normalized;

/* No step makes a text more than three times as long. */
enum { MLM__NORMALIZED_GROWTH = 3 };

/* Replaces what is in out by text[begin, end) normalised. The cut must be at the text's own ends or
   where words end on both sides. Linear in end - begin, for any text. */
void mlm__normalize(const mlm__normalizer *normalizer, const uint8_t *text, size_t begin,
    size_t end, mlm__normalized *out);

#endif
