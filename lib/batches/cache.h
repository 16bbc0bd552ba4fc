/* A token store that a file keeps. docs/data.md has the format. */
#ifndef MLM_BATCHES_CACHE_H
#define MLM_BATCHES_CACHE_H

#include <stdbool.h>

#include "batches/store.h"
#include "mlm/mlm.h"

/* Opens the file and reads it once from end to end: what is not as it was written is found here,
   and hostile numbers lead to no allocation. tokenizer is mlm__cache_tokenizer's. The store's lists
   are in the file then, and *text is the hash of mlm__lines_hash it was made with.
   MLM_ERR_NOT_FOUND; MLM_ERR_FORMAT: it is something else; MLM_ERR_MISMATCH: it is a cache, but
   damaged, of another version, or of another tokenizer; MLM_STOPPED. */
mlm_status mlm__cache_open(mlm_runtime *runtime, const char *path, int32_t V, uint64_t tokenizer,
    mlm__store *store, uint64_t *text);

/* What decides which ids a text gets, as a hash; 0 is none. MLM_ERR_MEMORY. */
mlm_status mlm__cache_tokenizer(const mlm_tokenizer *tokenizer, uint64_t *hash);

/* One that is being made: path.new, locked. */
typedef struct mlm__cache mlm__cache;

/* Creates it, and makes an empty store write its tokens there. Waits for another process that is
   making the same cache; *out is NULL, with MLM_OK, when that has finished it. MLM_STOPPED. */
mlm_status mlm__cache_begin(
    mlm_runtime *runtime, const char *path, int32_t V, mlm__store *store, mlm__cache **out);
/* Where temporary files of its making go. */
const char *mlm__cache_directory(const mlm__cache *cache);
/* Adds the lines of the finished store and the header, flushes all to the disk and gives it the
   name path; the store's lists are in the file then. Frees the cache in every case; after an error
   it has aborted. */
mlm_status mlm__cache_commit(
    mlm__cache *cache, uint64_t tokenizer, uint64_t text, mlm__store *store);
/* Removes path.new; keeps this thread's error. */
void mlm__cache_abort(mlm__cache *cache);

#endif
