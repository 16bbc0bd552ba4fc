#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support/support.h"
#include "trainer/trainer_options.h"
#include "trainer_suites.h"

static mlm_trainer_options valid(void)
{
    mlm_trainer_options options;
    mlm_trainer_options_init(&options, sizeof options);
    options.total_steps = 10;
    return options;
}

static void refused(const mlm_trainer_options *options, const char *message)
{
    mlm_trainer_options out;
    assert_status(mlm__trainer_options_read(options, &out), MLM_ERR_ARGUMENT);
    ck_assert_str_eq(mlm_last_error(), message);
}

#define REFUSED(option, value, message)                                                            \
    do {                                                                                           \
        mlm_trainer_options options_ = valid();                                                    \
        options_.option = value;                                                                   \
        refused(&options_, "mlm_trainer_options: " message);                                       \
    } while (0)

START_TEST(values_out_of_range_are_named)
{
    REFUSED(lr_scheduler, 4, "lr_scheduler is 4, not one of MLM_LR_...");
    REFUSED(lr_scheduler, -1, "lr_scheduler is -1, not one of MLM_LR_...");
    REFUSED(adam_bias_correction, 2, "adam_bias_correction is 2, not 0 or 1");
    REFUSED(warmup_steps, -1, "warmup_steps is -1, not 0 or more");
    REFUSED(warmup_steps, 11, "warmup_steps is 11, more than total_steps, 10");
    REFUSED(total_steps, -5, "total_steps is -5, not 0 or more");
    REFUSED(total_steps, 0, "total_steps is 0, not set: this lr_scheduler needs it");
    REFUSED(learning_rate, -0.5, "learning_rate is -0.5, not a number of 0 or more");
    REFUSED(learning_rate, (double)INFINITY, "learning_rate is inf, not a number of 0 or more");
    REFUSED(weight_decay, -1, "weight_decay is -1, not a number of 0 or more");
    REFUSED(adam_beta1, 1, "adam_beta1 is 1, not in [0,1)");
    REFUSED(adam_beta2, -0.1, "adam_beta2 is -0.1, not in [0,1)");
    REFUSED(adam_epsilon, 0, "adam_epsilon is 0, not a number of 1e-30 or more");
    REFUSED(max_grad_norm, -1, "max_grad_norm is -1, not a number of 0 or more");
    REFUSED(hidden_dropout_prob, 1, "hidden_dropout_prob is 1, not -1 or in [0,1)");
    REFUSED(attention_probs_dropout_prob, -0.5,
        "attention_probs_dropout_prob is -0.5, not -1 or in [0,1)");
}
END_TEST

START_TEST(not_a_number_is_refused)
{
    mlm_trainer_options options, out;
    const size_t first = offsetof(mlm_trainer_options, learning_rate);
    const size_t last = offsetof(mlm_trainer_options, attention_probs_dropout_prob);
    for (size_t at = first; at <= last; at += sizeof(double)) {
        options = valid();
        memcpy((char *)&options + at, &(double){NAN}, sizeof(double));
        assert_status(mlm__trainer_options_read(&options, &out), MLM_ERR_ARGUMENT);
    }
}
END_TEST

START_TEST(constant_rate_needs_no_end)
{
    mlm_trainer_options options = valid(), out;
    options.lr_scheduler = MLM_LR_CONSTANT;
    options.total_steps = 0;
    options.warmup_steps = 100;
    assert_ok(mlm__trainer_options_read(&options, &out));
}
END_TEST

/* A caller that was built when the struct ended after total_steps. */
START_TEST(older_structs_mean_the_defaults)
{
    const uint32_t size = offsetof(mlm_trainer_options, learning_rate);
    char *older = malloc(size);
    ck_assert_ptr_nonnull(older);
    mlm_trainer_options_init((void *)older, size);
    memcpy(older + offsetof(mlm_trainer_options, total_steps), &(int64_t){10}, sizeof(int64_t));
    mlm_trainer_options out, expected = valid();
    assert_ok(mlm__trainer_options_read((const void *)older, &out));
    ck_assert_mem_eq(&out, &expected, sizeof out);
    free(older);
}
END_TEST

START_TEST(reserved_members_are_zero)
{
    mlm_trainer_options options = valid(), out;
    options.reserved0 = 1;
    assert_status(mlm__trainer_options_read(&options, &out), MLM_ERR_UNSUPPORTED);
    options = valid();
    options.struct_size = 0;
    assert_status(mlm__trainer_options_read(&options, &out), MLM_ERR_ARGUMENT);
}
END_TEST

Suite *options_suite(void)
{
    Suite *suite = suite_create("options");
    TCase *tests = tcase_create("options");
    tcase_add_test(tests, values_out_of_range_are_named);
    tcase_add_test(tests, not_a_number_is_refused);
    tcase_add_test(tests, constant_rate_needs_no_end);
    tcase_add_test(tests, older_structs_mean_the_defaults);
    tcase_add_test(tests, reserved_members_are_zero);
    suite_add_tcase(suite, tests);
    return suite;
}
