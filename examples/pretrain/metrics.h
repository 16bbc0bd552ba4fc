/*
 * metrics.h - the metrics file: a JSON object a line, for each update and for what is
 * told once. README.md has the members.
 * A file that cannot be written for a while, as on a full disk, gets its lines later.
 */
#ifndef METRICS_H
#define METRICS_H

#include "../report/curves.h"
#include "command.h"
#include "settings.h"
#include "signals.h"

#include "mlm/compose.h"

#include <ctype.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct metrics {
    const char *path; /* NULL: no file is wanted */
    int file;
    int kept;      /* the file can be read again */
    char *waiting; /* [waiting_size] what could not be written yet */
    size_t waiting_size;
    struct curves curves; /* for the report, of what no file keeps */
};

static inline void metrics_fail(const struct metrics *metrics)
{
    complain("--metrics %s: %s", metrics->path, strerror(errno));
    exit(EXIT_FAILURE);
}

/* ---- whose file it is ------------------------------------------------------------ */

/* Whether nothing is in the file, or the beginning, maybe torn, of what a run writes first. */
static inline int begins_as_metrics(FILE *file)
{
    const char *expected = "{\"configuration\": ";
    int c = getc(file);
    while (isspace(c))
        c = getc(file);
    for (; *expected && c != EOF; ++expected, c = getc(file))
        if (c != *expected)
            return 0;
    return !ferror(file);
}

/* Ends the program where the file, which a run empties or cuts, is none of metrics: before
   anything else is replaced. */
static inline void metrics_expect(const char *path)
{
    struct stat status;
    FILE *file;
    int expected;
    if (!path || stat(path, &status) != 0 || !S_ISREG(status.st_mode) || !(file = fopen(path, "r")))
        return; /* opening it for writing will say why */
    expected = begins_as_metrics(file);
    fclose(file);
    if (expected)
        return;
    complain("--metrics %s: it is no metrics file, and left alone", path);
    exit(EXIT_FAILURE);
}

/* What its first two lines tell; members that are missing or torn are none. NULL: nothing. */
static inline json_t *read_beginning(const struct metrics *metrics)
{
    FILE *file = fopen(metrics->path, "r");
    json_t *beginning = file ? json_loadf(file, JSON_DISABLE_EOF_CHECK, NULL) : NULL;
    json_t *second = beginning ? json_loadf(file, JSON_DISABLE_EOF_CHECK, NULL) : NULL;
    json_object_update_missing(beginning, second);
    json_decref(second);
    if (file)
        fclose(file);
    return beginning;
}

static inline const json_t *member_at(const json_t *object, const char *const path[3])
{
    int i;
    for (i = 0; i < 3 && path[i]; ++i)
        object = json_object_get(object, path[i]);
    return object;
}

/* Ends the program where the file begins with another value of what a checkpoint holds its run to.
   Of the rest a run may be gone on with otherwise. */
static inline void metrics_expect_run(const struct metrics *metrics, const json_t *beginning)
{
    static const char *const held[][3] = {{"configuration", "options", "seed"},
        {"configuration", "options", "batch-size"}, {"configuration", "options", "seq-length"},
        {"configuration", "model", "hidden_size"}, {"configuration", "model", "vocab_size"},
        {"data", "sequences"}, {"data", "tokens"}};
    json_t *found = read_beginning(metrics);
    size_t i;
    for (i = 0; i < COUNT(held); ++i) {
        const json_t *its = member_at(found, held[i]), *own = member_at(beginning, held[i]);
        if (!json_is_integer(its) || !json_is_integer(own) || json_equal(its, own))
            continue;
        complain("--metrics %s: is of another run: its %s is %" JSON_INTEGER_FORMAT
                 ", that of this run %" JSON_INTEGER_FORMAT,
            metrics->path, held[i][2] ? held[i][2] : held[i][1], json_integer_value(its),
            json_integer_value(own));
        exit(EXIT_FAILURE);
    }
    json_decref(found);
}

/* ---- going on with a file -------------------------------------------------------- */

/* The step of a line: of what is told at the beginning 0, of what comes after the last update -1,
   as of something else and what is torn. */
static inline int64_t line_step(const char *line, size_t length)
{
    static const char *const first[] = {"{\"configuration\": ", "{\"data\": "};
    static const char update[] = "{\"step\": ";
    char *end;
    int64_t step;
    size_t i;
    for (i = 0; i < COUNT(first); ++i)
        if (strncmp(line, first[i], strlen(first[i])) == 0)
            return 0;
    if (length < 2 || line[length - 1] != '\n' || line[length - 2] != '}' ||
        strncmp(line, update, sizeof update - 1) != 0)
        return -1;
    step = strtoll(line + sizeof update - 1, &end, 10);
    return *end == ',' ? step : -1;
}

/* One line, at most so long, from a place on; its length. */
enum { LONGEST_LINE = 4096 };

