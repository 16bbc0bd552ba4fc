/* What an update does to metrics, state and parameters. */
#include <fenv.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "support/support.h"
#include "trainer_suites.h"
#include "training.h"

static mlm_encoder *encoder;
static mlm_trainer *trainer;
static training_batch memory;
static mlm_metrics metrics;

static void setup(void)
{
    encoder = training_encoder(NULL, 0);
    trainer = training_trainer(NULL, encoder);
    mlm_metrics_init(&metrics, sizeof metrics);
}

static void teardown(void)
{
    mlm_trainer_free(trainer);
    mlm_encoder_free(encoder);
}

static mlm_tensor tensor_of(size_t index)
{
    mlm_tensor tensor;
    mlm_tensor_init(&tensor, sizeof tensor);
    assert_ok(mlm_encoder_get_tensor(encoder, index, &tensor));
    return tensor;
}

START_TEST(metrics_cover_the_update)
{
    training_updates(trainer, 2);
    training_update(trainer, &metrics);
    int64_t tokens = 0, labels = 0;
    for (int64_t p = 10; p < 15; p++) {
        mlm_batch batch = training_batch_make(&memory, p, 1, false);
        tokens += batch.offsets[1];
        for (int32_t t = 0; t < batch.offsets[1]; t++)
            labels += batch.labels[t] >= 0;
    }
    ck_assert_int_eq(metrics.step, 3);
    ck_assert_int_eq(metrics.position, 15);
    ck_assert_int_eq(metrics.sequences, 5);
    ck_assert_int_eq(metrics.tokens, tokens);
    ck_assert_int_eq(metrics.labels, labels);
    ck_assert_double_eq(metrics.learning_rate, 1e-2 * 2 / 4);
    ck_assert_double_gt(metrics.seconds, 0);
    mlm_metrics again;
    mlm_metrics_init(&again, sizeof again);
    assert_ok(mlm_trainer_get_metrics(trainer, &again));
    ck_assert_mem_eq(&again, &metrics, sizeof again);
}
END_TEST

START_TEST(first_update_of_a_warmup_changes_nothing)
{
    mlm_encoder *before = training_encoder(NULL, 0);
    training_updates(trainer, 1);
    assert_same_parameters(encoder, before);
    training_updates(trainer, 1);
    assert_other_parameters(encoder, before);
    mlm_encoder_free(before);
}
END_TEST

/* The loss falls on the same sequences again and again. */
START_TEST(training_learns)
{
    mlm_batch batch = training_batch_make(&memory, 0, 5, true);
    double first = 0;
    for (int32_t i = 0; i < 25; i++) {
        assert_ok(mlm_trainer_accumulate(trainer, &batch));
        assert_ok(mlm_trainer_update(trainer, &metrics));
        if (i == 0)
            first = metrics.loss;
    }
    ck_assert_double_lt(metrics.loss, first - 0.5);
}
END_TEST

START_TEST(nothing_accumulated_is_refused)
{
    assert_error(
        mlm_trainer_update(trainer, &metrics), MLM_ERR_ARGUMENT, "nothing was accumulated");
    training_updates(trainer, 1);
    assert_status(mlm_trainer_update(trainer, NULL), MLM_ERR_ARGUMENT);
}
END_TEST

START_TEST(no_sequences_or_labels_are_an_update_without_gradient)
{
    mlm_batch batch = training_batch_make(&memory, 0, 3, false);
    for (int32_t i = 0; i < batch.offsets[3]; i++)
        memory.labels[i] = MLM_NO_LABEL;
    assert_ok(mlm_trainer_accumulate(trainer, &batch));
    mlm_batch empty;
    mlm_batch_init(&empty, sizeof empty);
    empty.position = 3;
    assert_ok(mlm_trainer_accumulate(trainer, &empty));
    assert_ok(mlm_trainer_update(trainer, &metrics));
    ck_assert_int_eq(metrics.step, 1);
    ck_assert_int_eq(metrics.sequences, 3);
    ck_assert_int_eq(metrics.labels, 0);
    ck_assert_double_eq(metrics.loss, 0);
    ck_assert_double_eq(metrics.accuracy, 0);
    ck_assert_double_eq(metrics.grad_norm, 0);
    assert_ok(mlm_trainer_accumulate(trainer, &empty));
    assert_ok(mlm_trainer_update(trainer, &metrics));
    ck_assert_int_eq(metrics.step, 2);
    ck_assert_int_eq(metrics.sequences, 0);
}
END_TEST

