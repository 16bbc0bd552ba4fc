/*
 * metrics.h - the metrics file: a JSON object for each update. README.md has its members.
 */
#ifndef METRICS_H
#define METRICS_H

#include "../heldout.h"
#include "settings.h"

struct metrics {
    const char *path; /* NULL: no file is wanted */
    FILE *file;
};

/* 1, or 0 after a complaint. */
static inline int metrics_open(struct metrics *metrics, const struct settings *settings)
{
    metrics->path = settings->metrics;
    metrics->file = NULL;
    if (metrics->path && !(metrics->file = fopen(metrics->path, settings->resume ? "a" : "w"))) {
        complain("--metrics %s: %s", metrics->path, strerror(errno));
        return 0;
    }
    return 1;
}

static inline void metrics_close(struct metrics *metrics)
{
    if (metrics->file && fclose(metrics->file) != 0)
        complain("--metrics %s: %s", metrics->path, strerror(errno));
}

/* evaluation: NULL where none was due. seconds: since this run began to train. */
static inline void metrics_write(const struct metrics *metrics, const struct heldout *heldout,
    const mlm_metrics *update, const mlm_metrics *evaluation, int pairs, double seconds)
{
    if (!metrics->file)
        return;
    fprintf(metrics->file,
        "{\"step\": %lld, \"loss\": %.9g, \"accuracy\": %.9g, \"learning_rate\": %.9g, "
        "\"grad_norm\": %.9g, \"sequences\": %lld, \"tokens\": %lld, \"labels\": %lld, "
        "\"position\": %lld, \"seconds\": %.6f",
        (long long)update->step, update->loss, update->accuracy, update->learning_rate,
        update->grad_norm, (long long)update->sequences, (long long)update->tokens,
        (long long)update->labels, (long long)update->position, seconds);
    if (pairs)
        fprintf(metrics->file, ", \"sentence_loss\": %.9g, \"sentence_accuracy\": %.9g",
            update->sentence_loss, update->sentence_accuracy);
    if (evaluation)
        fprintf(metrics->file,
            ", \"eval_loss\": %.9g, \"eval_accuracy\": %.9g, \"eval_unigram_entropy\": %.9g",
            evaluation->loss, evaluation->accuracy, heldout->entropy);
    if (evaluation && pairs)
        fprintf(metrics->file, ", \"eval_sentence_loss\": %.9g, \"eval_sentence_accuracy\": %.9g",
            evaluation->sentence_loss, evaluation->sentence_accuracy);
    fputs("}\n", metrics->file);
    fflush(metrics->file);
}

#endif /* METRICS_H */
