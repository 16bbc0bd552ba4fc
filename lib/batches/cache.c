#include "batches/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/line.h"
#include "base/memory.h"
#include "base/runtime.h"
#include "files/folder.h"
#include "tokens/tokenizer.h"

/* Counts up when the file changes, and when a tokenizer with the same options and vocabulary gives
   other tokens. */
enum { VERSION = 1 };

enum { MAGIC_SIZE = 8, CHUNK_BYTES = 1 << 18 };

static const char magic[MAGIC_SIZE + 1] = "mlmtoken", unfinished[MAGIC_SIZE + 1] = "mlmbuild";

/* Then come the tokens, then the lines, and nothing else. */
typedef struct cache_header {
    char magic[MAGIC_SIZE];
    uint32_t version, width;
    uint64_t tokenizer, text;
    int64_t tokens, lines;
    int64_t bytes, unknown_tokens, duplicate_lines, invalid_bytes;
    double unigram_entropy;
    uint64_t token_hash, line_hash;
    uint64_t header_hash; /* of all before it */
} cache_header;
_Static_assert(sizeof(cache_header) == 112, "the header has no padding");

struct mlm__cache {
    mlm_runtime *runtime; /* borrowed */
    char *path, *directory;
    mlm__file file; /* path.new */
};

static int hash_text(const char *text, size_t size, void *xxh)
{
    mlm__xxh64_update(xxh, text, size);
    return 0;
}

mlm_status mlm__cache_tokenizer(const mlm_tokenizer *tokenizer, uint64_t *hash)
{
    json_t *provenance = mlm__tokenizer_provenance(tokenizer);
    mlm__xxh64 xxh;
    mlm__xxh64_init(&xxh);
    const int failed =
        json_dump_callback(provenance, hash_text, &xxh, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(provenance);
    if (failed)
        return mlm__error(MLM_ERR_MEMORY, "no memory for the tokenizer's hash");
    *hash = mlm__xxh64_digest(&xxh);
    return MLM_OK;
}

static uint64_t hash_header(const cache_header *header)
{
    mlm__xxh64 xxh;
    mlm__xxh64_init(&xxh);
    mlm__xxh64_update(&xxh, header, offsetof(cache_header, header_hash));
    return mlm__xxh64_digest(&xxh);
}

/* ---- reading -------------------------------------------------------------- */

static mlm_status damaged(const char *path, const char *what)
{
    return mlm__error(MLM_ERR_MISMATCH, "%s: the cache is damaged: %s", path, what);
}

/* The numbers of lines and tokens are those of a file of this size. */
static bool fits_size(const cache_header *header, int64_t size)
{
    int64_t rest = size - (int64_t)sizeof *header, line = sizeof(uint32_t);
    return header->tokens > 0 && header->lines > 0 && header->lines <= header->tokens &&
           header->tokens <= rest / header->width &&
           header->lines == (rest - header->tokens * header->width) / line &&
           (rest - header->tokens * header->width) % line == 0;
}

static mlm_status read_header(
    const mlm__file *file, int32_t V, uint64_t tokenizer, cache_header *out)
{
    const char *path = file->path;
    size_t size = file->size < (int64_t)sizeof *out ? (size_t)file->size : sizeof *out;
    memset(out, 0, sizeof *out);
    MLM__TRY(mlm__file_read_at(file, 0, out, size));
    if (memcmp(out->magic, magic, MAGIC_SIZE) != 0)
        return mlm__error(MLM_ERR_FORMAT, "%s: is not a token cache, and is not overwritten", path);
    if (size >= MAGIC_SIZE + sizeof out->version && out->version != VERSION)
        return mlm__error(MLM_ERR_MISMATCH, "%s: the cache is of format %u, this library's is %d",
            path, (unsigned)out->version, VERSION);
    if (size < sizeof *out)
        return damaged(path, "it is cut");
    if (out->header_hash != hash_header(out) || out->width == 0)
        return damaged(path, "the hash of its header is wrong");
    if (out->tokenizer != tokenizer || out->width != mlm__store_width(V))
        return mlm__error(MLM_ERR_MISMATCH, "%s: the cache was made with another tokenizer", path);
    return fits_size(out, file->size) ? MLM_OK : damaged(path, "its size is wrong");
}

static bool ids_are_below(int32_t V, const void *data, size_t count, size_t width)
{
    const uint16_t *narrow = data;
    const uint32_t *wide = data;
    bool below = true;
    if (width == sizeof *narrow)
        for (size_t i = 0; i < count; i++)
            below &= narrow[i] < V;
    else
        for (size_t i = 0; i < count; i++)
            below &= wide[i] < (uint32_t)V;
    return below;
}

/* Tokens of lines [count], or -1: one has none. */
static int64_t add_up(const uint32_t *lines, size_t count)
{
    int64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        if (mlm__store_line_count(lines[i]) == 0)
            return -1;
        sum += (int64_t)mlm__store_line_count(lines[i]);
    }
    return sum;
}

