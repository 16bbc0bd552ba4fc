/* Where a text comes from, and its token store: from the cache, or read. */
#ifndef MLM_BATCHES_SOURCE_H
#define MLM_BATCHES_SOURCE_H

#include "batches/store.h"
#include "mlm/mlm.h"

/* read, or paths where that is NULL. */
typedef struct mlm__source {
    const char *const *paths;
    size_t path_count;
    mlm_read_fn read;
    void *user;
} mlm__source;

/* cache as in mlm_corpus_options. A text that is not the one of the cache is read, and the cache made
   again; one that can be read only once is MLM_ERR_MISMATCH. MLM_STOPPED; MLM_ERR_FORMAT: there is
   no text, or the file is something else than a cache. */
mlm_status mlm__source_open(mlm_runtime *runtime, const mlm_tokenizer *tokenizer,
    const mlm__source *source, const char *cache, mlm__store *store);

#endif
