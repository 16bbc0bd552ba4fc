/* embed: a line of text in, a line of H numbers out. Lines are taken in blocks, so that a
   million of them keep all threads busy. */
#include "lines.h"

enum { BLOCK_LINES = 256, BLOCK_BYTES = 1 << 20 };

/* Lines, the batch of their tokens, and the numbers. */
struct block {
    char *text; /* the lines, one after the other */
    size_t capacity, size;
    size_t lengths[BLOCK_LINES];
    const char *texts[BLOCK_LINES];
    int32_t offsets[BLOCK_LINES + 1];
    int32_t B;
    int32_t *ids;
    size_t ids_capacity;
    float *embeddings; /* [BLOCK_LINES,H] */
};

struct model {
    mlm_tokenizer *tokenizer;
    mlm_encoder *encoder;
    mlm_encoder_config config;
    int32_t pooling, normalize;
};

static void block_add(struct block *block, const char *line, size_t length)
{
    if (block->size + length > block->capacity) {
        const size_t capacity = 2 * (block->size + length);
        char *text = allocate(capacity, 1);
        if (block->text)
            memcpy(text, block->text, block->size);
        free(block->text);
        block->text = text;
        block->capacity = capacity;
    }
    if (length > 0)
        memcpy(block->text + block->size, line, length);
    block->size += length;
    block->lengths[block->B++] = length;
}

static void block_print(struct block *block, struct model *model)
{
    const size_t H = (size_t)model->config.hidden_size;
    const size_t need = block->size + 2 * (size_t)block->B;
    mlm_encode_options options;
    mlm_batch batch;
    size_t begin = 0, count, i;
    int32_t b;
    for (b = 0; b < block->B; begin += block->lengths[b++])
        block->texts[b] = block->text ? block->text + begin : "";
    if (need > block->ids_capacity) {
        free(block->ids);
        block->ids = allocate(need, sizeof *block->ids);
        block->ids_capacity = need;
    }
    mlm_encode_options_init(&options, sizeof options);
    options.max_length = model->config.max_position_embeddings;
    check(mlm_tokenizer_encode_batch(model->tokenizer, block->texts, block->lengths, block->B,
        &options, block->offsets, block->ids, NULL, need, &count));
    mlm_batch_init(&batch, sizeof batch);
    batch.B = block->B;
    batch.offsets = block->offsets;
    batch.input_ids = block->ids;
    check(mlm_encoder_embed(
        model->encoder, &batch, model->pooling, model->normalize, block->embeddings));
    for (i = 0; i < (size_t)block->B * H; ++i)
        printf("%.9g%c", (double)block->embeddings[i], (i + 1) % H ? ' ' : '\n');
    block->B = 0;
    block->size = 0;
}

static int embed(
    const char *directory, int64_t pooling, int normalize, int64_t threads, const char *path)
{
    struct lines lines = lines_open(path);
    mlm_runtime *runtime = make_runtime(threads);
    struct block *block = allocate(1, sizeof *block);
    struct model model;
    const char *line;
    size_t length;
    model.pooling = (int32_t)pooling;
    model.normalize = normalize;
    mlm_encoder_config_init(&model.config, sizeof model.config);
    check(mlm_tokenizer_load(runtime, directory, NULL, &model.tokenizer));
    check(mlm_encoder_load(runtime, directory, NULL, &model.encoder));
    check(mlm_encoder_get_config(model.encoder, &model.config));
    block->embeddings = allocate(BLOCK_LINES * (size_t)model.config.hidden_size, sizeof(float));
    while (!ferror(stdout) && (line = lines_next(&lines, &length)) != NULL) {
        block_add(block, line, length);
        if (block->B == BLOCK_LINES || block->size > BLOCK_BYTES || !lines_ready(&lines))
            block_print(block, &model);
    }
    free(block->text);
    free(block->ids);
    free(block->embeddings);
    free(block);
    mlm_encoder_free(model.encoder);
    mlm_tokenizer_free(model.tokenizer);
    mlm_runtime_free(runtime);
    lines_close(&lines);
    return finish_output();
}

int main(int argc, char **argv)
{
    const char *model = NULL;
    int64_t pooling = MLM_POOL_MEAN, threads = 0;
    int normalize = 0;
    const struct option options[] = {
        {OPTION_TEXT, "--model", "DIR", "the model and its tokenizer", &model, 0, 0},
        {OPTION_CHOICE, "--pooling", "mean|cls|max", "how tokens become one vector (default mean)",
            &pooling, 0, 0},
        {OPTION_SWITCH, "--normalize", NULL, "to unit length", &normalize, 0, 0},
        {OPTION_WHOLE, "--threads", "N", "0: one per core (default 0)", &threads, 0, 1024},
    };
    const struct program program = {"embed", "--model DIR [options] [FILE]",
        "Prints a vector for each line of FILE, or of standard input: the model's last hidden\n"
        "states pooled. Lines longer than the model can read are cut.",
        options, COUNT(options), 0, 1};
    const size_t count = read_options(&program, argc, argv);
    if (!model)
        refuse("--model is missing");
    return embed(model, pooling, normalize, threads, count ? argv[0] : NULL);
}
