#include "training.h"

#include <string.h>

#include "base/runtime.h"
#include "files/json.h"
#include "support/support.h"

mlm_batch training_batch_make(
    training_batch *memory, int64_t position, int32_t B, bool sentence_labels)
{
    int32_t N = 0;
    memory->offsets[0] = 0;
    for (int32_t b = 0; b < B; b++) {
        int32_t p = (int32_t)position + b, length = 5 + p % 5;
        for (int32_t t = 0; t < length; t++) {
            memory->input_ids[N + t] = 1 + (p * 37 + t * 11 + p * t) % 30;
            memory->token_type_ids[N + t] = 2 * t >= length;
            memory->labels[N + t] = (p + t) % 4 == 1 ? 1 + (p * 13 + t * 7) % 30 : MLM_NO_LABEL;
        }
        memory->sentence_labels[b] = p / 2 % 2;
        memory->offsets[b + 1] = N += length;
    }
    mlm_batch batch;
    mlm_batch_init(&batch, sizeof batch);
    batch.B = B;
    batch.position = position;
    batch.offsets = memory->offsets;
    batch.input_ids = memory->input_ids;
    batch.token_type_ids = memory->token_type_ids;
    batch.labels = memory->labels;
    batch.sentence_labels = sentence_labels ? memory->sentence_labels : NULL;
    return batch;
}

mlm_encoder_config training_config(void)
{
    mlm_encoder_config config;
    mlm_encoder_config_init(&config, sizeof config);
    config.vocab_size = 31;
    config.hidden_size = 8;
    config.num_hidden_layers = 2;
    config.num_attention_heads = 2;
    config.intermediate_size = 16;
    config.max_position_embeddings = 12;
    config.sentence_head = 1;
    return config;
}

mlm_encoder *training_encoder(mlm_runtime *runtime, double dropout)
{
    mlm_encoder_config config = training_config();
    config.hidden_dropout_prob = config.attention_probs_dropout_prob = dropout;
    mlm_encoder *encoder;
    assert_ok(mlm_encoder_create(runtime, &config, NULL, &encoder));
    return encoder;
}

mlm_trainer_options training_options(void)
{
    mlm_trainer_options options;
    mlm_trainer_options_init(&options, sizeof options);
    options.learning_rate = 1e-2;
    options.weight_decay = 0.1;
    options.warmup_steps = 4;
    options.total_steps = 25;
    options.seed = 5;
    return options;
}

mlm_trainer *training_trainer(mlm_runtime *runtime, mlm_encoder *encoder)
{
    mlm_trainer_options options = training_options();
    mlm_trainer *trainer;
    assert_ok(mlm_trainer_create(runtime, encoder, &options, &trainer));
    return trainer;
}

mlm_status training_try_update(mlm_trainer *trainer, mlm_metrics *metrics)
{
    training_batch memory;
    mlm_metrics_init(metrics, sizeof *metrics);
    mlm_status status = mlm_trainer_get_metrics(trainer, metrics);
    const int64_t position = metrics->position;
    mlm_batch batch = training_batch_make(&memory, position, 3, true);
    if (status == MLM_OK)
        status = mlm_trainer_accumulate(trainer, &batch);
    batch = training_batch_make(&memory, position + 3, 2, false);
    if (status == MLM_OK)
        status = mlm_trainer_accumulate(trainer, &batch);
    return status == MLM_OK ? mlm_trainer_update(trainer, metrics) : status;
}

void training_update(mlm_trainer *trainer, mlm_metrics *metrics)
{
    assert_ok(training_try_update(trainer, metrics));
}

void training_updates(mlm_trainer *trainer, int32_t count)
{
    mlm_metrics metrics;
    for (int32_t i = 0; i < count; i++)
        training_update(trainer, &metrics);
}

static const char *first_difference(const mlm_encoder *a, const mlm_encoder *b)
{
    ck_assert_uint_eq(mlm_encoder_tensor_count(a), mlm_encoder_tensor_count(b));
    for (size_t i = 0; i < mlm_encoder_tensor_count(a); i++) {
        mlm_tensor of_a, of_b;
        mlm_tensor_init(&of_a, sizeof of_a);
        mlm_tensor_init(&of_b, sizeof of_b);
        assert_ok(mlm_encoder_get_tensor(a, i, &of_a));
        assert_ok(mlm_encoder_get_tensor(b, i, &of_b));
        size_t count = (size_t)(of_a.shape[0] * (of_a.ndim > 1 ? of_a.shape[1] : 1));
        if (memcmp(of_a.data, of_b.data, count * sizeof *of_a.data) != 0)
            return of_a.name;
    }
    return NULL;
}

void assert_same_parameters(const mlm_encoder *a, const mlm_encoder *b)
{
    const char *name = first_difference(a, b);
    ck_assert_msg(!name, "%s differs", name);
}

void assert_other_parameters(const mlm_encoder *a, const mlm_encoder *b)
{
    ck_assert_ptr_nonnull(first_difference(a, b));
}

void training_store_record(const char *checkpoint, json_t *root)
{
    mlm_runtime *runtime;
    mlm__directory *directory;
    json_object_del(root, "sha256");
    assert_ok(mlm__runtime_retain(NULL, &runtime));
    assert_ok(mlm__directory_begin(runtime, checkpoint, MLM__REPLACE_FILES, &directory));
    assert_ok(mlm__json_write_sealed(directory, "trainer.json", root));
    assert_ok(mlm__directory_commit(directory));
    mlm_runtime_free(runtime);
    json_decref(root);
}
