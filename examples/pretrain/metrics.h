/*
 * metrics.h - the metrics file: a JSON object for each update. README.md has its members.
 * A file that cannot be written for a while, as on a full disk, gets its lines later.
 */
#ifndef METRICS_H
#define METRICS_H

#include "../heldout.h"
#include "settings.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

struct metrics {
    const char *path; /* NULL: no file is wanted */
    int file;
    char *waiting; /* [waiting_size] what could not be written yet */
    size_t waiting_size;
};

static inline void metrics_fail(const struct metrics *metrics)
{
    complain("--metrics %s: %s", metrics->path, strerror(errno));
    exit(EXIT_FAILURE);
}

/* ---- going on with a file -------------------------------------------------------- */

/* The step of a line, or -1: it is torn or something else. */
static inline int64_t line_step(const char *line, size_t length)
{
    long long step;
    if (length < 2 || line[length - 1] != '\n' || line[length - 2] != '}' ||
        sscanf(line, "{\"step\": %lld,", &step) != 1)
        return -1;
    return step;
}

/* One line, at most so long, from a place on; its length. */
enum { LONGEST_LINE = 4096 };

static inline size_t read_line(const struct metrics *metrics, off_t begin, char line[LONGEST_LINE])
{
    const ssize_t got = pread(metrics->file, line, LONGEST_LINE - 1, begin);
    const char *end;
    if (got < 0)
        metrics_fail(metrics);
    line[got] = '\0';
    end = memchr(line, '\n', (size_t)got);
    return end ? (size_t)(end - line) + 1 : (size_t)got;
}

/* Where the line that ends at end, or just before it, begins. */
static inline off_t line_begin(const struct metrics *metrics, off_t end)
{
    char piece[LONGEST_LINE];
    off_t at = end > 0 ? end - 1 : 0; /* its own line end is none before it */
    while (at > 0) {
        const off_t from = at > LONGEST_LINE ? at - LONGEST_LINE : 0;
        ssize_t got = pread(metrics->file, piece, (size_t)(at - from), from);
        if (got < 0)
            metrics_fail(metrics);
        for (; got > 0; --got)
            if (piece[got - 1] == '\n')
                return from + got;
        at = from;
    }
    return 0;
}

/* Cuts off what was written after the checkpoint, from the end on: it costs as much as that was,
   however long the run. The line of the checkpoint's own step must be of the same run. */
static inline void metrics_cut_back(const struct metrics *metrics, const mlm_metrics *last)
{
    char line[LONGEST_LINE], loss[64];
    int64_t step = -1;
    off_t begin, end = lseek(metrics->file, 0, SEEK_END);
    for (; end > 0; end = begin) {
        begin = line_begin(metrics, end);
        step = line_step(line, read_line(metrics, begin, line));
        if (step >= 0 && step <= last->step)
            break;
    }
    snprintf(loss, sizeof loss, "\"loss\": %.9g,", last->loss);
    if (end > 0 && step == last->step && !strstr(line, loss)) {
        complain("--metrics %s: its step %lld is of another run", metrics->path, (long long)step);
        exit(EXIT_FAILURE);
    }
    if (last->step > 0 && (end == 0 || step < last->step))
        complain("warning: --metrics %s: lines up to step %lld are missing", metrics->path,
            (long long)last->step);
    if (ftruncate(metrics->file, end) != 0)
        metrics_fail(metrics);
}

/* resumed: the metrics of the checkpoint that the run goes on from; NULL: it begins. Ends the
   program when the file cannot be used. */
static inline void metrics_open(
    struct metrics *metrics, const struct settings *settings, const mlm_metrics *resumed)
{
    struct stat status;
    memset(metrics, 0, sizeof *metrics);
    metrics->path = settings->metrics;
    metrics->file = -1;
    if (!metrics->path)
        return;
    metrics->file = open(metrics->path,
        O_CREAT | O_APPEND | O_CLOEXEC | (resumed ? O_RDWR : O_WRONLY | O_TRUNC), 0666);
    if (metrics->file < 0 || fstat(metrics->file, &status) != 0)
        metrics_fail(metrics);
    if (resumed && S_ISREG(status.st_mode))
        metrics_cut_back(metrics, resumed);
}

