/* Lists of records of one size that only grow: in memory, and where they are long in a file. */
#ifndef MLM_BATCHES_RECORDS_H
#define MLM_BATCHES_RECORDS_H

#include <stdbool.h>

#include "files/file.h"
#include "mlm/mlm.h"

/* What may wait in memory before a list goes to its temporary file, and what is read around a few
   records that are asked for. */
enum { MLM__RECORDS_IN_MEMORY = 1 << 24, MLM__RECORDS_WINDOW = 1 << 12 };

typedef struct mlm__records {
    mlm_runtime *runtime;
    const char *directory; /* of the temporary file, not copied; NULL: none, all stays in memory */
    size_t width;          /* bytes of a record */
    size_t per_block;      /* records of a block */
    int64_t count;
    char **blocks; /* in memory: all of them, never moved */
    size_t block_count, block_capacity;
    bool in_file;
    mlm__file file;       /* if in_file, where all but the last count - written are ... */
    bool borrowed;        /* another's */
    int64_t base;         /* ... from this byte on */
    int64_t written;      /* records */
    int64_t window_begin; /* the records in window: copies from the file */
    size_t window_count;
    char window[MLM__RECORDS_WINDOW];
} mlm__records;

/* An empty list; allocates nothing. width is at most MLM__RECORDS_WINDOW. */
void mlm__records_init(
    mlm_runtime *runtime, size_t width, const char *directory, mlm__records *records);
/* A list in a file of the caller's, which it must not close before. It holds count records from byte
   base on, and may grow if that is its end. */
void mlm__records_init_in(mlm_runtime *runtime, size_t width, const mlm__file *file, int64_t base,
    int64_t count, mlm__records *records);
/* After an error the list is only for mlm__records_clear. */
mlm_status mlm__records_append(mlm__records *records, const void *data, size_t count);
/* Before reading, after the last append. */
mlm_status mlm__records_finish(mlm__records *records);
/* Copies records begin to begin + count - 1, which there are. One thread at a time. */
mlm_status mlm__records_read(mlm__records *records, int64_t begin, size_t count, void *out);
void mlm__records_clear(mlm__records *records);

#endif
