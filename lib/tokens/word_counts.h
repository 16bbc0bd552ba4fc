/* How often each word occurs in a text. */
#ifndef MLM_TOKENS_WORD_COUNTS_H
#define MLM_TOKENS_WORD_COUNTS_H

#include "text/lines.h"
#include "text/normalize.h"

typedef struct mlm__counted_word {
    size_t begin; /* in text */
    uint32_t length, hash;
    int64_t count;
} mlm__counted_word;

/* The words in an order that depends on the text alone. */
typedef struct mlm__word_counts {
    size_t count, capacity;
    mlm__counted_word *words;
    size_t text_length, text_capacity;
    uint8_t *text;
    size_t slot_count; /* a power of two */
    uint32_t *slots;   /* position in words + 1, or 0 */
} mlm__word_counts;

/* Counts the words of all lines that are left, over the threads. */
mlm_status mlm__word_counts_read(mlm_runtime *runtime, const mlm__normalizer *normalizer,
    mlm__lines *lines, mlm__word_counts *counts);
void mlm__word_counts_free(mlm_runtime *runtime, mlm__word_counts *counts);

#endif
