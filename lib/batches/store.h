/* What was read of a text: its tokens, one after the other, in 2 bytes each where the vocabulary
   allows it; where its lines end; and what was counted. Nothing here depends on mlm_corpus_options:
   whatever way to pack begins from the same store. */
#ifndef MLM_BATCHES_STORE_H
#define MLM_BATCHES_STORE_H

#include <stdbool.h>

#include "batches/records.h"
#include "files/xxh64.h"
#include "mlm/mlm.h"

/* A line with at least one token: their number, and whether an empty line or the beginning of a
   file lies before it. */
static inline uint32_t mlm__store_line(size_t count, bool begins_document)
{
    return (uint32_t)count << 1 | begins_document; /* a line has fewer than 2^31 bytes */
}
static inline size_t mlm__store_line_count(uint32_t line)
{
    return line >> 1;
}
static inline bool mlm__store_line_begins(uint32_t line)
{
    return line & 1;
}

/* Of the members of mlm_corpus_info with the same names. */
typedef struct mlm__store_counts {
    int64_t bytes, unknown_tokens, duplicate_lines, invalid_bytes;
    double unigram_entropy;
} mlm__store_counts;

typedef struct mlm__store {
    int32_t V;
    mlm__records tokens; /* uint16_t or int32_t */
    mlm__records lines;  /* uint32_t, mlm__store_line */
    mlm__xxh64 token_hash, line_hash;
    mlm__store_counts counts;
    mlm__file cache; /* where both lists are; fd is -1: they are not in a cache */
} mlm__store;

/* Makes an empty store for ids in [0,V); allocates nothing. directory as in records.h. */
void mlm__store_init(mlm_runtime *runtime, int32_t V, const char *directory, mlm__store *store);
/* Bytes of a token. */
size_t mlm__store_width(int32_t V);
/* lines [line_count], and the tokens of them all, ids [count]. After an error the store is only for
   mlm__store_clear. */
mlm_status mlm__store_append(
    mlm__store *store, const int32_t *ids, size_t count, const uint32_t *lines, size_t line_count);
/* Before reading, after the last line. */
mlm_status mlm__store_finish(mlm__store *store);
/* ids [count], tokens begin to begin + count - 1. MLM_ERR_IO. */
mlm_status mlm__store_get(mlm__store *store, int64_t begin, size_t count, int32_t *ids);
void mlm__store_clear(mlm__store *store);

#endif
