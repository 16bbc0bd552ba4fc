#include <math.h>
#include <stdlib.h>

#include "encoder/encoder.h"
#include "encoder_fixture.h"
#include "encoder_tests.h"

static mlm_encoder *masked, *pre_training;

static void setup(void)
{
    masked = fixture_encoder(NULL, "masked");
    pre_training = fixture_encoder(NULL, "pre_training");
}

static void teardown(void)
{
    mlm_encoder_free(masked);
    mlm_encoder_free(pre_training);
}

static double mean(const double *values, int count)
{
    double sum = 0;
    for (int i = 0; i < count; i++)
        sum += values[i];
    return sum / count;
}

START_TEST(losses_are_transformers)
{
    mlm_batch batch = fixture_batch();
    float losses[FIXTURE_M];
    assert_ok(mlm_encoder_losses(masked, &batch, losses));
    assert_close_f32(losses, masked_losses, FIXTURE_M, fixture_rtol, fixture_atol, "losses");
    assert_ok(mlm_encoder_losses(pre_training, &batch, losses));
    assert_close_f32(losses, pre_training_losses, FIXTURE_M, fixture_rtol, fixture_atol, "losses");
}
END_TEST

START_TEST(means_are_transformers)
{
    mlm_batch batch = fixture_batch();
    mlm_metrics total;
    mlm_metrics_init(&total, sizeof total);
    assert_ok(mlm_encoder_evaluate(masked, &batch, &total));
    ck_assert_int_eq(total.sequences, FIXTURE_B);
    ck_assert_int_eq(total.tokens, FIXTURE_N);
    ck_assert_int_eq(total.labels, FIXTURE_M);
    ck_assert_double_eq_tol(total.loss, mean(masked_losses, FIXTURE_M), 1e-5);
    ck_assert_double_eq_tol(total.accuracy, masked_correct[0] / (double)FIXTURE_M, 1e-12);
    ck_assert_double_eq(total.sentence_loss, 0);
    ck_assert_double_eq(total.sentence_accuracy, 0);
    ck_assert_double_gt(total.seconds, 0);
    mlm_metrics_init(&total, sizeof total);
    assert_ok(mlm_encoder_evaluate(pre_training, &batch, &total));
    ck_assert_double_eq_tol(total.loss, mean(pre_training_losses, FIXTURE_M), 1e-5);
    ck_assert_double_eq_tol(
        total.sentence_loss, mean(pre_training_sentence_losses, FIXTURE_B), 1e-5);
    ck_assert_double_eq_tol(
        total.sentence_accuracy, pre_training_sentence_correct[0] / (double)FIXTURE_B, 1e-12);
}
END_TEST

/* The sequences have 2, 1 and 3 labels. */
START_TEST(each_label_weighs_the_same)
{
    mlm_metrics whole, parts;
    mlm_metrics_init(&whole, sizeof whole);
    mlm_metrics_init(&parts, sizeof parts);
    mlm_batch batch = fixture_batch();
    assert_ok(mlm_encoder_evaluate(pre_training, &batch, &whole));
    for (int32_t b = 0; b < FIXTURE_B; b++) {
        int32_t offsets[2];
        batch = fixture_sequence(b, offsets);
        assert_ok(mlm_encoder_evaluate(pre_training, &batch, &parts));
        mlm_batch none;
        mlm_batch_init(&none, sizeof none);
        assert_ok(mlm_encoder_evaluate(pre_training, &none, &parts));
    }
    ck_assert_int_eq(parts.sequences, whole.sequences);
    ck_assert_int_eq(parts.tokens, whole.tokens);
    ck_assert_int_eq(parts.labels, whole.labels);
    ck_assert_double_eq_tol(parts.loss, whole.loss, 1e-6);
    ck_assert_double_eq_tol(parts.accuracy, whole.accuracy, 1e-12);
    ck_assert_double_eq_tol(parts.sentence_loss, whole.sentence_loss, 1e-6);
    ck_assert_double_eq_tol(parts.sentence_accuracy, whole.sentence_accuracy, 1e-12);
}
END_TEST

