/* Frozen tensors: their bytes, their cost, and the gradients of the others. */
#include <stdio.h>
#include <string.h>

#include "support/support.h"
#include "trainer/trainer.h"
#include "trainer_suites.h"
#include "training.h"

static const struct {
    int32_t embeddings, layers;
} freezings[] = {{1, 0}, {0, 1}, {1, 1}, {0, 2}, {1, 2}};
enum { FREEZINGS = sizeof freezings / sizeof freezings[0] };

static mlm_trainer_options options_of(int32_t i)
{
    mlm_trainer_options options = training_options();
    options.freeze_embeddings = freezings[i].embeddings;
    options.freeze_layers = freezings[i].layers;
    return options;
}

static bool should_freeze(int32_t i, const char *name)
{
    int32_t layer;
    if (strncmp(name, "bert.embeddings.", 16) == 0)
        return freezings[i].embeddings;
    return sscanf(name, "bert.encoder.layer.%d.", &layer) == 1 && layer < freezings[i].layers;
}

static size_t count_of(const mlm_tensor *tensor)
{
    return (size_t)(tensor->shape[0] * tensor->shape[1]);
}

START_TEST(frozen_bytes_stay_and_the_rest_moves)
{
    mlm_encoder *start = training_encoder(NULL, 0.1), *encoder = training_encoder(NULL, 0.1);
    const mlm_trainer_options options = options_of(_i);
    mlm_trainer *trainer;
    assert_ok(mlm_trainer_create(NULL, encoder, &options, &trainer));
    training_updates(trainer, 3);
    for (size_t t = 0; t < mlm_encoder_tensor_count(encoder); t++) {
        mlm_tensor before, after, gradient;
        mlm_tensor_init(&before, sizeof before);
        mlm_tensor_init(&after, sizeof after);
        mlm_tensor_init(&gradient, sizeof gradient);
        assert_ok(mlm_encoder_get_tensor(start, t, &before));
        assert_ok(mlm_encoder_get_tensor(encoder, t, &after));
        assert_ok(mlm_trainer_get_gradient(trainer, t, &gradient));
        const bool same =
            memcmp(before.data, after.data, count_of(&after) * sizeof *after.data) == 0;
        const bool frozen = should_freeze(_i, after.name);
        /* A bias of the keys has no gradient and no decay. */
        ck_assert_msg(same == (frozen || strstr(after.name, "key.bias")), "%s", after.name);
        ck_assert_msg(!gradient.data == frozen, "gradient of %s", after.name);
    }
    mlm_trainer_free(trainer);
    mlm_encoder_free(encoder);
    mlm_encoder_free(start);
}
END_TEST

/* What is left has the bytes that it has in a training of everything, and the norm is theirs. */
START_TEST(gradients_are_those_of_a_whole_training)
{
    mlm_encoder *a = training_encoder(NULL, 0.1), *b = training_encoder(NULL, 0.1);
    const mlm_trainer_options options = options_of(_i);
    mlm_trainer *whole = training_trainer(NULL, a), *part;
    assert_ok(mlm_trainer_create(NULL, b, &options, &part));
    mlm_metrics of_whole, of_part;
    training_update(whole, &of_whole);
    training_update(part, &of_part);
    ck_assert_double_eq(of_whole.loss, of_part.loss);
    double squares = 0;
    for (size_t t = 0; t < mlm_encoder_tensor_count(a); t++) {
        mlm_tensor all, mine;
        mlm_tensor_init(&all, sizeof all);
        mlm_tensor_init(&mine, sizeof mine);
        assert_ok(mlm_trainer_get_gradient(whole, t, &all));
        assert_ok(mlm_trainer_get_gradient(part, t, &mine));
        if (!mine.data)
            continue;
        ck_assert_msg(
            memcmp(all.data, mine.data, count_of(&all) * sizeof *all.data) == 0, "%s", all.name);
        for (size_t i = 0; i < count_of(&mine); i++)
            squares += (double)mine.data[i] * (double)mine.data[i];
    }
    ck_assert_double_eq_tol(of_part.grad_norm * of_part.grad_norm, squares, 1e-12 * squares);
    ck_assert_double_lt(of_part.grad_norm, of_whole.grad_norm);
    mlm_trainer_free(part);
    mlm_trainer_free(whole);
    mlm_encoder_free(b);
    mlm_encoder_free(a);
}
END_TEST