/* Each loss has one divisor however the sequences are cut into batches. */
START_TEST(accumulation_is_one_large_batch)
{
    mlm_encoder *other = training_encoder(NULL, 0);
    mlm_trainer *whole = training_trainer(NULL, other);
    for (int64_t p = 0; p < 6; p++) {
        mlm_batch one = training_batch_make(&memory, p, 1, true);
        assert_ok(mlm_trainer_accumulate(trainer, &one));
    }
    assert_ok(mlm_trainer_update(trainer, &metrics));
    mlm_metrics of_whole;
    mlm_metrics_init(&of_whole, sizeof of_whole);
    mlm_batch all = training_batch_make(&memory, 0, 6, true);
    assert_ok(mlm_trainer_accumulate(whole, &all));
    assert_ok(mlm_trainer_update(whole, &of_whole));
    ck_assert_double_eq_tol(metrics.loss, of_whole.loss, 1e-6);
    ck_assert_double_eq_tol(metrics.sentence_loss, of_whole.sentence_loss, 1e-6);
    ck_assert_double_eq_tol(metrics.grad_norm, of_whole.grad_norm, 1e-6 * of_whole.grad_norm);
    ck_assert_int_eq(metrics.position, of_whole.position);
    mlm_trainer_free(whole);
    mlm_encoder_free(other);
}
END_TEST

START_TEST(gradient_is_the_one_before_clipping)
{
    mlm_tensor gradient;
    mlm_tensor_init(&gradient, sizeof gradient);
    assert_error(mlm_trainer_get_gradient(trainer, 0, &gradient), MLM_ERR_ARGUMENT, "no update");
    training_update(trainer, &metrics);
    double sum = 0;
    for (size_t i = 0; i < mlm_encoder_tensor_count(encoder); i++) {
        assert_ok(mlm_trainer_get_gradient(trainer, i, &gradient));
        ck_assert_str_eq(gradient.name, tensor_of(i).name);
        size_t count = (size_t)(gradient.shape[0] * (gradient.ndim > 1 ? gradient.shape[1] : 1));
        for (size_t k = 0; k < count; k++)
            sum += (double)gradient.data[k] * (double)gradient.data[k];
    }
    ck_assert_double_eq_tol(sqrt(sum), metrics.grad_norm, 1e-12 * metrics.grad_norm);
    assert_error(mlm_trainer_get_gradient(trainer, mlm_encoder_tensor_count(encoder), &gradient),
        MLM_ERR_ARGUMENT, "mlm_trainer_get_gradient: index is");
    mlm_batch batch = training_batch_make(&memory, 0, 1, true);
    assert_ok(mlm_trainer_accumulate(trainer, &batch));
    assert_status(mlm_trainer_get_gradient(trainer, 0, &gradient), MLM_ERR_ARGUMENT);
}
END_TEST

static void bytes_with(int32_t threads, mlm_encoder **out)
{
    mlm_runtime_options options;
    mlm_runtime_options_init(&options, sizeof options);
    options.threads = threads;
    mlm_runtime *runtime;
    assert_ok(mlm_runtime_create(&options, &runtime));
    *out = training_encoder(runtime, 0.1);
    mlm_trainer *other = training_trainer(runtime, *out);
    training_updates(other, 5);
    mlm_trainer_free(other);
    mlm_runtime_free(runtime);
}

