/* Products in bf16; packed weights that follow their parameters. */
#include <math.h>
#include <stdlib.h>

#include "encoder/encoder.h"
#include "encoder_tests.h"

enum { HIDDEN = FIXTURE_N * FIXTURE_H };

static mlm_encoder *load(int32_t precision)
{
    mlm_encoder_options options;
    mlm_encoder_options_init(&options, sizeof options);
    options.precision = precision;
    mlm_encoder *encoder;
    assert_ok(mlm_encoder_load(NULL, fixture_folder("masked"), &options, &encoder));
    return encoder;
}

static void compute(mlm_encoder *encoder, float *hidden)
{
    const mlm_batch batch = fixture_batch();
    assert_ok(mlm_encoder_forward(encoder, &batch, -1, hidden));
}

/* Where the CPU has no bf16, both are the same. */
START_TEST(bf16_is_near)
{
    mlm_encoder *f32 = load(MLM_F32), *bf16 = load(MLM_BF16);
    float expected[HIDDEN], hidden[HIDDEN];
    compute(f32, expected);
    compute(bf16, hidden);
    double difference = 0, size = 0;
    for (size_t i = 0; i < HIDDEN; i++) {
        difference += pow((double)hidden[i] - (double)expected[i], 2);
        size += pow((double)expected[i], 2);
    }
    ck_assert_double_le(sqrt(difference / size), 0.04);
    const bool same = mlm__products_get(true) == mlm__products_get(false);
    ck_assert((difference == 0) == same);
    mlm_encoder_free(f32);
    mlm_encoder_free(bf16);
}
END_TEST

/* Parameters are fp32 whatever the products are. */
START_TEST(parameters_stay_exact)
{
    mlm_encoder *f32 = load(MLM_F32), *bf16 = load(MLM_BF16);
    size_t count, other;
    float *expected = all_parameters(f32, &count), *parameters = all_parameters(bf16, &other);
    ck_assert_uint_eq(count, other);
    ck_assert_mem_eq(expected, parameters, count * sizeof *expected);
    free(expected);
    free(parameters);
    mlm_encoder_free(f32);
    mlm_encoder_free(bf16);
}
END_TEST

/* What was computed before leaves nothing behind, in any handle of the model. */
START_TEST(changes_are_seen)
{
    const int32_t precision = _i ? MLM_BF16 : MLM_F32;
    mlm_encoder *used = load(precision), *fresh = load(precision), *share;
    assert_ok(mlm_encoder_share(used, NULL, &share));
    float hidden[HIDDEN], expected[HIDDEN];
    const size_t count = mlm_encoder_tensor_count(used);
    for (size_t i = 0; i < count; i++) {
        mlm_tensor tensor;
        mlm_tensor_init(&tensor, sizeof tensor);
        assert_ok(mlm_encoder_get_tensor(used, i, &tensor));
        const size_t size = (size_t)(tensor.shape[0] * tensor.shape[1]);
        float *values = malloc(size * sizeof *values);
        ck_assert_ptr_nonnull(values);
        for (size_t j = 0; j < size; j++)
            values[j] = tensor.data[j] * 1.5f + 0.01f;
        compute(used, hidden);
        assert_ok(mlm_encoder_set_tensor(used, i, values, size));
        assert_ok(mlm_encoder_set_tensor(fresh, i, values, size));
        free(values);
    }
    compute(fresh, expected);
    compute(share, hidden);
    ck_assert_mem_eq(hidden, expected, sizeof hidden);
    compute(used, hidden);
    ck_assert_mem_eq(hidden, expected, sizeof hidden);
    mlm_encoder_free(used);
    mlm_encoder_free(fresh);
    mlm_encoder_free(share);
}
END_TEST

Suite *precision_suite(void)
{
    Suite *suite = suite_create("precision");
    TCase *tests = tcase_create("precision");
    tcase_add_test(tests, bf16_is_near);
    tcase_add_test(tests, parameters_stay_exact);
    tcase_add_loop_test(tests, changes_are_seen, 0, 2);
    suite_add_tcase(suite, tests);
    return suite;
}
