/* Updates that are not finite, the loss's moving average, and going back. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/support.h"
#include "trainer_suites.h"
#include "training.h"

static mlm_encoder *encoder;
static mlm_trainer *trainer;
static mlm_metrics metrics;
static char checkpoint[600], other_checkpoint[600];

static void setup(void)
{
    encoder = training_encoder(NULL, 0.1);
    trainer = training_trainer(NULL, encoder);
    const char *folder = test_folder();
    snprintf(checkpoint, sizeof checkpoint, "%s/checkpoint", folder);
    snprintf(other_checkpoint, sizeof other_checkpoint, "%s/other", folder);
}

static void teardown(void)
{
    mlm_trainer_free(trainer);
    mlm_encoder_free(encoder);
}

static void get_metrics(void)
{
    mlm_metrics_init(&metrics, sizeof metrics);
    assert_ok(mlm_trainer_get_metrics(trainer, &metrics));
}

static void assert_same_checkpoint(const char *a, const char *b)
{
    static const char *const names[] = {
        "model.safetensors", "optimizer.safetensors", "trainer.json"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        size_t a_size, b_size;
        char *in_a = test_read_file(test_path(a, names[i]), &a_size);
        char *in_b = test_read_file(test_path(b, names[i]), &b_size);
        ck_assert_msg(a_size == b_size && memcmp(in_a, in_b, a_size) == 0, "%s", names[i]);
        free(in_a);
        free(in_b);
    }
}

/* Puts *user into the middle of each sum of gradients. */
static int spoil(void *user, void *data, size_t count, int32_t dtype)
{
    const float number = *(const float *)user;
    if (dtype == MLM_F32 && number != 0)
        ((float *)data)[count / 2] = number;
    return MLM_CONTINUE;
}

/* Without clipping 1e30 is a finite gradient, whose square as a float is not. */
START_TEST(a_gradient_too_large_for_the_moments_changes_nothing)
{
    static const float numbers[] = {NAN, -INFINITY, 1e30f, -3e38f};
    mlm_trainer_options options = training_options();
    options.max_grad_norm = 0;
    options.warmup_steps = 0;
    mlm_trainer *unclipped;
    assert_ok(mlm_trainer_create(NULL, encoder, &options, &unclipped));
    mlm_trainer_free(trainer);
    trainer = unclipped;
    float number = 0;
    assert_ok(mlm_trainer_set_allreduce(trainer, spoil, &number, 0, 1));
    training_updates(trainer, 2);
    assert_ok(mlm_trainer_save(trainer, checkpoint));
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        number = numbers[i];
        assert_error(training_try_update(trainer, &metrics), MLM_ERR_NUMERIC, "norm is");
        get_metrics();
        ck_assert_int_eq(metrics.bad_updates, (int32_t)i + 1);
    }
    mlm_encoder *saved;
    assert_ok(mlm_encoder_load(NULL, checkpoint, NULL, &saved));
    assert_same_parameters(encoder, saved);
    mlm_encoder_free(saved);
    number = 1e18f; /* its square is one */
    training_update(trainer, &metrics);
    ck_assert_int_eq(metrics.bad_updates, 0);
    assert_ok(mlm_trainer_save(trainer, other_checkpoint));
    assert_ok(mlm_trainer_go_back(trainer, other_checkpoint, 1)); /* reads moments: all finite */
}
END_TEST

/* With clipping the same gradient becomes one of norm 1. */
START_TEST(clipping_makes_large_gradients_harmless)
{
    float number = 1e30f;
    training_updates(trainer, 1);
    assert_ok(mlm_trainer_set_allreduce(trainer, spoil, &number, 0, 1));
    training_update(trainer, &metrics);
    ck_assert_double_eq_tol(metrics.grad_norm, 1e30, 1e24);
    number = 0;
    training_update(trainer, &metrics);
    ck_assert(isfinite(metrics.loss));
}
END_TEST

START_TEST(the_loss_has_a_moving_average)
{
    double sum = 0, expected = 0;
    get_metrics();
    ck_assert_double_eq(metrics.loss_average, 0);
    for (int32_t i = 1; i <= 110; i++) {
        training_update(trainer, &metrics);
        sum += metrics.loss;
        expected = i <= 100 ? sum / i : 0.99 * expected + 0.01 * metrics.loss;
        ck_assert_double_eq_tol(metrics.loss_average, expected, 1e-12);
    }
    mlm_batch empty;
    mlm_batch_init(&empty, sizeof empty);
    assert_ok(mlm_trainer_accumulate(trainer, &empty));
    assert_ok(mlm_trainer_update(trainer, &metrics)); /* no label, no loss */
    ck_assert_double_eq_tol(metrics.loss_average, expected, 1e-12);
}
END_TEST

