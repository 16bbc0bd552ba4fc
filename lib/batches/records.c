#include "batches/records.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"

enum { BLOCK_BYTES = 1 << 16, FLUSH_BYTES = 1 << 26 };

void mlm__records_init(
    mlm_runtime *runtime, size_t width, const char *directory, mlm__records *records)
{
    *records = (mlm__records){.runtime = runtime,
        .directory = directory,
        .width = width,
        .per_block = BLOCK_BYTES / width,
        .file.fd = -1};
}

void mlm__records_init_in(mlm_runtime *runtime, size_t width, const mlm__file *file, int64_t base,
    int64_t count, mlm__records *records)
{
    mlm__records_init(runtime, width, NULL, records);
    records->in_file = records->borrowed = true;
    records->file = *file;
    records->base = base;
    records->count = records->written = count;
}

static void free_blocks(mlm__records *records)
{
    for (size_t i = 0; i < records->block_count; i++)
        mlm__free(records->runtime, records->blocks[i]);
    mlm__free(records->runtime, records->blocks);
    records->blocks = NULL;
    records->block_count = records->block_capacity = 0;
}

void mlm__records_clear(mlm__records *records)
{
    free_blocks(records);
    if (records->in_file && !records->borrowed)
        mlm__file_close(&records->file);
    *records = (mlm__records){.file.fd = -1};
}

static mlm_status write_block(mlm__records *records, const char *block, size_t count)
{
    int64_t begin = records->written * (int64_t)records->width;
    int64_t end = begin + (int64_t)(count * records->width);
    MLM__TRY(
        mlm__file_write_at(&records->file, records->base + begin, block, (size_t)(end - begin)));
    records->written += (int64_t)count;
    /* A file that is to stay is flushed in the end: by then little may wait for the disk. */
    return records->borrowed && begin / FLUSH_BYTES < end / FLUSH_BYTES
               ? mlm__file_flush(&records->file)
               : MLM_OK;
}

/* To the temporary file; the last block stays, for what comes next. All are full. */
static mlm_status leave_memory(mlm__records *records)
{
    MLM__TRY(mlm__file_temporary(records->runtime, records->directory, &records->file));
    records->in_file = true;
    for (size_t i = 0; i < records->block_count; i++)
        MLM__TRY(write_block(records, records->blocks[i], records->per_block));
    while (records->block_count > 1)
        mlm__free(records->runtime, records->blocks[--records->block_count]);
    return MLM_OK;
}

/* The block that takes the next record. In a file there is one, what is written at last. */
static mlm_status open_block(mlm__records *records, char **block)
{
    size_t used = (size_t)(records->count - records->written);
    size_t full = used / records->per_block;
    if (!records->in_file && records->directory && used > 0 && used % records->per_block == 0 &&
        full * BLOCK_BYTES >= MLM__RECORDS_IN_MEMORY) {
        MLM__TRY(leave_memory(records));
        full = 0;
    } else if (records->in_file && full == 1) {
        MLM__TRY(write_block(records, records->blocks[0], records->per_block));
        full = 0;
    }
    if (full == records->block_count) {
        MLM__TRY(mlm__grow(records->runtime, &records->blocks, &records->block_capacity, full + 1,
            sizeof *records->blocks));
        char *fresh = mlm__alloc(records->runtime, records->per_block, records->width);
        if (!fresh)
            return MLM_ERR_MEMORY;
        records->blocks[records->block_count++] = fresh;
    }
    *block = records->blocks[full];
    return MLM_OK;
}

mlm_status mlm__records_append(mlm__records *records, const void *data, size_t count)
{
    const char *from = data;
    while (count > 0) {
        char *block;
        MLM__TRY(open_block(records, &block));
        size_t at = (size_t)(records->count - records->written) % records->per_block;
        size_t run = records->per_block - at < count ? records->per_block - at : count;
        memcpy(block + at * records->width, from, run * records->width);
        records->count += (int64_t)run;
        from += run * records->width;
        count -= run;
    }
    return MLM_OK;
}

mlm_status mlm__records_finish(mlm__records *records)
{
    if (!records->in_file)
        return MLM_OK;
    if (records->count > records->written)
        MLM__TRY(
            write_block(records, records->blocks[0], (size_t)(records->count - records->written)));
    free_blocks(records);
    return MLM_OK;
}

static mlm_status read_file(const mlm__records *records, int64_t begin, size_t count, void *out)
{
    return mlm__file_read_at(&records->file, records->base + begin * (int64_t)records->width, out,
        count * records->width);
}

/* Through the window, so that neighbours asked for one by one cost one read. */
static mlm_status read_few(mlm__records *records, int64_t begin, size_t count, char *out)
{
    if (begin < records->window_begin ||
        begin + (int64_t)count > records->window_begin + (int64_t)records->window_count) {
        int64_t rest = records->count - begin;
        size_t room = MLM__RECORDS_WINDOW / records->width;
        size_t size = rest < (int64_t)room ? (size_t)rest : room;
        records->window_count = 0;
        MLM__TRY(read_file(records, begin, size, records->window));
        records->window_begin = begin;
        records->window_count = size;
    }
    memcpy(out, records->window + (size_t)(begin - records->window_begin) * records->width,
        count * records->width);
    return MLM_OK;
}

mlm_status mlm__records_read(mlm__records *records, int64_t begin, size_t count, void *out)
{
    char *to = out;
    if (records->in_file)
        return count * records->width * 4 <= MLM__RECORDS_WINDOW
                   ? read_few(records, begin, count, to)
                   : read_file(records, begin, count, to);
    while (count > 0) {
        size_t at = (size_t)begin % records->per_block;
        size_t run = records->per_block - at < count ? records->per_block - at : count;
        memcpy(to, records->blocks[(size_t)begin / records->per_block] + at * records->width,
            run * records->width);
        to += run * records->width;
        begin += (int64_t)run;
        count -= run;
    }
    return MLM_OK;
}