START_TEST(threads_do_not_change_a_byte)
{
    mlm_encoder *one, *two, *three;
    bytes_with(1, &one);
    bytes_with(2, &two);
    bytes_with(3, &three);
    assert_same_parameters(one, two);
    assert_same_parameters(one, three);
    mlm_encoder_free(one);
    mlm_encoder_free(two);
    mlm_encoder_free(three);
}
END_TEST

START_TEST(dropout_is_the_config_s_unless_given)
{
    mlm_encoder *encoders[3];
    for (int32_t i = 0; i < 3; i++) {
        encoders[i] = training_encoder(NULL, i < 2 ? 0.3 : 0.1);
        mlm_trainer_options options = training_options();
        if (i > 0)
            options.hidden_dropout_prob = options.attention_probs_dropout_prob = 0.3;
        mlm_trainer *other;
        assert_ok(mlm_trainer_create(NULL, encoders[i], &options, &other));
        training_updates(other, 3);
        mlm_trainer_free(other);
    }
    assert_same_parameters(encoders[0], encoders[1]);
    assert_same_parameters(encoders[0], encoders[2]);
    training_updates(trainer, 3);
    assert_other_parameters(encoders[0], encoder);
    for (int32_t i = 0; i < 3; i++)
        mlm_encoder_free(encoders[i]);
}
END_TEST

/* Nothing is learned at a rate of 0: only what is dropped differs. */
static double loss_at_rate_0(mlm_trainer *of)
{
    mlm_batch batch = training_batch_make(&memory, 0, 5, true);
    assert_ok(mlm_trainer_set_learning_rate(of, 0));
    assert_ok(mlm_trainer_accumulate(of, &batch));
    assert_ok(mlm_trainer_update(of, &metrics));
    return metrics.loss;
}

START_TEST(dropout_follows_seed_and_step)
{
    double losses[3][2];
    for (int32_t i = 0; i < 3; i++) {
        mlm_trainer_options options = training_options();
        options.seed = i < 2 ? 5 : 6;
        options.hidden_dropout_prob = 0.3;
        mlm_trainer *other;
        assert_ok(mlm_trainer_create(NULL, encoder, &options, &other));
        losses[i][0] = loss_at_rate_0(other);
        losses[i][1] = loss_at_rate_0(other);
        mlm_trainer_free(other);
    }
    ck_assert_mem_eq(losses[0], losses[1], sizeof losses[0]);
    ck_assert_double_ne(losses[0][0], losses[0][1]);
    ck_assert_double_ne(losses[0][0], losses[2][0]);
}
END_TEST

START_TEST(a_set_rate_replaces_the_schedule)
{
    assert_ok(mlm_trainer_set_learning_rate(trainer, 0.25));
    training_update(trainer, &metrics);
    ck_assert_double_eq(metrics.learning_rate, 0.25);
    assert_ok(mlm_trainer_set_learning_rate(trainer, -1));
    training_update(trainer, &metrics);
    ck_assert_double_eq(metrics.learning_rate, 1e-2 / 4);
    assert_error(mlm_trainer_set_learning_rate(trainer, -0.5), MLM_ERR_ARGUMENT, "-0.5");
    assert_status(mlm_trainer_set_learning_rate(trainer, (double)NAN), MLM_ERR_ARGUMENT);
}
END_TEST

START_TEST(observations_count_since_the_lowest)
{
    static const struct {
        double loss, min_delta;
        int32_t stale;
    } calls[] = {{5, 0.1, 0}, {4, 0.1, 0}, {3.95, 0.1, 1}, {3.91, 0.1, 2}, {3.8, 0.1, 0},
        {3.8, 0, 1}, {3.7, 0, 0}};
    int32_t stale = -1;
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        assert_ok(mlm_trainer_observe(trainer, calls[i].loss, calls[i].min_delta, &stale));
        ck_assert_int_eq(stale, calls[i].stale);
    }
    double lowest = 3.7, min_delta = 0.1, loss = lowest - min_delta; /* not lower by min_delta */
    fesetround(FE_UPWARD);
    mlm_status status = mlm_trainer_observe(trainer, loss, min_delta, &stale);
    fesetround(FE_TONEAREST);
    assert_ok(status);
    ck_assert_int_eq(stale, 1);
    assert_error(mlm_trainer_observe(trainer, (double)NAN, 0, &stale), MLM_ERR_ARGUMENT, "loss is");
    assert_error(mlm_trainer_observe(trainer, 1, -1, &stale), MLM_ERR_ARGUMENT, "min_delta is -1");
    assert_status(mlm_trainer_observe(trainer, 1, 0, NULL), MLM_ERR_ARGUMENT);
}
END_TEST