static mlm_status check_progress(mlm_runtime *runtime, const mlm__file *file, int64_t done)
{
    if (mlm__progress(runtime, "checking cache", done, file->size))
        return MLM_OK;
    return mlm__error(
        MLM_STOPPED, "%s: checking it was stopped by the progress callback", file->path);
}

static mlm_status check_tokens(mlm_runtime *runtime, mlm__store *store, char *chunk)
{
    size_t width = store->tokens.width, room = CHUNK_BYTES / width;
    for (int64_t begin = 0, count = store->tokens.count; begin < count;) {
        size_t some = count - begin < (int64_t)room ? (size_t)(count - begin) : room;
        MLM__TRY(mlm__records_read(&store->tokens, begin, some, chunk));
        mlm__xxh64_update(&store->token_hash, chunk, some * width);
        if (!ids_are_below(store->V, chunk, some, width))
            return damaged(store->cache.path, "a token is not in the vocabulary");
        begin += (int64_t)some;
        MLM__TRY(check_progress(runtime, &store->cache, begin * (int64_t)width));
    }
    return MLM_OK;
}

static mlm_status check_lines(mlm_runtime *runtime, mlm__store *store, void *chunk)
{
    const uint32_t *lines = chunk;
    size_t room = CHUNK_BYTES / sizeof *lines;
    int64_t tokens = 0, count = store->lines.count;
    for (int64_t begin = 0; begin < count;) {
        size_t some = count - begin < (int64_t)room ? (size_t)(count - begin) : room;
        MLM__TRY(mlm__records_read(&store->lines, begin, some, chunk));
        mlm__xxh64_update(&store->line_hash, lines, some * sizeof *lines);
        int64_t sum = add_up(lines, some);
        if (sum < 0 || (begin == 0 && !mlm__store_line_begins(lines[0])))
            return damaged(store->cache.path, "a line is wrong");
        tokens += sum;
        begin += (int64_t)some;
        MLM__TRY(check_progress(
            runtime, &store->cache, store->cache.size - (count - begin) * (int64_t)sizeof *lines));
    }
    return tokens == store->tokens.count
               ? MLM_OK
               : damaged(store->cache.path, "its lines have not as many tokens as it has");
}

static mlm_status check_content(mlm_runtime *runtime, mlm__store *store, const cache_header *header)
{
    char *chunk = mlm__alloc(runtime, CHUNK_BYTES, 1);
    if (!chunk)
        return MLM_ERR_MEMORY;
    mlm_status status = check_tokens(runtime, store, chunk);
    if (status == MLM_OK)
        status = check_lines(runtime, store, chunk);
    mlm__free(runtime, chunk);
    MLM__TRY(status);
    if (mlm__xxh64_digest(&store->token_hash) != header->token_hash ||
        mlm__xxh64_digest(&store->line_hash) != header->line_hash)
        return damaged(store->cache.path, "the hash of its content is wrong");
    return MLM_OK;
}

/* The store's lists are then those of its cache. */
static void point_at_cache(
    mlm_runtime *runtime, mlm__store *store, size_t width, int64_t tokens, int64_t lines)
{
    int64_t base = sizeof(cache_header);
    mlm__records_clear(&store->tokens);
    mlm__records_clear(&store->lines);
    mlm__records_init_in(runtime, width, &store->cache, base, tokens, &store->tokens);
    mlm__records_init_in(runtime, sizeof(uint32_t), &store->cache, base + tokens * (int64_t)width,
        lines, &store->lines);
}

static mlm_status open_store(
    mlm_runtime *runtime, int32_t V, uint64_t tokenizer, mlm__store *store, uint64_t *text)
{
    cache_header header;
    MLM__TRY(read_header(&store->cache, V, tokenizer, &header));
    point_at_cache(runtime, store, header.width, header.tokens, header.lines);
    store->counts = (mlm__store_counts){.bytes = header.bytes,
        .unknown_tokens = header.unknown_tokens,
        .duplicate_lines = header.duplicate_lines,
        .invalid_bytes = header.invalid_bytes,
        .unigram_entropy = header.unigram_entropy};
    *text = header.text;
    return check_content(runtime, store, &header);
}

