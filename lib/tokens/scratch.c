#include "tokens/scratch.h"

#include "base/error.h"
#include "base/memory.h"
#include "tokens/encode.h"

static void free_arrays(mlm_runtime *runtime, mlm__scratch *scratch)
{
    mlm__free(runtime, scratch->normalized.bytes);
    mlm__free(runtime, scratch->from);
    mlm__free(runtime, scratch->pieces);
    scratch->normalized.bytes = NULL;
    scratch->from = NULL;
    scratch->pieces = NULL;
    scratch->block = 0;
}

mlm_status mlm__scratch_reserve(mlm_runtime *runtime, mlm__scratch *scratch, size_t block)
{
    if (block <= scratch->block)
        return MLM_OK;
    if (block < 2 * scratch->block)
        block = 2 * scratch->block;
    free_arrays(runtime, scratch);
    scratch->normalized.bytes = mlm__alloc(runtime, block, MLM__NORMALIZED_GROWTH);
    scratch->from = mlm__alloc(runtime, block, MLM__NORMALIZED_GROWTH * sizeof *scratch->from);
    scratch->pieces = mlm__alloc(runtime, block, sizeof *scratch->pieces);
    if (!scratch->normalized.bytes || !scratch->from || !scratch->pieces) {
        free_arrays(runtime, scratch);
        return MLM_ERR_MEMORY;
    }
    scratch->block = block;
    return MLM_OK;
}

/* The tokenizer's text and numbers never change; its idle scratch does, under the lock. */
static mlm_tokenizer *changeable(const mlm_tokenizer *tokenizer)
{
    return (mlm_tokenizer *)tokenizer;
}

mlm__scratch *mlm__scratch_take(const mlm_tokenizer *tokenizer)
{
    mlm_tokenizer *owner = changeable(tokenizer);
    pthread_mutex_lock(&owner->lock);
    mlm__scratch *scratch = owner->idle;
    if (scratch)
        owner->idle = scratch->next;
    pthread_mutex_unlock(&owner->lock);
    if (!scratch)
        scratch = mlm__alloc_zero(owner->runtime, 1, sizeof *scratch);
    if (scratch && mlm__scratch_reserve(owner->runtime, scratch, 2 * MLM__ENCODE_BLOCK) != MLM_OK) {
        mlm__free(owner->runtime, scratch);
        return NULL;
    }
    return scratch;
}

void mlm__scratch_give_back(const mlm_tokenizer *tokenizer, mlm__scratch *scratch)
{
    mlm_tokenizer *owner = changeable(tokenizer);
    pthread_mutex_lock(&owner->lock);
    scratch->next = owner->idle;
    owner->idle = scratch;
    pthread_mutex_unlock(&owner->lock);
}

void mlm__scratch_free_all(mlm_tokenizer *tokenizer)
{
    while (tokenizer->idle) {
        mlm__scratch *scratch = tokenizer->idle;
        tokenizer->idle = scratch->next;
        free_arrays(tokenizer->runtime, scratch);
        mlm__free(tokenizer->runtime, scratch);
    }
}
