/* fill_mask: the likeliest tokens for each [MASK] of a text. */
#include "lines.h"

#include "mlm/compose.h"

static void print_candidates(const mlm_tokenizer *tokenizer, const struct mlm_fill *fill)
{
    size_t m, k;
    for (m = 0; m < fill->M; ++m) {
        if (m > 0)
            putchar('\n');
        for (k = 0; k < fill->K; ++k)
            printf("  %6.4f  %s\n", (double)fill->probabilities[m * fill->K + k],
                mlm_tokenizer_token(tokenizer, fill->candidates[m * fill->K + k]));
    }
}

/* Whether the text had a [MASK]. */
static int fill_text(
    mlm_encoder *encoder, const mlm_tokenizer *tokenizer, const char *text, size_t length, size_t K)
{
    mlm_fill fill;
    memset(&fill, 0, sizeof fill);
    fill.capacity = length + 2;
    fill.masks = length / strlen("[MASK]") + 1;
    fill.K = K;
    fill.ids = allocate(fill.capacity, sizeof *fill.ids);
    fill.positions = allocate(fill.masks, sizeof *fill.positions);
    fill.candidates = allocate(fill.masks * K, sizeof *fill.candidates);
    fill.probabilities = allocate(fill.masks * K, sizeof *fill.probabilities);
    check(mlm_fill_mask(encoder, tokenizer, text, length, &fill));
    printf("%.*s\n", (int)length, text);
    print_candidates(tokenizer, &fill);
    free(fill.ids);
    free(fill.positions);
    free(fill.candidates);
    free(fill.probabilities);
    if (fill.M == 0)
        complain("no [MASK] in '%.*s'", (int)length, text);
    return fill.M > 0;
}

static int fill_mask(const char *model, size_t K, const char *text)
{
    mlm_runtime *runtime = make_runtime(1);
    mlm_tokenizer *tokenizer;
    mlm_encoder *encoder;
    const char *line;
    size_t length;
    int status, all = 1;
    check(mlm_tokenizer_load(runtime, model, NULL, &tokenizer));
    check(mlm_encoder_load(runtime, model, NULL, &encoder));
    if (text) {
        all = fill_text(encoder, tokenizer, text, strlen(text), K);
    } else {
        struct lines lines = lines_open(NULL);
        while ((line = lines_next(&lines, &length)) != NULL)
            all &= fill_text(encoder, tokenizer, line, length, K);
        lines_close(&lines);
    }
    mlm_encoder_free(encoder);
    mlm_tokenizer_free(tokenizer);
    mlm_runtime_free(runtime);
    status = finish_output();
    return all ? status : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    const char *model = NULL;
    int64_t K = 5;
    const struct option options[] = {
        {OPTION_TEXT, "--model", "DIR", "the model and its tokenizer", &model, 0, 0},
        {OPTION_WHOLE, "--top", "K", "how many tokens for each [MASK] (default 5)", &K, 1, 1000},
    };
    const struct program program = {"fill_mask", "--model DIR [--top K] [TEXT]",
        "Prints the likeliest tokens, with their probabilities, for each [MASK] of TEXT, or of "
        "each\n"
        "line of standard input.",
        options, COUNT(options), 0, 1};
    const size_t count = read_options(&program, argc, argv);
    if (!model)
        refuse("--model is missing");
    return fill_mask(model, (size_t)K, count ? argv[0] : NULL);
}
