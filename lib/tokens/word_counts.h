/* How often each word occurs: a hash table of words. */
#ifndef MLM_TOKENS_WORD_COUNTS_H
#define MLM_TOKENS_WORD_COUNTS_H

#include "mlm/mlm.h"

typedef struct mlm__counted_word {
    size_t begin; /* in text */
    uint32_t length, hash;
    int64_t count;
} mlm__counted_word;

/* The words in the order in which they were first added. */
typedef struct mlm__word_counts {
    size_t count, capacity;
    mlm__counted_word *words;
    size_t text_length, text_capacity;
    uint8_t *text;
    size_t slot_count; /* a power of two */
    uint32_t *slots;   /* position in words + 1, or 0 */
} mlm__word_counts;

/* counts begins as all zeros. hash is mlm__hash_text's. */
mlm_status mlm__word_counts_add(mlm_runtime *runtime, mlm__word_counts *counts,
    const uint8_t *bytes, uint32_t length, uint32_t hash, int64_t times);

/* Fetches into the cache where a word that is added soon belongs. */
static inline void mlm__word_counts_prefetch(const mlm__word_counts *counts, uint32_t hash)
{
    if (counts->slots)
        __builtin_prefetch(&counts->slots[hash & (counts->slot_count - 1)]);
}

/* Where there are more than most words, above 0, forgets the rarest until most are left; of equally
   rare ones those that were added first. */
void mlm__word_counts_keep(mlm__word_counts *counts, size_t most);

void mlm__word_counts_free(mlm_runtime *runtime, mlm__word_counts *counts);

#endif
