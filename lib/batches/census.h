/* What is counted while a text is read. */
#ifndef MLM_BATCHES_CENSUS_H
#define MLM_BATCHES_CENSUS_H

#include "mlm/mlm.h"

typedef struct mlm__census {
    mlm_runtime *runtime;
    int32_t V;
    int64_t *counts; /* [V] */
    uint64_t *seen;  /* [slots] hashes of the lines so far, open addressing; 0: free */
    size_t slots, used;
    int64_t duplicate_lines;
} mlm__census;

mlm_status mlm__census_init(mlm_runtime *runtime, int32_t V, mlm__census *census);
/* A line that has tokens: ids [count]. */
mlm_status mlm__census_add(
    mlm__census *census, const char *line, size_t length, const int32_t *ids, size_t count);
/* -sum p log p in nats over the ids without MLM__TOKEN_SPECIAL; 0 when there is none. */
double mlm__census_entropy(const mlm__census *census, const uint8_t *flags);
void mlm__census_clear(mlm__census *census);

#endif