static void update_from(mlm_trainer *with, int64_t position)
{
    mlm_batch batch = training_batch_make(&memory, position, 3, true);
    assert_ok(mlm_trainer_accumulate(with, &batch));
    assert_ok(mlm_trainer_update(with, NULL));
}

/* A parameter that is none, and later is set right again. */
START_TEST(a_loss_that_is_no_number_changes_nothing)
{
    training_updates(trainer, 3);
    const mlm_tensor first = tensor_of(0);
    const size_t count = (size_t)(first.shape[0] * first.shape[1]);
    float numbers[31 * 8];
    memcpy(numbers, first.data, sizeof numbers);
    numbers[count - 1] = NAN;
    assert_ok(mlm_encoder_set_tensor(encoder, 0, numbers, count));
    mlm_encoder *before = training_encoder(NULL, 0);
    for (size_t i = 0; i < mlm_encoder_tensor_count(encoder); i++) {
        mlm_tensor tensor = tensor_of(i);
        assert_ok(mlm_encoder_set_tensor(before, i, tensor.data,
            (size_t)(tensor.shape[0] * (tensor.ndim > 1 ? tensor.shape[1] : 1))));
    }
    mlm_batch batch = training_batch_make(&memory, 15, 3, true);
    assert_ok(mlm_trainer_accumulate(trainer, &batch));
    assert_error(mlm_trainer_update(trainer, &metrics), MLM_ERR_NUMERIC, "the loss is");
    assert_same_parameters(encoder, before);
    assert_ok(mlm_trainer_get_metrics(trainer, &metrics));
    ck_assert_int_eq(metrics.step, 3);
    ck_assert_int_eq(metrics.position, 18); /* of what was dropped nothing comes again */
    assert_error(mlm_trainer_update(trainer, &metrics), MLM_ERR_ARGUMENT, "nothing was");

    /* The moments are as before, too: training goes on as if nothing had been. */
    numbers[count - 1] = 0.01f;
    assert_ok(mlm_encoder_set_tensor(encoder, 0, numbers, count));
    mlm_encoder *other = training_encoder(NULL, 0);
    mlm_trainer *untroubled = training_trainer(NULL, other);
    training_updates(untroubled, 3);
    assert_ok(mlm_encoder_set_tensor(other, 0, numbers, count));
    update_from(untroubled, 18);
    update_from(trainer, 18);
    assert_same_parameters(encoder, other);
    mlm_trainer_free(untroubled);
    mlm_encoder_free(other);
    mlm_encoder_free(before);
}
END_TEST

START_TEST(bad_batches_are_refused_and_leave_the_rest)
{
    mlm_batch batch = training_batch_make(&memory, 0, 3, true);
    batch.labels = NULL;
    assert_error(mlm_trainer_accumulate(trainer, &batch), MLM_ERR_ARGUMENT, "labels");
    batch = training_batch_make(&memory, 0, 3, true);
    memory.input_ids[4] = 31;
    assert_error(mlm_trainer_accumulate(trainer, &batch), MLM_ERR_ARGUMENT, "input_ids[4] is 31");
    assert_status(mlm_trainer_accumulate(trainer, NULL), MLM_ERR_ARGUMENT);
    assert_error(mlm_trainer_update(trainer, NULL), MLM_ERR_ARGUMENT, "nothing was");
    training_updates(trainer, 1);
}
END_TEST