/* In a batch of several chunks every label and sentence label counts as in the fixture. */
START_TEST(a_long_batch_is_evaluated_whole)
{
    enum { B = 500 };
    static const int32_t first_label[FIXTURE_B + 1] = {0, 2, 3, 6};
    long_batch *many = make_long(pre_training, B);
    float *losses = malloc(many->label_count * sizeof *losses);
    assert_ok(mlm_encoder_losses(pre_training, &many->batch, losses));
    mlm_metrics total;
    mlm_metrics_init(&total, sizeof total);
    assert_ok(mlm_encoder_evaluate(pre_training, &many->batch, &total));
    ck_assert_int_eq(total.sequences, B);
    ck_assert_int_eq(total.tokens, many->offsets[B]);
    ck_assert_int_eq(total.labels, (int64_t)many->label_count);
    double sum = 0, sentence_sum = 0;
    const float *next = losses;
    for (int32_t b = 0; b < B; b++) {
        int32_t s = many->which[b], count = first_label[s + 1] - first_label[s];
        const double *expected = pre_training_losses + first_label[s];
        assert_close_f32(next, expected, (size_t)count, fixture_rtol, fixture_atol, "losses");
        next += count;
        sum += mean(expected, count) * count;
        sentence_sum += pre_training_sentence_losses[s];
    }
    ck_assert_double_eq_tol(total.loss, sum / (double)many->label_count, 1e-5);
    ck_assert_double_eq_tol(total.sentence_loss, sentence_sum / B, 1e-5);
    free(losses);
    free(many);
}
END_TEST

/* Dropout follows from a sequence's place in the stream: one batch of several chunks trains as its
   sequences do one by one. */
START_TEST(chunks_train_as_their_sequences)
{
    enum { B = 500 };
    long_batch *many = make_long(pre_training, B);
    many->batch.position = 1000;
    size_t size = pre_training->model->layout->size;
    float *together = calloc(size, sizeof *together), *apart = calloc(size, sizeof *apart);
    mlm__dropout dropout = {.hidden = 0.2, .attention = 0.2, .seed = 3, .step = 5};
    mlm__sums sums = {0}, parts = {0};
    assert_ok(mlm__encoder_train(
        pre_training, &many->batch, &dropout, 1e-3, 1e-3, &(mlm__frozen){0}, together, &sums));
    for (int32_t b = 0; b < B; b++) {
        int32_t offsets[2];
        mlm_batch one = fixture_sequence(many->which[b], offsets);
        one.position = 1000 + b;
        assert_ok(mlm__encoder_train(
            pre_training, &one, &dropout, 1e-3, 1e-3, &(mlm__frozen){0}, apart, &parts));
    }
    ck_assert_int_eq(sums.labels, parts.labels);
    ck_assert_int_eq(sums.correct, parts.correct);
    ck_assert_int_eq(sums.sentence_correct, parts.sentence_correct);
    ck_assert_double_eq_tol(sums.loss, parts.loss, 1e-6 * parts.loss);
    ck_assert_double_eq_tol(sums.sentence_loss, parts.sentence_loss, 1e-6 * parts.sentence_loss);
    double difference = 0, norm = 0;
    for (size_t i = 0; i < size; i++) {
        difference += pow((double)together[i] - apart[i], 2);
        norm += pow(apart[i], 2);
    }
    ck_assert_double_lt(sqrt(difference), 1e-5 * sqrt(norm));
    free(together);
    free(apart);
    free(many);
}
END_TEST

START_TEST(no_label_and_no_sequence_are_no_error)
{
    int32_t none[FIXTURE_N];
    for (int n = 0; n < FIXTURE_N; n++)
        none[n] = MLM_NO_LABEL;
    mlm_batch batch = fixture_batch();
    batch.labels = none;
    mlm_metrics total;
    mlm_metrics_init(&total, sizeof total);
    assert_ok(mlm_encoder_evaluate(masked, &batch, &total));
    ck_assert_int_eq(total.tokens, FIXTURE_N);
    ck_assert_int_eq(total.labels, 0);
    ck_assert_double_eq(total.loss, 0);
    assert_ok(mlm_encoder_losses(masked, &batch, NULL));
    batch.labels = NULL;
    mlm_metrics before = total;
    assert_error(mlm_encoder_evaluate(masked, &batch, &total), MLM_ERR_ARGUMENT, "labels is NULL");
    ck_assert_mem_eq(&total, &before, sizeof total);
    batch = fixture_batch();
    assert_ok(mlm_encoder_evaluate(masked, &batch, &total));
    ck_assert_double_eq_tol(total.loss, mean(masked_losses, FIXTURE_M), 1e-5);
    assert_status(mlm_encoder_evaluate(NULL, &batch, &total), MLM_ERR_ARGUMENT);
    assert_error(mlm_encoder_evaluate(masked, &batch, NULL), MLM_ERR_ARGUMENT, "total is NULL");
}
END_TEST

