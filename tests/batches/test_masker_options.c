#include <math.h>
#include <stddef.h>
#include <string.h>

#include "batches/masker.h"
#include "batches_suites.h"
#include "letters.h"
#include "support/support.h"

static mlm_masker_options defaults(void)
{
    mlm_masker_options options;
    mlm_masker_options_init(&options, sizeof options);
    return options;
}

static mlm_masker *make_masker(const mlm_masker_options *options)
{
    mlm_tokenizer *tokenizer = letters_tokenizer(NULL);
    mlm_masker *masker;
    assert_ok(mlm_masker_create(NULL, tokenizer, options, &masker));
    mlm_tokenizer_free(tokenizer);
    return masker;
}

START_TEST(options_out_of_range)
{
    static const struct {
        size_t place;
        double value;
        const char *part;
    } wrong[] = {
        {offsetof(mlm_masker_options, mlm_probability), -0.1, "mlm_probability"},
        {offsetof(mlm_masker_options, mlm_probability), 1.1, "mlm_probability"},
        {offsetof(mlm_masker_options, mlm_probability), NAN, "mlm_probability"},
        {offsetof(mlm_masker_options, mask_replace_prob), -1, "mask_replace_prob"},
        {offsetof(mlm_masker_options, mask_replace_prob), 0.95, "mask_replace_prob + random"},
        {offsetof(mlm_masker_options, random_replace_prob), NAN, "random_replace_prob"},
        {offsetof(mlm_masker_options, random_replace_prob), 0.3, "mask_replace_prob + random"},
    };
    mlm_tokenizer *tokenizer = letters_tokenizer(NULL);
    mlm_masker *masker;
    mlm_masker_options options;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        options = defaults();
        memcpy((char *)&options + wrong[i].place, &wrong[i].value, sizeof wrong[i].value);
        masker = (mlm_masker *)tokenizer;
        assert_error(
            mlm_masker_create(NULL, tokenizer, &options, &masker), MLM_ERR_ARGUMENT, wrong[i].part);
        ck_assert_ptr_null(masker);
    }
    options = defaults();
    options.strategy = MLM_MASK_SPANS;
    assert_error(
        mlm_masker_create(NULL, tokenizer, &options, &masker), MLM_ERR_UNSUPPORTED, "SPANS");
    options.strategy = 3;
    assert_error(
        mlm_masker_create(NULL, tokenizer, &options, &masker), MLM_ERR_ARGUMENT, "strategy");
    options = defaults();
    options.selection = 2;
    assert_error(
        mlm_masker_create(NULL, tokenizer, &options, &masker), MLM_ERR_ARGUMENT, "selection");
    options = defaults();
    options.random_tokens = -1;
    assert_error(
        mlm_masker_create(NULL, tokenizer, &options, &masker), MLM_ERR_ARGUMENT, "random_tokens");
    options = defaults();
    options.max_predictions = -1;
    assert_error(
        mlm_masker_create(NULL, tokenizer, &options, &masker), MLM_ERR_ARGUMENT, "max_predictions");
    assert_error(
        mlm_masker_create(NULL, NULL, NULL, &masker), MLM_ERR_ARGUMENT, "tokenizer is NULL");
    assert_error(mlm_masker_create(NULL, tokenizer, NULL, NULL), MLM_ERR_ARGUMENT, "out is NULL");
    mlm_masker_free(NULL);
    mlm_tokenizer_free(tokenizer);
}
END_TEST

START_TEST(provenance)
{
    mlm_masker_options options = defaults();
    mlm_masker *masker = make_masker(&options);
    json_t *first = mlm__masker_provenance(masker);
    mlm_masker_free(masker);
    ck_assert_str_eq(json_string_value(json_object_get(first, "strategy")), "tokens");
    ck_assert_double_eq(json_real_value(json_object_get(first, "mlm_probability")), 0.15);
    for (int change = 0; change < 8; change++) {
        options = defaults();
        switch (change) {
        case 0:
            options.strategy = MLM_MASK_WHOLE_WORDS;
            break;
        case 1:
            options.selection = MLM_SELECT_EACH;
            break;
        case 2:
            options.random_tokens = MLM_RANDOM_ORDINARY;
            break;
        case 3:
            options.mlm_probability = 0.3;
            break;
        case 4:
            options.mask_replace_prob = 0.7;
            break;
        case 5:
            options.random_replace_prob = 0;
            break;
        case 6:
            options.max_predictions = 20;
            break;
        case 7:
            options.seed = UINT64_MAX;
            break;
        }
        masker = make_masker(&options);
        json_t *second = mlm__masker_provenance(masker);
        ck_assert(!json_equal(first, second));
        json_decref(second);
        mlm_masker_free(masker);
    }
    json_decref(first);
}
END_TEST

Suite *masker_options_suite(void)
{
    Suite *suite = suite_create("masker options");
    TCase *tests = tcase_create("masker options");
    tcase_add_test(tests, options_out_of_range);
    tcase_add_test(tests, provenance);
    suite_add_tcase(suite, tests);
    return suite;
}
