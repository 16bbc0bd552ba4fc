/* What is counted while a text is read. */
#ifndef MLM_BATCHES_CENSUS_H
#define MLM_BATCHES_CENSUS_H

#include "batches/records.h"
#include "mlm/mlm.h"

/* Of so many distinct lines at most the hashes are in memory at a time. */
enum { MLM__CENSUS_SLOTS = 1 << 22 };

typedef struct mlm__census {
    mlm_runtime *runtime;
    int32_t V;
    int64_t *counts; /* [V] */
    uint64_t *seen;  /* [slots] hashes of lines, open addressing; 0: free */
    size_t slots, used, most_slots;
    mlm__records waiting; /* hashes that are not in seen, which is full */
    int64_t duplicate_lines;
} mlm__census;

/* directory as in records.h; most_slots is a power of two, MLM__CENSUS_SLOTS but in tests. */
mlm_status mlm__census_init(
    mlm_runtime *runtime, int32_t V, const char *directory, size_t most_slots, mlm__census *census);
/* Any thread. Never 0. */
uint64_t mlm__census_hash(const char *line, size_t length);
/* A line that has tokens, by its hash. */
mlm_status mlm__census_add_line(mlm__census *census, uint64_t hash);
void mlm__census_add_tokens(mlm__census *census, const int32_t *ids, size_t count);
/* After the last line: finds duplicates among those that wait. MLM_STOPPED. */
mlm_status mlm__census_finish(mlm__census *census);
/* -sum p log p in nats over the ids without MLM__TOKEN_SPECIAL; 0 when there is none. */
double mlm__census_entropy(const mlm__census *census, const uint8_t *flags);
void mlm__census_clear(mlm__census *census);

#endif
