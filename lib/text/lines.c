#include "text/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/runtime.h"
#include "files/file.h"
#include "files/xxh64.h"

/* A block keeps the threads busy for some milliseconds and fits the second-level cache. */
enum { BLOCK_SIZE = 1 << 20, BLOCK_LINES = 1 << 15 };
/* With its end. */
static const size_t LONGEST_LINE = (size_t)INT32_MAX + 1;

struct mlm__line_reader {
    mlm_runtime *runtime;
    mlm_read_fn read;
    void *user;
    const char *const *paths;
    size_t path_count, path; /* paths[path] is the next to open */
    const char *name;        /* of what is being read, for messages */
    int fd;                  /* -1: none is open */
    bool file_begins;        /* the next line is the first of its file */
    bool exhausted;          /* all is in the buffer */
    int64_t file_bytes;      /* read from the file */
    int64_t file_size;       /* when it was opened; 0: not a regular file */
    bool once;               /* it cannot be read again */
    int64_t total;           /* bytes of all files; 0: unknown */
    mlm__xxh64 hash;         /* of all that was read, and each file's size behind it */
    char *buffer;
    size_t capacity;
    /* buffer: [0,begin) lines given, [begin,scanned) without a line end, [scanned,end) unseen */
    size_t begin, scanned, end;
};

/* Adds up the sizes of the files and finds the missing ones before hours are spent on the rest. */
static mlm_status look_at_files(struct mlm__line_reader *reader)
{
    for (size_t i = 0; i < reader->path_count; i++) {
        struct stat status;
        const char *path = reader->paths[i];
        if (stat(path, &status) != 0)
            return mlm__file_error(path, "open", errno);
        if (S_ISDIR(status.st_mode))
            return mlm__error(MLM_ERR_IO, "%s: is a directory, not a text file", path);
        reader->once = reader->once || !S_ISREG(status.st_mode);
        reader->total += status.st_size;
    }
    if (reader->once)
        reader->total = 0;
    return MLM_OK;
}

static mlm_status make_reader(mlm_runtime *runtime, mlm__lines *lines)
{
    memset(lines, 0, sizeof *lines);
    struct mlm__line_reader *reader = mlm__alloc_zero(runtime, 1, sizeof *reader);
    if (!reader)
        return MLM_ERR_MEMORY;
    lines->reader = reader;
    reader->runtime = runtime;
    reader->fd = -1;
    reader->name = "text";
    mlm__xxh64_init(&reader->hash);
    lines->text = mlm__alloc(runtime, BLOCK_LINES, sizeof *lines->text);
    lines->length = mlm__alloc(runtime, BLOCK_LINES, sizeof *lines->length);
    lines->begins_file = mlm__alloc(runtime, BLOCK_LINES, sizeof *lines->begins_file);
    reader->buffer = mlm__alloc(runtime, BLOCK_SIZE, 1);
    reader->capacity = BLOCK_SIZE;
    if (lines->text && lines->length && lines->begins_file && reader->buffer)
        return MLM_OK;
    mlm__lines_close(lines);
    return MLM_ERR_MEMORY;
}

mlm_status mlm__lines_open(
    mlm_runtime *runtime, const char *const *paths, size_t path_count, mlm__lines *lines)
{
    MLM__TRY(make_reader(runtime, lines));
    lines->reader->paths = paths;
    lines->reader->path_count = path_count;
    mlm_status status = look_at_files(lines->reader);
    if (status < MLM_OK)
        mlm__lines_close(lines);
    return status;
}

mlm_status mlm__lines_read(mlm_runtime *runtime, mlm_read_fn read, void *user, mlm__lines *lines)
{
    MLM__TRY(make_reader(runtime, lines));
    lines->reader->read = read;
    lines->reader->user = user;
    lines->reader->file_begins = true;
    lines->reader->once = true;
    return MLM_OK;
}

mlm_status mlm__lines_no_text(const mlm__lines *lines)
{
    const struct mlm__line_reader *reader = lines->reader;
    if (reader->path_count > 1)
        return mlm__error(MLM_ERR_FORMAT, "%s and %zu more: no text in them", reader->paths[0],
            reader->path_count - 1);
    return mlm__error(
        MLM_ERR_FORMAT, "%s: no text in it", reader->path_count == 1 ? reader->paths[0] : "text");
}

void mlm__lines_close(mlm__lines *lines)
{
    struct mlm__line_reader *reader = lines->reader;
    if (!reader)
        return;
    mlm_runtime *runtime = reader->runtime;
    if (reader->fd >= 0)
        close(reader->fd);
    mlm__free(runtime, lines->text);
    mlm__free(runtime, lines->length);
    mlm__free(runtime, lines->begins_file);
    mlm__free(runtime, reader->buffer);
    mlm__free(runtime, reader);
    memset(lines, 0, sizeof *lines);
}

/* The line from begin to stop, where its end or its file's is. */
static void add_line(mlm__lines *lines, size_t stop)
{
    struct mlm__line_reader *reader = lines->reader;
    const char *text = reader->buffer + reader->begin;
    size_t length = stop - reader->begin;
    if (length > 0 && text[length - 1] == '\r')
        length--;
    lines->text[lines->count] = text;
    lines->length[lines->count] = length;
    lines->begins_file[lines->count] = reader->file_begins;
    lines->count++;
    reader->file_begins = false;
}

static void split(mlm__lines *lines)
{
    struct mlm__line_reader *reader = lines->reader;
    while (lines->count < BLOCK_LINES) {
        char *newline =
            memchr(reader->buffer + reader->scanned, '\n', reader->end - reader->scanned);
        if (!newline) {
            reader->scanned = reader->end;
            return;
        }
        size_t stop = (size_t)(newline - reader->buffer);
        add_line(lines, stop);
        reader->begin = reader->scanned = stop + 1;
    }
}

