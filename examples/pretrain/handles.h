/*
 * handles.h - the handles of mlm.h from the settings, made or resumed.
 */
#ifndef HANDLES_H
#define HANDLES_H

#include "../heldout.h"
#include "../new_words.h"
#include "checkpoints.h"
#include "command.h"
#include "data_report.h"
#include "progress.h"
#include "settings.h"

struct handles {
    mlm_runtime *runtime;
    mlm_tokenizer *tokenizer;
    mlm_corpus *corpus;
    mlm_masker *masker;
    mlm_encoder *encoder;
    mlm_trainer *trainer;
    struct heldout heldout;
    struct data_report data;
    struct checkpoints checkpoints;
    char resumed[PATH_SIZE];      /* the checkpoint that the run goes on from; "": it begins */
    double learning_rate;         /* the configuration's own */
    mlm_tokenizer *old_tokenizer; /* without the words of --add-words; NULL: there are none */
};

/* As check, but a signal while texts or a model are read is no failure. */
static inline void check_preparation(mlm_status status)
{
    if (status == MLM_STOPPED) {
        complain("stopped before the first update; go on with: %s", resume_command);
        exit(EXIT_INTERRUPTED);
    }
    check(status);
}

static inline void open_runtime(
    const struct settings *settings, struct progress *progress, struct handles *handles)
{
    mlm_runtime_options options;
    mlm_runtime_options_init(&options, sizeof options);
    options.threads = (int32_t)settings->threads;
    options.user = progress;
    options.log = print_message;
    options.progress = tell_preparation;
    check(mlm_runtime_create(&options, &handles->runtime));
}

/* A resumed run that has no checkpoint yet begins: a loop that starts it again and again until it
   is done needs no other command for the first time. */
static inline void find_beginning(const struct settings *settings, struct handles *handles)
{
    struct stat metrics;
    mlm_status status = MLM_ERR_NOT_FOUND;
    checkpoints_init(&handles->checkpoints, settings);
    if (settings->resume)
        status = find_checkpoint(&handles->checkpoints, handles->runtime, handles->resumed);
    if (status != MLM_ERR_NOT_FOUND) {
        check_preparation(status);
        return;
    }
    handles->resumed[0] = '\0';
    expect_replacement(&handles->checkpoints, settings);
    if (settings->metrics && !settings->overwrite && stat(settings->metrics, &metrics) == 0 &&
        metrics.st_size > 0) {
        complain(
            "--metrics %s: is of a run that has no checkpoint in %s: --overwrite%s begins a new "
            "one that replaces it",
            settings->metrics, settings->output, settings->resume ? " in place of --resume" : "");
        exit(EXIT_FAILURE);
    }
    if (settings->resume && !settings->quiet)
        complain("no checkpoint in %s yet: the run begins", settings->output);
}

/* The given one, that of the model to continue, that of the run to resume, or a new one. */
static inline void open_tokenizer(const struct settings *settings, const char *const *paths,
    size_t count, struct handles *handles)
{
    const char *path = settings->vocab        ? settings->vocab
                       : settings->vocab_size ? NULL
                                              : settings->init;
    mlm_vocab_options vocab;
    if (!path && handles->resumed[0])
        path = handles->resumed;
    if (path) {
        check_preparation(mlm_tokenizer_load(handles->runtime, path, NULL, &handles->tokenizer));
        if (settings->add_words) {
            handles->old_tokenizer = handles->tokenizer;
            handles->tokenizer =
                new_words_add(handles->old_tokenizer, settings->add_words, settings->quiet);
        }
        return;
    }
    mlm_vocab_options_init(&vocab, sizeof vocab);
    vocab.vocab_size = settings->vocab_size ? (int32_t)settings->vocab_size : DEFAULT_VOCAB_SIZE;
    check_preparation(mlm_tokenizer_train_files(
        handles->runtime, paths, count, &vocab, NULL, &handles->tokenizer));
}

