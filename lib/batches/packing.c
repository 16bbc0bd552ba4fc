#include "batches/packing.h"

#include "base/error.h"
#include "tokens/tokenizer.h"

void mlm__packing_init(mlm_runtime *runtime, const mlm_corpus_options *options,
    const uint8_t *flags, const char *directory, mlm__packing *packing)
{
    *packing = (mlm__packing){.flags = flags,
        .room = options->T - 2,
        .whole = options->input == MLM_INPUT_SENTENCES,
        .alone = options->packing == MLM_PACK_ONE,
        .across = options->packing == MLM_PACK_ACROSS};
    mlm__records_init(runtime, sizeof packing->end, directory, &packing->starts);
}

void mlm__packing_clear(mlm__packing *packing)
{
    mlm__records_clear(&packing->starts);
    packing->count = 0;
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
            MLM__TRY(mlm__records_append(&packing->starts, &packing->end, 1));
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
    MLM__TRY(mlm__records_append(&packing->starts, &packing->end, 1));
    return mlm__records_finish(&packing->starts);
}

mlm_status mlm__packing_get(mlm__packing *packing, int64_t sequence, int64_t *begin, size_t *length)
{
    int64_t ends[2];
    MLM__TRY(mlm__records_read(&packing->starts, sequence, 2, ends));
    *begin = ends[0];
    *length = (size_t)(ends[1] - ends[0]);
    return MLM_OK;
}
