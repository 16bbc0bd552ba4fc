#include <math.h>
#include <string.h>

#include "adamw_fixture.h"
#include "base/runtime.h"
#include "support/support.h"
#include "trainer/adamw.h"
#include "trainer/gradient_norm.h"
#include "trainer/schedule.h"
#include "trainer_suites.h"

enum { STEPS = 20, DECAYED = 37, PLAIN = 11, COUNT = DECAYED + PLAIN };

/* The same rules as in make_fixtures.py. */
static float weight(int32_t i)
{
    return (float)((i * 7919 + 13) % 2001 - 1000) / 8192;
}

static float gradient(int32_t i, int32_t step)
{
    return (float)((i * 104729 + step * 1299709 + i * step) % 2003 - 1001) / 4096;
}

static mlm_trainer_options reference_options(void)
{
    mlm_trainer_options options;
    mlm_trainer_options_init(&options, sizeof options);
    options.learning_rate = 1e-2;
    options.weight_decay = 0.1;
    return options;
}

/* As mlm_trainer_update does it, on made-up gradients. */
static void run(const mlm_trainer_options *options, float w[COUNT], double norms[STEPS])
{
    mlm_runtime *runtime;
    assert_ok(mlm__runtime_retain(NULL, &runtime));
    mlm__piece parts[] = {{0, DECAYED, true, 0}, {DECAYED, PLAIN, false, DECAYED}};
    const mlm__pieces pieces = {parts, 2};
    float g[COUNT], m[COUNT] = {0}, v[COUNT] = {0};
    double sums[2];
    for (int32_t i = 0; i < COUNT; i++)
        w[i] = weight(i);
    for (int32_t step = 0; step < STEPS; step++) {
        for (int32_t i = 0; i < COUNT; i++)
            g[i] = gradient(i, step);
        norms[step] = mlm__gradient_norm(runtime, &pieces, g, sums);
        const mlm__adamw adamw = {
            .learning_rate = mlm__schedule_rate(options, step),
            .weight_decay = options->weight_decay,
            .beta1 = options->adam_beta1,
            .beta2 = options->adam_beta2,
            .epsilon = options->adam_epsilon,
            .gradient_scale = mlm__clip_coefficient(norms[step], options->max_grad_norm),
            .bias_correction = options->adam_bias_correction,
            .step = step + 1,
        };
        mlm__adamw_update(runtime, &pieces, &adamw, g, m, v, w);
    }
    mlm_runtime_free(runtime);
}

/* Weights are about 0.05: of one that has come close to 0, 1e-6 would be less than the rounding of
   what was subtracted. */
static void assert_weights(const float w[COUNT], const double expected[COUNT])
{
    assert_close_f32(w, expected, COUNT, 1e-6, 5e-9, "parameter");
    double error = 0, size = 0;
    for (int32_t i = 0; i < COUNT; i++) {
        error += (w[i] - expected[i]) * (w[i] - expected[i]);
        size += expected[i] * expected[i];
    }
    ck_assert_double_le(sqrt(error), 1e-6 * sqrt(size));
}

START_TEST(clipped_with_warmup_and_decay_as_torch)
{
    mlm_trainer_options options = reference_options();
    options.warmup_steps = 4;
    options.total_steps = 25;
    float w[COUNT];
    double norms[STEPS];
    run(&options, w, norms);
    assert_weights(w, clipped_parameters);
    for (int32_t step = 0; step < STEPS; step++)
        ck_assert_double_eq_tol(norms[step], clipped_norms[step], 1e-14 * clipped_norms[step]);
}
END_TEST

START_TEST(unclipped_cosine_as_torch)
{
    mlm_trainer_options options = reference_options();
    options.lr_scheduler = MLM_LR_COSINE;
    options.total_steps = 25;
    options.max_grad_norm = 0;
    float w[COUNT];
    double norms[STEPS];
    run(&options, w, norms);
    assert_weights(w, unclipped_parameters);
}
END_TEST

START_TEST(without_bias_correction_as_google)
{
    mlm_trainer_options options = reference_options();
    options.adam_bias_correction = 0;
    options.total_steps = STEPS;
    float w[COUNT];
    double norms[STEPS];
    run(&options, w, norms);
    assert_weights(w, google_parameters);
}
END_TEST

START_TEST(norm_is_of_every_number)
{
    enum { SIZE = 2 * MLM__PIECE_SIZE + 21 };
    static float g[SIZE];
    mlm_runtime *runtime;
    assert_ok(mlm__runtime_retain(NULL, &runtime));
    mlm__piece parts[] = {{0, MLM__PIECE_SIZE, true, 0},
        {MLM__PIECE_SIZE, MLM__PIECE_SIZE, true, MLM__PIECE_SIZE},
        {2 * MLM__PIECE_SIZE, 21, false, 2 * MLM__PIECE_SIZE}};
    const mlm__pieces pieces = {parts, 3};
    double sums[3];
    for (int32_t i = 0; i < SIZE; i++)
        g[i] = 0.5f;
    ck_assert_double_eq(mlm__gradient_norm(runtime, &pieces, g, sums), sqrt(0.25 * SIZE));
    for (int32_t i = 0; i < SIZE; i++)
        g[i] = 3e38f;
    ck_assert_double_eq_tol(
        mlm__gradient_norm(runtime, &pieces, g, sums) / ((double)3e38f * sqrt(SIZE)), 1, 1e-12);
    g[SIZE - 1] = INFINITY;
    ck_assert(isinf(mlm__gradient_norm(runtime, &pieces, g, sums)));
    g[3] = NAN;
    ck_assert(isnan(mlm__gradient_norm(runtime, &pieces, g, sums)));
    mlm_runtime_free(runtime);
}
END_TEST

START_TEST(clipping_shortens_and_never_lengthens)
{
    ck_assert_double_eq(mlm__clip_coefficient(0.5, 1), 1);
    ck_assert_double_eq(mlm__clip_coefficient(4, 1), 1 / (4 + 1e-6));
    ck_assert_double_eq(mlm__clip_coefficient(0, 1), 1);
    ck_assert_double_eq(mlm__clip_coefficient(1e9, 0), 1);
}
END_TEST

Suite *adamw_suite(void)
{
    Suite *suite = suite_create("adamw");
    TCase *tests = tcase_create("adamw");
    tcase_add_test(tests, clipped_with_warmup_and_decay_as_torch);
    tcase_add_test(tests, unclipped_cosine_as_torch);
    tcase_add_test(tests, without_bias_correction_as_google);
    tcase_add_test(tests, norm_is_of_every_number);
    tcase_add_test(tests, clipping_shortens_and_never_lengthens);
    suite_add_tcase(suite, tests);
    return suite;
}
