#include "text/words.h"

#include "text/text_suites.h"

/* words: joined by "/". */
static void check(int32_t profile, const char *text, const char *words)
{
    mlm__normalizer normalizer;
    mlm__word word = {0, 0};
    char joined[256] = "";
    mlm__normalizer_init(&normalizer, profile, true, true, true, true);
    while (mlm__word_next(&normalizer, (const uint8_t *)text, strlen(text), word.end, &word)) {
        strcat(joined, joined[0] ? "/" : "");
        strncat(joined, text + word.begin, word.end - word.begin);
    }
    ck_assert_str_eq(joined, words);
}

START_TEST(test_words)
{
    check(MLM_PROFILE_HF, "", "");
    check(MLM_PROFILE_HF, "  \n ", "");
    check(MLM_PROFILE_HF, " ah  博 推zz ", "ah/博/推zz");
    check(MLM_PROFILE_HF, "don't (stop)...", "don/'/t/(/stop/)/././.");
    check(MLM_PROFILE_HF, "a\xE2\x80\x94\x62\xE2\x82\xAC\x63", "a/\xE2\x80\x94/b\xE2\x82\xAC\x63");
    check(MLM_PROFILE_GOOGLE, "a\xE2\x80\xA8\x62\x1C\x63", "a/b/c");
}
END_TEST

Suite *words_suite(void)
{
    Suite *suite = suite_create("words");
    TCase *tests = tcase_create("words");
    tcase_add_test(tests, test_words);
    suite_add_tcase(suite, tests);
    return suite;
}
