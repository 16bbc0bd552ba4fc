/* embed: a line of text in, a line of H numbers out. Lines are taken in blocks, so that a
   million of them keep all threads busy. */
#include "lines.h"
#include "texts.h"

#include <math.h>

/* States of another layer than the last are pooled here, of so many tokens at once. */
enum { LAYER_TOKENS = 4096 };

struct model {
    mlm_tokenizer *tokenizer;
    mlm_encoder *encoder;
    mlm_encoder_config config;
    int64_t pooling, layer, max_length, threads;
    int normalize;
    float *hidden; /* [tokens,H] */
    int32_t tokens;
};

/* y of x [T,H], as mlm_encoder_embed makes it of the last layer. */
static void pool(const struct model *model, const float *x, int32_t T, float *y)
{
    const size_t H = (size_t)model->config.hidden_size;
    const int mean = model->pooling == MLM_POOL_MEAN;
    const size_t rows = model->pooling == MLM_POOL_CLS ? 1 : (size_t)T;
    double squares = 0;
    size_t h, t;
    for (h = 0; h < H; ++h) {
        double value = (double)x[h];
        for (t = 1; t < rows; ++t) {
            const double other = (double)x[t * H + h];
            if (mean)
                value += other;
            else if (other > value)
                value = other;
        }
        y[h] = (float)(mean ? value / T : value);
        squares += (double)y[h] * (double)y[h];
    }
    for (h = 0; model->normalize && squares > 0 && h < H; ++h)
        y[h] = (float)((double)y[h] / sqrt(squares));
}

/* As mlm_encoder_embed, of the states after model->layer. */
static void embed_layer(struct model *model, const mlm_batch *batch, float *embeddings)
{
    const size_t H = (size_t)model->config.hidden_size;
    int32_t first, b, offsets[BLOCK_TEXTS + 1];
    for (first = 0; first < batch->B;) {
        mlm_batch part = *batch;
        const int32_t begin = batch->offsets[first];
        part.input_ids += begin;
        part.offsets = offsets;
        offsets[0] = part.B = 0;
        while (first + part.B < batch->B &&
               batch->offsets[first + part.B + 1] - begin <= model->tokens) {
            ++part.B;
            offsets[part.B] = batch->offsets[first + part.B] - begin;
        }
        check(mlm_encoder_forward(model->encoder, &part, (int32_t)model->layer, model->hidden));
        for (b = 0; b < part.B; ++b)
            pool(model, model->hidden + (size_t)offsets[b] * H, offsets[b + 1] - offsets[b],
                embeddings + (size_t)(first + b) * H);
        first += part.B;
    }
}

static void print_block(struct texts *texts, struct model *model, float *embeddings)
{
    const size_t H = (size_t)model->config.hidden_size;
    mlm_batch batch;
    size_t i;
    texts_encode(texts, model->tokenizer, model->max_length, &batch);
    if (model->hidden)
        embed_layer(model, &batch, embeddings);
    else
        check(mlm_encoder_embed(
            model->encoder, &batch, (int32_t)model->pooling, model->normalize, embeddings));
    for (i = 0; i < (size_t)batch.B * H; ++i)
        printf("%.9g%c", (double)embeddings[i], (i + 1) % H ? ' ' : '\n');
}

/* What the options ask of the model. */
static void fit_model(struct model *model)
{
    const int32_t P = model->config.max_position_embeddings;
    const int32_t layers = model->config.num_hidden_layers;
    if (model->max_length > P)
        refuse("--max-length %lld: the model reads %d tokens", (long long)model->max_length, P);
    if (model->layer > layers)
        refuse("--layer %lld: the model has %d", (long long)model->layer, layers);
    if (!model->max_length)
        model->max_length = P;
    if (model->layer >= 0 && model->pooling == MLM_POOL_BERT)
        refuse("--layer: bert pooling is of the last layer alone");
    if (model->layer < 0)
        return;
    model->tokens = P > LAYER_TOKENS ? P : LAYER_TOKENS;
    model->hidden =
        allocate((size_t)model->tokens * (size_t)model->config.hidden_size, sizeof(float));
}

static int embed(struct model *model, const char *directory, const char *path)
{
    struct lines lines = lines_open(path);
    mlm_runtime *runtime = make_runtime(model->threads);
    struct texts *texts = allocate(1, sizeof *texts);
    float *embeddings; /* [BLOCK_TEXTS,H] */
    mlm_encoder_options options;
    const char *line;
    size_t length;
    mlm_encoder_options_init(&options, sizeof options);
    options.sentence_head = model->pooling == MLM_POOL_BERT; /* the pooler is read with it */
    mlm_encoder_config_init(&model->config, sizeof model->config);
    check(mlm_tokenizer_load(runtime, directory, NULL, &model->tokenizer));
    check(mlm_encoder_load(runtime, directory, &options, &model->encoder));
    check(mlm_encoder_get_config(model->encoder, &model->config));
    fit_model(model);
    embeddings = allocate(BLOCK_TEXTS * (size_t)model->config.hidden_size, sizeof(float));
    while (!ferror(stdout) && (line = lines_next(&lines, &length)) != NULL) {
        texts_add(texts, line, length);
        if (texts_full(texts, 1) || !lines_ready(&lines))
            print_block(texts, model, embeddings);
    }
    texts_free(texts);
    free(texts);
    free(embeddings);
    free(model->hidden);
    mlm_encoder_free(model->encoder);
    mlm_tokenizer_free(model->tokenizer);
    mlm_runtime_free(runtime);
    lines_close(&lines);
    return finish_output();
}

int main(int argc, char **argv)
{
    const char *directory = NULL;
    struct model model = {.pooling = MLM_POOL_MEAN, .layer = -1};
    const struct option options[] = {
        {OPTION_TEXT, "--model", "DIR", "the model and its tokenizer", &directory, 0, 0},
        {OPTION_CHOICE, "--pooling", "mean|cls|max|bert",
            "how tokens become one vector (default mean); bert: the model's pooler", &model.pooling,
            0, 0},
        {OPTION_SWITCH, "--normalize", NULL, "to unit length", &model.normalize, 0, 0},
        {OPTION_WHOLE, "--layer", "L",
            "whose states: 0 the embeddings, 1 the first layer (default: the last)", &model.layer,
            0, 65536},
        {OPTION_WHOLE, "--max-length", "N",
            "cut lines to N tokens, [CLS] and [SEP] counted (default: what the model reads)",
            &model.max_length, 3, 65536},
        {OPTION_WHOLE, "--threads", "N", "0: one per core (default 0)", &model.threads, 0, 1024},
    };
    const struct program program = {"embed", "--model DIR [options] [FILE]",
        "Prints a vector for each line of FILE, or of standard input: the model's hidden states\n"
        "pooled. Lines longer than the model can read are cut.",
        options, COUNT(options), 0, 1};
    const size_t count = read_options(&program, argc, argv);
    if (!directory)
        refuse("--model is missing");
    return embed(&model, directory, count ? argv[0] : NULL);
}
