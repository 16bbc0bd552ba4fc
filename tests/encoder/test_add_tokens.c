/* mlm_encoder_add_tokens. */
#include <stdlib.h>

#include "encoder_fixture.h"
#include "encoder_tests.h"

enum { NEW = 3 };
static const int32_t offsets[NEW + 1] = {0, 1, 4, 6}, pieces[6] = {7, 1, 39, 0, 5, 5};

static double mean_of(const float *old, size_t width, int32_t token, size_t column)
{
    double sum = 0;
    for (int32_t p = offsets[token]; p < offsets[token + 1]; p++)
        sum += (double)old[(size_t)pieces[p] * width + column];
    return sum / (offsets[token + 1] - offsets[token]);
}

START_TEST(new_rows_are_means_and_the_rest_is_copied)
{
    mlm_encoder *old = fixture_encoder(NULL, "pre_training"), *grown;
    assert_ok(mlm_encoder_add_tokens(old, offsets, pieces, NEW, &grown));
    mlm_encoder_config config;
    mlm_encoder_config_init(&config, sizeof config);
    assert_ok(mlm_encoder_get_config(grown, &config));
    ck_assert_int_eq(config.vocab_size, FIXTURE_V + NEW);
    ck_assert_uint_eq(mlm_encoder_tensor_count(grown), mlm_encoder_tensor_count(old));
    size_t grew = 0;
    for (size_t i = 0; i < mlm_encoder_tensor_count(old); i++) {
        mlm_tensor a, b;
        mlm_tensor_init(&a, sizeof a);
        mlm_tensor_init(&b, sizeof b);
        assert_ok(mlm_encoder_get_tensor(old, i, &a));
        assert_ok(mlm_encoder_get_tensor(grown, i, &b));
        const size_t width = (size_t)a.shape[1], count = (size_t)a.shape[0] * width;
        ck_assert_str_eq(a.name, b.name);
        ck_assert_mem_eq(a.data, b.data, count * sizeof *a.data);
        if (a.shape[0] != FIXTURE_V)
            continue;
        grew++;
        for (int32_t n = 0; n < NEW; n++)
            for (size_t k = 0; k < width; k++)
                ck_assert_float_eq(
                    b.data[count + (size_t)n * width + k], (float)mean_of(a.data, width, n, k));
    }
    ck_assert_uint_eq(grew, 2);
    mlm_encoder_free(grown);
    mlm_encoder_free(old);
}
END_TEST

START_TEST(pieces_are_checked)
{
    mlm_encoder *old = fixture_encoder(NULL, "masked"), *out = (mlm_encoder *)1;
    static const int32_t empty[] = {0, 1, 1}, late[] = {1, 2}, one[] = {0, 1}, bad[] = {FIXTURE_V},
                         negative[] = {-1};
    assert_error(mlm_encoder_add_tokens(old, empty, pieces, 2, &out), MLM_ERR_ARGUMENT,
        "token 1 has no pieces");
    ck_assert_ptr_null(out);
    assert_error(
        mlm_encoder_add_tokens(old, late, pieces, 1, &out), MLM_ERR_ARGUMENT, "offsets[0] is 1");
    assert_error(
        mlm_encoder_add_tokens(old, one, bad, 1, &out), MLM_ERR_ARGUMENT, "pieces[0] is 40");
    assert_status(mlm_encoder_add_tokens(old, one, negative, 1, &out), MLM_ERR_ARGUMENT);
    assert_status(mlm_encoder_add_tokens(old, NULL, pieces, 1, &out), MLM_ERR_ARGUMENT);
    assert_status(mlm_encoder_add_tokens(old, one, NULL, 1, &out), MLM_ERR_ARGUMENT);
    assert_status(mlm_encoder_add_tokens(NULL, one, pieces, 1, &out), MLM_ERR_ARGUMENT);
    assert_status(mlm_encoder_add_tokens(old, one, pieces, 1, NULL), MLM_ERR_ARGUMENT);
    assert_ok(mlm_encoder_add_tokens(old, one, NULL, 0, &out));
    mlm_encoder_free(out);
    mlm_encoder_free(old);
}
END_TEST

Suite *add_tokens_suite(void)
{
    Suite *suite = suite_create("add_tokens");
    TCase *tests = tcase_create("add_tokens");
    tcase_add_test(tests, new_rows_are_means_and_the_rest_is_copied);
    tcase_add_test(tests, pieces_are_checked);
    suite_add_tcase(suite, tests);
    return suite;
}
