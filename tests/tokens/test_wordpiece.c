#include "tokens/wordpiece.h"

#include <stdbool.h>
#include <stdlib.h>

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
    assert_ok(mlm__wordpiece_create(runtime, &vocabulary.trie, UNK, limit, &wordpiece));
    ck_assert_uint_eq(
        mlm__wordpiece_split(&wordpiece, (const uint8_t *)word, strlen(word), pieces, 8), count);
    for (size_t i = 0; i < count; i++) {
        ck_assert_int_eq(pieces[i].id, ids[i]);
        ck_assert_uint_eq(pieces[i].end, ends[i]);
    }
    mlm__wordpiece_free(runtime, &wordpiece);
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

/* The rule itself: the longest token, again and again. */
static size_t split_slowly(const mlm__trie *trie, const char *word, size_t size, mlm__piece *pieces)
{
    char text[128] = "##";
    size_t count = 0;
    for (size_t begin = 0, end; begin < size; begin = end) {
        int32_t id = -1;
        for (end = size; end > begin; end--) {
            memcpy(text + 2, word + begin, end - begin);
            id = mlm__trie_find(trie, (const uint8_t *)text + (begin == 0 ? 2 : 0),
                end - begin + (begin == 0 ? 0 : 2));
            if (id >= 0)
                break;
        }
        if (id < 0) {
            pieces[0] = (mlm__piece){UNK, (uint32_t)size};
            return 1;
        }
        pieces[count++] = (mlm__piece){id, (uint32_t)end};
    }
    return count;
}

static uint32_t state = 1;

static size_t below(size_t limit)
{
    state = state * 1664525u + 1013904223u;
    return (state >> 8) % limit;
}

/* Long tokens of two letters, so that much is read beyond the longest token and taken back. */
START_TEST(test_equals_the_rule)
{
    enum { TOKENS = 60, WORD = 100 };
    static char text[TOKENS][64];
    const char *list[TOKENS];
    mlm_runtime *runtime;
    assert_ok(mlm_runtime_create(NULL, &runtime));
    for (size_t turn = 0; turn < 400; turn++) {
        size_t count = 0, letters = 1 + below(8);
        for (size_t t = 0; t < TOKENS; t++) {
            size_t length = strlen(strcpy(text[count], below(3) ? "##" : ""));
            for (size_t more = 1 + below(below(2) ? 4 : 50); more > 0; more--)
                text[count][length++] = below(letters) ? 'a' : 'b';
            text[count][length] = 0;
            bool is_new = true;
            for (size_t k = 0; k < count; k++)
                is_new = is_new && strcmp(text[k], text[count]) != 0;
            list[count] = text[count];
            count += is_new;
        }
        mlm__vocabulary vocabulary;
        mlm__wordpiece wordpiece;
        size_t which;
        assert_ok(mlm__vocabulary_create(runtime, list, count, &vocabulary, &which));
        assert_ok(mlm__wordpiece_create(runtime, &vocabulary.trie, UNK, WORD, &wordpiece));
        for (size_t w = 0; w < 40; w++) {
            char word[WORD];
            mlm__piece got[WORD], expected[WORD];
            size_t size = 1 + below(WORD), wanted;
            for (size_t i = 0; i < size; i++)
                word[i] = below(letters) ? 'a' : 'b';
            size_t pieces =
                mlm__wordpiece_split(&wordpiece, (const uint8_t *)word, size, got, WORD);
            wanted = split_slowly(&vocabulary.trie, word, size, expected);
            ck_assert_uint_eq(pieces, wanted);
            for (size_t i = 0; i < pieces; i++)
                ck_assert(got[i].id == expected[i].id && got[i].end == expected[i].end);
        }
        mlm__wordpiece_free(runtime, &wordpiece);
        mlm__vocabulary_free(runtime, &vocabulary);
    }
    mlm_runtime_free(runtime);
}
END_TEST

Suite *wordpiece_suite(void)
{
    Suite *suite = suite_create("wordpiece");
    TCase *tests = tcase_create("wordpiece");
    tcase_add_test(tests, test_longest_match);
    tcase_add_test(tests, test_unknown_word_is_one_token);
    tcase_add_test(tests, test_limit_counts_characters);
    tcase_add_test(tests, test_equals_the_rule);
    suite_add_tcase(suite, tests);
    return suite;
}
