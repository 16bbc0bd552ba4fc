/* Lines of files or of a read callback, a block at a time. */
#ifndef MLM_TEXT_LINES_H
#define MLM_TEXT_LINES_H

#include <stdbool.h>

#include "mlm/mlm.h"

/* One block of whole lines, what was counted so far, and the reader behind it. A line ends with
   "\n", "\r\n" or its file, and is given without its end. Lines of nothing are lines too. */
typedef struct mlm__lines {
    size_t count;
    const char **text;    /* [count] not ended by a zero byte */
    size_t *length;       /* [count] at most INT32_MAX */
    uint8_t *begins_file; /* [count] 1: the first line of a file */
    int64_t bytes;        /* read, line ends included */
    struct mlm__line_reader *reader;
} mlm__lines;

/* Paths are used while reading, and not copied. Anything that can be read will do: a pipe,
   /dev/stdin. All files are looked for now: MLM_ERR_NOT_FOUND. */
mlm_status mlm__lines_open(
    mlm_runtime *runtime, const char *const *paths, size_t path_count, mlm__lines *lines);
/* Text from a callback; messages call it "text". */
mlm_status mlm__lines_read(mlm_runtime *runtime, mlm_read_fn read, void *user, mlm__lines *lines);

/* The next block, of at least one line and about a megabyte, or more where a single line is
   longer; the one before is gone. MLM_END, with a count of 0: none is left. Tells the progress
   callback; MLM_STOPPED. MLM_ERR_FORMAT: a zero byte, which no text has. MLM_ERR_IO: also a file that
   ends before the size that it had when it was opened. */
mlm_status mlm__lines_next(mlm__lines *lines);

/* A hash of all bytes and of where files end, once the lines are at their end or, without making
   lines, from what is left to read. The file of a line does not matter, nor its name. */
mlm_status mlm__lines_hash(mlm__lines *lines, uint64_t *hash);

/* Whether the text cannot be had again: a callback, a pipe. */
bool mlm__lines_once(const mlm__lines *lines);

/* The error of a text in which nothing was found: MLM_ERR_FORMAT, with the names of the files. */
mlm_status mlm__lines_no_text(const mlm__lines *lines);

void mlm__lines_close(mlm__lines *lines);

#endif
