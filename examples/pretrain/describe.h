/*
 * describe.h - what the metrics file tells once: the configuration of the run, and what
 * the model at its end makes of masked words. As JSON.
 */
#ifndef DESCRIBE_H
#define DESCRIBE_H

#include "handles.h"

#include <jansson.h>

/* Names of files need not be UTF-8, which JSON is. */
static inline json_t *json_text(const char *text)
{
    json_t *string = json_string(text);
    char *copy, *at;
    if (string)
        return string;
    copy = allocate(strlen(text) + 1, 1);
    strcpy(copy, text);
    for (at = copy; *at; ++at)
        if (*at & 0x80)
            *at = '?';
    string = json_string(copy);
    free(copy);
    return string;
}

/* ---- configuration ---------------------------------------------------------------- */

/* Neither shape the result: where it goes, and how much of the machine works on it. */
static inline int is_about_result(const struct option *option)
{
    static const char *const others[] = {
        "--output", "--metrics", "--threads", "--resume", "--overwrite", "--quiet", "--keep",
        "--cache"};
    size_t i;
    for (i = 0; i < COUNT(others); ++i)
        if (strcmp(option->name, others[i]) == 0)
            return 0;
    return 1;
}

/* NULL: not given, or the model's own. */
static inline json_t *option_value(const struct option *option)
{
    const char *choices = option->value;
    int64_t i;
    switch (option->kind) {
    case OPTION_SWITCH:
        return *(int *)option->target ? json_true() : NULL;
    case OPTION_TEXT:
        return *(const char **)option->target ? json_text(*(const char **)option->target) : NULL;
    case OPTION_WHOLE:
        return json_integer(*(int64_t *)option->target);
    case OPTION_REAL:
        return *(double *)option->target < 0 ? NULL : json_real(*(double *)option->target);
    default:
        for (i = *(int64_t *)option->target; i > 0; --i)
            choices = strchr(choices, '|') + 1;
        return json_stringn(choices, strcspn(choices, "|"));
    }
}

static inline json_t *describe_options(const struct program *program)
{
    json_t *options = json_object();
    size_t i;
    for (i = 0; i < program->option_count; ++i) {
        const struct option *option = &program->options[i];
        if (is_about_result(option))
            json_object_set_new(options, option->name + 2, option_value(option));
    }
    return options;
}

static inline json_t *describe_model(const mlm_encoder *encoder)
{
    mlm_encoder_config config;
    mlm_encoder_config_init(&config, sizeof config);
    check(mlm_encoder_get_config(encoder, &config));
    return json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:I}", "num_hidden_layers",
        config.num_hidden_layers, "hidden_size", config.hidden_size, "num_attention_heads",
        config.num_attention_heads, "intermediate_size", config.intermediate_size,
        "max_position_embeddings", config.max_position_embeddings, "vocab_size", config.vocab_size,
        "parameters", (json_int_t)count_parameters(encoder));
}

static inline json_t *describe_configuration(const struct program *program,
    const struct handles *handles, const char *const *paths, size_t path_count)
{
    json_t *texts = json_array();
    size_t i;
    for (i = 0; i < path_count; ++i)
        json_array_append_new(texts, json_text(paths[i]));
    return json_pack("{s:s, s:o, s:o, s:o}", "library", mlm_build_info(), "texts", texts, "options",
        describe_options(program), "model", describe_model(handles->encoder));
}

/* ---- sample predictions ------------------------------------------------------------- */

enum { SAMPLES = 6, SAMPLE_TOKENS = 40, GUESSES = 3 };

/* The tokens of the masked batch that are shown of a sequence. */
struct sample {
    int32_t begin, end;
};

static inline int is_ordinary(const mlm_tokenizer *tokenizer, int32_t id)
{
    return id != mlm_tokenizer_special(tokenizer, MLM_TOKEN_CLS) &&
           id != mlm_tokenizer_special(tokenizer, MLM_TOKEN_SEP) &&
           id != mlm_tokenizer_special(tokenizer, MLM_TOKEN_PAD);
}

