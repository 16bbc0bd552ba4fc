/*
 * settings.h - what the options of pretrain say, and its named shapes.
 */
#ifndef SETTINGS_H
#define SETTINGS_H

#include "../args.h"

enum { EXIT_INTERRUPTED = 3, DEFAULT_VOCAB_SIZE = 8000, DEFAULT_WARMUP = 100 };

struct settings {
    const char *vocab, *config, *init, *output, *eval, *metrics, *cache;
    int64_t vocab_size, steps, batch_size, accumulate, T, warmup, schedule, masking, seed, threads;
    int64_t precision, eval_every, patience, save_every, keep, max_bad_updates, on_divergence;
    double learning_rate, weight_decay, dropout, mask_probability, min_delta, max_loss_rise;
    int resume, overwrite, quiet, next_sentence, freeze_embeddings;
    const char *add_words;
    int64_t freeze_layers;
};

/* Google's small BERTs. The rates are good ones for batches of a few thousand tokens. */
static const struct shape {
    const char *name;
    int32_t num_hidden_layers, hidden_size;
    double learning_rate;
} shapes[] = {
    {"tiny", 2, 128, 1e-3},
    {"mini", 4, 256, 1e-3},
    {"small", 4, 512, 5e-4},
    {"medium", 8, 512, 5e-4},
    {"base", 12, 768, 1e-4},
};
enum { HEAD_WIDTH = 64 };

static inline const struct shape *find_shape(const char *name)
{
    size_t i;
    for (i = 0; i < COUNT(shapes); ++i)
        if (strcmp(shapes[i].name, name) == 0)
            return &shapes[i];
    return NULL;
}

#endif /* SETTINGS_H */