static inline void open_texts(const struct settings *settings, const char *const *paths,
    size_t count, struct handles *handles)
{
    mlm_corpus_options corpus;
    mlm_masker_options masking;
    mlm_corpus_options_init(&corpus, sizeof corpus);
    corpus.B = (int32_t)settings->batch_size;
    corpus.T = (int32_t)settings->T;
    corpus.seed = (uint64_t)settings->seed;
    corpus.cache = settings->cache ? settings->cache : spill_directory();
    if (settings->next_sentence)
        corpus.packing = MLM_PACK_PAIRS;
    check_preparation(mlm_corpus_open(
        handles->runtime, handles->tokenizer, paths, count, &corpus, &handles->corpus));
    data_report_make(&handles->data, handles->corpus, settings->T, count, settings->next_sentence);
    mlm_masker_options_init(&masking, sizeof masking);
    masking.strategy = (int32_t)settings->masking;
    masking.mlm_probability = settings->mask_probability;
    masking.seed = (uint64_t)settings->seed;
    check(mlm_masker_create(handles->runtime, handles->tokenizer, &masking, &handles->masker));
    if (settings->eval)
        check_preparation(heldout_open(handles->runtime, handles->tokenizer, &settings->eval, 1,
            settings->T, settings->next_sentence, &masking, &handles->heldout));
}

static inline void read_config(
    const struct settings *settings, struct handles *handles, mlm_encoder_config *config)
{
    const struct shape *shape = find_shape(settings->config);
    mlm_encoder_config_init(config, sizeof *config);
    config->vocab_size = mlm_tokenizer_vocab_size(handles->tokenizer);
    config->pad_token_id = mlm_tokenizer_special(handles->tokenizer, MLM_TOKEN_PAD);
    if (shape) {
        config->num_hidden_layers = shape->num_hidden_layers;
        config->hidden_size = shape->hidden_size;
        config->num_attention_heads = shape->hidden_size / HEAD_WIDTH;
        config->intermediate_size = 4 * shape->hidden_size;
        if (config->max_position_embeddings < settings->T)
            config->max_position_embeddings = (int32_t)settings->T;
        handles->learning_rate = shape->learning_rate;
    } else {
        check(mlm_encoder_config_load(handles->runtime, settings->config, config));
    }
}

static inline void open_encoder(const struct settings *settings, struct handles *handles)
{
    const int32_t V = mlm_tokenizer_vocab_size(handles->tokenizer);
    mlm_encoder_options options;
    mlm_encoder_config config;
    mlm_encoder_options_init(&options, sizeof options);
    options.precision = settings->precision ? MLM_BF16 : MLM_F32;
    options.seed = (uint64_t)settings->seed;
    options.sentence_head = settings->next_sentence;
    if (settings->init) {
        check_preparation(
            mlm_encoder_load(handles->runtime, settings->init, &options, &handles->encoder));
        if (handles->old_tokenizer)
            new_words_grow(handles->old_tokenizer, handles->tokenizer, &handles->encoder);
        handles->learning_rate = 5e-5;
    } else {
        read_config(settings, handles, &config);
        config.sentence_head |= settings->next_sentence;
        check_preparation(
            mlm_encoder_create(handles->runtime, &config, &options, &handles->encoder));
    }
    mlm_encoder_config_init(&config, sizeof config);
    check(mlm_encoder_get_config(handles->encoder, &config));
    if (config.vocab_size < V) {
        complain("the model has %d tokens, and the vocabulary %d", config.vocab_size, V);
        exit(EXIT_FAILURE);
    }
    if (settings->next_sentence && config.type_vocab_size < 2) {
        complain("--next-sentence: the model's type_vocab_size is 1, for segments A and B alike");
        exit(EXIT_FAILURE);
    }
    if (config.max_position_embeddings < settings->T) {
        complain("--seq-length %lld is more than the %d positions of the model",
            (long long)settings->T, config.max_position_embeddings);
        exit(EXIT_FAILURE);
    }
}

static inline void open_trainer(const struct settings *settings, struct handles *handles)
{
    mlm_trainer_options options;
    mlm_metrics last;
    mlm_trainer_options_init(&options, sizeof options);
    options.lr_scheduler = (int32_t)settings->schedule;
    options.total_steps = settings->steps;
    options.warmup_steps = settings->warmup;
    options.learning_rate =
        settings->learning_rate >= 0 ? settings->learning_rate : handles->learning_rate;
    options.weight_decay = settings->weight_decay;
    options.hidden_dropout_prob = settings->dropout;
    options.attention_probs_dropout_prob = settings->dropout;
    options.seed = (uint64_t)settings->seed;
    options.freeze_embeddings = settings->freeze_embeddings;
    options.freeze_layers = (int32_t)settings->freeze_layers;
    if (handles->resumed[0])
        check_preparation(mlm_trainer_resume(
            handles->runtime, handles->encoder, handles->resumed, &options, &handles->trainer));
    else
        check(mlm_trainer_create(handles->runtime, handles->encoder, &options, &handles->trainer));
    check(
        mlm_trainer_attach(handles->trainer, handles->tokenizer, handles->corpus, handles->masker));
    mlm_metrics_init(&last, sizeof last);
    check(mlm_trainer_get_metrics(handles->trainer, &last));
    if (last.step > 0 && last.sequences != settings->batch_size * settings->accumulate) {
        complain("--accumulate is %lld, the checkpoint was trained with %lld",
            (long long)settings->accumulate, (long long)(last.sequences / settings->batch_size));
        exit(EXIT_FAILURE);
    }
}