mlm_status mlm__cache_open(mlm_runtime *runtime, const char *path, int32_t V, uint64_t tokenizer,
    mlm__store *store, uint64_t *text)
{
    mlm__store_init(runtime, V, NULL, store);
    MLM__TRY(mlm__file_open(runtime, path, &store->cache));
    mlm_status status = open_store(runtime, V, tokenizer, store, text);
    if (status != MLM_OK)
        mlm__store_clear(store);
    return status;
}

/* ---- making --------------------------------------------------------------- */

/* The file behind symbolic links, if there is one, and its directory. */
static mlm_status locate(mlm__cache *cache, const char *path)
{
    char *resolved = realpath(path, NULL);
    const char *name = resolved ? resolved : path;
    size_t length = strlen(name);
    cache->path = mlm__copy_text(cache->runtime, name, length);
    cache->directory = mlm__path_parent(cache->runtime, name);
    cache->file.path = mlm__alloc(cache->runtime, length + sizeof ".new", 1);
    if (cache->file.path) {
        memcpy(cache->file.path, name, length);
        memcpy(cache->file.path + length, ".new", sizeof ".new");
    }
    free(resolved);
    return cache->path && cache->directory && cache->file.path ? MLM_OK : MLM_ERR_MEMORY;
}

static void close_fresh(mlm__file *file)
{
    if (file->fd < 0)
        return;
    flock(file->fd, LOCK_UN); /* a process that the host forked meanwhile has the descriptor too */
    close(file->fd);
    file->fd = -1;
}