/* ---- writing --------------------------------------------------------------------- */

/* Appends the line, takes it over, and writes what can be written of all that waits. */
static inline void metrics_append(struct metrics *metrics, const char *line, size_t size)
{
    const size_t waited = metrics->waiting_size;
    size_t done = 0;
    char *all = realloc(metrics->waiting, waited + size + 1);
    if (!all) {
        complain("no memory for the metrics");
        exit(EXIT_FAILURE);
    }
    memcpy(all + waited, line, size);
    metrics->waiting = all;
    metrics->waiting_size += size;
    while (done < metrics->waiting_size) {
        const ssize_t put = write(metrics->file, all + done, metrics->waiting_size - done);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            break;
        done += (size_t)put;
    }
    if (done < metrics->waiting_size && waited == 0)
        complain(
            "warning: --metrics %s: %s; its lines wait in memory", metrics->path, strerror(errno));
    metrics->waiting_size -= done;
    memmove(all, all + done, metrics->waiting_size);
}

/* To the disk: a checkpoint must not be newer than the metrics after a power cut either. */
static inline void metrics_flush(const struct metrics *metrics)
{
    if (metrics->file >= 0)
        fsync(metrics->file);
}

/* EXIT_SUCCESS, or EXIT_FAILURE after a complaint. */
static inline int metrics_close(struct metrics *metrics)
{
    int lost = 0;
    if (metrics->file >= 0) {
        metrics_append(metrics, "", 0);
        lost = metrics->waiting_size > 0;
        if (lost || close(metrics->file) != 0) {
            complain("--metrics %s: %s", metrics->path, strerror(errno));
            lost = 1;
        }
    }
    free(metrics->waiting);
    return lost ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* evaluation: NULL where none was due. seconds: since this run began to train. */
static inline void metrics_write(struct metrics *metrics, const struct heldout *heldout,
    const mlm_metrics *update, const mlm_metrics *evaluation, int pairs, double seconds)
{
    char *text;
    size_t size;
    FILE *line;
    if (metrics->file < 0)
        return;
    if (!(line = open_memstream(&text, &size)))
        metrics_fail(metrics);
    fprintf(line,
        "{\"step\": %lld, \"loss\": %.9g, \"accuracy\": %.9g, \"learning_rate\": %.9g, "
        "\"grad_norm\": %.9g, \"sequences\": %lld, \"tokens\": %lld, \"labels\": %lld, "
        "\"position\": %lld, \"seconds\": %.6f",
        (long long)update->step, update->loss, update->accuracy, update->learning_rate,
        update->grad_norm, (long long)update->sequences, (long long)update->tokens,
        (long long)update->labels, (long long)update->position, seconds);
    if (pairs)
        fprintf(line, ", \"sentence_loss\": %.9g, \"sentence_accuracy\": %.9g",
            update->sentence_loss, update->sentence_accuracy);
    if (evaluation)
        fprintf(line,
            ", \"eval_loss\": %.9g, \"eval_accuracy\": %.9g, \"eval_unigram_entropy\": %.9g",
            evaluation->loss, evaluation->accuracy, heldout->entropy);
    if (evaluation && pairs)
        fprintf(line, ", \"eval_sentence_loss\": %.9g, \"eval_sentence_accuracy\": %.9g",
            evaluation->sentence_loss, evaluation->sentence_accuracy);
    fputs("}\n", line);
    if (fclose(line) != 0)
        metrics_fail(metrics);
    metrics_append(metrics, text, size);
    free(text);
}

#endif /* METRICS_H */
