/* train_vocab: learns a WordPiece vocabulary from text files. */
#include "args.h"

struct settings {
    const char *output;
    int64_t vocab_size, max_words, threads;
    int cased;
};

static int train_vocab(const struct settings *settings, const char *const *paths, size_t path_count)
{
    mlm_runtime *runtime = make_runtime(settings->threads);
    mlm_tokenizer_options options;
    mlm_vocab_options vocab;
    mlm_tokenizer *tokenizer;
    mlm_tokenizer_options_init(&options, sizeof options);
    if (settings->cased)
        options.lowercase = 0;
    mlm_vocab_options_init(&vocab, sizeof vocab);
    vocab.vocab_size = (int32_t)settings->vocab_size;
    vocab.max_words = (int32_t)settings->max_words;
    check(mlm_tokenizer_train_files(runtime, paths, path_count, &vocab, &options, &tokenizer));
    check(mlm_tokenizer_save(tokenizer, settings->output));
    printf("%d tokens in %s\n", mlm_tokenizer_vocab_size(tokenizer), settings->output);
    mlm_tokenizer_free(tokenizer);
    mlm_runtime_free(runtime);
    return finish_output();
}

int main(int argc, char **argv)
{
    struct settings settings = {NULL, 0, 0, 0, 0};
    const struct option options[] = {
        {OPTION_WHOLE, "--vocab-size", "N", "most tokens to learn, the five special ones included",
            &settings.vocab_size, 6, 10000000},
        {OPTION_TEXT, "--output", "DIR", "gets vocab.txt, tokenizer.json and their settings",
            &settings.output, 0, 0},
        {OPTION_SWITCH, "--cased", NULL, "keep capitals and accents", &settings.cased, 0, 0},
        {OPTION_WHOLE, "--max-words", "N", "distinct words kept at once; 0: all (default 0)",
            &settings.max_words, 0, INT32_MAX},
        {OPTION_WHOLE, "--threads", "N", "0: one per core (default 0)", &settings.threads, 0, 1024},
    };
    const struct program program = {"train_vocab", "--vocab-size N --output DIR [options] TEXT...",
        "Learns a WordPiece vocabulary from text files.", options, COUNT(options), 1, SIZE_MAX};
    const size_t count = read_options(&program, argc, argv);
    if (!settings.vocab_size)
        refuse("--vocab-size is missing");
    if (!settings.output)
        refuse("--output is missing");
    return train_vocab(&settings, (const char *const *)argv, count);
}