static inline void open_handles(const struct settings *settings, const char *const *paths,
    size_t count, struct progress *progress, struct handles *handles)
{
    handles->learning_rate = 1e-4;
    open_runtime(settings, progress, handles);
    find_beginning(settings, handles);
    open_tokenizer(settings, paths, count, handles);
    open_encoder(settings, handles);
    open_texts(settings, paths, count, handles);
    open_trainer(settings, handles);
}

static inline void close_handles(struct handles *handles)
{
    heldout_close(&handles->heldout);
    mlm_trainer_free(handles->trainer);
    mlm_encoder_free(handles->encoder);
    mlm_masker_free(handles->masker);
    mlm_corpus_free(handles->corpus);
    mlm_tokenizer_free(handles->tokenizer);
    mlm_tokenizer_free(handles->old_tokenizer);
    mlm_runtime_free(handles->runtime);
    free(handles->checkpoints.steps);
}

/* Saves the untrained model: whether --output can be written is found out now, not after hours,
   and a run that is killed early has lost nothing. What it overwrites is given up here, when
   all has been read that the new run needs. */
static inline void prepare_output(const struct settings *settings, struct handles *handles)
{
    const char *newest = handles->checkpoints.newest, *best = handles->checkpoints.best;
    const int begins = !handles->resumed[0];
    int own = strcmp(handles->resumed, newest) == 0;
    mlm_metrics last;
    mlm_metrics_init(&last, sizeof last);
    check(mlm_trainer_get_metrics(handles->trainer, &last));
    if (begins || !is_checkpoint(newest)) {
        check(mlm_trainer_save(handles->trainer, newest));
        own = 1;
    }
    if (begins || (own && last.step == 0)) { /* or killed between saving and removing */
        remove_all(&handles->checkpoints, is_checkpoint);
        if (settings->eval && (is_checkpoint(best) || is_remnant(best)))
            remove_checkpoint(best);
    }
    if (own) /* also one that was killed between saving and keeping */
        checkpoints_keep(&handles->checkpoints, handles->trainer, &last);
    /* The new one beside the old one; those that are kept; the best one. */
    warn_of_space(&handles->checkpoints,
        begins ? (settings->keep > 1 ? settings->keep : 1) + (settings->eval != NULL) : 1);
}

static inline int64_t count_parameters(const mlm_encoder *encoder)
{
    const size_t count = mlm_encoder_tensor_count(encoder);
    int64_t parameters = 0;
    size_t i;
    int32_t k;
    for (i = 0; i < count; ++i) {
        mlm_tensor tensor;
        int64_t size = 1;
        mlm_tensor_init(&tensor, sizeof tensor);
        check(mlm_encoder_get_tensor(encoder, i, &tensor));
        for (k = 0; k < tensor.ndim; ++k)
            size *= tensor.shape[k];
        parameters += size;
    }
    return parameters;
}

static inline void tell_start(const struct handles *handles)
{
    mlm_encoder_config config;
    mlm_metrics last;
    mlm_encoder_config_init(&config, sizeof config);
    mlm_metrics_init(&last, sizeof last);
    check(mlm_trainer_get_metrics(handles->trainer, &last));
    check(mlm_encoder_get_config(handles->encoder, &config));
    data_report_print(&handles->data);
    fprintf(stderr, "model: %d layers of width %d, vocabulary of %d, %.1f million parameters\n",
        config.num_hidden_layers, config.hidden_size, config.vocab_size,
        1e-6 * (double)count_parameters(handles->encoder));
    if (handles->resumed[0])
        fprintf(stderr, "going on from step %lld of %s\n", (long long)last.step, handles->resumed);
}

#endif /* HANDLES_H */
