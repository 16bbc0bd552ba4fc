/* Normalised text to words: split at white space, which goes, and around punctuation marks, each of
   which is a word. */
#ifndef MLM_TEXT_WORDS_H
#define MLM_TEXT_WORDS_H

#include "text/normalize.h"

typedef struct mlm__word {
    size_t begin, end;
} mlm__word;

/* The first word of bytes[at, length), valid UTF-8; false when there is none. The next one is
   looked for from word->end on. */
bool mlm__word_next(const mlm__normalizer *normalizer, const uint8_t *bytes, size_t length,
    size_t at, mlm__word *word);

#endif
