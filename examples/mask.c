/*
 * mask: the page on masked language modelling that every textbook has, drawn on the
 * reader's own sentence: its words, their tokens with the bytes they cover, which were
 * chosen, what became of each, and what the model is asked to say there.
 */
#include "lines.h"
#include "mask_check.h"

enum { TOP = 5 };

struct settings {
    const char *vocab, *model, *check;
    int64_t seed, masking, T;
    double probability;
};

/* A sentence of N tokens before and after the masker; M of them are chosen. */
struct sentence {
    const char *text;
    int32_t N, M;
    int32_t *ids, *spans; /* [N], [N,2] */
    mlm_batch masked;
    int32_t *positions; /* [M] */
};

struct handles {
    mlm_tokenizer *tokenizer;
    mlm_masker *masker;
    mlm_encoder *encoder; /* NULL without a model */
};

/* Text in a column of a width in characters, two spaces before it. */
static void print_column(const char *text, size_t length, int width)
{
    size_t i;
    for (i = 0; i < length; ++i)
        width -= ((unsigned char)text[i] & 0xC0) != 0x80;
    printf("  %.*s%*s", (int)length, text, width > 0 ? width : 0, "");
}

static void print_token(const mlm_tokenizer *tokenizer, int32_t id, int width)
{
    const char *token = mlm_tokenizer_token(tokenizer, id);
    print_column(token, strlen(token), width);
}

static int continues_word(const mlm_tokenizer *tokenizer, int32_t id)
{
    return strncmp(mlm_tokenizer_token(tokenizer, id), "##", 2) == 0;
}

/* The word that token i begins: to the end of the last token that continues it. Nothing for
   tokens within a word and for those that no text stands behind. */
static void print_word(
    const struct sentence *sentence, const mlm_tokenizer *tokenizer, int32_t i, int width)
{
    const int32_t begin = sentence->spans[2 * i];
    int32_t end = sentence->spans[2 * i + 1], j;
    if (continues_word(tokenizer, sentence->ids[i]))
        end = begin;
    for (j = i + 1; end > begin && j < sentence->N; ++j) {
        if (!continues_word(tokenizer, sentence->ids[j]))
            break;
        end = sentence->spans[2 * j + 1];
    }
    print_column(sentence->text + begin, (size_t)(end - begin), width);
}

static const char *what_became(const struct sentence *sentence, int32_t mask, int32_t i)
{
    if (sentence->masked.labels[i] == MLM_NO_LABEL)
        return "";
    if (sentence->masked.input_ids[i] == mask)
        return "masked";
    return sentence->masked.input_ids[i] == sentence->ids[i] ? "kept" : "random";
}

static void print_table(const struct sentence *sentence, const mlm_tokenizer *tokenizer)
{
    const int32_t mask = mlm_tokenizer_special(tokenizer, MLM_TOKEN_MASK);
    int32_t i;
    printf("%4s  %-14s  %-12s  %-9s  %6s  %-7s  %-12s  %6s\n", "", "word", "token", "bytes", "id",
        "chosen", "input", "label");
    for (i = 0; i < sentence->N; ++i) {
        const int32_t begin = sentence->spans[2 * i], end = sentence->spans[2 * i + 1];
        char bytes[32] = "";
        if (end > begin)
            snprintf(bytes, sizeof bytes, "%d-%d", begin, end);
        printf("%4d", i);
        print_word(sentence, tokenizer, i, 14);
        print_token(tokenizer, sentence->ids[i], 12);
        printf("  %-9s  %6d  %-7s", bytes, sentence->ids[i], what_became(sentence, mask, i));
        if (sentence->masked.labels[i] == MLM_NO_LABEL) {
            print_token(tokenizer, sentence->masked.input_ids[i], 0);
            putchar('\n');
            continue;
        }
        print_token(tokenizer, sentence->masked.input_ids[i], 12);
        printf("  %6d\n", sentence->masked.labels[i]);
    }
}

