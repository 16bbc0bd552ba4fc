/* What the tokenizer's two profiles need to know of each code point. The tables are written by
   make_unicode_tables.py, which says what each profile's Unicode version is. */
#ifndef MLM_TEXT_UNICODE_TABLES_H
#define MLM_TEXT_UNICODE_TABLES_H

#include <stdint.h>

enum {
    MLM__CHAR_DROP = 1 << 0,        /* clean_text removes it */
    MLM__CHAR_SPACE = 1 << 1,       /* clean_text makes it a space */
    MLM__CHAR_BREAK = 1 << 2,       /* words are split at it, and it goes */
    MLM__CHAR_PUNCTUATION = 1 << 3, /* a word of its own */
    MLM__CHAR_MARK = 1 << 4,        /* category Mn: strip_accents removes it */
    MLM__CHAR_CHINESE = 1 << 5,     /* handle_chinese_chars puts spaces around it */
    MLM__CHAR_DECOMPOSES = 1 << 6,  /* has a canonical decomposition */
    MLM__CHAR_CASED = 1 << 7,       /* these two decide which lowercase sigma */
    MLM__CHAR_CASE_IGNORABLE = 1 << 8,
    MLM__CHAR_WORD = 1 << 9, /* \w of regular expressions */
};

/* Each member has one value per profile, in the order of MLM_PROFILE_HF, MLM_PROFILE_GOOGLE. */
typedef struct mlm__character {
    int32_t lower[2];     /* what to add for the lowercase letter */
    uint16_t flags[2];    /* MLM__CHAR_... */
    uint8_t combining[2]; /* canonical combining class */
} mlm__character;

extern const mlm__character mlm__characters[];
extern const uint16_t mlm__character_index[], mlm__character_blocks[];
extern const uint16_t mlm__decomposition_index[], mlm__decomposition_places[];
extern const int32_t mlm__decompositions[];

/* code is in [0, 10FFFF]. */
static inline const mlm__character *mlm__character_of(int32_t code)
{
    int32_t block = mlm__character_index[code >> 7];
    return &mlm__characters[mlm__character_blocks[block * 128 + (code & 127)]];
}

/* The full canonical decomposition of a code point with MLM__CHAR_DECOMPOSES that is not a Hangul
   syllable: the number of its parts, then these. */
static inline const int32_t *mlm__decomposition_of(int32_t code)
{
    int32_t block = mlm__decomposition_index[code >> 6];
    return &mlm__decompositions[mlm__decomposition_places[block * 64 + (code & 63)]];
}

#endif