START_TEST(frozen_costs_no_moments)
{
    test_allocator allocator;
    mlm_runtime *runtime = test_allocator_runtime(&allocator, 1, 0);
    mlm_encoder *encoder = training_encoder(runtime, 0.1);
    const mlm_trainer_options frozen = options_of(_i), all = training_options();
    int64_t before = allocator.live_bytes, cost[2], left = 0;
    for (int32_t i = 0; i < 2; i++) {
        mlm_trainer *trainer;
        assert_ok(mlm_trainer_create(runtime, encoder, i ? &frozen : &all, &trainer));
        cost[i] = allocator.live_bytes - before;
        mlm_trainer_free(trainer);
    }
    for (size_t t = 0; t < mlm_encoder_tensor_count(encoder); t++) {
        mlm_tensor tensor;
        mlm_tensor_init(&tensor, sizeof tensor);
        assert_ok(mlm_encoder_get_tensor(encoder, t, &tensor));
        left += should_freeze(_i, tensor.name) ? (int64_t)count_of(&tensor) : 0;
    }
    ck_assert_int_ge(cost[0] - cost[1], 12 * left);
    mlm_encoder_free(encoder);
    mlm_runtime_free(runtime);
}
END_TEST

START_TEST(resumed_is_uninterrupted)
{
    const char *folder = test_folder();
    const char *checkpoint = test_path(folder, "checkpoint");
    mlm_encoder *a = training_encoder(NULL, 0.1), *b = training_encoder(NULL, 0.1);
    mlm_trainer_options options = options_of(_i);
    mlm_trainer *trainer, *resumed, *none = (mlm_trainer *)1;
    assert_ok(mlm_trainer_create(NULL, a, &options, &trainer));
    training_updates(trainer, 2);
    assert_ok(mlm_trainer_save(trainer, checkpoint));
    training_updates(trainer, 2);
    assert_ok(mlm_trainer_resume(NULL, b, checkpoint, _i % 2 ? &options : NULL, &resumed));
    training_updates(resumed, 2);
    assert_same_parameters(a, b);
    options.freeze_layers = freezings[_i].layers ? 0 : 1;
    assert_error(mlm_trainer_resume(NULL, b, checkpoint, &options, &none), MLM_ERR_MISMATCH,
        "freeze_layers is");
    ck_assert_ptr_null(none);
    assert_same_parameters(a, b);
    mlm_trainer_free(resumed);
    mlm_trainer_free(trainer);
    mlm_encoder_free(b);
    mlm_encoder_free(a);
}
END_TEST

START_TEST(more_layers_than_there_are)
{
    mlm_encoder *encoder = training_encoder(NULL, 0.1);
    mlm_trainer_options options = training_options();
    mlm_trainer *trainer;
    options.freeze_layers = 3;
    assert_error(mlm_trainer_create(NULL, encoder, &options, &trainer), MLM_ERR_ARGUMENT,
        "freeze_layers is 3, the encoder has 2 layers");
    options.freeze_layers = -1;
    assert_error(mlm_trainer_create(NULL, encoder, &options, &trainer), MLM_ERR_ARGUMENT,
        "freeze_layers is -1");
    options.freeze_layers = 0;
    options.freeze_embeddings = 2;
    assert_error(mlm_trainer_create(NULL, encoder, &options, &trainer), MLM_ERR_ARGUMENT,
        "freeze_embeddings is 2");
    mlm_encoder_free(encoder);
}
END_TEST

Suite *freezing_suite(void)
{
    Suite *suite = suite_create("freezing");
    TCase *tests = tcase_create("freezing");
    tcase_add_loop_test(tests, frozen_bytes_stay_and_the_rest_moves, 0, FREEZINGS);
    tcase_add_loop_test(tests, gradients_are_those_of_a_whole_training, 0, FREEZINGS);
    tcase_add_loop_test(tests, frozen_costs_no_moments, 0, FREEZINGS);
    tcase_add_loop_test(tests, resumed_is_uninterrupted, 0, FREEZINGS);
    tcase_add_test(tests, more_layers_than_there_are);
    suite_add_tcase(suite, tests);
    return suite;
}
