/* evaluate: masked loss and accuracy of a model on text, on masks that are always the same. */
#include "diagnose.h"
#include "heldout.h"

struct settings {
    const char *model;
    int64_t T, threads, masking;
    double probability;
    int64_t together;
    int shown, next_sentence;
};

/* What the options ask of the model. */
static void fit_model(const struct settings *settings, const mlm_encoder *encoder)
{
    mlm_encoder_config config;
    mlm_encoder_config_init(&config, sizeof config);
    check(mlm_encoder_get_config(encoder, &config));
    if (settings->T > config.max_position_embeddings)
        complain("--seq-length %lld is more than the %d positions of the model",
            (long long)settings->T, config.max_position_embeddings);
    else if (settings->next_sentence && !config.sentence_head)
        complain("--next-sentence: %s has no sentence head", settings->model);
    else if (settings->next_sentence && config.type_vocab_size < 2)
        complain("--next-sentence: the model's type_vocab_size is 1, for segments A and B alike");
    else
        return;
    exit(EXIT_FAILURE);
}

static int evaluate(const struct settings *settings, const char *const *paths, size_t path_count)
{
    mlm_runtime *runtime = make_runtime(settings->threads);
    mlm_masker_options masking;
    mlm_tokenizer *tokenizer;
    mlm_encoder *encoder;
    mlm_metrics total;
    struct heldout heldout;
    check(mlm_tokenizer_load(runtime, settings->model, NULL, &tokenizer));
    check(mlm_encoder_load(runtime, settings->model, NULL, &encoder));
    fit_model(settings, encoder);
    mlm_masker_options_init(&masking, sizeof masking);
    masking.strategy = (int32_t)settings->masking;
    masking.mlm_probability = settings->probability;
    check(heldout_open(runtime, tokenizer, paths, path_count, settings->T, settings->next_sentence,
        &masking, &heldout));
    check(mlm_evaluate(encoder, heldout.corpus, heldout.masker, &total));
    heldout_print(&heldout, &total);
    printf("accuracy: %.4f of %lld masked tokens\n", total.accuracy, (long long)total.labels);
    if (settings->shown)
        diagnose_shown(encoder, tokenizer, &heldout);
    if (settings->together > 0)
        diagnose_together(encoder, tokenizer, &heldout, settings->T, settings->together);
    heldout_close(&heldout);
    mlm_encoder_free(encoder);
    mlm_tokenizer_free(tokenizer);
    mlm_runtime_free(runtime);
    return finish_output();
}

int main(int argc, char **argv)
{
    struct settings settings = {NULL, 128, 0, MLM_MASK_TOKENS, 0.15, 0, 0, 0};
    const struct option options[] = {
        {OPTION_TEXT, "--model", "DIR", "the model and its tokenizer", &settings.model, 0, 0},
        {OPTION_WHOLE, "--seq-length", "T", "most tokens of a sequence (default 128)", &settings.T,
            3, 65536},
        {OPTION_CHOICE, "--masking", "token|whole-word", "what is masked (default token)",
            &settings.masking, 0, 0},
        {OPTION_REAL, "--mask-probability", "P",
            "share of the tokens that is masked (default 0.15)", &settings.probability, 0, 1},
        {OPTION_SWITCH, "--next-sentence", NULL, "on sentence pairs, with their loss and accuracy",
            &settings.next_sentence, 0, 0},
        {OPTION_WHOLE, "--threads", "N", "0: one per core (default 0)", &settings.threads, 0, 1024},
        {OPTION_SWITCH, "--shown", NULL,
            "also the loss where positions show [MASK], a random or the original token",
            &settings.shown, 0, 0},
        {OPTION_WHOLE, "--together", "N",
            "also what it costs to predict tokens masked together at once, on N sequences; "
            "each masked token costs a pass (default 0)",
            &settings.together, 0, 9e15},
    };
    const struct program program = {"evaluate", "--model DIR [options] TEXT...",
        "Prints the masked loss of a model on text files beside the entropy of their tokens, "
        "which\n"
        "is the loss of guessing by frequency, and the share of masked tokens it predicts.",
        options, COUNT(options), 1, SIZE_MAX};
    const size_t count = read_options(&program, argc, argv);
    if (!settings.model)
        refuse("--model is missing");
    return evaluate(&settings, (const char *const *)argv, count);
}
