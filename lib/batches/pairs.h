/* Pairs of segments for next-sentence prediction, cut as google-research/bert's
   create_pretraining_data.py cuts them. A segment is a run of the store's tokens. */
#ifndef MLM_BATCHES_PAIRS_H
#define MLM_BATCHES_PAIRS_H

#include <stdbool.h>

#include "base/random.h"
#include "batches/records.h"
#include "mlm/mlm.h"

/* An instance. Hashed as it is: no padding. */
typedef struct mlm__pair {
    int64_t a, b; /* first tokens */
    int32_t a_length;
    int32_t b_length; /* negated where B does not follow A */
} mlm__pair;

typedef struct mlm__pairs {
    mlm_runtime *runtime;
    mlm__random_key key;
    double short_seq_prob;
    int32_t room;           /* tokens of A and B together: T without [CLS] and two [SEP] */
    int64_t tokens;         /* so far */
    mlm__records sentences; /* int64_t: first tokens; after mlm__pairs_cut empty */
    mlm__records documents; /* int64_t: first sentences; after mlm__pairs_cut empty */
    mlm__records list;      /* mlm__pair, after mlm__pairs_cut */
    int64_t unused;         /* tokens that are in no pair, after mlm__pairs_cut */
} mlm__pairs;

/* directory as in records.h. */
void mlm__pairs_init(mlm_runtime *runtime, const mlm_corpus_options *options, const char *directory,
    mlm__pairs *pairs);
/* The next sentence, of count tokens; the first of a document or not. */
mlm_status mlm__pairs_add(mlm__pairs *pairs, size_t count, bool begins_document);
/* After the last sentence, of which there is at least one. MLM_STOPPED. */
mlm_status mlm__pairs_cut(mlm__pairs *pairs);
void mlm__pairs_clear(mlm__pairs *pairs);

#endif
