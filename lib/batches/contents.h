/* What a corpus keeps of its texts: tokens, where the sequences begin, and what was counted. */
#ifndef MLM_BATCHES_CONTENTS_H
#define MLM_BATCHES_CONTENTS_H

#include "batches/packing.h"
#include "batches/pairs.h"
#include "batches/store.h"
#include "mlm/mlm.h"
#include "text/lines.h"

typedef struct mlm__contents {
    mlm__store store;
    mlm__packing packing; /* empty with MLM_PACK_PAIRS */
    mlm__pairs pairs;     /* empty without */
    mlm_corpus_info info;
    char sha256[65]; /* of the store's tokens and the starts of the sequences, or the pairs */
} mlm__contents;

/* Reads all lines. The tokenizer must outlive the contents. MLM_STOPPED, MLM_ERR_FORMAT:
   there is no text. */
mlm_status mlm__contents_read(mlm_runtime *runtime, const mlm_tokenizer *tokenizer,
    const mlm_corpus_options *options, mlm__lines *lines, mlm__contents *contents);
void mlm__contents_clear(mlm__contents *contents);

#endif