static void print_sequences(const struct sentence *sentence, const mlm_tokenizer *tokenizer)
{
    int32_t i;
    printf("\naltered sequence:");
    for (i = 0; i < sentence->N; ++i)
        printf(" %s", mlm_tokenizer_token(tokenizer, sentence->masked.input_ids[i]));
    printf("\nlabels:");
    for (i = 0; i < sentence->N; ++i)
        printf(" %d", sentence->masked.labels[i]);
    printf("\n");
}

static void print_predictions(const struct sentence *sentence, const struct handles *handles)
{
    const size_t M = (size_t)sentence->M;
    int32_t *candidates = allocate(M * TOP, sizeof *candidates);
    float *probabilities = allocate(M * TOP, sizeof *probabilities);
    float *losses = allocate(M, sizeof *losses);
    double sum = 0;
    size_t m, k;
    check(mlm_encoder_predict(handles->encoder, &sentence->masked, sentence->positions, M, TOP,
        candidates, probabilities));
    check(mlm_encoder_losses(handles->encoder, &sentence->masked, losses));
    for (m = 0; m < M; ++m) {
        const int32_t position = sentence->positions[m];
        sum += (double)losses[m];
        printf("\nposition %d, was %s: loss %.3f nats\n", position,
            mlm_tokenizer_token(handles->tokenizer, sentence->ids[position]), (double)losses[m]);
        for (k = 0; k < TOP; ++k)
            printf("  %6.4f  %s\n", (double)probabilities[m * TOP + k],
                mlm_tokenizer_token(handles->tokenizer, candidates[m * TOP + k]));
    }
    printf("\nloss: %.3f nats, the mean over %zu chosen tokens\n", M ? sum / (double)M : 0.0, M);
    free(candidates);
    free(probabilities);
    free(losses);
}

/* number: which line of the input this is, so that no two get the same masks. */
static void show(const struct handles *handles, const char *text, size_t length, int64_t number)
{
    struct sentence sentence;
    mlm_batch batch;
    int32_t offsets[2], i;
    size_t count;
    memset(&sentence, 0, sizeof sentence);
    sentence.text = text;
    sentence.ids = allocate(length + 2, sizeof *sentence.ids);
    sentence.spans = allocate(2 * (length + 2), sizeof *sentence.spans);
    check(mlm_tokenizer_encode(
        handles->tokenizer, text, length, NULL, sentence.ids, sentence.spans, length + 2, &count));
    sentence.N = (int32_t)count;
    offsets[0] = 0;
    offsets[1] = sentence.N;
    mlm_batch_init(&batch, sizeof batch);
    mlm_batch_init(&sentence.masked, sizeof sentence.masked);
    batch.B = 1;
    batch.position = number;
    batch.offsets = offsets;
    batch.input_ids = sentence.ids;
    check(mlm_masker_apply(handles->masker, &batch, &sentence.masked));
    sentence.positions = allocate(count, sizeof *sentence.positions);
    for (i = 0; i < sentence.N; ++i)
        if (sentence.masked.labels[i] != MLM_NO_LABEL)
            sentence.positions[sentence.M++] = i;
    print_table(&sentence, handles->tokenizer);
    print_sequences(&sentence, handles->tokenizer);
    if (handles->encoder)
        print_predictions(&sentence, handles);
    free(sentence.ids);
    free(sentence.spans);
    free(sentence.positions);
}

