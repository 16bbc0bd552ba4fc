#include "batches/packing.h"

#include "base/error.h"
#include "base/memory.h"
#include "tokens/tokenizer.h"

void mlm__packing_init(mlm_runtime *runtime, const mlm_corpus_options *options,
    const uint8_t *flags, mlm__packing *packing)
{
    *packing = (mlm__packing){.runtime = runtime,
        .flags = flags,
        .room = options->T - 2,
        .whole = options->input == MLM_INPUT_SENTENCES,
        .alone = options->packing == MLM_PACK_ONE,
        .across = options->packing == MLM_PACK_ACROSS};
}

void mlm__packing_clear(mlm__packing *packing)
{
    mlm__free(packing->runtime, packing->starts);
    *packing = (mlm__packing){0};
}

static mlm_status add_start(mlm__packing *packing)
{
    if (packing->count == packing->capacity)
        MLM__TRY(mlm__grow(packing->runtime, &packing->starts, &packing->capacity,
            packing->count + 1, sizeof *packing->starts));
    packing->starts[packing->count] = packing->end;
    return MLM_OK;
}

/* How many of count tokens go into the last sequence: all, or up to the last beginning of a word
   that still fits. 0 moves a word to the next sequence; one that fills a whole sequence is cut. */
static size_t cut(const mlm__packing *packing, const int32_t *ids, size_t count)
{
    size_t room = (size_t)(packing->room - packing->filled);
    if (count <= room)
        return count;
    size_t fitting = room;
    while (fitting > 0 && packing->flags[ids[fitting]] & MLM__TOKEN_CONTINUES)
        fitting--;
    return fitting > 0 || packing->filled > 0 ? fitting : room;
}

mlm_status mlm__packing_add(mlm__packing *packing, const int32_t *ids, size_t count)
{
    bool fits = count <= (size_t)(packing->room - packing->filled);
    if (packing->alone || (packing->whole && !fits))
        packing->filled = 0;
    while (count > 0) {
        if (packing->filled == 0) {
            MLM__TRY(add_start(packing));
            packing->count++;
        }
        size_t taken = cut(packing, ids, count);
        packing->end += (int64_t)taken;
        packing->filled = taken < count ? 0 : packing->filled + (int32_t)taken;
        ids += taken;
        count -= taken;
    }
    return MLM_OK;
}

void mlm__packing_end_document(mlm__packing *packing)
{
    if (!packing->across)
        packing->filled = 0;
}

mlm_status mlm__packing_finish(mlm__packing *packing)
{
    return add_start(packing);
}
