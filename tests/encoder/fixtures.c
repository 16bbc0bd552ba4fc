#include <stdio.h>
#include <stdlib.h>

#include "encoder_fixture.h"
#include "encoder_tests.h"

const char *fixture_folder(const char *name)
{
    return test_path(FIXTURES, name);
}

mlm_encoder *fixture_encoder(mlm_runtime *runtime, const char *name)
{
    mlm_encoder *encoder;
    assert_ok(mlm_encoder_load(runtime, fixture_folder(name), NULL, &encoder));
    return encoder;
}

mlm_batch fixture_batch(void)
{
    mlm_batch batch;
    mlm_batch_init(&batch, sizeof batch);
    batch.B = FIXTURE_B;
    batch.offsets = fixture_offsets;
    batch.input_ids = fixture_ids;
    batch.token_type_ids = fixture_types;
    batch.labels = fixture_labels;
    batch.sentence_labels = fixture_sentence_labels;
    return batch;
}

mlm_encoder_config small_config(void)
{
    mlm_encoder_config config;
    mlm_encoder_config_init(&config, sizeof config);
    config.vocab_size = FIXTURE_V;
    config.hidden_size = FIXTURE_H;
    config.num_hidden_layers = FIXTURE_L;
    config.num_attention_heads = 2;
    config.intermediate_size = 24;
    config.max_position_embeddings = FIXTURE_T;
    return config;
}

mlm_runtime *threads_runtime(int32_t threads)
{
    mlm_runtime_options options;
    mlm_runtime_options_init(&options, sizeof options);
    options.threads = threads;
    mlm_runtime *runtime;
    assert_ok(mlm_runtime_create(&options, &runtime));
    return runtime;
}

float *all_parameters(const mlm_encoder *encoder, size_t *count)
{
    float *all = NULL;
    *count = 0;
    for (size_t i = 0; i < mlm_encoder_tensor_count(encoder); i++) {
        mlm_tensor tensor;
        mlm_tensor_init(&tensor, sizeof tensor);
        assert_ok(mlm_encoder_get_tensor(encoder, i, &tensor));
        size_t size = 1;
        for (int32_t d = 0; d < tensor.ndim; d++)
            size *= (size_t)tensor.shape[d];
        all = realloc(all, (*count + size) * sizeof *all);
        ck_assert_ptr_nonnull(all);
        memcpy(all + *count, tensor.data, size * sizeof *all);
        *count += size;
    }
    return all;
}
