#include "encoder/layout.h"

#include <assert.h>
#include <stdio.h>

#include "base/memory.h"

enum { NUMBERS_ALIGNED = MLM__ALIGNMENT / sizeof(float) };

/* Walks over the parameters twice: first only counting, then with layout->parameters to fill. */
typedef struct builder {
    mlm__layout *layout;
    size_t count, size;
} builder;

static size_t place(builder *b, size_t count)
{
    size_t offset = b->size;
    b->size += (count + NUMBERS_ALIGNED - 1) / NUMBERS_ALIGNED * NUMBERS_ALIGNED;
    return offset;
}

static void add(builder *b, size_t offset, int64_t rows, int64_t columns, int32_t init, bool decay,
    const char *prefix, const char *name)
{
    mlm__parameter *p = b->layout->parameters ? &b->layout->parameters[b->count] : NULL;
    b->count++;
    if (!p)
        return;
    int length = snprintf(p->name, sizeof p->name, "%s%s", prefix, name);
    assert(length > 0 && (size_t)length < sizeof p->name);
    (void)length;
    p->ndim = columns > 0 ? 2 : 1;
    p->shape[0] = rows;
    p->shape[1] = columns > 0 ? columns : 1;
    p->offset = offset;
    p->count = (size_t)(p->shape[0] * p->shape[1]);
    p->decay = decay;
    p->init = init;
}

static size_t matrix(
    builder *b, int64_t rows, int64_t columns, const char *prefix, const char *name)
{
    size_t offset = place(b, (size_t)(rows * columns));
    add(b, offset, rows, columns, MLM__INIT_NORMAL, true, prefix, name);
    return offset;
}

static size_t vector(builder *b, int64_t count, int32_t init, const char *prefix, const char *name)
{
    size_t offset = place(b, (size_t)count);
    add(b, offset, count, 0, init, false, prefix, name);
    return offset;
}

/* torch.nn.Linear: weight [outputs,inputs], bias [outputs]. */
static mlm__affine dense(builder *b, int64_t outputs, int64_t inputs, const char *prefix)
{
    mlm__affine at;
    at.weight = matrix(b, outputs, inputs, prefix, ".weight");
    at.bias = vector(b, outputs, MLM__INIT_ZEROS, prefix, ".bias");
    return at;
}

static mlm__affine norm(builder *b, int64_t H, const char *prefix)
{
    mlm__affine at;
    at.weight = vector(b, H, MLM__INIT_ONES, prefix, ".weight");
    at.bias = vector(b, H, MLM__INIT_ZEROS, prefix, ".bias");
    return at;
}

/* Three tensors to the reader of a file; keys and values are one [2H,H] to the matrix product. */
static void query_key_value(builder *b, mlm__layer_layout *layer, int64_t H, const char *prefix)
{
    static const char *const weight[3] = {"query.weight", "key.weight", "value.weight"};
    static const char *const bias[3] = {"query.bias", "key.bias", "value.bias"};
    mlm__affine at;
    at.weight = place(b, (size_t)(3 * H * H));
    at.bias = place(b, (size_t)(3 * H));
    for (int64_t i = 0; i < 3; i++) {
        add(b, at.weight + (size_t)(i * H * H), H, H, MLM__INIT_NORMAL, true, prefix, weight[i]);
        add(b, at.bias + (size_t)(i * H), H, 0, MLM__INIT_ZEROS, false, prefix, bias[i]);
    }
    layer->query = at;
    layer->key_value = (mlm__affine){at.weight + (size_t)(H * H), at.bias + (size_t)H};
}

static const char *layer_name(char name[80], int32_t l, const char *part)
{
    int length = snprintf(name, 80, "bert.encoder.layer.%d.%s", (int)l, part);
    assert(length > 0 && length < 80);
    (void)length;
    return name;
}

