#include "tokens/wordpiece.h"

#include "tokens/tokens_suites.h"

/* The example of google-research/bert's tokenization_test.py, and what lies beside it. */
static const char *const tokens[] = {
    "[UNK]", "want", "##want", "##ed", "wa", "un", "runn", "##ing", "é", "##é", "##", "##wan"};
enum { TOKEN_COUNT = sizeof tokens / sizeof tokens[0], UNK = 0 };

static void check(
    const char *word, size_t limit, size_t count, const int32_t *ids, const uint32_t *ends)
{
    mlm_runtime *runtime;
    mlm__vocabulary vocabulary;
    mlm__wordpiece wordpiece;
    mlm__piece pieces[8];
    size_t which;
    assert_ok(mlm_runtime_create(NULL, &runtime));
    assert_ok(mlm__vocabulary_create(runtime, tokens, TOKEN_COUNT, &vocabulary, &which));
    mlm__wordpiece_init(&wordpiece, &vocabulary.trie, UNK, limit);
    ck_assert_uint_eq(
        mlm__wordpiece_split(&wordpiece, (const uint8_t *)word, strlen(word), pieces, 8), count);
    for (size_t i = 0; i < count; i++) {
        ck_assert_int_eq(pieces[i].id, ids[i]);
        ck_assert_uint_eq(pieces[i].end, ends[i]);
    }
    mlm__vocabulary_free(runtime, &vocabulary);
    mlm_runtime_free(runtime);
}

START_TEST(test_longest_match)
{
    check("unwanted", 100, 3, (int32_t[]){5, 2, 3}, (uint32_t[]){2, 6, 8});
    check("running", 100, 2, (int32_t[]){6, 7}, (uint32_t[]){4, 7});
    check("éé", 100, 2, (int32_t[]){8, 9}, (uint32_t[]){2, 4});
}
END_TEST

START_TEST(test_unknown_word_is_one_token)
{
    check("unwantedx", 100, 1, (int32_t[]){UNK}, (uint32_t[]){9});
    check("unwan", 100, 2, (int32_t[]){5, 11}, (uint32_t[]){2, 5});
    check("unwax", 100, 1, (int32_t[]){UNK}, (uint32_t[]){5});
}
END_TEST

START_TEST(test_limit_counts_characters)
{
    check("ééé", 3, 3, (int32_t[]){8, 9, 9}, (uint32_t[]){2, 4, 6});
    check("ééé", 2, 1, (int32_t[]){UNK}, (uint32_t[]){6});
}
END_TEST

Suite *wordpiece_suite(void)
{
    Suite *suite = suite_create("wordpiece");
    TCase *tests = tcase_create("wordpiece");
    tcase_add_test(tests, test_longest_match);
    tcase_add_test(tests, test_unknown_word_is_one_token);
    tcase_add_test(tests, test_limit_counts_characters);
    suite_add_tcase(suite, tests);
    return suite;
}