START_TEST(a_shorter_total_is_not_overrun)
{
    mlm_metrics total;
    memset(&total, 0x55, sizeof total);
    mlm_metrics_init(&total, offsetof(mlm_metrics, accuracy));
    mlm_batch batch = fixture_batch();
    double untouched = total.accuracy;
    assert_ok(mlm_encoder_evaluate(masked, &batch, &total));
    assert_ok(mlm_encoder_evaluate(masked, &batch, &total));
    ck_assert_double_eq_tol(total.loss, mean(masked_losses, FIXTURE_M), 1e-5);
    ck_assert_mem_eq(&total.accuracy, &untouched, sizeof untouched);
}
END_TEST

/* The trainer's sums without dropout are those of an evaluation, and the gradient of a loss over
   all parameters is what the loss changes by. */
START_TEST(training_sums_agree)
{
    mlm_batch batch = fixture_batch(), read;
    assert_ok(mlm__encoder_read_batch(pre_training, &batch, true, &read));
    const mlm__layout *layout = pre_training->model->layout;
    float *gradients = calloc(layout->size, sizeof *gradients);
    mlm__dropout none = {.seed = 0};
    mlm__sums sums = {0};
    assert_ok(mlm__encoder_train(pre_training, &read, &none, 1.0 / FIXTURE_M, 1.0 / FIXTURE_B,
        &(mlm__frozen){0}, gradients, &sums));
    ck_assert_int_eq(sums.sequences, FIXTURE_B);
    ck_assert_int_eq(sums.tokens, FIXTURE_N);
    ck_assert_int_eq(sums.labels, FIXTURE_M);
    ck_assert_int_eq(sums.sentence_count, FIXTURE_B);
    ck_assert_int_eq(sums.sentence_correct, pre_training_sentence_correct[0]);
    ck_assert_double_eq_tol(sums.loss / FIXTURE_M, mean(pre_training_losses, FIXTURE_M), 1e-5);
    ck_assert_double_eq_tol(
        sums.sentence_loss / FIXTURE_B, mean(pre_training_sentence_losses, FIXTURE_B), 1e-5);
    double norm = 0;
    for (size_t i = 0; i < layout->size; i++)
        norm += (double)gradients[i] * gradients[i];
    /* A step of 1e-3 / norm along the gradient: central difference of both losses' sum. */
    double losses[2];
    for (int side = 0; side < 2; side++) {
        double step = (side ? 1e-3 : -1e-3) / sqrt(norm);
        float *moved = malloc(layout->size * sizeof *moved);
        for (size_t i = 0; i < layout->size; i++)
            moved[i] = (float)(pre_training->model->parameters[i] + step * gradients[i]);
        float *kept = pre_training->model->parameters;
        pre_training->model->parameters = moved;
        mlm__model_changed(pre_training->model);
        mlm_metrics total;
        mlm_metrics_init(&total, sizeof total);
        assert_ok(mlm_encoder_evaluate(pre_training, &batch, &total));
        pre_training->model->parameters = kept;
        mlm__model_changed(pre_training->model);
        losses[side] = total.loss + total.sentence_loss;
        free(moved);
    }
    ck_assert_double_eq_tol((losses[1] - losses[0]) / 2e-3, sqrt(norm), 1e-2 * sqrt(norm));
    free(gradients);
}
END_TEST

/* A model without the head has no use for sentence labels. */
START_TEST(sentence_labels_without_a_head)
{
    mlm_batch batch = fixture_batch(), read;
    assert_ok(mlm__encoder_read_batch(masked, &batch, true, &read));
    ck_assert_ptr_null(read.sentence_labels);
    ck_assert_ptr_eq(read.labels, batch.labels);
    assert_ok(mlm__encoder_read_batch(pre_training, &batch, false, &read));
    ck_assert_ptr_eq(read.sentence_labels, batch.sentence_labels);
}
END_TEST

Suite *evaluate_suite(void)
{
    Suite *suite = suite_create("evaluate");
    TCase *tests = tcase_create("evaluate");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, losses_are_transformers);
    tcase_add_test(tests, means_are_transformers);
    tcase_add_test(tests, each_label_weighs_the_same);
    tcase_add_test(tests, a_long_batch_is_evaluated_whole);
    tcase_add_test(tests, chunks_train_as_their_sequences);
    tcase_add_test(tests, no_label_and_no_sequence_are_no_error);
    tcase_add_test(tests, a_shorter_total_is_not_overrun);
    tcase_add_test(tests, training_sums_agree);
    tcase_add_test(tests, sentence_labels_without_a_head);
    suite_add_tcase(suite, tests);
    return suite;
}
