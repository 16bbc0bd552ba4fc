/*
 * lines.h - lines of any length from a file or standard input. Whatever was printed
 * is sent before the program waits for more, so that it can be talked to through
 * pipes.
 */
#ifndef LINES_H
#define LINES_H

#include "args.h"

#include <fcntl.h>
#include <unistd.h>

struct lines {
    const char *name; /* for messages */
    char *buffer;
    size_t capacity, begin, end; /* bytes begin to end of buffer wait */
    int fd, ended;
};

static inline void lines_fail(const struct lines *lines)
{
    complain("%s: %s", lines->name, strerror(errno));
    exit(EXIT_FAILURE);
}

/* path NULL or "-": standard input. */
static inline struct lines lines_open(const char *path)
{
    const int standard = !path || strcmp(path, "-") == 0;
    struct lines result;
    memset(&result, 0, sizeof result);
    result.name = standard ? "standard input" : path;
    result.fd = standard ? STDIN_FILENO : open(path, O_RDONLY);
    if (result.fd < 0)
        lines_fail(&result);
    return result;
}

static inline void lines_fill(struct lines *lines)
{
    ssize_t got;
    if (lines->begin > 0) {
        memmove(lines->buffer, lines->buffer + lines->begin, lines->end - lines->begin);
        lines->end -= lines->begin;
        lines->begin = 0;
    }
    if (lines->end == lines->capacity) {
        const size_t capacity = lines->capacity ? 2 * lines->capacity : 65536;
        char *buffer = realloc(lines->buffer, capacity);
        if (!buffer)
            lines_fail(lines);
        lines->buffer = buffer;
        lines->capacity = capacity;
    }
    if (fflush(stdout) != 0)
        exit(finish_output());
    do
        got = read(lines->fd, lines->buffer + lines->end, lines->capacity - lines->end);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        lines_fail(lines);
    lines->ended = got == 0;
    lines->end += (size_t)got;
}

/* Whether a line can be had without waiting. */
static inline int lines_ready(const struct lines *lines)
{
    return lines->end > lines->begin &&
           memchr(lines->buffer + lines->begin, '\n', lines->end - lines->begin) != NULL;
}

/* The next line without its end, until the next call; NULL after the last. */
static inline const char *lines_next(struct lines *lines, size_t *length)
{
    size_t seen = 0;
    if (!lines->buffer)
        lines_fill(lines);
    for (;;) {
        const char *line = lines->buffer + lines->begin;
        const size_t size = lines->end - lines->begin;
        const char *newline = size > seen ? memchr(line + seen, '\n', size - seen) : NULL;
        if (newline || (lines->ended && size > 0)) {
            *length = newline ? (size_t)(newline - line) : size;
            lines->begin += *length + (newline != NULL);
            if (*length > 0 && line[*length - 1] == '\r')
                --*length;
            return line;
        }
        if (lines->ended)
            return NULL;
        seen = size;
        lines_fill(lines);
    }
}

static inline void lines_close(struct lines *lines)
{
    free(lines->buffer);
    if (lines->fd != STDIN_FILENO)
        close(lines->fd);
}

#endif /* LINES_H */