/* Opens path.new, and locks it where the file system knows locks. *taken: another process has. */
static mlm_status open_fresh(mlm__file *file, bool *taken)
{
    struct stat status, named;
    *taken = false;
    file->fd = mlm__open_at(AT_FDCWD, file->path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0666);
    if (file->fd < 0 && errno != ELOOP)
        return mlm__file_error(file->path, "create", errno);
    if (file->fd < 0 || fstat(file->fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        close_fresh(file);
        return mlm__error(MLM_ERR_IO, "%s: is in the way: it is not a regular file", file->path);
    }
    file->size = status.st_size;
    *taken = flock(file->fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    /* It was finished, and so renamed, or given up since it was opened. */
    *taken = *taken || stat(file->path, &named) != 0 || named.st_ino != status.st_ino ||
             named.st_dev != status.st_dev;
    return MLM_OK;
}

static mlm_status wait_a_little(mlm__cache *cache)
{
    close_fresh(&cache->file);
    nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    if (mlm__progress(cache->runtime, "waiting for another process that makes the cache", 0, 0))
        return MLM_OK;
    return mlm__error(
        MLM_STOPPED, "%s: waiting for it was stopped by the progress callback", cache->file.path);
}

/* What is left of a build that was cut off is ours; anything else stays. */
static mlm_status check_leftover(const mlm__file *file)
{
    char first[MAGIC_SIZE] = "";
    if (file->size == 0)
        return MLM_OK;
    if (file->size >= MAGIC_SIZE)
        MLM__TRY(mlm__file_read_at(file, 0, first, MAGIC_SIZE));
    if (memcmp(first, unfinished, MAGIC_SIZE) == 0 || memcmp(first, magic, MAGIC_SIZE) == 0)
        return MLM_OK;
    return mlm__error(MLM_ERR_IO, "%s: is in the way: it is not an unfinished cache", file->path);
}

static mlm_status begin_file(mlm__cache *cache, bool *finished)
{
    mlm__file *file = &cache->file;
    bool waited = false, taken;
    *finished = false;
    for (;;) {
        MLM__TRY(open_fresh(file, &taken));
        if (!taken)
            break;
        waited = true;
        MLM__TRY(wait_a_little(cache));
    }
    mlm_status status = check_leftover(file);
    if (status != MLM_OK) {
        close_fresh(file); /* it is not ours to remove */
        return status;
    }
    *finished = waited && mlm__path_exists(cache->path);
    if (*finished)
        return MLM_OK;
    if (ftruncate(file->fd, 0) != 0)
        return mlm__file_error(file->path, "empty", errno);
    file->size = 0;
    return mlm__file_write_at(file, 0, unfinished, MAGIC_SIZE);
}

static void free_cache(mlm__cache *cache)
{
    mlm__free(cache->runtime, cache->path);
    mlm__free(cache->runtime, cache->directory);
    mlm__free(cache->runtime, cache->file.path);
    mlm__free(cache->runtime, cache);
}

void mlm__cache_abort(mlm__cache *cache)
{
    if (cache->file.fd >= 0) {
        unlink(cache->file.path);
        close_fresh(&cache->file);
    }
    free_cache(cache);
}

mlm_status mlm__cache_begin(
    mlm_runtime *runtime, const char *path, int32_t V, mlm__store *store, mlm__cache **out)
{
    *out = NULL;
    mlm__cache *cache = mlm__alloc_zero(runtime, 1, sizeof *cache);
    if (!cache)
        return MLM_ERR_MEMORY;
    cache->runtime = cache->file.runtime = runtime;
    cache->file.fd = -1;
    bool finished = false;
    mlm_status status = locate(cache, path);
    if (status == MLM_OK)
        status = begin_file(cache, &finished);
    if (status != MLM_OK || finished) {
        mlm__cache_abort(cache);
        return status;
    }
    mlm__store_init(runtime, V, cache->directory, store);
    mlm__records_init_in(
        runtime, mlm__store_width(V), &cache->file, sizeof(cache_header), 0, &store->tokens);
    *out = cache;
    return MLM_OK;
}

const char *mlm__cache_directory(const mlm__cache *cache)
{
    return cache->directory;
}

/* The lines behind the tokens. */
static mlm_status write_lines(mlm__cache *cache, mlm__store *store)
{
    uint32_t lines[1024];
    int64_t count = store->lines.count;
    int64_t place =
        (int64_t)sizeof(cache_header) + store->tokens.count * (int64_t)store->tokens.width;
    for (int64_t begin = 0; begin < count; begin += 1024) {
        size_t some = count - begin < 1024 ? (size_t)(count - begin) : 1024;
        MLM__TRY(mlm__records_read(&store->lines, begin, some, lines));
        MLM__TRY(mlm__file_write_at(&cache->file, place, lines, some * sizeof *lines));
        place += (int64_t)(some * sizeof *lines);
    }
    return MLM_OK;
}

static mlm_status write_header(
    mlm__cache *cache, uint64_t tokenizer, uint64_t text, const mlm__store *store)
{
    const mlm__store_counts *counts = &store->counts;
    cache_header header = {.version = VERSION,
        .width = (uint32_t)store->tokens.width,
        .tokenizer = tokenizer,
        .text = text,
        .tokens = store->tokens.count,
        .lines = store->lines.count,
        .bytes = counts->bytes,
        .unknown_tokens = counts->unknown_tokens,
        .duplicate_lines = counts->duplicate_lines,
        .invalid_bytes = counts->invalid_bytes,
        .unigram_entropy = counts->unigram_entropy,
        .token_hash = mlm__xxh64_digest(&store->token_hash),
        .line_hash = mlm__xxh64_digest(&store->line_hash)};
    memcpy(header.magic, magic, MAGIC_SIZE);
    header.header_hash = hash_header(&header);
    return mlm__file_write_at(&cache->file, 0, &header, sizeof header);
}

static mlm_status rename_fresh(const mlm__cache *cache)
{
    if (rename(cache->file.path, cache->path) != 0)
        return mlm__file_error(cache->path, "replace", errno);
    int parent = mlm__open_at(AT_FDCWD, cache->directory, O_RDONLY | O_DIRECTORY, 0);
    if (parent < 0)
        return mlm__file_error(cache->directory, "open", errno);
    mlm_status status = mlm__folder_sync(parent, cache->directory);
    close(parent);
    return status;
}

mlm_status mlm__cache_commit(
    mlm__cache *cache, uint64_t tokenizer, uint64_t text, mlm__store *store)
{
    mlm_status status = write_lines(cache, store);
    if (status == MLM_OK)
        status = write_header(cache, tokenizer, text, store);
    if (status == MLM_OK)
        status = mlm__file_flush(&cache->file);
    if (status == MLM_OK)
        status = rename_fresh(cache);
    if (status != MLM_OK) {
        mlm__cache_abort(cache);
        return status;
    }
    flock(cache->file.fd, LOCK_UN);
    int64_t tokens = store->tokens.count, lines = store->lines.count;
    size_t width = store->tokens.width;
    store->cache = cache->file;
    mlm__free(cache->runtime, store->cache.path);
    store->cache.path = cache->path;
    cache->path = cache->file.path = NULL;
    point_at_cache(cache->runtime, store, width, tokens, lines);
    free_cache(cache);
    return MLM_OK;
}
