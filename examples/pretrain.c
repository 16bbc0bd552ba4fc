/*
 * pretrain: text in, a trained BERT out. Reads the texts, makes or resumes the handles
 * of mlm.h, and lets mlm_train of compose.h do the rest; what is left here is what a
 * program adds: options, a progress line, a metrics file, signals.
 */
#include "pretrain/checkpoints.h"
#include "pretrain/command.h"
#include "pretrain/describe.h"
#include "pretrain/handles.h"
#include "pretrain/metrics.h"
#include "pretrain/plateau.h"
#include "pretrain/progress.h"
#include "pretrain/settings.h"
#include "pretrain/signals.h"
#include "pretrain/trouble.h"
#include "report/page.h"

/* ---- the run ------------------------------------------------------------------- */

/* What an update is reported to. */
struct run {
    const struct settings *settings;
    struct handles handles;
    struct progress progress;
    struct metrics metrics;
    int64_t evaluated;          /* step of the last evaluation */
    int64_t saved;              /* step of the checkpoint in --output */
    int newest_lost, best_lost; /* the last save of it failed */
    int64_t skipped;            /* updates that were not finite, since the last */
    char back[PATH_SIZE];       /* the checkpoint to go back to */
};

static int is_due(int64_t every, int64_t step)
{
    return every > 0 && step % every == 0;
}

static void tell_evaluation(const struct run *run, const mlm_metrics *evaluation)
{
    clear_progress(&run->progress);
    heldout_print(&run->handles.heldout, evaluation);
    if (ferror(stdout) && errno == EPIPE)
        clearerr(stdout); /* who has gone wants no more */
}

static int report(void *user, const mlm_metrics *update, const mlm_metrics *evaluation)
{
    struct run *run = user;
    const struct update_notes notes = {evaluation, run->handles.heldout.entropy,
        seconds_now() - run->progress.began, run->skipped, run->settings->next_sentence};
    tell_progress(&run->progress, update);
    if (evaluation) {
        tell_evaluation(run, evaluation);
        run->evaluated = update->step;
    }
    metrics_write_update(&run->metrics, update, &notes);
    run->skipped = 0;
    watch_plateau(run->settings, &run->handles, &run->progress, update);
    if (is_due(run->settings->save_every, update->step) || update->step == run->settings->steps ||
        interrupted)
        metrics_flush(&run->metrics);
    return interrupted && update->step < run->settings->steps ? 0 : MLM_CONTINUE;
}

/* Of days of training nothing is thrown away because a disk is full for a while. */
static int saved(void *user, const char *directory, mlm_status status)
{
    struct run *run = user;
    const int best = directory == run->handles.checkpoints.best;
    mlm_metrics last;
    mlm_metrics_init(&last, sizeof last);
    check(mlm_trainer_get_metrics(run->handles.trainer, &last));
    *(best ? &run->best_lost : &run->newest_lost) = status != MLM_OK;
    if (status != MLM_OK) {
        clear_progress(&run->progress);
        complain("warning: step %lld is not saved: %s", (long long)last.step, mlm_last_error());
    }
    if (best || status != MLM_OK)
        return MLM_CONTINUE;
    run->saved = last.step;
    checkpoints_keep(&run->handles.checkpoints, run->handles.trainer, &last);
    find_earlier_checkpoint(&run->handles.checkpoints, last.step, run->back);
    return MLM_CONTINUE;
}

static void trouble(void *user, mlm_trouble what, const mlm_metrics *state)
{
    struct run *run = user;
    tell_trouble(&run->progress, what, state);
    run->skipped = what == MLM_BAD_UPDATE ? run->skipped + 1 : 0;
    if (what != MLM_WENT_BACK)
        return;
    remove_abandoned(&run->handles.checkpoints, state); /* also where it could not be saved */
    if (run->metrics.kept)
        metrics_cut_back(&run->metrics, state, NULL);
}

/* The exit status. */
static int train(struct run *run)
{
    const struct settings *settings = run->settings;
    const struct handles *handles = &run->handles;
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
    training.best_directory = settings->eval ? handles->checkpoints.best : NULL;
    training.min_delta = settings->min_delta;
    training.max_bad_updates = (int32_t)settings->max_bad_updates;
    training.max_loss_rise = settings->max_loss_rise;
    training.go_back = (int32_t)settings->on_divergence;
    training.back_directory = run->back;
    training.trouble = trouble;
    training.report = report;
    training.saved = saved;
    training.user = run;
    mlm_metrics_init(&last, sizeof last);
    check(mlm_trainer_get_metrics(handles->trainer, &last));
    progress_begin(&run->progress, last.step);
    run->evaluated = -1;
    run->saved = last.step;
    find_earlier_checkpoint(&run->handles.checkpoints, last.step, run->back);
    status = mlm_train(&training, &last);
    if (status == MLM_ERR_NUMERIC) {
        tell_divergence(settings, &last);
        return EXIT_FAILURE;
    }
    if (run->newest_lost) {
        complain("ended without saving step %lld; go on from step %lld with: %s",
            (long long)last.step, (long long)run->saved, resume_command);
        return EXIT_FAILURE;
    }
    if (status == MLM_STOPPED) {
        complain(
            "stopped at step %lld and saved; go on with: %s", (long long)last.step, resume_command);
        return EXIT_INTERRUPTED;
    }
    check(status);
    if (settings->eval && run->evaluated != last.step) {
        check(mlm_evaluate(
            handles->encoder, handles->heldout.corpus, handles->heldout.masker, &evaluation));
        tell_evaluation(run, &evaluation);
    }
    if (run->best_lost) {
        complain("the best model is not saved: %s is an older one", handles->checkpoints.best);
        return EXIT_FAILURE;
    }
    if (!settings->quiet)
        fprintf(stderr, "%s after %lld updates: %s\n",
            status == MLM_END ? "no lower held-out loss" : "done", (long long)last.step,
            settings->output);
    return EXIT_SUCCESS;
}

