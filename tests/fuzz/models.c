#include "fuzz/models.h"

#include <string.h>

mlm_encoder *small_encoder(void)
{
    mlm_encoder_config config;
    mlm_encoder_config_init(&config, sizeof config);
    config.vocab_size = 7;
    config.hidden_size = 2;
    config.num_hidden_layers = 1;
    config.num_attention_heads = 1;
    config.intermediate_size = 3;
    config.max_position_embeddings = 4;
    config.sentence_head = 1;
    mlm_encoder *encoder;
    FUZZ_CHECK(mlm_encoder_create(fuzz_runtime(), &config, NULL, &encoder) == MLM_OK);
    return encoder;
}

mlm_batch small_batch(void)
{
    static const int32_t offsets[] = {0, 4, SMALL_N}, ids[SMALL_N] = {1, 5, 6, 2, 3, 0};
    static const int32_t labels[SMALL_N] = {-100, 4, -100, 5, 6, -100}, follows[] = {0, 1};
    mlm_batch batch;
    mlm_batch_init(&batch, sizeof batch);
    batch.B = 2;
    batch.offsets = offsets;
    batch.input_ids = ids;
    batch.labels = labels;
    batch.sentence_labels = follows;
    return batch;
}

void seed_add(seed_list *list, const char *prefix, size_t prefix_size, const char *path)
{
    size_t size;
    char *file = fuzz_read(path, &size), *bytes = malloc(prefix_size + size);
    FUZZ_CHECK(bytes && list->count < sizeof list->seeds / sizeof list->seeds[0]);
    memcpy(bytes, prefix, prefix_size);
    memcpy(bytes + prefix_size, file, size);
    free(file);
    list->seeds[list->count++] = (fuzz_seed){bytes, prefix_size + size};
}

void small_use(mlm_encoder *encoder)
{
    mlm_batch batch = small_batch();
    mlm_metrics total;
    mlm_metrics_init(&total, sizeof total);
    batch.sentence_labels = NULL;
    FUZZ_CHECK(mlm_encoder_evaluate(encoder, &batch, &total) == MLM_OK && total.labels == 3);
    static const int32_t positions[] = {0, 5};
    int32_t ids[4];
    float probabilities[4];
    FUZZ_CHECK(mlm_encoder_predict(encoder, &batch, positions, 2, 2, ids, probabilities) == MLM_OK);
    for (size_t i = 0; i < 4; i++)
        FUZZ_CHECK(ids[i] >= 0 && ids[i] < 7);
}
