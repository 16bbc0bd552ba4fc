/* Tokens a second of forward and backward over chunks, dropout on, 15 % of the tokens labelled:
     train [MODEL [THREADS [SEQUENCE LENGTH [SECONDS]]]]
   MODEL is tiny, mini, small, medium or base (models of Turc et al. 2019 with a vocabulary of
   8000, base with 30522). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "base/runtime.h"
#include "encoder/network.h"
#include "mlm/mlm.h"

typedef struct model {
    const char *name;
    int32_t V, H, L;
} model;

static const model models[] = {{"tiny", 8000, 128, 2}, {"mini", 8000, 256, 4},
    {"small", 8000, 512, 4}, {"medium", 8000, 512, 8}, {"base", 30522, 768, 12}};

static int32_t *batch_of(
    const mlm__layout *layout, int32_t N, mlm_runtime *runtime, int32_t **labels)
{
    mlm__random_stream stream =
        mlm__random_stream_make(mlm__random_key_make(1, MLM__RANDOM_MASK, 0), 0, 0);
    int32_t *ids = mlm__alloc(runtime, (size_t)N, sizeof *ids);
    *labels = mlm__alloc(runtime, (size_t)N, sizeof **labels);
    if (!ids || !*labels)
        exit(1);
    for (int32_t i = 0; i < N; i++) {
        ids[i] = (int32_t)mlm__random_below(&stream, (uint32_t)layout->config.vocab_size);
        (*labels)[i] = mlm__random_double(&stream) < 0.15 ? ids[i] : MLM_NO_LABEL;
    }
    return ids;
}

static void must(mlm_status status)
{
    if (status == MLM_OK)
        return;
    fprintf(stderr, "train: %s\n", mlm_last_error());
    exit(1);
}

int main(int argc, char **argv)
{
    const model *m = NULL;
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++)
        if (strcmp(models[i].name, argc > 1 ? argv[1] : "tiny") == 0)
            m = &models[i];
    const int32_t threads = argc > 2 ? atoi(argv[2]) : 2, T = argc > 3 ? atoi(argv[3]) : 128;
    const double seconds = argc > 4 ? atof(argv[4]) : 3;
    if (!m || threads < 1 || T < 1) {
        fprintf(stderr, "usage: train [MODEL [THREADS [SEQUENCE LENGTH [SECONDS]]]]\n");
        return 1;
    }
    mlm_runtime_options options;
    mlm_runtime_options_init(&options, sizeof options);
    options.threads = threads;
    mlm_runtime *runtime;
    must(mlm_runtime_create(&options, &runtime));

    mlm_encoder_config config;
    mlm_encoder_config_init(&config, sizeof config);
    config.vocab_size = m->V;
    config.hidden_size = m->H;
    config.num_hidden_layers = m->L;
    config.num_attention_heads = m->H / 64;
    config.intermediate_size = 4 * m->H;
    mlm__layout *layout;
    mlm__network *network;
    must(mlm__layout_create(runtime, &config, &layout));
    must(mlm__network_create(runtime, layout, mlm__products_get(false), NULL, &network));
    real *parameters = mlm__alloc_zero(runtime, layout->size, sizeof(real));
    real *gradients = mlm__alloc_zero(runtime, layout->size, sizeof(real));
    if (!parameters || !gradients)
        return 1;
    mlm__random_stream stream =
        mlm__random_stream_make(mlm__random_key_make(1, MLM__RANDOM_INIT, 0), 0, 0);
    for (size_t i = 0; i < layout->count; i++)
        for (size_t j = 0; j < layout->parameters[i].count; j++)
            parameters[layout->parameters[i].offset + j] =
                layout->parameters[i].init == MLM__INIT_ONES
                    ? 1
                    : (real)(0.07 * mlm__random_double(&stream) - 0.035);

    enum { TOKENS = 4096 };
    const int32_t B = TOKENS / T, N = B * T;
    int32_t *labels, *ids = batch_of(layout, N, runtime, &labels);
    int32_t *offsets = mlm__alloc(runtime, (size_t)B + 1, sizeof *offsets);
    if (!offsets)
        return 1;
    for (int32_t b = 0; b <= B; b++)
        offsets[b] = b * T;
    const int32_t chunk_B = mlm__network_chunk_end(network, offsets, B, 0);
    must(mlm__network_reserve(network, chunk_B * T, chunk_B, T, 1));
    mlm__dropout dropout = {0.1, 0.1, 1, 0};
    double start = 0, best = 0, total = 0;
    int32_t steps = 0;
    for (mlm__sums sums = {0}; total < seconds; steps++) {
        start = mlm__seconds();
        for (int32_t b = 0; b < B; b += chunk_B) {
            const int32_t end = b + chunk_B < B ? b + chunk_B : B;
            const mlm__chunk chunk = {.B = end - b,
                .N = (end - b) * T,
                .position = b,
                .offsets = offsets + b,
                .input_ids = ids + b * T,
                .labels = labels + b * T};
            must(mlm__network_train(network, parameters, &chunk, &dropout, 1.0 / N, 0,
                &(mlm__frozen){0}, gradients, &sums));
        }
        const double step = mlm__seconds() - start;
        total += step;
        best = best == 0 || step < best ? step : best;
        dropout.step++;
    }
    printf("%s %d thread%s: %.0f tokens/s (best step %.0f), %s\n", m->name, (int)threads,
        threads > 1 ? "s" : "", steps * (double)N / total, N / best, mlm_build_info());
    mlm__free(runtime, offsets);
    mlm__free(runtime, ids);
    mlm__free(runtime, labels);
    mlm__free(runtime, parameters);
    mlm__free(runtime, gradients);
    mlm__network_free(network);
    mlm__layout_free(runtime, layout);
    mlm_runtime_free(runtime);
    return 0;
}