START_TEST(null_arguments_are_named)
{
    mlm_trainer *out = trainer;
    mlm_tensor tensor;
    mlm_tensor_init(&tensor, sizeof tensor);
    assert_error(mlm_trainer_create(NULL, NULL, NULL, &out), MLM_ERR_ARGUMENT, "encoder is NULL");
    ck_assert_ptr_null(out);
    assert_error(mlm_trainer_create(NULL, encoder, NULL, NULL), MLM_ERR_ARGUMENT, "out is NULL");
    assert_error(mlm_trainer_create(NULL, encoder, NULL, &out), MLM_ERR_ARGUMENT, "total_steps");
    assert_status(mlm_trainer_accumulate(NULL, NULL), MLM_ERR_ARGUMENT);
    assert_status(mlm_trainer_update(NULL, NULL), MLM_ERR_ARGUMENT);
    assert_status(mlm_trainer_get_metrics(NULL, &metrics), MLM_ERR_ARGUMENT);
    assert_status(mlm_trainer_get_metrics(trainer, NULL), MLM_ERR_ARGUMENT);
    assert_status(mlm_trainer_get_gradient(NULL, 0, &tensor), MLM_ERR_ARGUMENT);
    assert_status(mlm_trainer_get_gradient(trainer, 0, NULL), MLM_ERR_ARGUMENT);
    assert_status(mlm_trainer_set_learning_rate(NULL, 1), MLM_ERR_ARGUMENT);
    assert_status(mlm_trainer_observe(NULL, 1, 0, &(int32_t){0}), MLM_ERR_ARGUMENT);
    assert_status(mlm_trainer_attach(NULL, NULL, NULL, NULL), MLM_ERR_ARGUMENT);
    mlm_trainer_free(NULL);
}
END_TEST

START_TEST(older_metrics_get_what_they_know)
{
    mlm_batch batch = training_batch_make(&memory, 0, 3, true);
    assert_ok(mlm_trainer_accumulate(trainer, &batch));
    const uint32_t size = offsetof(mlm_metrics, sequences);
    memset(&metrics, 0x55, sizeof metrics);
    metrics.struct_size = size;
    assert_ok(mlm_trainer_update(trainer, &metrics));
    ck_assert_int_eq(metrics.step, 1);
    ck_assert_int_eq(metrics.sequences, 0x5555555555555555);
    assert_ok(mlm_trainer_accumulate(trainer, &batch));
    for (uint32_t i = 0; i < 2; i++) {
        metrics.struct_size = i ? UINT32_MAX : 0;
        assert_error(mlm_trainer_update(trainer, &metrics), MLM_ERR_ARGUMENT, "struct_size");
    }
    metrics.struct_size = sizeof metrics;
    assert_ok(mlm_trainer_update(trainer, &metrics));
    ck_assert_int_eq(metrics.step, 2);
}
END_TEST

START_TEST(the_trainer_keeps_its_encoder)
{
    mlm_encoder_free(encoder);
    encoder = NULL;
    training_updates(trainer, 2);
}
END_TEST

/* The first update has grown everything. */
START_TEST(steady_state_allocates_nothing)
{
    test_allocator allocator;
    mlm_runtime *runtime = test_allocator_runtime(&allocator, 2, 0);
    mlm_encoder *other = training_encoder(runtime, 0.1);
    mlm_trainer *steady = training_trainer(runtime, other);
    mlm_batch batch = training_batch_make(&memory, 0, 5, true);
    int64_t after_first = 0;
    for (int32_t i = 0; i < 4; i++) {
        assert_ok(mlm_trainer_accumulate(steady, &batch));
        assert_ok(mlm_trainer_update(steady, NULL));
        if (i == 0)
            after_first = allocator.allocations;
    }
    ck_assert_int_eq(allocator.allocations, after_first);
    mlm_trainer_free(steady);
    mlm_encoder_free(other);
    mlm_runtime_free(runtime);
    ck_assert_int_eq(allocator.live_blocks, 0);
}
END_TEST