/* The metrics tell what early stopping goes by. */
START_TEST(the_lowest_loss_is_in_the_metrics)
{
    int32_t stale;
    assert_ok(mlm_trainer_observe(trainer, 2.5, 0, &stale));
    assert_ok(mlm_trainer_observe(trainer, 2.75, 0, &stale));
    get_metrics();
    ck_assert_double_eq(metrics.lowest_loss, 2.5);
    ck_assert_int_eq(metrics.stale, 1);
}
END_TEST

/* Trouble behind a checkpoint leaves no trace in what comes after going back to it. */
START_TEST(going_back_is_a_resume)
{
    int32_t stale;
    training_updates(trainer, 3);
    assert_ok(mlm_trainer_observe(trainer, 3, 0, &stale));
    assert_ok(mlm_trainer_save(trainer, checkpoint));

    mlm_encoder *fresh = training_encoder(NULL, 0.1);
    mlm_trainer *resumed;
    assert_ok(mlm_trainer_resume(NULL, fresh, checkpoint, NULL, &resumed));
    training_updates(resumed, 4);
    assert_ok(mlm_trainer_save(resumed, other_checkpoint));
    mlm_trainer_free(resumed);
    mlm_encoder_free(fresh);

    training_updates(trainer, 2);
    float number = NAN;
    assert_ok(mlm_trainer_set_allreduce(trainer, spoil, &number, 0, 1));
    assert_status(training_try_update(trainer, &metrics), MLM_ERR_NUMERIC);
    number = 0;
    assert_ok(mlm_trainer_observe(trainer, 1, 0, &stale));
    training_batch memory;
    mlm_batch waiting = training_batch_make(&memory, 90, 2, true);
    assert_ok(mlm_trainer_accumulate(trainer, &waiting));
    assert_ok(mlm_trainer_go_back(trainer, checkpoint, 1));
    get_metrics();
    ck_assert_int_eq(metrics.step, 3);
    ck_assert_int_eq(metrics.position, 15);
    ck_assert_int_eq(metrics.bad_updates, 0);
    ck_assert_double_eq(metrics.lowest_loss, 3);
    assert_error(mlm_trainer_update(trainer, NULL), MLM_ERR_ARGUMENT, "nothing was");
    training_updates(trainer, 4);
    assert_ok(mlm_trainer_save(trainer, checkpoint));
    assert_same_checkpoint(checkpoint, other_checkpoint);
}
END_TEST

static double rate_of_next_update(void)
{
    training_update(trainer, &metrics);
    return metrics.learning_rate;
}

static void resume_with(const mlm_trainer_options *options)
{
    mlm_trainer_free(trainer);
    assert_ok(mlm_trainer_resume(NULL, encoder, checkpoint, options, &trainer));
}

START_TEST(going_back_lowers_every_rate)
{
    mlm_trainer_options options = training_options();
    options.lr_scheduler = MLM_LR_CONSTANT;
    options.warmup_steps = 0;
    options.learning_rate = 0.04;
    mlm_trainer *constant;
    assert_ok(mlm_trainer_create(NULL, encoder, &options, &constant));
    mlm_trainer_free(trainer);
    trainer = constant;
    ck_assert_double_eq(rate_of_next_update(), 0.04);
    ck_assert_double_eq(metrics.rate_factor, 1);
    assert_ok(mlm_trainer_save(trainer, checkpoint));
    assert_ok(mlm_trainer_go_back(trainer, checkpoint, 0.5));
    ck_assert_double_eq(rate_of_next_update(), 0.02);
    /* The checkpoint knows nothing of the first time: the factors multiply all the same. */
    assert_ok(mlm_trainer_go_back(trainer, checkpoint, 0.5));
    ck_assert_double_eq(rate_of_next_update(), 0.01);
    ck_assert_double_eq(metrics.rate_factor, 0.25);
    assert_ok(mlm_trainer_set_learning_rate(trainer, 0.08));
    ck_assert_double_eq(rate_of_next_update(), 0.02);

    assert_ok(mlm_trainer_save(trainer, checkpoint));
    resume_with(NULL);
    ck_assert_double_eq(rate_of_next_update(), 0.02);
    resume_with(&options);
    ck_assert_double_eq(rate_of_next_update(), 0.01);
    options.learning_rate = 0.03;
    resume_with(&options);
    ck_assert_double_eq(rate_of_next_update(), 0.03);
}
END_TEST

