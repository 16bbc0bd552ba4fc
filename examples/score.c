/* score: how likely a masked language model finds each text, or which of two it prefers: the
   pseudo-log-likelihood, each token predicted from all others. */
#include "copies.h"
#include "lines.h"
#include "texts.h"

enum { WITHIN_WORD, ORIGINAL };

struct scorer {
    mlm_tokenizer *tokenizer;
    mlm_encoder *encoder;
    mlm_copies copies;
    struct texts texts;
    int32_t *labels, *until; /* [capacity], of a block's tokens */
    float *losses;           /* [capacity] */
    size_t capacity;
    int32_t T, per_line; /* positions of the model; texts of a line */
    int64_t variant, line, pairs, correct, ties;
};

struct score {
    double sum; /* of log p, nats */
    int64_t tokens;
};

/* The texts were whole: a likelihood of a part is none of the text. */
static void refuse_long(const struct scorer *scorer, const mlm_batch *batch)
{
    int32_t b;
    for (b = 0; b < batch->B; ++b) {
        const int32_t length = batch->offsets[b + 1] - batch->offsets[b];
        if (length <= scorer->T)
            continue;
        complain("line %lld: %d tokens with [CLS] and [SEP], the model reads %d",
            (long long)(scorer->line - (batch->B - 1 - b) / scorer->per_line), length, scorer->T);
        exit(EXIT_FAILURE);
    }
}

static void reserve(struct scorer *scorer, size_t need)
{
    if (need <= scorer->capacity)
        return;
    free(scorer->labels);
    free(scorer->until);
    free(scorer->losses);
    scorer->labels = allocate(need, sizeof *scorer->labels);
    scorer->until = allocate(need, sizeof *scorer->until);
    scorer->losses = allocate(need, sizeof *scorer->losses);
    scorer->capacity = need;
}

static struct score sum_sequence(const mlm_batch *batch, int32_t b, const float **losses)
{
    struct score score = {0, 0};
    int32_t n;
    for (n = batch->offsets[b]; n < batch->offsets[b + 1]; ++n)
        if (batch->labels[n] >= 0) {
            score.sum -= (double)*(*losses)++;
            ++score.tokens;
        }
    return score;
}

static int same_tokens(const mlm_batch *batch, int32_t a, int32_t b)
{
    const int32_t *offsets = batch->offsets, length = offsets[a + 1] - offsets[a];
    return length == offsets[b + 1] - offsets[b] &&
           memcmp(batch->input_ids + offsets[a], batch->input_ids + offsets[b],
               (size_t)length * sizeof *batch->input_ids) == 0;
}

static void score_block(struct scorer *scorer)
{
    const float *losses;
    mlm_batch batch;
    int32_t b;
    texts_encode(&scorer->texts, scorer->tokenizer, 0, &batch);
    refuse_long(scorer, &batch);
    reserve(scorer, (size_t)batch.offsets[batch.B]);
    mlm_ask_each_token(
        scorer->tokenizer, &batch, scorer->variant == WITHIN_WORD, scorer->labels, scorer->until);
    batch.labels = scorer->labels;
    check(mlm_losses_in_turn(scorer->encoder, &batch, scorer->until,
        mlm_tokenizer_special(scorer->tokenizer, MLM_TOKEN_MASK), &scorer->copies, scorer->losses));
    losses = scorer->losses;
    for (b = 0; b < batch.B; b += scorer->per_line) {
        const struct score first = sum_sequence(&batch, b, &losses);
        struct score second;
        if (scorer->per_line == 1) {
            printf("%.6f\t%.6f\t%lld\n", first.sum,
                first.tokens ? first.sum / (double)first.tokens : 0, (long long)first.tokens);
            continue;
        }
        second = sum_sequence(&batch, b + 1, &losses);
        ++scorer->pairs;
        /* Equal tokens are a tie, even where two places of a batch round differently. */
        if (first.sum == second.sum || same_tokens(&batch, b, b + 1))
            ++scorer->ties;
        else
            scorer->correct += first.sum > second.sum;
    }
}

/* Adds the texts of a line. */
static void add_line(struct scorer *scorer, const char *line, size_t length)
{
    const char *tab = scorer->per_line == 2 ? memchr(line, '\t', length) : NULL;
    const size_t first = tab ? (size_t)(tab - line) : length;
    ++scorer->line;
    if (scorer->per_line == 2 && (!tab || memchr(tab + 1, '\t', length - first - 1))) {
        complain("line %lld: not two texts separated by a tab", (long long)scorer->line);
        exit(EXIT_FAILURE);
    }
    texts_add(&scorer->texts, line, first);
    if (tab)
        texts_add(&scorer->texts, tab + 1, length - first - 1);
}

static int score(const char *model, int pairs, int64_t variant, int64_t threads, const char *path)
{
    struct lines lines = lines_open(path);
    mlm_runtime *runtime = make_runtime(threads);
    struct scorer *scorer = allocate(1, sizeof *scorer);
    mlm_encoder_config config;
    const char *line;
    size_t length;
    mlm_encoder_config_init(&config, sizeof config);
    check(mlm_tokenizer_load(runtime, model, NULL, &scorer->tokenizer));
    check(mlm_encoder_load(runtime, model, NULL, &scorer->encoder));
    check(mlm_encoder_get_config(scorer->encoder, &config));
    scorer->T = config.max_position_embeddings;
    scorer->copies = copies_open(scorer->T);
    scorer->variant = variant;
    scorer->per_line = pairs ? 2 : 1;
    while (!ferror(stdout) && (line = lines_next(&lines, &length)) != NULL) {
        add_line(scorer, line, length);
        if (texts_full(&scorer->texts, scorer->per_line) || !lines_ready(&lines))
            score_block(scorer);
    }
    if (pairs)
        printf("accuracy: %.4f of %lld pairs, %lld ties counted as wrong\n",
            scorer->pairs ? (double)scorer->correct / (double)scorer->pairs : 0,
            (long long)scorer->pairs, (long long)scorer->ties);
    copies_free(&scorer->copies);
    texts_free(&scorer->texts);
    free(scorer->labels);
    free(scorer->until);
    free(scorer->losses);
    mlm_encoder_free(scorer->encoder);
    mlm_tokenizer_free(scorer->tokenizer);
    free(scorer);
    mlm_runtime_free(runtime);
    lines_close(&lines);
    return finish_output();
}

int main(int argc, char **argv)
{
    const char *model = NULL;
    int64_t variant = WITHIN_WORD, threads = 0;
    int pairs = 0;
    const struct option options[] = {
        {OPTION_TEXT, "--model", "DIR", "the model and its tokenizer", &model, 0, 0},
        {OPTION_SWITCH, "--pairs", NULL,
            "lines of two texts and a tab between: how often the first scores higher", &pairs, 0,
            0},
        {OPTION_CHOICE, "--variant", "within-word|original",
            "what is masked with a token: the pieces to its right of its word (default), "
            "nothing",
            &variant, 0, 0},
        {OPTION_WHOLE, "--threads", "N", "0: one per core (default 0)", &threads, 0, 1024},
    };
    const struct program program = {"score", "--model DIR [options] [FILE]",
        "Prints for each line of FILE, or of standard input, its pseudo-log-likelihood in nats,\n"
        "that of a token, and the tokens. A line longer than the model can read is an error.",
        options, COUNT(options), 0, 1};
    const size_t count = read_options(&program, argc, argv);
    if (!model)
        refuse("--model is missing");
    return score(model, pairs, variant, threads, count ? argv[0] : NULL);
}
