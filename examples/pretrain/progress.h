/*
 * progress.h - what pretrain tells on standard error while it works: a line that is
 * written over on a terminal, a line now and then elsewhere.
 */
#ifndef PROGRESS_H
#define PROGRESS_H

#include "settings.h"
#include "signals.h"

#include <time.h>
#include <unistd.h>

struct progress {
    const struct settings *settings;
    int terminal, training;
    double began, told; /* seconds */
    int64_t first_step;      /* updates before this run */
    int64_t updates, tokens; /* of this run */
};

static inline double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static inline void progress_init(struct progress *progress, const struct settings *settings)
{
    memset(progress, 0, sizeof *progress);
    progress->settings = settings;
    progress->terminal = isatty(STDERR_FILENO) && !settings->quiet;
}

/* The first update comes next. */
static inline void progress_begin(struct progress *progress, int64_t first_step)
{
    progress->first_step = first_step;
    progress->began = seconds_now();
}

/* Long calls before the training: opening the texts, learning a vocabulary. A runtime's
   callback. */
static inline int tell_preparation(void *user, const char *what, int64_t done, int64_t total)
{
    const struct progress *progress = user;
    if (progress->training)
        return MLM_CONTINUE; /* from here on a signal waits for the step, and never for a save */
    if (progress->terminal && total > 0)
        fprintf(stderr, "\r\033[K%s: %.0f %%%s", what, 100.0 * (double)done / (double)total,
            done == total ? "\r\033[K" : "");
    return interrupted ? 0 : MLM_CONTINUE;
}

static inline void print_duration(FILE *file, double seconds)
{
    const long whole = (long)(seconds + 0.5);
    fprintf(file, "%ld:%02ld:%02ld", whole / 3600, whole / 60 % 60, whole % 60);
}

static inline void tell_progress(struct progress *progress, const mlm_metrics *update)
{
    const double elapsed = seconds_now() - progress->began;
    const int64_t steps = progress->settings->steps, done = ++progress->updates;
    const int last = update->step == steps || interrupted;
    progress->tokens += update->tokens;
    if (progress->settings->quiet)
        return;
    if (!last && done > 1 && elapsed - progress->told < (progress->terminal ? 0.2 : 10.0))
        return;
    progress->told = elapsed;
    fprintf(stderr, "%sstep %lld/%lld  loss %.3f  %.0f tokens/s  ",
        progress->terminal ? "\r\033[K" : "", (long long)update->step, (long long)steps,
        update->loss, (double)progress->tokens / (elapsed > 0 ? elapsed : 1));
    print_duration(stderr, elapsed / (double)done * (double)(steps - update->step));
    fprintf(stderr, " left%s", progress->terminal && !last ? "" : "\n");
}

/* The line that is written over goes before another one comes. */
static inline void clear_progress(const struct progress *progress)
{
    if (progress->terminal)
        fputs("\r\033[K", stderr);
}

#endif /* PROGRESS_H */
