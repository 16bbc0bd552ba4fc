#include "layers/model.h"

#include <string.h>

#include "base/memory.h"
#include "base/runtime.h"
#include "support/support.h"

enum { SEQUENCES = 3, TOKENS = 15, LONGEST = 9 };

static const int32_t offsets[SEQUENCES + 1] = {0, 1, 6, 15};
/* With the padding token 0 in the middle, a token twice, and the last of the vocabulary. */
static const int32_t input_ids[TOKENS] = {2, 7, 36, 0, 7, 3, 9, 9, 11, 30, 4, 5, 36, 1, 2};
static const int32_t token_type_ids[TOKENS] = {0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1, 1};
static const int32_t labels[TOKENS] = {
    5, -100, 36, -100, 0, -100, 9, -100, -100, 17, -100, 3, -100, -100, 2};
static const int32_t sentence_labels[SEQUENCES] = {1, -100, 0};

mlm_encoder_config test_config(int32_t act, int32_t sentence_head)
{
    mlm_encoder_config config;
    memset(&config, 0, sizeof config);
    config.struct_size = sizeof config;
    config.vocab_size = 37;
    config.hidden_size = 12;
    config.num_hidden_layers = 2;
    config.num_attention_heads = 3;
    config.intermediate_size = 20;
    config.max_position_embeddings = LONGEST;
    config.type_vocab_size = 2;
    config.hidden_act = act;
    config.sentence_head = sentence_head;
    config.layer_norm_eps = 1e-12;
    config.initializer_range = 0.02;
    return config;
}

/* As make_fixtures.py does, so that the fixtures need not hold parameters. */
static void fill(const mlm__layout *layout, real *parameters)
{
    for (size_t i = 0; i < layout->count; i++) {
        const mlm__parameter *p = &layout->parameters[i];
        const double centre = p->init == MLM__INIT_ONES ? 1 : 0;
        for (size_t j = 0; j < p->count; j++) {
            const uint32_t mixed = (uint32_t)(i * 1000003 + j) * 2654435761u;
            parameters[p->offset + j] = (real)(centre + 0.6 * (mixed / 4294967296.0) - 0.3);
        }
    }
}

test_model test_model_make(const mlm_encoder_config *config, int32_t threads)
{
    return test_model_make_with(config, threads, mlm__products_get(false));
}

test_model test_model_make_with(
    const mlm_encoder_config *config, int32_t threads, const mlm__products *products)
{
    test_model model;
    memset(&model, 0, sizeof model);
    mlm_runtime_options options;
    mlm_runtime_options_init(&options, sizeof options);
    options.threads = threads;
    assert_ok(mlm_runtime_create(&options, &model.runtime));
    assert_ok(mlm__layout_create(model.runtime, config, &model.layout));
    model.parameters = mlm__alloc_zero(model.runtime, model.layout->size, sizeof(real));
    model.gradients = mlm__alloc_zero(model.runtime, model.layout->size, sizeof(real));
    ck_assert(model.parameters && model.gradients);
    fill(model.layout, model.parameters);
    assert_ok(mlm__packed_create(model.runtime, model.layout, products, &model.packed));
    assert_ok(mlm__packed_update(model.packed, model.runtime, model.parameters, 1, true));
    assert_ok(
        mlm__network_create(model.runtime, model.layout, products, model.packed, &model.network));
    assert_ok(mlm__network_reserve(model.network, TOKENS, SEQUENCES, LONGEST, 1));
    model.chunk = (mlm__chunk){.B = SEQUENCES,
        .N = TOKENS,
        .position = 41,
        .offsets = offsets,
        .input_ids = input_ids,
        .token_type_ids = token_type_ids,
        .labels = labels,
        .sentence_labels = sentence_labels};
    return model;
}

void test_model_free(test_model *model)
{
    mlm__network_free(model->network);
    mlm__packed_free(model->packed);
    mlm__free(model->runtime, model->parameters);
    mlm__free(model->runtime, model->gradients);
    mlm__layout_free(model->runtime, model->layout);
    mlm_runtime_free(model->runtime);
}

mlm__sums test_model_train(
    test_model *model, const mlm__dropout *dropout, double loss_scale, double sentence_scale)
{
    mlm__sums sums = {0};
    memset(model->gradients, 0, model->layout->size * sizeof(real));
    assert_ok(mlm__network_train(model->network, model->parameters, &model->chunk, dropout,
        loss_scale, sentence_scale, &(mlm__frozen){0}, model->gradients, &sums));
    return sums;
}