/* The first sequences with a masked token among the first; their number. */
static inline size_t find_samples(const mlm_batch *masked, struct sample samples[SAMPLES])
{
    size_t count = 0;
    int32_t b, n;
    for (b = 0; b < masked->B && count < SAMPLES; ++b) {
        struct sample sample = {masked->offsets[b], masked->offsets[b + 1]};
        int labels = 0;
        if (sample.end > sample.begin + SAMPLE_TOKENS)
            sample.end = sample.begin + SAMPLE_TOKENS;
        for (n = sample.begin; n < sample.end; ++n)
            labels += masked->labels[n] >= 0;
        if (labels > 0)
            samples[count++] = sample;
    }
    return count;
}

static inline json_t *describe_guesses(
    const mlm_tokenizer *tokenizer, const int32_t *ids, const float *probabilities)
{
    json_t *guesses = json_array();
    int k;
    for (k = 0; k < GUESSES; ++k)
        json_array_append_new(guesses,
            json_pack("{s:o, s:f}", "token", json_text(mlm_tokenizer_token(tokenizer, ids[k])),
                "probability", (double)probabilities[k]));
    return guesses;
}

/* input: what the model saw instead of the token, told where it is not [MASK]. */
static inline json_t *describe_place(
    const mlm_tokenizer *tokenizer, size_t place, int32_t id, int32_t input, json_t *guesses)
{
    json_t *object = json_pack("{s:I, s:o, s:o}", "place", (json_int_t)place, "token",
        json_text(mlm_tokenizer_token(tokenizer, id)), "predictions", guesses);
    if (input != mlm_tokenizer_special(tokenizer, MLM_TOKEN_MASK))
        json_object_set_new(object, "shown", json_text(mlm_tokenizer_token(tokenizer, input)));
    return object;
}

static inline json_t *describe_sample(
    const struct handles *handles, const mlm_batch *masked, const struct sample *sample)
{
    int32_t positions[SAMPLE_TOKENS], ids[SAMPLE_TOKENS * GUESSES], n;
    float probabilities[SAMPLE_TOKENS * GUESSES];
    json_t *tokens = json_array(), *places = json_array();
    size_t M = 0, m = 0, shown = 0;
    for (n = sample->begin; n < sample->end; ++n)
        if (masked->labels[n] >= 0)
            positions[M++] = n;
    check(mlm_encoder_predict(handles->encoder, masked, positions, M, GUESSES, ids, probabilities));
    for (n = sample->begin; n < sample->end; ++n) {
        const int32_t id = masked->labels[n] >= 0 ? masked->labels[n] : masked->input_ids[n];
        if (!is_ordinary(handles->tokenizer, id))
            continue;
        json_array_append_new(tokens, json_text(mlm_tokenizer_token(handles->tokenizer, id)));
        if (masked->labels[n] >= 0) {
            json_array_append_new(
                places, describe_place(handles->tokenizer, shown, id, masked->input_ids[n],
                            describe_guesses(handles->tokenizer, ids + m * GUESSES,
                                probabilities + m * GUESSES)));
            ++m;
        }
        ++shown;
    }
    return json_pack("{s:o, s:o}", "tokens", tokens, "masked", places);
}

/* Of the beginning of the held-out text, with the masks that evaluation has. NULL: there is
   no such text. */
static inline json_t *describe_samples(const struct handles *handles)
{
    mlm_metrics last;
    struct sample samples[SAMPLES];
    json_t *sentences;
    mlm_batch batch, masked;
    size_t i, count;
    if (!handles->heldout.corpus)
        return NULL;
    mlm_batch_init(&batch, sizeof batch);
    mlm_batch_init(&masked, sizeof masked);
    check(mlm_corpus_seek(handles->heldout.corpus, 0));
    if (mlm_corpus_next(handles->heldout.corpus, &batch) != MLM_OK)
        return NULL;
    check(mlm_masker_apply(handles->heldout.masker, &batch, &masked));
    mlm_metrics_init(&last, sizeof last);
    check(mlm_trainer_get_metrics(handles->trainer, &last));
    sentences = json_array();
    count = find_samples(&masked, samples);
    for (i = 0; i < count; ++i)
        json_array_append_new(sentences, describe_sample(handles, &masked, &samples[i]));
    return json_pack("{s:I, s:o}", "step", (json_int_t)last.step, "sentences", sentences);
}

#endif /* DESCRIBE_H */
