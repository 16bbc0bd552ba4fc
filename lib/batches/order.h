/* The order of an epoch: a seeded permutation that needs no memory. */
#ifndef MLM_BATCHES_ORDER_H
#define MLM_BATCHES_ORDER_H

#include "base/random.h"

typedef struct mlm__order {
    mlm__random_key key;
    int64_t count;
    int32_t half_bits;
} mlm__order;

/* A permutation of [0,count), another one for each seed and epoch. count is at least 1. */
mlm__order mlm__order_make(uint64_t seed, int64_t epoch, int64_t count);

/* Where index of [0,count) goes. Fewer than four passes on average. */
int64_t mlm__order_at(const mlm__order *order, int64_t index);

#endif
