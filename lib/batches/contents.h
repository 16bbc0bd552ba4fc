/* What a corpus holds: the token store, what it was packed to, and what was counted. */
#ifndef MLM_BATCHES_CONTENTS_H
#define MLM_BATCHES_CONTENTS_H

#include "batches/packing.h"
#include "batches/pairs.h"
#include "batches/store.h"
#include "mlm/mlm.h"

typedef struct mlm__contents {
    mlm__store store;
    mlm__packing packing; /* empty with MLM_PACK_PAIRS */
    mlm__pairs pairs;     /* empty without */
    mlm_corpus_info info;
    uint64_t hash; /* of the store's tokens and the starts of the sequences, or the pairs */
} mlm__contents;

/* Packs contents->store, of which only the tokens are left. directory as in records.h. After an
   error all is cleared. MLM_STOPPED, MLM_ERR_IO. */
mlm_status mlm__contents_pack(mlm_runtime *runtime, const mlm_tokenizer *tokenizer,
    const mlm_corpus_options *options, const char *directory, mlm__contents *contents);
void mlm__contents_clear(mlm__contents *contents);

#endif