/* B sequences of T tokens. The caller frees offsets, input_ids and labels. */
static mlm_batch even_batch(int32_t B, int32_t T)
{
    int32_t *offsets = malloc(((size_t)B + 1) * sizeof *offsets);
    int32_t *ids = malloc((size_t)B * (size_t)T * sizeof *ids);
    int32_t *labels = malloc((size_t)B * (size_t)T * sizeof *labels);
    ck_assert(offsets && ids && labels);
    for (int32_t b = 0; b <= B; b++)
        offsets[b] = b * T;
    for (int32_t i = 0; i < B * T; i++) {
        ids[i] = 1 + i % 30;
        labels[i] = i % 7 == 0 ? ids[i] : MLM_NO_LABEL;
    }
    return (mlm_batch){.struct_size = sizeof(mlm_batch),
        .B = B,
        .offsets = offsets,
        .input_ids = ids,
        .labels = labels};
}

static void even_batch_free(mlm_batch *batch)
{
    free((void *)batch->offsets);
    free((void *)batch->input_ids);
    free((void *)batch->labels);
}

/* Both are several chunks, cut in other places. Ids and labels are kept until the update, in room
   that is twice as large at most. */
START_TEST(a_larger_batch_needs_no_more_than_its_ids)
{
    enum { FEW = 350, MANY = 3500, T = 8 };
    test_allocator allocator;
    mlm_runtime *runtime = test_allocator_runtime(&allocator, 2, 0);
    mlm_encoder *other = training_encoder(runtime, 0.1);
    mlm_trainer *steady = training_trainer(runtime, other);
    int64_t bytes[2];
    for (int32_t i = 0; i < 2; i++) {
        mlm_batch batch = even_batch(i ? MANY : FEW, T);
        assert_ok(mlm_trainer_accumulate(steady, &batch));
        assert_ok(mlm_trainer_update(steady, NULL));
        mlm_runtime_memory(runtime, NULL, &bytes[i]);
        even_batch_free(&batch);
    }
    const int64_t numbers = MANY + 1 + 2 * MANY * T;
    ck_assert_int_le(bytes[1] - bytes[0], 2 * numbers * (int64_t)sizeof(int32_t));
    mlm_trainer_free(steady);
    mlm_encoder_free(other);
    mlm_runtime_free(runtime);
}
END_TEST

Suite *update_suite(void)
{
    Suite *suite = suite_create("update");
    TCase *tests = tcase_create("update");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, metrics_cover_the_update);
    tcase_add_test(tests, first_update_of_a_warmup_changes_nothing);
    tcase_add_test(tests, training_learns);
    tcase_add_test(tests, nothing_accumulated_is_refused);
    tcase_add_test(tests, no_sequences_or_labels_are_an_update_without_gradient);
    tcase_add_test(tests, accumulation_is_one_large_batch);
    tcase_add_test(tests, gradient_is_the_one_before_clipping);
    tcase_add_test(tests, threads_do_not_change_a_byte);
    tcase_add_test(tests, dropout_is_the_config_s_unless_given);
    tcase_add_test(tests, dropout_follows_seed_and_step);
    tcase_add_test(tests, a_set_rate_replaces_the_schedule);
    tcase_add_test(tests, observations_count_since_the_lowest);
    tcase_add_test(tests, a_loss_that_is_no_number_changes_nothing);
    tcase_add_test(tests, bad_batches_are_refused_and_leave_the_rest);
    tcase_add_test(tests, null_arguments_are_named);
    tcase_add_test(tests, older_metrics_get_what_they_know);
    tcase_add_test(tests, the_trainer_keeps_its_encoder);
    tcase_add_test(tests, steady_state_allocates_nothing);
    tcase_add_test(tests, a_larger_batch_needs_no_more_than_its_ids);
    suite_add_tcase(suite, tests);
    return suite;
}
