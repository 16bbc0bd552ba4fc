/* Byte pair encoding of a set of words: which two neighbouring tokens are the most frequent, and
   making one of them, over and over. */
#ifndef MLM_TOKENS_MERGES_H
#define MLM_TOKENS_MERGES_H

#include "tokens/token_table.h"

/* A word as tokens. */
typedef struct mlm__split_word {
    size_t begin;    /* in symbols */
    uint32_t length; /* tokens */
    int64_t count;   /* how often it occurs */
} mlm__split_word;

typedef struct mlm__split_words {
    size_t count;
    mlm__split_word *words;
    int32_t *symbols;
} mlm__split_words;

/* Merges the most frequent pair until table has vocab_size tokens or none is left that occurs
   min_frequency times. A pair's count is the number of places in all words, each as often as the
   word occurs, where its tokens are neighbours. Among equal counts the pair whose left token, then
   whose right token comes first in the order of bytes is merged, everywhere from left to right. The
   new token is the left and the right one without its "##"; a string that exists keeps its id. Pairs
   that would be longer than a token may be are left alone. */
mlm_status mlm__merge_pairs(mlm_runtime *runtime, mlm__split_words *words, size_t vocab_size,
    int64_t min_frequency, mlm__token_table *table);

#endif
