/* All tokens of a text, one after the other, in 2 bytes each where the vocabulary allows it. */
#ifndef MLM_BATCHES_STORE_H
#define MLM_BATCHES_STORE_H

#include "mlm/mlm.h"

typedef struct mlm__store {
    mlm_runtime *runtime;
    char **blocks; /* never moved: growing copies no token */
    size_t block_count, block_capacity;
    int64_t count;
    size_t width; /* bytes of a token */
} mlm__store;

/* Makes an empty store for ids in [0,V); allocates nothing. */
void mlm__store_init(mlm_runtime *runtime, int32_t V, mlm__store *store);
/* After an error the store is as before. */
mlm_status mlm__store_append(mlm__store *store, const int32_t *ids, size_t count);
/* ids [count], tokens begin to begin + count - 1. */
void mlm__store_get(const mlm__store *store, int64_t begin, size_t count, int32_t *ids);
/* Tokens begin to begin + *count - 1 as they are stored, where *count is at least 1 and ends with a
   block or the store. begin is below store->count. */
const void *mlm__store_run(const mlm__store *store, int64_t begin, size_t *count);
void mlm__store_clear(mlm__store *store);

#endif
