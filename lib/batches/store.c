#include "batches/store.h"

#include "base/error.h"
#include "base/memory.h"

enum { SOME_TOKENS = 4096 };

size_t mlm__store_width(int32_t V)
{
    return V <= UINT16_MAX + 1 ? sizeof(uint16_t) : sizeof(int32_t);
}

void mlm__store_init(mlm_runtime *runtime, int32_t V, const char *directory, mlm__store *store)
{
    *store = (mlm__store){.V = V, .cache.fd = -1};
    mlm__records_init(runtime, mlm__store_width(V), directory, &store->tokens);
    mlm__records_init(runtime, sizeof(uint32_t), directory, &store->lines);
    mlm__xxh64_init(&store->token_hash);
    mlm__xxh64_init(&store->line_hash);
}

void mlm__store_clear(mlm__store *store)
{
    mlm__records_clear(&store->tokens);
    mlm__records_clear(&store->lines);
    mlm__file_close(&store->cache);
    *store = (mlm__store){.cache.fd = -1};
}

static mlm_status append_tokens(mlm__store *store, const void *tokens, size_t count)
{
    mlm__xxh64_update(&store->token_hash, tokens, count * store->tokens.width);
    return mlm__records_append(&store->tokens, tokens, count);
}

static mlm_status append_narrow(mlm__store *store, const int32_t *ids, size_t count)
{
    uint16_t narrow[SOME_TOKENS];
    while (count > 0) {
        size_t run = count < SOME_TOKENS ? count : SOME_TOKENS;
        for (size_t i = 0; i < run; i++)
            narrow[i] = (uint16_t)ids[i];
        MLM__TRY(append_tokens(store, narrow, run));
        ids += run;
        count -= run;
    }
    return MLM_OK;
}

mlm_status mlm__store_append(
    mlm__store *store, const int32_t *ids, size_t count, const uint32_t *lines, size_t line_count)
{
    MLM__TRY(store->tokens.width == sizeof(uint16_t) ? append_narrow(store, ids, count)
                                                     : append_tokens(store, ids, count));
    mlm__xxh64_update(&store->line_hash, lines, line_count * sizeof *lines);
    return mlm__records_append(&store->lines, lines, line_count);
}

mlm_status mlm__store_finish(mlm__store *store)
{
    MLM__TRY(mlm__records_finish(&store->tokens));
    return mlm__records_finish(&store->lines);
}

mlm_status mlm__store_get(mlm__store *store, int64_t begin, size_t count, int32_t *ids)
{
    uint16_t narrow[SOME_TOKENS];
    if (store->tokens.width == sizeof *ids)
        return mlm__records_read(&store->tokens, begin, count, ids);
    while (count > 0) {
        size_t run = count < SOME_TOKENS ? count : SOME_TOKENS;
        MLM__TRY(mlm__records_read(&store->tokens, begin, run, narrow));
        for (size_t i = 0; i < run; i++)
            ids[i] = narrow[i];
        begin += (int64_t)run;
        ids += run;
        count -= run;
    }
    return MLM_OK;
}