static inline size_t read_line(const struct metrics *metrics, off_t begin, char line[LONGEST_LINE])
{
    const ssize_t got = pread(metrics->file, line, LONGEST_LINE - 1, begin);
    const char *end;
    size_t length;
    if (got < 0)
        metrics_fail(metrics);
    end = memchr(line, '\n', (size_t)got);
    length = end ? (size_t)(end - line) + 1 : (size_t)got;
    line[length] = '\0';
    return length;
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

/* What waits is later than what the file has. 1: some of it is kept, and so the whole file. */
static inline int cut_back_waiting(struct metrics *metrics, int64_t last_step)
{
    size_t end = 0;
    while (end < metrics->waiting_size) {
        const char *line = metrics->waiting + end;
        const char *line_end = memchr(line, '\n', metrics->waiting_size - end);
        const size_t length = (size_t)(line_end - line) + 1;
        if (line_step(line, length) > last_step)
            break;
        end += length;
    }
    metrics->waiting_size = end;
    return end > 0;
}

/* Whether a line was written after going back, and the checkpoint before: the save between them
   failed. The run will come to go back again. */
static inline int is_after_going_back(const char *line, const mlm_metrics *last)
{
    const char *member = strstr(line, "\"rate_factor\": ");
    return member && strtod(member + strlen("\"rate_factor\": "), NULL) < last->rate_factor;
}

/* Cuts off what was written after the checkpoint, from the end on: it costs as much as that was,
   however long the run. The line of the checkpoint's own step must be of the same run, and so must
   what the file begins with; NULL: it is this run's. */
static inline void metrics_cut_back(
    struct metrics *metrics, const mlm_metrics *last, const json_t *beginning)
{
    char line[LONGEST_LINE], loss[64];
    int64_t step = -1;
    int abandoned = 0;
    off_t begin, end = lseek(metrics->file, 0, SEEK_END);
    if (cut_back_waiting(metrics, last->step))
        return;
    if (end > 0 && (pread(metrics->file, line, 1, end - 1) != 1 || *line != '\n'))
        end = line_begin(metrics, end);
    snprintf(loss, sizeof loss, "\"loss\": %.9g,", last->loss);
    for (; end > 0; end = begin) {
        begin = line_begin(metrics, end);
        step = line_step(line, read_line(metrics, begin, line));
        if (step < 0 || step > last->step)
            continue;
        if (step == last->step && !strstr(line, loss))
            abandoned = 1;
        if (!abandoned || !is_after_going_back(line, last))
            break;
    }
    if (end > 0 && last->step > 0 && step == last->step && !strstr(line, loss)) {
        complain("--metrics %s: its step %lld is of another run", metrics->path, (long long)step);
        exit(EXIT_FAILURE);
    }
    if (beginning)
        metrics_expect_run(metrics, beginning);
    if (beginning && last->step == 0)
        end = 0; /* it may begin with what a run told that this one replaces */
    if (last->step > 0 && (end == 0 || step < last->step))
        complain("warning: --metrics %s: lines up to step %lld are missing", metrics->path,
            (long long)last->step);
    if (ftruncate(metrics->file, end) != 0)
        metrics_fail(metrics);
}

/* A pipe that nobody reads yet is waited for, as opening it would, but a signal ends that. Open for
   reading too it would never be one that nobody reads. */
static inline int open_pipe(const char *path, int64_t step)
{
    const struct timespec pause = {0, 20000000};
    int file;
    while ((file = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC)) < 0 && errno == ENXIO) {
        if (interrupted) {
            complain("stopped at step %lld, as nobody reads %s; go on with: %s", (long long)step,
                path, resume_command);
            exit(EXIT_INTERRUPTED);
        }
        nanosleep(&pause, NULL);
    }
    return file < 0 || fcntl(file, F_SETFL, 0) == 0 ? file : -1;
}

/* resumed: the metrics of the checkpoint that the run goes on from; NULL: it begins. beginning:
   the "configuration" and "data" of this run. Ends the program when the file cannot be used. */