/* A page in --output. That it cannot be written is no failure of the training, and leaves an
   older one. */
static void write_report(struct run *run)
{
    char path[PATH_SIZE], working[PATH_SIZE];
    FILE *file;
    int written;
    join_names(path, run->handles.checkpoints.newest, "/report.html");
    join_names(working, path, ".mlm-new");
    file = metrics_read(&run->metrics) ? fopen(working, "w") : NULL;
    if (file) {
        write_page(file, &run->metrics.curves);
        written = !ferror(file);
        if (fclose(file) == 0 && written && rename(working, path) == 0)
            return;
    }
    complain("warning: %s is not written: %s", path, strerror(errno));
    unlink(working);
}

static int pretrain(const struct program *program, const struct settings *settings,
    const char *const *paths, size_t count)
{
    static struct run run;
    mlm_metrics resumed;
    json_t *beginning;
    int status;
    run.settings = settings;
    progress_init(&run.progress, settings);
    catch_signals();
    metrics_expect(settings->metrics);
    open_handles(settings, paths, count, &run.progress, &run.handles);
    run.progress.training = 1;
    prepare_output(settings, &run.handles);
    mlm_metrics_init(&resumed, sizeof resumed);
    check(mlm_trainer_get_metrics(run.handles.trainer, &resumed));
    beginning = json_pack("{s:o, s:o}", "configuration",
        describe_configuration(program, &run.handles, paths, count), "data",
        data_report_json(&run.handles.data));
    metrics_open(&run.metrics, settings, run.handles.resumed[0] ? &resumed : NULL, beginning);
    if (!metrics_begun(&run.metrics)) {
        metrics_write_object(&run.metrics, "configuration",
            json_incref(json_object_get(beginning, "configuration")));
        metrics_write_object(&run.metrics, "data", json_incref(json_object_get(beginning, "data")));
    }
    json_decref(beginning);
    data_report_warn(&run.handles.data);
    if (!settings->quiet)
        tell_start(&run.handles);
    status = train(&run);
    metrics_write_object(&run.metrics, "samples", describe_samples(&run.handles));
    write_report(&run);
    if (metrics_close(&run.metrics) != EXIT_SUCCESS && status == EXIT_SUCCESS)
        status = EXIT_FAILURE;
    close_handles(&run.handles);
    return status == EXIT_SUCCESS ? finish_output() : status;
}

/* ---- options ------------------------------------------------------------------- */

/* What one option alone cannot tell. */
static void complete(struct settings *settings)
{
    if (!settings->output)
        refuse("--output is missing");
    if (settings->resume && settings->overwrite)
        refuse("--resume and --overwrite exclude each other");
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
    if (settings->min_delta > 0 && !settings->patience)
        refuse("--min-delta needs --patience");
    if (settings->on_divergence && settings->keep < 2)
        settings->keep = 2;
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
        .mask_probability = 0.15,
        .max_bad_updates = 10,
        .max_loss_rise = 3};
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
        {OPTION_TEXT, "--eval", "FILE", "held-out text; the best model on it is in DIR-best",
            &s.eval, 0, 0},
        {OPTION_WHOLE, "--eval-every", "N",
            "updates between two evaluations (default a tenth of --steps)", &s.eval_every, 1, 1e12},
        {OPTION_WHOLE, "--patience", "N", "end after N evaluations without a lower held-out loss",
            &s.patience, 1, 1e6},
        {OPTION_REAL, "--min-delta", "NATS", "lower by less than this is not lower (default 0)",
            &s.min_delta, 0, 100},
        {OPTION_WHOLE, "--max-bad-updates", "N",
            "so many in a row that are not finite are a divergence (default 10)",
            &s.max_bad_updates, 1, 1e6},
        {OPTION_REAL, "--max-loss-rise", "NATS",
            "two losses in a row this far above their average, or sentence losses above"
            " guessing, are one; 0: never (default 3)",
            &s.max_loss_rise, 0, 1e6},
        {OPTION_CHOICE, "--on-divergence", "stop|back",
            "back: to the last good checkpoint, with half the rate, up to 5 times (default stop)",
            &s.on_divergence, 0, 0},
        {OPTION_WHOLE, "--save-every", "N",
            "updates between two checkpoints; 0: only at the end (default 1000)", &s.save_every, 0,
            1e12},
        {OPTION_WHOLE, "--keep", "N",
            "keep the last N checkpoints, as DIR-checkpoint-STEP; --resume takes the newest intact "
            "one",
            &s.keep, 1, 1e6},
        {OPTION_TEXT, "--cache", "FILE", "keep the text's tokens here, and use them the next time",
            &s.cache, 0, 0},
        {OPTION_SWITCH, "--resume", NULL,
            "go on with the run in --output, or begin it where there is none yet", &s.resume, 0, 0},
        {OPTION_SWITCH, "--overwrite", NULL,
            "begin a new run, also where --output and --metrics have an older one", &s.overwrite, 0,
            0},
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
        "documents. Ctrl-C, SIGTERM and SIGHUP finish the step, save, and end with status 3.",
        options, COUNT(options), 1, SIZE_MAX};
    size_t count;
    remember_command(argc, argv);
    count = read_options(&program, argc, argv);
    complete(&s);
    return pretrain(&program, &s, (const char *const *)argv, count);
}