static mlm__layer_layout encoder_layer(builder *b, int32_t l)
{
    const int64_t H = b->layout->config.hidden_size, I = b->layout->config.intermediate_size;
    char name[80];
    mlm__layer_layout at;
    query_key_value(b, &at, H, layer_name(name, l, "attention.self."));
    at.attention_output = dense(b, H, H, layer_name(name, l, "attention.output.dense"));
    at.attention_norm = norm(b, H, layer_name(name, l, "attention.output.LayerNorm"));
    at.intermediate = dense(b, I, H, layer_name(name, l, "intermediate.dense"));
    at.output = dense(b, H, I, layer_name(name, l, "output.dense"));
    at.output_norm = norm(b, H, layer_name(name, l, "output.LayerNorm"));
    return at;
}

/* The order of named_parameters() in transformers, without the tied decoder and, where it is untied,
   without the bias of the head, which then has no part in the logits. */
static void build(builder *b)
{
    mlm__layout *layout = b->layout;
    const mlm_encoder_config *config = &layout->config;
    const int64_t V = config->vocab_size, H = config->hidden_size;
    const char *embeddings = "bert.embeddings.";
    layout->word_embeddings = matrix(b, V, H, embeddings, "word_embeddings.weight");
    layout->position_embeddings =
        matrix(b, config->max_position_embeddings, H, embeddings, "position_embeddings.weight");
    layout->token_type_embeddings =
        matrix(b, config->type_vocab_size, H, embeddings, "token_type_embeddings.weight");
    layout->embeddings_norm = norm(b, H, "bert.embeddings.LayerNorm");
    for (int32_t l = 0; l < config->num_hidden_layers; l++)
        layout->layers[l] = encoder_layer(b, l);
    layout->layers_end = b->size;
    if (config->sentence_head)
        layout->pooler = dense(b, H, H, "bert.pooler.dense");
    layout->decoder.weight = layout->word_embeddings;
    if (!config->untied_word_embeddings)
        layout->decoder.bias = vector(b, V, MLM__INIT_ZEROS, "", "cls.predictions.bias");
    layout->transform = dense(b, H, H, "cls.predictions.transform.dense");
    layout->transform_norm = norm(b, H, "cls.predictions.transform.LayerNorm");
    if (config->untied_word_embeddings)
        layout->decoder = dense(b, V, H, "cls.predictions.decoder");
    if (config->sentence_head)
        layout->sentence = dense(b, 2, H, "cls.seq_relationship");
    layout->count = b->count;
    layout->size = b->size;
}

mlm_status mlm__layout_create(
    mlm_runtime *runtime, const mlm_encoder_config *config, mlm__layout **out)
{
    *out = NULL;
    mlm__layout *layout = mlm__alloc_zero(runtime, 1, sizeof *layout);
    if (!layout)
        return MLM_ERR_MEMORY;
    layout->config = *config;
    layout->layers =
        mlm__alloc_zero(runtime, (size_t)config->num_hidden_layers, sizeof *layout->layers);
    if (!layout->layers) {
        mlm__layout_free(runtime, layout);
        return MLM_ERR_MEMORY;
    }
    build(&(builder){.layout = layout});
    layout->parameters = mlm__alloc_zero(runtime, layout->count, sizeof *layout->parameters);
    if (!layout->parameters) {
        mlm__layout_free(runtime, layout);
        return MLM_ERR_MEMORY;
    }
    build(&(builder){.layout = layout});
    *out = layout;
    return MLM_OK;
}

mlm__frozen mlm__layout_freeze(const mlm__layout *layout, bool embeddings, int32_t layers)
{
    const int32_t L = layout->config.num_hidden_layers;
    assert(layers >= 0 && layers <= L);
    const size_t first = layout->layers[0].query.weight;
    return (mlm__frozen){
        .embeddings = embeddings,
        .layers = layers,
        .begin = embeddings ? 0 : first,
        .end = layers < L ? layout->layers[layers].query.weight : layout->layers_end,
    };
}

void mlm__layout_free(mlm_runtime *runtime, mlm__layout *layout)
{
    if (!layout)
        return;
    mlm__free(runtime, layout->parameters);
    mlm__free(runtime, layout->layers);
    mlm__free(runtime, layout);
}