static inline void metrics_open(struct metrics *metrics, const struct settings *settings,
    const mlm_metrics *resumed, const json_t *beginning)
{
    struct stat status;
    memset(metrics, 0, sizeof *metrics);
    curves_init(&metrics->curves);
    metrics->path = settings->metrics;
    metrics->file = -1;
    if (!metrics->path)
        return;
    if (stat(metrics->path, &status) != 0)
        status.st_mode = S_IFREG;
    if (S_ISFIFO(status.st_mode))
        metrics->file = open_pipe(metrics->path, resumed ? resumed->step : 0);
    else if (!S_ISREG(status.st_mode))
        metrics->file = open(metrics->path, O_WRONLY | O_CLOEXEC);
    else
        metrics->file = open(metrics->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (metrics->file < 0 || fstat(metrics->file, &status) != 0)
        metrics_fail(metrics);
    metrics->kept = S_ISREG(status.st_mode);
    if (!metrics->kept)
        return;
    if (flock(metrics->file, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        complain("--metrics %s: another run is writing to it", metrics->path);
        exit(EXIT_FAILURE);
    }
    if (resumed)
        metrics_cut_back(metrics, resumed, beginning);
    else if (ftruncate(metrics->file, 0) != 0)
        metrics_fail(metrics);
}

/* Whether the file has something of before this run. */
static inline int metrics_begun(const struct metrics *metrics)
{
    return metrics->kept && lseek(metrics->file, 0, SEEK_END) > 0;
}

/* ---- writing --------------------------------------------------------------------- */

/* Of a line that a full disk cut the file keeps nothing, so that whole lines wait; what is kept of
   the bytes that were put. */
static inline size_t drop_torn_line(const struct metrics *metrics, const char *bytes, size_t put)
{
    size_t whole = put;
    while (whole > 0 && bytes[whole - 1] != '\n')
        --whole;
    return ftruncate(metrics->file, lseek(metrics->file, 0, SEEK_END) - (off_t)(put - whole)) == 0
               ? whole
               : put;
}

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
    if (done < metrics->waiting_size && errno == EPIPE) {
        complain("warning: --metrics %s: nobody reads it any more", metrics->path);
        close(metrics->file);
        metrics->file = -1;
        done = metrics->waiting_size;
    }
    if (done < metrics->waiting_size && waited == 0)
        complain(
            "warning: --metrics %s: %s; its lines wait in memory", metrics->path, strerror(errno));
    if (done < metrics->waiting_size && metrics->kept)
        done = drop_torn_line(metrics, all, done);
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
    curves_free(&metrics->curves);
    return lost ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* ---- lines ----------------------------------------------------------------------- */

/* A JSON object with its line end. */
static inline void metrics_write_line(struct metrics *metrics, const char *line, size_t size)
{
    if (!metrics->kept)
        curves_read_line(&metrics->curves, line, size);
    if (metrics->file >= 0)
        metrics_append(metrics, line, size);
}

/* {"name": object}; the object is released, and NULL is none. */
static inline void metrics_write_object(struct metrics *metrics, const char *name, json_t *object)
{
    json_t *root = object ? json_pack("{s:o}", name, object) : NULL;
    char *line = root ? json_dumps(root, JSON_REAL_PRECISION(9)) : NULL;
    if (line) {
        const size_t length = strlen(line);
        line[length] = '\n';
        metrics_write_line(metrics, line, length + 1);
    }
    free(line);
    json_decref(root);
}

/* What is told of an update beside its own metrics. */
struct update_notes {
    const mlm_metrics *evaluation; /* NULL where none was due                      */
    double entropy;                /* of the held-out text                         */
    double seconds;                /* since this run began to train                */
    int64_t skipped;               /* updates that were not finite, since the last */
    int pairs;                     /* with next-sentence pairs                     */
};

static inline void metrics_write_update(
    struct metrics *metrics, const mlm_metrics *update, const struct update_notes *notes)
{
    const mlm_metrics *evaluation = notes->evaluation;
    char line[LONGEST_LINE]; /* some 25 numbers and their names */
    int n = sprintf(line,
        "{\"step\": %lld, \"loss\": %.9g, \"accuracy\": %.9g, \"learning_rate\": %.9g, "
        "\"grad_norm\": %.9g, \"sequences\": %lld, \"tokens\": %lld, \"labels\": %lld, "
        "\"position\": %lld, \"seconds\": %.6f",
        (long long)update->step, update->loss, update->accuracy, update->learning_rate,
        update->grad_norm, (long long)update->sequences, (long long)update->tokens,
        (long long)update->labels, (long long)update->position, notes->seconds);
    if (notes->pairs)
        n += sprintf(line + n, ", \"sentence_loss\": %.9g, \"sentence_accuracy\": %.9g",
            update->sentence_loss, update->sentence_accuracy);
    if (notes->skipped)
        n += sprintf(line + n, ", \"skipped\": %lld", (long long)notes->skipped);
    if (update->rate_factor != 1)
        n += sprintf(line + n, ", \"rate_factor\": %.9g", update->rate_factor);
    if (evaluation)
        n += sprintf(line + n,
            ", \"eval_loss\": %.9g, \"eval_accuracy\": %.9g, \"eval_unigram_entropy\": %.9g, "
            "\"best_eval_loss\": %.9g, \"evaluations_since_best\": %d",
            evaluation->loss, evaluation->accuracy, notes->entropy, update->lowest_loss,
            (int)update->stale);
    if (evaluation && notes->pairs)
        n += sprintf(line + n, ", \"eval_sentence_loss\": %.9g, \"eval_sentence_accuracy\": %.9g",
            evaluation->sentence_loss, evaluation->sentence_accuracy);
    n += sprintf(line + n, "}\n");
    metrics_write_line(metrics, line, (size_t)n);
}

/* All that is known of the run, for its report. 0 after an error of the file. */
static inline int metrics_read(struct metrics *metrics)
{
    FILE *file;
    int readable;
    if (!metrics->kept)
        return 1;
    if (!(file = fopen(metrics->path, "r")))
        return 0;
    readable = curves_read_file(&metrics->curves, file);
    fclose(file);
    return readable;
}

#endif /* METRICS_H */
