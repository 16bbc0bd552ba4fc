#include "schedule_fixture.h"
#include "support/support.h"
#include "trainer/schedule.h"
#include "trainer_suites.h"

static void check(int32_t lr_scheduler, const double *rates, size_t count)
{
    mlm_trainer_options options;
    mlm_trainer_options_init(&options, sizeof options);
    options.lr_scheduler = lr_scheduler;
    options.learning_rate = 1;
    options.warmup_steps = 7;
    options.total_steps = 50;
    for (size_t step = 0; step < count; step++) {
        double rate = mlm__schedule_rate(&options, (int64_t)step);
        ck_assert_msg(rate >= rates[step] - 1e-15 && rate <= rates[step] + 1e-15,
            "step %zu: %.17g, not %.17g", step, rate, rates[step]);
    }
}

#define CHECK(lr_scheduler, rates) check(lr_scheduler, rates, sizeof rates / sizeof rates[0])

START_TEST(rates_as_transformers)
{
    CHECK(MLM_LR_LINEAR, linear_rates);
    CHECK(MLM_LR_COSINE, cosine_rates);
    CHECK(MLM_LR_CONSTANT, constant_rates);
    CHECK(MLM_LR_WARMUP_STABLE_DECAY, stable_decay_rates);
}
END_TEST

/* transformers' cosine rises again there. */
START_TEST(nothing_is_learned_after_the_end)
{
    mlm_trainer_options options;
    mlm_trainer_options_init(&options, sizeof options);
    options.total_steps = 50;
    for (options.lr_scheduler = MLM_LR_LINEAR; options.lr_scheduler <= MLM_LR_WARMUP_STABLE_DECAY;
         options.lr_scheduler++) {
        double rate = options.lr_scheduler == MLM_LR_CONSTANT ? options.learning_rate : 0;
        ck_assert_double_eq(mlm__schedule_rate(&options, 50), rate);
        ck_assert_double_eq(mlm__schedule_rate(&options, 93), rate);
    }
}
END_TEST

START_TEST(warmup_may_fill_the_run)
{
    mlm_trainer_options options;
    mlm_trainer_options_init(&options, sizeof options);
    options.learning_rate = 1;
    options.warmup_steps = options.total_steps = 4;
    for (options.lr_scheduler = MLM_LR_LINEAR; options.lr_scheduler <= MLM_LR_WARMUP_STABLE_DECAY;
         options.lr_scheduler++)
        for (int64_t step = 0; step < 4; step++)
            ck_assert_double_eq(mlm__schedule_rate(&options, step), (double)step / 4);
}
END_TEST

START_TEST(decay_waits_for_the_warmup)
{
    mlm_trainer_options options;
    mlm_trainer_options_init(&options, sizeof options);
    options.lr_scheduler = MLM_LR_WARMUP_STABLE_DECAY;
    options.learning_rate = 1;
    options.warmup_steps = 96;
    options.total_steps = 100;
    ck_assert_double_eq(mlm__schedule_rate(&options, 96), 1);
    ck_assert_double_eq(mlm__schedule_rate(&options, 97), 0.5);
}
END_TEST

Suite *schedule_suite(void)
{
    Suite *suite = suite_create("schedule");
    TCase *tests = tcase_create("schedule");
    tcase_add_test(tests, rates_as_transformers);
    tcase_add_test(tests, nothing_is_learned_after_the_end);
    tcase_add_test(tests, warmup_may_fill_the_run);
    tcase_add_test(tests, decay_waits_for_the_warmup);
    suite_add_tcase(suite, tests);
    return suite;
}
