/* Hidden states, logits, losses and every gradient against PyTorch's in float64 (make_fixtures.py).
   Built over double and over float. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "files/file.h"
#include "files/safetensors.h"
#include "layers/model.h"
#include "layers/suites.h"
#include "support/support.h"

/* The largest error allowed, relative to the largest number of the tensor. Sums here have at most
   40 terms; a float's rounding is 6e-8. */
#ifdef MLM_REAL_DOUBLE
static const double TOLERANCE = 1e-13;
#else
static const double TOLERANCE = 2e-6;
#endif

static const double LOSS_SCALE = 0.7, SENTENCE_SCALE = 1.3;
static const char *const activations[] = {"gelu", "gelu_new", "relu", "silu"};
enum { B = 3, N = 15, H = 12, V = 37, L = 2, M = 7 };

/* Beside the header the file itself: the library reads no MLM__F64. */
typedef struct fixtures {
    mlm__safetensors *tensors;
    mlm__file file;
    const char *act;
} fixtures;

static fixtures fixtures_open(mlm_runtime *runtime, int act)
{
    fixtures f = {.act = activations[act]};
    assert_ok(mlm__safetensors_open(runtime, FIXTURES, &f.tensors));
    assert_ok(mlm__file_open(runtime, FIXTURES, &f.file));
    return f;
}

static void fixtures_close(fixtures *f)
{
    mlm__safetensors_close(f->tensors);
    mlm__file_close(&f->file);
}

static double *read_fixture(const fixtures *f, const char *name, size_t count)
{
    char full[128];
    snprintf(full, sizeof full, "%s/%s", f->act, name);
    const mlm__safetensor *tensor = mlm__safetensors_find(f->tensors, full);
    ck_assert_msg(tensor != NULL, "no %s", full);
    ck_assert_int_eq(tensor->dtype, MLM__F64);
    ck_assert_int_eq(tensor->end - tensor->begin, (int64_t)(count * sizeof(double)));
    double *values = malloc(count * sizeof *values);
    ck_assert_ptr_nonnull(values);
    assert_ok(mlm__file_read_at(&f->file, tensor->begin, values, count * sizeof *values));
    return values;
}

static void check(const fixtures *f, const char *name, const real *actual, size_t count)
{
    double *expected = read_fixture(f, name, count), largest = 0, error = 0;
    for (size_t i = 0; i < count; i++) {
        largest = fmax(largest, fabs(expected[i]));
        const double difference = fabs((double)actual[i] - expected[i]);
        error = difference <= error ? error : difference;
    }
    ck_assert_msg(error <= TOLERANCE * fmax(largest, 1), "%s/%s: largest %g, error %g", f->act,
        name, largest, error);
    free(expected);
}

START_TEST(inference_is_pytorchs)
{
    mlm_encoder_config config = test_config(_i, 1);
    test_model model = test_model_make(&config, 2);
    fixtures f = fixtures_open(model.runtime, _i);
    real hidden[(L + 1) * N * H], logits[N * V], pooled[B * H], sentence_logits[B * 2];
    for (int32_t l = 0; l <= L; l++)
        assert_ok(mlm__network_forward(
            model.network, model.parameters, &model.chunk, l, hidden + l * N * H));
    check(&f, "hidden", hidden, (L + 1) * N * H);
    const real *last = hidden + L * N * H;
    int32_t rows[N], labelled[M], labels[M], m = 0;
    for (int32_t i = 0; i < N; i++) {
        rows[i] = i;
        if (model.chunk.labels[i] >= 0) {
            labelled[m] = i;
            labels[m++] = model.chunk.labels[i];
        }
    }
    ck_assert_int_eq(m, M);
    assert_ok(mlm__network_logits(model.network, model.parameters, last, rows, N, logits));
    check(&f, "logits", logits, N * V);
    double losses[M];
    real as_real[M];
    uint8_t correct[M];
    assert_ok(mlm__network_losses(
        model.network, model.parameters, last, labelled, labels, M, losses, correct));
    for (m = 0; m < M; m++) {
        int32_t best = 0;
        for (int32_t v = 1; v < V; v++)
            if (logits[labelled[m] * V + v] > logits[labelled[m] * V + best])
                best = v;
        ck_assert_int_eq(correct[m], best == labels[m]);
        as_real[m] = (real)losses[m];
    }
    check(&f, "losses", as_real, M);
    assert_ok(
        mlm__network_pooled(model.network, model.parameters, &model.chunk, last, rows, pooled));
    check(&f, "pooled", pooled, B * H);
    assert_ok(
        mlm__network_sentence_logits(model.network, model.parameters, pooled, B, sentence_logits));
    check(&f, "sentence_logits", sentence_logits, B * 2);
    fixtures_close(&f);
    test_model_free(&model);
}
END_TEST

START_TEST(gradients_are_pytorchs)
{
    mlm_encoder_config config = test_config(_i, 1);
    test_model model = test_model_make(&config, 2);
    fixtures f = fixtures_open(model.runtime, _i);
    const mlm__dropout none = {0};
    const mlm__sums sums = test_model_train(&model, &none, LOSS_SCALE, SENTENCE_SCALE);
    double *losses = read_fixture(&f, "losses", M), loss = 0;
    for (int m = 0; m < M; m++)
        loss += losses[m];
    ck_assert_double_le(fabs(sums.loss - loss), TOLERANCE * loss);
    real sentence_loss[1] = {(real)sums.sentence_loss};
    check(&f, "sentence_loss", sentence_loss, 1);
    ck_assert_int_eq(sums.labels, M);
    ck_assert_int_eq(sums.sequences, B);
    ck_assert_int_eq(sums.tokens, N);
    ck_assert_int_eq(sums.sentence_count, 2);
    for (size_t i = 0; i < model.layout->count; i++) {
        const mlm__parameter *p = &model.layout->parameters[i];
        check(&f, p->name, model.gradients + p->offset, p->count);
        /* softmax does not see it */
        for (size_t j = 0; strstr(p->name, "key.bias") && j < p->count; j++)
            ck_assert(model.gradients[p->offset + j] == 0);
    }
    free(losses);
    fixtures_close(&f);
    test_model_free(&model);
}
END_TEST

Suite *reference_suite(void)
{
    Suite *suite = suite_create("reference");
    TCase *tests = tcase_create("pytorch");
    tcase_add_loop_test(tests, inference_is_pytorchs, MLM_GELU, MLM_SILU + 1);
    tcase_add_loop_test(tests, gradients_are_pytorchs, MLM_GELU, MLM_SILU + 1);
    suite_add_tcase(suite, tests);
    return suite;
}
