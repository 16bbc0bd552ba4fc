#include "tokens/encoding_fixture.h"
#include "tokens/tokens_suites.h"

START_TEST(test_equals_the_reference)
{
    mlm_tokenizer *tokenizer = fixture_tokenizer(NULL);
    for (size_t i = 0; i < sizeof decoding_cases / sizeof decoding_cases[0]; i++) {
        const decoding_case *c = &decoding_cases[i];
        size_t expected = strlen(c->text), length;
        char text[256] = {0};
        assert_ok(mlm_tokenizer_decode(
            tokenizer, c->ids, c->count, c->flags, text, sizeof text, &length));
        ck_assert_str_eq(text, c->text);
        ck_assert_uint_eq(length, expected);
        assert_ok(
            mlm_tokenizer_decode(tokenizer, c->ids, c->count, c->flags, text, expected, &length));
        if (expected == 0)
            continue;
        assert_status(mlm_tokenizer_decode(
                          tokenizer, c->ids, c->count, c->flags, text, expected - 1, &length),
            MLM_ERR_CAPACITY);
        ck_assert_uint_eq(length, expected);
    }
    mlm_tokenizer_free(tokenizer);
}
END_TEST

START_TEST(test_arguments)
{
    mlm_tokenizer *tokenizer = fixture_tokenizer(NULL);
    char text[8];
    size_t length;
    assert_error(mlm_tokenizer_decode(tokenizer, (int32_t[]){3, -1}, 2, 0, text, 8, &length),
        MLM_ERR_ARGUMENT, "ids[1] is -1");
    assert_error(mlm_tokenizer_decode(tokenizer, (int32_t[]){100000}, 1, 0, text, 8, &length),
        MLM_ERR_ARGUMENT, "ids[0] is 100000");
    assert_error(mlm_tokenizer_decode(tokenizer, (int32_t[]){3}, 1, 8, text, 8, &length),
        MLM_ERR_ARGUMENT, "flags");
    mlm_tokenizer_free(tokenizer);
}
END_TEST

Suite *decode_suite(void)
{
    Suite *suite = suite_create("decode");
    TCase *tests = tcase_create("decode");
    tcase_add_test(tests, test_equals_the_reference);
    tcase_add_test(tests, test_arguments);
    suite_add_tcase(suite, tests);
    return suite;
}
