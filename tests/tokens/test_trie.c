#include "tokens/trie.h"

#include <stdio.h>
#include <stdlib.h>

#include "tokens/tokens_suites.h"

static mlm_runtime *runtime;

static void setup(void)
{
    assert_ok(mlm_runtime_create(NULL, &runtime));
}

static void teardown(void)
{
    mlm_runtime_free(runtime);
}

/* Every string of letters 0, 1, 255 up to four long, some left out, is found, or not. */
START_TEST(test_finds_what_is_there)
{
    static const uint8_t letters[] = {0, 1, 255};
    static uint8_t bytes[121][4];
    static size_t lengths[121];
    mlm__trie_string strings[121];
    size_t all = 0, count = 0;
    for (size_t length = 0, from = 0, to = 1; length <= 4; length++) {
        for (size_t i = from; i < to && length > 0; i++) {
            for (size_t l = 0; l < 3; l++) {
                memcpy(bytes[all], bytes[i], length - 1);
                bytes[all][length - 1] = letters[l];
                lengths[all++] = length;
            }
        }
        if (length == 0)
            lengths[all++] = 0;
        else
            from = to;
        to = all;
    }
    ck_assert_uint_eq(all, 121);
    for (size_t i = 0; i < all; i++) {
        if (i % 3 != 1)
            strings[count++] = (mlm__trie_string){bytes[i], lengths[i], (int32_t)i};
    }
    mlm__trie trie;
    int32_t duplicate = -1;
    assert_ok(mlm__trie_create(runtime, strings, count, &trie, &duplicate));
    for (size_t i = 0; i < all; i++)
        ck_assert_int_eq(mlm__trie_find(&trie, bytes[i], lengths[i]), i % 3 == 1 ? -1 : (int)i);
    mlm__trie_free(runtime, &trie);
}
END_TEST

START_TEST(test_duplicate)
{
    const uint8_t text[] = "abab";
    mlm__trie_string strings[] = {{text, 2, 7}, {text + 1, 1, 5}, {text + 2, 2, 3}};
    mlm__trie trie;
    int32_t duplicate = -1;
    ck_assert_int_eq(mlm__trie_create(runtime, strings, 3, &trie, &duplicate), MLM_ERR_FORMAT);
    ck_assert_int_eq(duplicate, 7);
    assert_ok(mlm__trie_create(runtime, strings, 3, &trie, NULL));
    ck_assert_int_eq(mlm__trie_find(&trie, text, 2), 3);
    ck_assert_int_eq(mlm__trie_find(&trie, text, 1), -1);
    mlm__trie_free(runtime, &trie);
}
END_TEST

START_TEST(test_empty)
{
    mlm__trie trie;
    int32_t duplicate = -1;
    assert_ok(mlm__trie_create(runtime, NULL, 0, &trie, &duplicate));
    for (int byte = 0; byte < 256; byte++)
        ck_assert_int_eq(mlm__trie_step(&trie, MLM__TRIE_ROOT, (uint8_t)byte), MLM__TRIE_NONE);
    mlm__trie_free(runtime, &trie);
}
END_TEST

Suite *trie_suite(void)
{
    Suite *suite = suite_create("trie");
    TCase *tests = tcase_create("trie");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, test_finds_what_is_there);
    tcase_add_test(tests, test_duplicate);
    tcase_add_test(tests, test_empty);
    suite_add_tcase(suite, tests);
    return suite;
}
