#include "batches/store.h"

#include "base/error.h"
#include "base/memory.h"

enum { BLOCK_TOKENS = 1 << 18 };

void mlm__store_init(mlm_runtime *runtime, int32_t V, mlm__store *store)
{
    *store = (mlm__store){
        .runtime = runtime, .width = V <= UINT16_MAX + 1 ? sizeof(uint16_t) : sizeof(int32_t)};
}

void mlm__store_clear(mlm__store *store)
{
    for (size_t i = 0; i < store->block_count; i++)
        mlm__free(store->runtime, store->blocks[i]);
    mlm__free(store->runtime, store->blocks);
    *store = (mlm__store){0};
}

static mlm_status reserve(mlm__store *store, int64_t count)
{
    size_t blocks = (size_t)((count + BLOCK_TOKENS - 1) / BLOCK_TOKENS);
    if (blocks > store->block_capacity)
        MLM__TRY(mlm__grow(
            store->runtime, &store->blocks, &store->block_capacity, blocks, sizeof *store->blocks));
    while (store->block_count < blocks) {
        char *block = mlm__alloc(store->runtime, BLOCK_TOKENS, store->width);
        if (!block)
            return MLM_ERR_MEMORY;
        store->blocks[store->block_count++] = block;
    }
    return MLM_OK;
}

/* The tokens of one block from begin on, at most count of them. */
static size_t run_length(int64_t begin, size_t count)
{
    size_t room = BLOCK_TOKENS - (size_t)(begin % BLOCK_TOKENS);
    return count < room ? count : room;
}

static void *place(const mlm__store *store, int64_t begin)
{
    return store->blocks[begin / BLOCK_TOKENS] + (size_t)(begin % BLOCK_TOKENS) * store->width;
}

mlm_status mlm__store_append(mlm__store *store, const int32_t *ids, size_t count)
{
    MLM__TRY(reserve(store, store->count + (int64_t)count));
    while (count > 0) {
        size_t run = run_length(store->count, count);
        if (store->width == sizeof(uint16_t)) {
            uint16_t *to = place(store, store->count);
            for (size_t i = 0; i < run; i++)
                to[i] = (uint16_t)ids[i];
        } else {
            int32_t *to = place(store, store->count);
            for (size_t i = 0; i < run; i++)
                to[i] = ids[i];
        }
        store->count += (int64_t)run;
        ids += run;
        count -= run;
    }
    return MLM_OK;
}

void mlm__store_get(const mlm__store *store, int64_t begin, size_t count, int32_t *ids)
{
    while (count > 0) {
        size_t run = run_length(begin, count);
        if (store->width == sizeof(uint16_t)) {
            const uint16_t *from = place(store, begin);
            for (size_t i = 0; i < run; i++)
                ids[i] = from[i];
        } else {
            const int32_t *from = place(store, begin);
            for (size_t i = 0; i < run; i++)
                ids[i] = from[i];
        }
        begin += (int64_t)run;
        ids += run;
        count -= run;
    }
}

const void *mlm__store_run(const mlm__store *store, int64_t begin, size_t *count)
{
    int64_t rest = store->count - begin;
    *count = run_length(begin, rest < BLOCK_TOKENS ? (size_t)rest : BLOCK_TOKENS);
    return place(store, begin);
}