static mlm_status open_next(struct mlm__line_reader *reader)
{
    reader->name = reader->paths[reader->path];
    reader->fd = mlm__open_at(AT_FDCWD, reader->name, O_RDONLY, 0);
    if (reader->fd < 0)
        return mlm__file_error(reader->name, "open", errno);
    struct stat status;
    if (fstat(reader->fd, &status) != 0)
        return mlm__file_error(reader->name, "read its size", errno);
    reader->file_size = S_ISREG(status.st_mode) ? status.st_size : 0;
    reader->path++;
    reader->file_begins = true;
    reader->file_bytes = 0;
    return MLM_OK;
}

/* Up to capacity bytes; *length 0 is the end of the file, or of the callback's text. */
static mlm_status read_some(
    struct mlm__line_reader *reader, char *buffer, size_t capacity, size_t *length)
{
    *length = 0;
    if (reader->read) {
        int answer = reader->read(reader->user, buffer, capacity, length);
        if (answer != MLM_CONTINUE)
            return mlm__error(MLM_ERR_IO, "text: the read callback returned %d after %lld bytes",
                answer, (long long)reader->file_bytes);
        if (*length > capacity)
            return mlm__error(MLM_ERR_IO,
                "text: the read callback gave %zu bytes where %zu had room", *length, capacity);
        return MLM_OK;
    }
    ssize_t got;
    do
        got = read(reader->fd, buffer, capacity);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return mlm__file_error(reader->name, "read", errno);
    *length = (size_t)got;
    return MLM_OK;
}

static mlm_status end_file(struct mlm__line_reader *reader)
{
    if (reader->file_bytes < reader->file_size)
        return mlm__error(MLM_ERR_IO, "%s: ends at byte %lld, and had %lld when it was opened",
            reader->name, (long long)reader->file_bytes, (long long)reader->file_size);
    mlm__xxh64_update(&reader->hash, &reader->file_bytes, sizeof reader->file_bytes);
    if (reader->fd >= 0)
        close(reader->fd);
    reader->fd = -1;
    reader->exhausted = reader->path == reader->path_count;
    return MLM_OK;
}

/* The next bytes of the text; *got is 0 at the end of a file, after which another may come unless
   the reader is exhausted. */
static mlm_status read_next(mlm__lines *lines, char *buffer, size_t capacity, size_t *got)
{
    struct mlm__line_reader *reader = lines->reader;
    *got = 0;
    if (!reader->read && reader->fd < 0) {
        if (reader->path == reader->path_count) {
            reader->exhausted = true;
            return MLM_OK;
        }
        MLM__TRY(open_next(reader));
    }
    MLM__TRY(read_some(reader, buffer, capacity, got));
    if (*got == 0)
        return end_file(reader);
    mlm__xxh64_update(&reader->hash, buffer, *got);
    reader->file_bytes += (int64_t)*got;
    lines->bytes += (int64_t)*got;
    int64_t done = lines->bytes < reader->total ? lines->bytes : reader->total;
    if (!mlm__progress(
            reader->runtime, "reading text", reader->total ? done : lines->bytes, reader->total))
        return mlm__error(MLM_STOPPED, "reading text was stopped by the progress callback");
    return MLM_OK;
}

/* Puts more text behind the unfinished line. All that is there has been scanned. */
static mlm_status fill(mlm__lines *lines)
{
    struct mlm__line_reader *reader = lines->reader;
    char *place = reader->buffer + reader->end;
    size_t room = reader->capacity - reader->end;
    size_t line_room = LONGEST_LINE - (reader->end - reader->begin);
    if (line_room == 0)
        return mlm__error(
            MLM_ERR_FORMAT, "%s: a line is longer than %d bytes", reader->name, INT32_MAX);
    size_t got;
    MLM__TRY(read_next(lines, place, room < line_room ? room : line_room, &got));
    if (got == 0 && reader->end > reader->begin) {
        add_line(lines, reader->end); /* what comes behind the last line end of a file */
        reader->begin = reader->scanned = reader->end;
    }
    char *zero = memchr(place, 0, got);
    if (zero)
        return mlm__error(MLM_ERR_FORMAT, "%s: byte %lld is zero: not a text file", reader->name,
            (long long)(reader->file_bytes - (int64_t)got + (zero - place)));
    reader->end += got;
    return MLM_OK;
}

mlm_status mlm__lines_next(mlm__lines *lines)
{
    struct mlm__line_reader *reader = lines->reader;
    memmove(reader->buffer, reader->buffer + reader->begin, reader->end - reader->begin);
    reader->scanned -= reader->begin;
    reader->end -= reader->begin;
    reader->begin = 0;
    lines->count = 0;
    for (;;) {
        split(lines);
        if (reader->exhausted || lines->count == BLOCK_LINES)
            break;
        if (reader->end == reader->capacity) {
            if (lines->count > 0)
                break;
            MLM__TRY(mlm__grow(
                reader->runtime, &reader->buffer, &reader->capacity, reader->capacity + 1, 1));
        }
        MLM__TRY(fill(lines));
    }
    return lines->count > 0 ? MLM_OK : MLM_END;
}

mlm_status mlm__lines_hash(mlm__lines *lines, uint64_t *hash)
{
    struct mlm__line_reader *reader = lines->reader;
    for (size_t got; !reader->exhausted;)
        MLM__TRY(read_next(lines, reader->buffer, reader->capacity, &got));
    *hash = mlm__xxh64_digest(&reader->hash);
    return MLM_OK;
}

bool mlm__lines_once(const mlm__lines *lines)
{
    return lines->reader->once;
}
