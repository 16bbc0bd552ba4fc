#include <stdio.h>
#include <stdlib.h>

#include "encoder/encoder.h"
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

mlm_batch fixture_sequence(int32_t b, int32_t offsets[2])
{
    mlm_batch batch = fixture_batch();
    int32_t first = fixture_offsets[b];
    offsets[0] = 0;
    offsets[1] = fixture_offsets[b + 1] - first;
    batch.B = 1;
    batch.offsets = offsets;
    batch.input_ids += first;
    batch.token_type_ids += first;
    batch.labels += first;
    batch.sentence_labels += b;
    return batch;
}

long_batch *make_long(const mlm_encoder *encoder, int32_t B)
{
    size_t rows = (size_t)B + 1, tokens = (size_t)B * FIXTURE_T;
    long_batch *out = malloc(sizeof *out + (3 * rows + 3 * tokens) * sizeof(int32_t));
    ck_assert_ptr_nonnull(out);
    out->which = (int32_t *)(out + 1);
    out->offsets = out->which + rows;
    out->sentence_labels = out->offsets + rows;
    out->ids = out->sentence_labels + rows;
    out->types = out->ids + tokens;
    out->labels = out->types + tokens;
    out->label_count = 0;
    uint64_t state = 1;
    int32_t N = 0;
    for (int32_t b = 0; b < B; b++) {
        int32_t s = (int32_t)(test_random(&state) % FIXTURE_B);
        out->which[b] = s;
        out->offsets[b] = N;
        out->sentence_labels[b] = fixture_sentence_labels[s];
        for (int32_t n = fixture_offsets[s]; n < fixture_offsets[s + 1]; n++, N++) {
            out->ids[N] = fixture_ids[n];
            out->types[N] = fixture_types[n];
            out->labels[N] = fixture_labels[n];
            out->label_count += fixture_labels[n] != MLM_NO_LABEL;
        }
    }
    out->offsets[B] = N;
    ck_assert_int_lt(mlm__network_chunk_end(encoder->network, out->offsets, B, 0), B);
    out->batch = fixture_batch();
    out->batch.B = B;
    out->batch.offsets = out->offsets;
    out->batch.input_ids = out->ids;
    out->batch.token_type_ids = out->types;
    out->batch.labels = out->labels;
    out->batch.sentence_labels = out->sentence_labels;
    return out;
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
