/*
 * pretrain: text in, a trained BERT out. Reads the texts, makes or resumes the handles
 * of mlm.h, and lets mlm_train of compose.h do the rest; what is left here is what a
 * program adds: options, a progress line, a metrics file, signals.
 */
#include "heldout.h"
#include "new_words.h"

#include <signal.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_INTERRUPTED = 3, DEFAULT_VOCAB_SIZE = 8000, DEFAULT_WARMUP = 100 };

struct settings {
    const char *vocab, *config, *init, *output, *eval, *metrics;
    int64_t vocab_size, steps, batch_size, accumulate, T, warmup, schedule, masking, seed, threads;
    int64_t precision, eval_every, patience, save_every;
    double learning_rate, weight_decay, dropout, mask_probability;
    int resume, quiet, next_sentence, freeze_embeddings;
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

static const struct shape *find_shape(const char *name)
{
    size_t i;
    for (i = 0; i < COUNT(shapes); ++i)
        if (strcmp(shapes[i].name, name) == 0)
            return &shapes[i];
    return NULL;
}

/* ---- signals: finish the step, save, end ------------------------------------ */

static volatile sig_atomic_t interrupted;

static void interrupt(int signal)
{
    (void)signal;
    interrupted = 1;
}

/* A second signal ends the program at once. */
static void catch_signals(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = interrupt;
    action.sa_flags = (int)(SA_RESETHAND | SA_RESTART);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

/* ---- what is told while it runs ---------------------------------------------- */

struct teller {
    const struct settings *settings;
    const struct heldout *heldout;
    FILE *metrics;
    int terminal, training;
    double began, told; /* seconds */
    int64_t first_step; /* updates before this run */
    int64_t tokens;     /* of this run             */
    int64_t evaluated;  /* step of the last evaluation */
};

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Long calls before the training: opening the texts, learning a vocabulary. */
static int tell_preparation(void *user, const char *what, int64_t done, int64_t total)
{
    const struct teller *teller = user;
    if (teller->training)
        return MLM_CONTINUE; /* from here on a signal waits for the step, and never for a save */
    if (teller->terminal && total > 0)
        fprintf(stderr, "\r\033[K%s: %.0f %%%s", what, 100.0 * (double)done / (double)total,
            done == total ? "\r\033[K" : "");
    return interrupted ? 0 : MLM_CONTINUE;
}

static void print_duration(FILE *file, double seconds)
{
    const long whole = (long)(seconds + 0.5);
    fprintf(file, "%ld:%02ld:%02ld", whole / 3600, whole / 60 % 60, whole % 60);
}

static void tell_progress(struct teller *teller, const mlm_metrics *update)
{
    const double elapsed = seconds_now() - teller->began;
    const int64_t steps = teller->settings->steps, done = update->step - teller->first_step;
    const int last = update->step == steps || interrupted;
    if (!last && done > 1 && elapsed - teller->told < (teller->terminal ? 0.2 : 10.0))
        return;
    teller->told = elapsed;
    fprintf(stderr, "%sstep %lld/%lld  loss %.3f  %.0f tokens/s  ",
        teller->terminal ? "\r\033[K" : "", (long long)update->step, (long long)steps, update->loss,
        (double)teller->tokens / (elapsed > 0 ? elapsed : 1));
    print_duration(stderr, elapsed / (double)done * (double)(steps - update->step));
    fprintf(stderr, " left%s", teller->terminal && !last ? "" : "\n");
}

static void write_metrics(
    const struct teller *teller, const mlm_metrics *update, const mlm_metrics *evaluation)
{
    fprintf(teller->metrics,
        "{\"step\": %lld, \"loss\": %.9g, \"accuracy\": %.9g, \"learning_rate\": %.9g, "
        "\"grad_norm\": %.9g, \"sequences\": %lld, \"tokens\": %lld, \"labels\": %lld, "
        "\"position\": %lld, \"seconds\": %.6f",
        (long long)update->step, update->loss, update->accuracy, update->learning_rate,
        update->grad_norm, (long long)update->sequences, (long long)update->tokens,
        (long long)update->labels, (long long)update->position, seconds_now() - teller->began);
    if (teller->settings->next_sentence)
        fprintf(teller->metrics, ", \"sentence_loss\": %.9g, \"sentence_accuracy\": %.9g",
            update->sentence_loss, update->sentence_accuracy);
    if (evaluation)
        fprintf(teller->metrics,
            ", \"eval_loss\": %.9g, \"eval_accuracy\": %.9g, \"eval_unigram_entropy\": %.9g",
            evaluation->loss, evaluation->accuracy, teller->heldout->entropy);
    if (evaluation && teller->settings->next_sentence)
        fprintf(teller->metrics, ", \"eval_sentence_loss\": %.9g, \"eval_sentence_accuracy\": %.9g",
            evaluation->sentence_loss, evaluation->sentence_accuracy);
    fputs("}\n", teller->metrics);
    fflush(teller->metrics);
}

static void tell_evaluation(struct teller *teller, const mlm_metrics *evaluation)
{
    if (teller->terminal && !teller->settings->quiet)
        fputs("\r\033[K", stderr);
    heldout_print(teller->heldout, evaluation);
}

static int report(void *user, const mlm_metrics *update, const mlm_metrics *evaluation)
{
    struct teller *teller = user;
    teller->tokens += update->tokens;
    if (!teller->settings->quiet)
        tell_progress(teller, update);
    if (evaluation) {
        tell_evaluation(teller, evaluation);
        teller->evaluated = update->step;
    }
    if (teller->metrics)
        write_metrics(teller, update, evaluation);
    return interrupted && update->step < teller->settings->steps ? 0 : MLM_CONTINUE;
}

/* ---- making the handles -------------------------------------------------------- */

struct handles {
    mlm_runtime *runtime;
    mlm_tokenizer *tokenizer;
    mlm_corpus *corpus;
    mlm_masker *masker;
    mlm_encoder *encoder;
    mlm_trainer *trainer;
    struct heldout heldout;
    double learning_rate;         /* the configuration's own */
    mlm_tokenizer *old_tokenizer; /* without the words of --add-words; NULL: there are none */
};

/* As check, but a signal while texts or a model are read is no failure. */
static void check_preparation(mlm_status status)
{
    if (status == MLM_STOPPED) {
        complain("stopped before the first update; start again with the same command");
        exit(EXIT_INTERRUPTED);
    }
    check(status);
}

static void open_runtime(
    const struct settings *settings, struct teller *teller, struct handles *handles)
{
    mlm_runtime_options options;
    mlm_runtime_options_init(&options, sizeof options);
    options.threads = (int32_t)settings->threads;
    options.user = teller;
    options.log = print_message;
    options.progress = tell_preparation;
    check(mlm_runtime_create(&options, &handles->runtime));
}

/* The given one, that of the model to continue, that of the run to resume, or a new one. */
static void open_tokenizer(const struct settings *settings, const char *const *paths, size_t count,
    struct handles *handles)
{
    const char *path = settings->vocab        ? settings->vocab
                       : settings->vocab_size ? NULL
                                              : settings->init;
    mlm_vocab_options vocab;
    if (!path && settings->resume)
        path = settings->output;
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

static void open_texts(const struct settings *settings, const char *const *paths, size_t count,
    struct handles *handles)
{
    mlm_corpus_options corpus;
    mlm_masker_options masking;
    mlm_corpus_options_init(&corpus, sizeof corpus);
    corpus.B = (int32_t)settings->batch_size;
    corpus.T = (int32_t)settings->T;
    corpus.seed = (uint64_t)settings->seed;
    if (settings->next_sentence)
        corpus.packing = MLM_PACK_PAIRS;
    check_preparation(mlm_corpus_open(
        handles->runtime, handles->tokenizer, paths, count, &corpus, &handles->corpus));
    mlm_masker_options_init(&masking, sizeof masking);
    masking.strategy = (int32_t)settings->masking;
    masking.mlm_probability = settings->mask_probability;
    masking.seed = (uint64_t)settings->seed;
    check(mlm_masker_create(handles->runtime, handles->tokenizer, &masking, &handles->masker));
    if (settings->eval)
        check_preparation(heldout_open(handles->runtime, handles->tokenizer, &settings->eval, 1,
            settings->T, settings->next_sentence, &masking, &handles->heldout));
}

static void read_config(
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

static void open_encoder(const struct settings *settings, struct handles *handles)
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

static void open_trainer(const struct settings *settings, struct handles *handles)
{
    mlm_trainer_options options;
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
    if (settings->resume)
        check_preparation(mlm_trainer_resume(
            handles->runtime, handles->encoder, settings->output, &options, &handles->trainer));
    else
        check(mlm_trainer_create(handles->runtime, handles->encoder, &options, &handles->trainer));
    check(
        mlm_trainer_attach(handles->trainer, handles->tokenizer, handles->corpus, handles->masker));
}

/* Saves the untrained model: whether --output can be written is found out now, not after hours,
   and a run that is killed early has lost nothing. An older run there stays until the first save
   of this one. */
static void prepare_output(const struct settings *settings, struct handles *handles)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/trainer.json", settings->output);
    if (access(path, F_OK) != 0)
        check(mlm_trainer_save(handles->trainer, settings->output));
    else if (!settings->resume)
        complain("warning: %s holds a run that this one will replace; --resume goes on with it",
            settings->output);
}

static int64_t count_parameters(const mlm_encoder *encoder)
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

static void tell_start(const struct settings *settings, const struct handles *handles)
{
    mlm_corpus_info info;
    mlm_encoder_config config;
    mlm_corpus_info_init(&info, sizeof info);
    mlm_encoder_config_init(&config, sizeof config);
    check(mlm_corpus_get_info(handles->corpus, &info));
    check(mlm_encoder_get_config(handles->encoder, &config));
    fprintf(stderr,
        "text: %lld documents, %lld tokens, %.2f %% unknown, %lld sequences of at most %lld\n",
        (long long)info.documents, (long long)info.tokens,
        info.tokens ? 100.0 * (double)info.unknown_tokens / (double)info.tokens : 0.0,
        (long long)info.sequences, (long long)settings->T);
    fprintf(stderr, "model: %d layers of width %d, vocabulary of %d, %.1f million parameters\n",
        config.num_hidden_layers, config.hidden_size, config.vocab_size,
        1e-6 * (double)count_parameters(handles->encoder));
}

/* ---- the run ------------------------------------------------------------------- */

static mlm_status run(const struct settings *settings, struct handles *handles,
    struct teller *teller, const char *best)
{
    mlm_training training;
    mlm_metrics last, evaluation;
    mlm_status status;
    mlm_training_init(&training);
    training.trainer = handles->trainer;
    training.corpus = handles->corpus;
    training.masker = handles->masker;
    training.steps = settings->steps;
    training.accumulate = settings->accumulate;
    training.encoder = handles->encoder;
    training.eval_corpus = handles->heldout.corpus;
    training.eval_masker = handles->heldout.masker;
    training.eval_every = settings->eval ? settings->eval_every : 0;
    training.patience = (int32_t)settings->patience;
    training.save_every = settings->save_every;
    training.directory = settings->output;
    training.best_directory = best;
    training.report = report;
    training.user = teller;
    mlm_metrics_init(&last, sizeof last);
    check(mlm_trainer_get_metrics(handles->trainer, &last));
    teller->first_step = last.step;
    teller->evaluated = -1;
    teller->began = seconds_now();
    status = mlm_train(&training, &last);
    if (status < MLM_OK && status != MLM_STOPPED)
        check(status);
    if (status != MLM_STOPPED && settings->eval && teller->evaluated != last.step) {
        check(mlm_evaluate(
            handles->encoder, handles->heldout.corpus, handles->heldout.masker, &evaluation));
        tell_evaluation(teller, &evaluation);
    }
    if (status == MLM_STOPPED)
        complain("stopped at step %lld and saved; the same command with --resume goes on",
            (long long)last.step);
    else if (!settings->quiet)
        fprintf(stderr, "%s after %lld updates: %s\n",
            status == MLM_END ? "no lower held-out loss" : "done", (long long)last.step,
            settings->output);
    return status;
}

static int pretrain(const struct settings *settings, const char *const *paths, size_t count)
{
    struct handles handles;
    struct teller teller;
    char best[4096];
    mlm_status status;
    int length;
    memset(&handles, 0, sizeof handles);
    memset(&teller, 0, sizeof teller);
    handles.learning_rate = 1e-4;
    teller.settings = settings;
    teller.heldout = &handles.heldout;
    teller.terminal = isatty(STDERR_FILENO) && !settings->quiet;
    catch_signals();
    open_runtime(settings, &teller, &handles);
    open_tokenizer(settings, paths, count, &handles);
    open_encoder(settings, &handles);
    open_texts(settings, paths, count, &handles);
    open_trainer(settings, &handles);
    teller.training = 1;
    prepare_output(settings, &handles);
    length = (int)strlen(settings->output);
    while (length > 1 && settings->output[length - 1] == '/')
        --length;
    snprintf(best, sizeof best, "%.*s-best", length, settings->output);
    if (settings->metrics &&
        !(teller.metrics = fopen(settings->metrics, settings->resume ? "a" : "w"))) {
        complain("--metrics %s: %s", settings->metrics, strerror(errno));
        return EXIT_FAILURE;
    }
    if (!settings->quiet)
        tell_start(settings, &handles);
    status = run(settings, &handles, &teller, settings->patience ? best : NULL);
    if (teller.metrics && fclose(teller.metrics) != 0)
        complain("--metrics %s: %s", settings->metrics, strerror(errno));
    heldout_close(&handles.heldout);
    mlm_trainer_free(handles.trainer);
    mlm_encoder_free(handles.encoder);
    mlm_masker_free(handles.masker);
    mlm_corpus_free(handles.corpus);
    mlm_tokenizer_free(handles.tokenizer);
    mlm_tokenizer_free(handles.old_tokenizer);
    mlm_runtime_free(handles.runtime);
    return status == MLM_STOPPED ? EXIT_INTERRUPTED : finish_output();
}

/* What one option alone cannot tell. */
static void complete(struct settings *settings)
{
    if (!settings->output)
        refuse("--output is missing");
    if (settings->vocab && settings->vocab_size)
        refuse("--vocab and --vocab-size exclude each other");
    if (settings->config && settings->init)
        refuse("--config and --init exclude each other");
    if (settings->init && settings->vocab_size)
        refuse("--init has a vocabulary: --vocab-size does not go with it");
    if (settings->add_words && !settings->init)
        refuse("--add-words needs --init");
    if (settings->add_words && settings->freeze_embeddings)
        refuse("--add-words: with --freeze-embeddings the new words are never trained");
    if (settings->patience && !settings->eval)
        refuse("--patience needs --eval");
    if (!settings->config)
        settings->config = "tiny";
    if (settings->warmup < 0)
        settings->warmup =
            settings->schedule == MLM_LR_CONSTANT ? DEFAULT_WARMUP : settings->steps / 10;
    if (!settings->eval_every)
        settings->eval_every = settings->steps > 10 ? settings->steps / 10 : 1;
}

int main(int argc, char **argv)
{
    struct settings s = {.steps = 10000,
        .batch_size = 32,
        .accumulate = 1,
        .T = 128,
        .schedule = MLM_LR_CONSTANT, /* does not depend on --steps: a run can be made longer */
        .warmup = -1,
        .save_every = 1000,
        .learning_rate = -1,
        .weight_decay = 0.01,
        .dropout = -1,
        .mask_probability = 0.15};
    const struct option options[] = {
        {OPTION_TEXT, "--output", "DIR", "where model, tokenizer and checkpoint go", &s.output, 0,
            0},
        {OPTION_TEXT, "--vocab", "PATH", "vocab.txt, tokenizer.json or a directory with one",
            &s.vocab, 0, 0},
        {OPTION_WHOLE, "--vocab-size", "N", "learn a vocabulary of N tokens (default 8000)",
            &s.vocab_size, 6, 1e7},
        {OPTION_TEXT, "--config", "tiny|mini|small|medium|base|FILE.json",
            "shape of the model (default tiny)", &s.config, 0, 0},
        {OPTION_TEXT, "--init", "DIR", "continue from this model in Hugging Face's format", &s.init,
            0, 0},
        {OPTION_WHOLE, "--steps", "N", "updates in all, resumed ones included (default 10000)",
            &s.steps, 1, 1e12},
        {OPTION_WHOLE, "--batch-size", "B", "sequences of a batch (default 32)", &s.batch_size, 1,
            1e6},
        {OPTION_WHOLE, "--accumulate", "N", "batches of an update (default 1)", &s.accumulate, 1,
            1e6},
        {OPTION_WHOLE, "--seq-length", "T", "most tokens of a sequence (default 128)", &s.T, 3,
            65536},
        {OPTION_REAL, "--learning-rate", "RATE",
            "default 1e-3 (tiny, mini), 5e-4 (small, medium), 5e-5 (--init), else 1e-4",
            &s.learning_rate, 0, 1},
        {OPTION_WHOLE, "--warmup", "N",
            "updates in which the rate rises (default 100 if constant, else a tenth of --steps)",
            &s.warmup, 0, 1e12},
        {OPTION_CHOICE, "--schedule", "linear|cosine|constant|warmup-stable-decay",
            "the rate after the warmup (default constant: a run can be made longer)", &s.schedule,
            0, 0},
        {OPTION_REAL, "--weight-decay", "D",
            "AdamW's, not on biases and layer norms (default 0.01)", &s.weight_decay, 0, 1},
        {OPTION_REAL, "--dropout", "P", "of hidden states and attention (default the model's, 0.1)",
            &s.dropout, 0, 0.99},
        {OPTION_CHOICE, "--masking", "token|whole-word", "what is masked (default token)",
            &s.masking, 0, 0},
        {OPTION_SWITCH, "--next-sentence", NULL,
            "also predict whether the second of two segments follows the first", &s.next_sentence,
            0, 0},
        {OPTION_REAL, "--mask-probability", "P", "share of the tokens to predict (default 0.15)",
            &s.mask_probability, 0, 1},
        {OPTION_WHOLE, "--seed", "N", "of initial values, order, masks and dropout (default 0)",
            &s.seed, 0, 9e15},
        {OPTION_WHOLE, "--threads", "N", "0: one per core; results do not depend on it (default 0)",
            &s.threads, 0, 1024},
        {OPTION_CHOICE, "--precision", "fp32|bf16", "of matrix products (default fp32)",
            &s.precision, 0, 0},
        {OPTION_TEXT, "--eval", "FILE", "held-out text", &s.eval, 0, 0},
        {OPTION_WHOLE, "--eval-every", "N",
            "updates between two evaluations (default a tenth of --steps)", &s.eval_every, 1, 1e12},
        {OPTION_WHOLE, "--patience", "N",
            "end after N evaluations without a lower loss; the best is in DIR-best", &s.patience, 1,
            1e6},
        {OPTION_WHOLE, "--save-every", "N",
            "updates between two checkpoints; 0: only at the end (default 1000)", &s.save_every, 0,
            1e12},
        {OPTION_SWITCH, "--resume", NULL, "go on with the run in --output", &s.resume, 0, 0},
        {OPTION_TEXT, "--metrics", "FILE.jsonl", "one JSON object for each update", &s.metrics, 0,
            0},
        {OPTION_TEXT, "--add-words", "FILE", "with --init: a word a line, each to be one token",
            &s.add_words, 0, 0},
        {OPTION_SWITCH, "--freeze-embeddings", NULL,
            "do not train the embeddings, nor the decoder tied to them", &s.freeze_embeddings, 0,
            0},
        {OPTION_WHOLE, "--freeze-layers", "N", "do not train the first N layers (default 0)",
            &s.freeze_layers, 0, 1e6},
        {OPTION_SWITCH, "--quiet", NULL, "print held-out losses only", &s.quiet, 0, 0},
    };
    const struct program program = {"pretrain", "--output DIR [options] TEXT...",
        "Pre-trains a BERT on text files: a sentence or paragraph a line, an empty line between\n"
        "documents. Ctrl-C and SIGTERM finish the step, save, and end with status 3.",
        options, COUNT(options), 1, SIZE_MAX};
    const size_t count = read_options(&program, argc, argv);
    complete(&s);
    return pretrain(&s, (const char *const *)argv, count);
}
