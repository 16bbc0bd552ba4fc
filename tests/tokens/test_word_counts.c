#include "tokens/word_counts.h"

#include <stdio.h>
#include <stdlib.h>

#include "tokens/token_table.h"
#include "tokens/tokens_suites.h"

enum { WORDS = 300 };

typedef struct expected_word {
    int32_t number; /* in the order of adding, and the word's text */
    int64_t count;
} expected_word;

static int rarest_first(const void *left, const void *right)
{
    const expected_word *a = left, *b = right;
    if (a->count != b->count)
        return a->count < b->count ? -1 : 1;
    return a->number - b->number;
}

static int by_number(const void *left, const void *right)
{
    return ((const expected_word *)left)->number - ((const expected_word *)right)->number;
}

static void add(mlm_runtime *runtime, mlm__word_counts *counts, int32_t number, int64_t times)
{
    char text[16];
    uint32_t length = (uint32_t)snprintf(text, sizeof text, "%d", number);
    assert_ok(mlm__word_counts_add(
        runtime, counts, (const uint8_t *)text, length, mlm__hash_text(text, length), times));
}

/* Counts of one to eight bytes, many of them equal. */
START_TEST(test_the_rarest_and_then_the_oldest_are_forgotten)
{
    mlm_runtime *runtime;
    assert_ok(mlm_runtime_create(NULL, &runtime));
    for (size_t most = 1; most <= WORDS + 1; most += 1 + most / 4) {
        mlm__word_counts counts = {0};
        expected_word expected[WORDS];
        uint64_t state = most;
        for (int32_t i = 0; i < WORDS; i++) {
            int64_t count = 1 + (int64_t)(test_random(&state) % 3);
            expected[i] = (expected_word){i, count << test_random(&state) % 8 * 8 % 61};
            add(runtime, &counts, i, expected[i].count);
        }
        mlm__word_counts_keep(&counts, most);
        size_t kept = most < WORDS ? most : WORDS;
        ck_assert_uint_eq(counts.count, kept);
        qsort(expected, WORDS, sizeof *expected, rarest_first);
        qsort(expected + WORDS - kept, kept, sizeof *expected, by_number);
        for (size_t i = 0; i < kept; i++)
            add(runtime, &counts, expected[WORDS - kept + i].number, 1);
        ck_assert_uint_eq(counts.count, kept); /* all are found again */
        for (size_t i = 0; i < kept; i++)
            ck_assert_int_eq(counts.words[i].count, expected[WORDS - kept + i].count + 1);
        mlm__word_counts_free(runtime, &counts);
    }
    mlm_runtime_free(runtime);
}
END_TEST

Suite *word_counts_suite(void)
{
    Suite *suite = suite_create("word counts");
    TCase *tests = tcase_create("word counts");
    tcase_add_test(tests, test_the_rarest_and_then_the_oldest_are_forgotten);
    suite_add_tcase(suite, tests);
    return suite;
}
