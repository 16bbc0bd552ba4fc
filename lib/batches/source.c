#include "batches/source.h"

#include "base/error.h"
#include "base/runtime.h"
#include "batches/cache.h"
#include "batches/reading.h"
#include "text/lines.h"

/* A store in a file, and what it is to be compared with. */
struct cached {
    mlm_runtime *runtime;
    const mlm_tokenizer *tokenizer;
    const mlm__source *source;
    const char *path;
    int32_t V;
    uint64_t tokenizer_hash;
};

static mlm_status open_lines(mlm_runtime *runtime, const mlm__source *source, mlm__lines *lines)
{
    return source->read ? mlm__lines_read(runtime, source->read, source->user, lines)
                        : mlm__lines_open(runtime, source->paths, source->path_count, lines);
}

static mlm_status read_text(mlm_runtime *runtime, const mlm_tokenizer *tokenizer,
    const mlm__source *source, const char *directory, mlm__store *store, uint64_t *hash)
{
    mlm__lines lines;
    MLM__TRY(open_lines(runtime, source, &lines));
    mlm_status status = mlm__reading_run(runtime, tokenizer, &lines, directory, store);
    if (status == MLM_OK)
        status = mlm__lines_hash(&lines, hash);
    mlm__lines_close(&lines);
    return status;
}

/* Whether the text is the one with this hash. MLM_ERR_MISMATCH: it is not, and cannot be read
   again. */
static mlm_status compare_text(const struct cached *cached, uint64_t expected, bool *same)
{
    mlm__lines lines;
    uint64_t hash = 0;
    MLM__TRY(open_lines(cached->runtime, cached->source, &lines));
    mlm_status status = mlm__lines_hash(&lines, &hash);
    *same = hash == expected;
    if (status == MLM_OK && !*same && mlm__lines_once(&lines))
        status = mlm__error(MLM_ERR_MISMATCH,
            "%s: the cache was made from another text, and this one can be read only once: remove "
            "the cache first",
            cached->path);
    mlm__lines_close(&lines);
    return status;
}

/* *ready: the file is what is wanted. Else, with MLM_OK, it is to be made. */
static mlm_status try_cache(const struct cached *cached, mlm__store *store, bool *ready)
{
    uint64_t text;
    *ready = false;
    mlm_status status = mlm__cache_open(
        cached->runtime, cached->path, cached->V, cached->tokenizer_hash, store, &text);
    if (status == MLM_ERR_NOT_FOUND)
        return MLM_OK;
    if (status == MLM_ERR_MISMATCH) {
        mlm__log(cached->runtime, MLM_LOG_WARNING, "%s; it is made again", mlm_last_error());
        return MLM_OK;
    }
    MLM__TRY(status);
    status = compare_text(cached, text, ready);
    if (status == MLM_OK && !*ready)
        mlm__log(cached->runtime, MLM_LOG_WARNING,
            "%s: the cache was made from another text; it is made again", cached->path);
    if (status != MLM_OK || !*ready)
        mlm__store_clear(store);
    return status;
}

static mlm_status make_cache(const struct cached *cached, mlm__store *store, bool *ready)
{
    mlm__cache *cache;
    uint64_t text;
    MLM__TRY(mlm__cache_begin(cached->runtime, cached->path, cached->V, store, &cache));
    *ready = cache != NULL;
    if (!cache)
        return MLM_OK;
    mlm_status status = read_text(cached->runtime, cached->tokenizer, cached->source,
        mlm__cache_directory(cache), store, &text);
    if (status == MLM_OK)
        status = mlm__cache_commit(cache, cached->tokenizer_hash, text, store);
    else
        mlm__cache_abort(cache);
    if (status != MLM_OK)
        mlm__store_clear(store);
    return status;
}

static mlm_status open_cached(struct cached *cached, mlm__store *store)
{
    bool ready = false;
    MLM__TRY(mlm__cache_tokenizer(cached->tokenizer, &cached->tokenizer_hash));
    while (!ready) {
        MLM__TRY(try_cache(cached, store, &ready));
        if (!ready)
            MLM__TRY(make_cache(cached, store, &ready));
    }
    return MLM_OK;
}

mlm_status mlm__source_open(mlm_runtime *runtime, const mlm_tokenizer *tokenizer,
    const mlm__source *source, const char *cache, mlm__store *store)
{
    int32_t V = mlm_tokenizer_vocab_size(tokenizer);
    uint64_t hash;
    if (cache && !mlm__path_is_directory(cache))
        return open_cached(&(struct cached){.runtime = runtime,
                               .tokenizer = tokenizer,
                               .source = source,
                               .path = cache,
                               .V = V},
            store);
    mlm__store_init(runtime, V, cache, store);
    mlm_status status = read_text(runtime, tokenizer, source, cache, store, &hash);
    if (status != MLM_OK)
        mlm__store_clear(store);
    return status;
}