START_TEST(going_back_to_nothing_changes_nothing)
{
    training_updates(trainer, 3);
    assert_ok(mlm_trainer_save(trainer, checkpoint));
    training_updates(trainer, 2);
    assert_ok(mlm_trainer_save(trainer, other_checkpoint));
    mlm_encoder *before;
    assert_ok(mlm_encoder_load(NULL, other_checkpoint, NULL, &before));

    const char *moments = test_path(checkpoint, "optimizer.safetensors");
    size_t size;
    char *bytes = test_read_file(moments, &size);
    bytes[size - 1] ^= 1;
    test_write_file(moments, bytes, size);
    free(bytes);
    assert_error(mlm_trainer_go_back(trainer, checkpoint, 0.5), MLM_ERR_FORMAT, "damaged");
    assert_status(
        mlm_trainer_go_back(trainer, test_path(checkpoint, "none"), 0.5), MLM_ERR_NOT_FOUND);
    assert_same_parameters(encoder, before);
    mlm_encoder_free(before);
    assert_error(mlm_trainer_go_back(trainer, checkpoint, 0), MLM_ERR_ARGUMENT, "rate_factor is 0");
    assert_status(mlm_trainer_go_back(trainer, checkpoint, 1.5), MLM_ERR_ARGUMENT);
    assert_status(mlm_trainer_go_back(trainer, NULL, 0.5), MLM_ERR_ARGUMENT);
    assert_status(mlm_trainer_go_back(NULL, checkpoint, 0.5), MLM_ERR_ARGUMENT);
    get_metrics();
    ck_assert_int_eq(metrics.step, 5);
    ck_assert_double_eq(metrics.rate_factor, 1);
    assert_ok(mlm_trainer_save(trainer, checkpoint));
    assert_same_checkpoint(checkpoint, other_checkpoint);
}
END_TEST

/* A checkpoint that is older than these members. */
START_TEST(a_checkpoint_without_them_is_read)
{
    static const char *const members[] = {"loss_average", "rate_factor", "bad_updates"};
    training_updates(trainer, 5);
    assert_ok(mlm_trainer_save(trainer, checkpoint));
    json_t *root = json_load_file(test_path(checkpoint, "trainer.json"), 0, NULL);
    json_t *state = json_object_get(root, "state");
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        ck_assert_int_eq(json_object_del(state, members[i]), 0);
    training_store_record(checkpoint, root);
    resume_with(NULL);
    get_metrics();
    ck_assert_double_eq(metrics.rate_factor, 1);
    training_update(trainer, &metrics);
    ck_assert_double_eq(metrics.loss_average, metrics.loss); /* and not a hundredth of it */
}
END_TEST

static mlm_status save_and_go_back(mlm_runtime *runtime, void *context)
{
    (void)context;
    const mlm_encoder_config config = training_config();
    const mlm_trainer_options options = training_options();
    mlm_encoder *small = NULL;
    mlm_trainer *attempt = NULL;
    mlm_status status = mlm_encoder_create(runtime, &config, NULL, &small);
    if (status == MLM_OK)
        status = mlm_trainer_create(runtime, small, &options, &attempt);
    if (status == MLM_OK)
        status = mlm_trainer_save(attempt, checkpoint);
    if (status == MLM_OK)
        status = mlm_trainer_go_back(attempt, checkpoint, 0.5);
    mlm_trainer_free(attempt);
    mlm_encoder_free(small);
    return status;
}

START_TEST(memory_may_fail_anywhere)
{
    test_out_of_memory(save_and_go_back, NULL);
}
END_TEST

Suite *trouble_suite(void)
{
    Suite *suite = suite_create("trouble");
    TCase *tests = tcase_create("trouble");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_gradient_too_large_for_the_moments_changes_nothing);
    tcase_add_test(tests, clipping_makes_large_gradients_harmless);
    tcase_add_test(tests, the_loss_has_a_moving_average);
    tcase_add_test(tests, the_lowest_loss_is_in_the_metrics);
    tcase_add_test(tests, going_back_is_a_resume);
    tcase_add_test(tests, going_back_lowers_every_rate);
    tcase_add_test(tests, going_back_to_nothing_changes_nothing);
    tcase_add_test(tests, a_checkpoint_without_them_is_read);
    tcase_add_test(tests, memory_may_fail_anywhere);
    suite_add_tcase(suite, tests);
    return suite;
}
