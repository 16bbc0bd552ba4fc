/* A training by torch and transformers, and this one. */
#include <string.h>

#include "support/support.h"
#include "trainer_suites.h"
#include "training.h"
#include "training_fixture.h"

enum { STEPS = 20 };

static size_t count_of(const mlm_tensor *tensor)
{
    return (size_t)(tensor->shape[0] * (tensor->ndim > 1 ? tensor->shape[1] : 1));
}

static void set_made_up(mlm_encoder *encoder, size_t index)
{
    static const char norm[] = "LayerNorm.weight";
    float numbers[512];
    mlm_tensor tensor;
    mlm_tensor_init(&tensor, sizeof tensor);
    assert_ok(mlm_encoder_get_tensor(encoder, index, &tensor));
    const size_t length = strlen(tensor.name), count = count_of(&tensor);
    size_t first = 0;
    for (size_t i = 0; i < length; i++)
        first += (i + 1) * (unsigned char)tensor.name[i];
    first %= 1000;
    const bool is_norm =
        length >= strlen(norm) && strcmp(tensor.name + length - strlen(norm), norm) == 0;
    ck_assert_uint_le(count, sizeof numbers / sizeof numbers[0]);
    for (size_t i = 0; i < count; i++)
        numbers[i] = (float)(is_norm ? 1 : 0) +
                     (float)((int32_t)(((first + i) * 7919 + 13) % 2001) - 1000) / 8192;
    assert_ok(mlm_encoder_set_tensor(encoder, index, numbers, count));
}

static void assert_trained(const mlm_encoder *encoder, const trained_parameter *expected)
{
    mlm_tensor tensor;
    mlm_tensor_init(&tensor, sizeof tensor);
    for (size_t i = 0; i < mlm_encoder_tensor_count(encoder); i++) {
        assert_ok(mlm_encoder_get_tensor(encoder, i, &tensor));
        if (strcmp(tensor.name, expected->name) == 0) {
            const float ends[3] = {
                tensor.data[0], tensor.data[1], tensor.data[count_of(&tensor) - 1]};
            const double expected_ends[3] = {expected->first, expected->second, expected->last};
            assert_close_f32(ends, expected_ends, 3, 1e-6, 1e-7, expected->name);
            return;
        }
    }
    ck_abort_msg("no parameter %s", expected->name);
}

START_TEST(twenty_updates_as_torch)
{
    mlm_encoder *encoder = training_encoder(NULL, 0);
    mlm_trainer *trainer = training_trainer(NULL, encoder);
    for (size_t i = 0; i < mlm_encoder_tensor_count(encoder); i++)
        set_made_up(encoder, i);
    for (int32_t step = 0; step < STEPS; step++) {
        mlm_metrics metrics;
        training_update(trainer, &metrics);
        const double actual[2] = {metrics.loss, metrics.sentence_loss};
        const double expected[2] = {training_losses[step], training_sentence_losses[step]};
        assert_close_f64(actual, expected, 2, 1e-6, 0, "loss, sentence loss");
        assert_close_f64(&metrics.grad_norm, &training_norms[step], 1, 1e-5, 0, "norm");
    }
    const size_t trained = sizeof trained_parameters / sizeof trained_parameters[0];
    ck_assert_uint_eq(mlm_encoder_tensor_count(encoder), trained);
    for (size_t i = 0; i < trained; i++)
        assert_trained(encoder, &trained_parameters[i]);
    mlm_trainer_free(trainer);
    mlm_encoder_free(encoder);
}
END_TEST

Suite *training_suite(void)
{
    Suite *suite = suite_create("training");
    TCase *tests = tcase_create("training");
    tcase_add_test(tests, twenty_updates_as_torch);
    suite_add_tcase(suite, tests);
    return suite;
}
