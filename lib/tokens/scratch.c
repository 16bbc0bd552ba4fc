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

static void free_scratch(mlm_runtime *runtime, mlm__scratch *scratch)
{
    mlm__batch_room *room = &scratch->room;
    mlm__free(runtime, room->spans);
    mlm__free(runtime, room->ids);
    mlm__free(runtime, room->needs);
    mlm__free(runtime, room->counts);
    mlm__free(runtime, room->begins);
    mlm__free(runtime, room->piece_begins);
    mlm__free(runtime, room->scratch);
    free_arrays(runtime, scratch);
    mlm__free(runtime, scratch);
}

/* The tokenizer's text and numbers never change; its idle scratch does. */
static mlm_tokenizer *changeable(const mlm_tokenizer *tokenizer)
{
    return (mlm_tokenizer *)tokenizer;
}

mlm__scratch *mlm__scratch_take(const mlm_tokenizer *tokenizer)
{
    mlm_tokenizer *owner = changeable(tokenizer);
    for (size_t i = 0; i < MLM__IDLE_SCRATCH; i++) {
        if (!atomic_load_explicit(&owner->idle[i], memory_order_relaxed))
            continue;
        mlm__scratch *scratch =
            atomic_exchange_explicit(&owner->idle[i], NULL, memory_order_acquire);
        if (scratch)
            return scratch;
    }
    mlm__scratch *scratch = mlm__alloc_zero(owner->runtime, 1, sizeof *scratch);
    if (scratch && mlm__scratch_reserve(owner->runtime, scratch, 2 * MLM__ENCODE_BLOCK) != MLM_OK) {
        mlm__free(owner->runtime, scratch);
        return NULL;
    }
    if (scratch)
        scratch->slot = atomic_fetch_add_explicit(&owner->scratch_made, 1, memory_order_relaxed);
    return scratch;
}

void mlm__scratch_give_back(const mlm_tokenizer *tokenizer, mlm__scratch *scratch)
{
    mlm_tokenizer *owner = changeable(tokenizer);
    for (uint32_t i = 0; i < MLM__IDLE_SCRATCH; i++) {
        uint32_t slot = (scratch->slot + i) % MLM__IDLE_SCRATCH;
        mlm__scratch *none = NULL;
        if (!atomic_load_explicit(&owner->idle[slot], memory_order_relaxed) &&
            atomic_compare_exchange_strong_explicit(
                &owner->idle[slot], &none, scratch, memory_order_release, memory_order_relaxed))
            return;
    }
    free_scratch(owner->runtime, scratch);
}

void mlm__scratch_free_all(mlm_tokenizer *tokenizer)
{
    for (size_t i = 0; i < MLM__IDLE_SCRATCH; i++) {
        mlm__scratch *scratch = atomic_load_explicit(&tokenizer->idle[i], memory_order_relaxed);
        if (scratch)
            free_scratch(tokenizer->runtime, scratch);
    }
}
