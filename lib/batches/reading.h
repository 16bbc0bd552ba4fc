/* From text to the token store. */
#ifndef MLM_BATCHES_READING_H
#define MLM_BATCHES_READING_H

#include "batches/store.h"
#include "text/lines.h"

/* Reads all lines into an empty store and finishes it. directory as in records.h, for what is
   needed meanwhile. MLM_STOPPED; MLM_ERR_FORMAT: there is no text. */
mlm_status mlm__reading_run(mlm_runtime *runtime, const mlm_tokenizer *tokenizer, mlm__lines *lines,
    const char *directory, mlm__store *store);

#endif
