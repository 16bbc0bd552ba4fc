/* Memory for encoding: given out to calls and taken back, so that encoding allocates nothing once
   every thread has had its turn. */
#ifndef MLM_TOKENS_SCRATCH_H
#define MLM_TOKENS_SCRATCH_H

#include "tokens/handle.h"

/* One that is idle, or a new one, with room for the usual block. NULL: no memory. */
mlm__scratch *mlm__scratch_take(const mlm_tokenizer *tokenizer);
void mlm__scratch_give_back(const mlm_tokenizer *tokenizer, mlm__scratch *scratch);
/* Room for blocks of so many bytes of text. */
mlm_status mlm__scratch_reserve(mlm_runtime *runtime, mlm__scratch *scratch, size_t block);
void mlm__scratch_free_all(mlm_tokenizer *tokenizer);

#endif