/* Masks the whole text of a file; whether all was as the options say. */
static int check_text(const struct settings *settings, mlm_runtime *runtime,
    const struct handles *handles, const mlm_masker_options *options)
{
    mlm_corpus_options corpus_options;
    mlm_corpus *corpus;
    mlm_batch batch, masked;
    mlm_status status;
    struct mask_check checker;
    int right;
    mlm_corpus_options_init(&corpus_options, sizeof corpus_options);
    corpus_options.T = (int32_t)settings->T;
    corpus_options.epochs = 1;
    corpus_options.cache = spill_directory();
    check(mlm_corpus_open(
        runtime, handles->tokenizer, &settings->check, 1, &corpus_options, &corpus));
    mask_check_open(&checker, handles->tokenizer, options);
    mlm_batch_init(&batch, sizeof batch);
    mlm_batch_init(&masked, sizeof masked);
    while ((status = mlm_corpus_next(corpus, &batch)) == MLM_OK) {
        check(mlm_masker_apply(handles->masker, &batch, &masked));
        mask_check_add(&checker, &batch, &masked);
    }
    check(status);
    right = mask_check_report(&checker);
    if (right && !mask_check_is_long(&checker)) {
        complain("%s: too short to tell: %lld tokens were chosen, not %d", settings->check,
            (long long)checker.chosen, CHECK_LEAST);
        right = 0;
    }
    mask_check_close(&checker);
    mlm_corpus_free(corpus);
    return right;
}

static int mask(const struct settings *settings, const char *text)
{
    int right = 1;
    struct handles handles = {NULL, NULL, NULL};
    mlm_runtime *runtime = make_runtime(settings->check ? 0 : 1);
    mlm_masker_options options;
    const char *line;
    size_t length;
    int64_t number = 0;
    check(mlm_tokenizer_load(
        runtime, settings->vocab ? settings->vocab : settings->model, NULL, &handles.tokenizer));
    mlm_masker_options_init(&options, sizeof options);
    options.strategy = (int32_t)settings->masking;
    options.mlm_probability = settings->probability;
    options.seed = (uint64_t)settings->seed;
    check(mlm_masker_create(runtime, handles.tokenizer, &options, &handles.masker));
    if (settings->model)
        check(mlm_encoder_load(runtime, settings->model, NULL, &handles.encoder));
    if (settings->check) {
        right = check_text(settings, runtime, &handles, &options);
    } else if (text) {
        show(&handles, text, strlen(text), 0);
    } else {
        struct lines lines = lines_open(NULL);
        for (; !ferror(stdout) && (line = lines_next(&lines, &length)) != NULL; ++number) {
            if (number > 0)
                putchar('\n');
            show(&handles, line, length, number);
        }
        lines_close(&lines);
    }
    mlm_encoder_free(handles.encoder);
    mlm_masker_free(handles.masker);
    mlm_tokenizer_free(handles.tokenizer);
    mlm_runtime_free(runtime);
    return right ? finish_output() : (finish_output(), EXIT_FAILURE);
}

int main(int argc, char **argv)
{
    struct settings settings = {NULL, NULL, NULL, 0, MLM_MASK_TOKENS, 128, 0.15};
    const struct option options[] = {
        {OPTION_TEXT, "--vocab", "PATH", "vocab.txt, tokenizer.json or a model's directory",
            &settings.vocab, 0, 0},
        {OPTION_CHOICE, "--masking", "token|whole-word", "what is chosen (default token)",
            &settings.masking, 0, 0},
        {OPTION_REAL, "--mask-probability", "P",
            "share of the tokens that is chosen (default 0.15)", &settings.probability, 0, 1},
        {OPTION_WHOLE, "--seed", "N", "another seed, other masks (default 0)", &settings.seed, 0,
            9e15},
        {OPTION_TEXT, "--check", "FILE",
            "mask this whole text, and tell by the status whether all is as the options say",
            &settings.check, 0, 0},
        {OPTION_WHOLE, "--seq-length", "T", "of --check: most tokens of a sequence (default 128)",
            &settings.T, 3, 65536},
        {OPTION_TEXT, "--model", "DIR", "show what this model says, and its loss", &settings.model,
            0, 0},
    };
    const struct program program = {"mask", "--vocab PATH | --model DIR [options] [TEXT]",
        "Shows how TEXT, or each line of standard input, becomes an exercise in prediction.",
        options, COUNT(options), 0, 1};
    const size_t count = read_options(&program, argc, argv);
    if (!settings.vocab && !settings.model)
        refuse("--vocab is missing, or --model");
    if (settings.check && count)
        refuse("--check: its text is a file, not '%s'", argv[0]);
    return mask(&settings, count ? argv[0] : NULL);
}
