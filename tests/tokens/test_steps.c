/* Encoding is linear, by counting: the library is built a second time so that every call of one of
   its functions, inlined or not, is counted. A step along a text or a trie is such a call. */
#include <stdbool.h>
#include <stdlib.h>

#include "tokens/tokens_suites.h"

static _Thread_local uint64_t calls;

void __cyg_profile_func_enter(void *function, void *caller);
void __cyg_profile_func_exit(void *function, void *caller);

__attribute__((no_instrument_function)) void __cyg_profile_func_enter(void *function, void *caller)
{
    (void)function, (void)caller;
    calls++;
}

__attribute__((no_instrument_function)) void __cyg_profile_func_exit(void *function, void *caller)
{
    (void)function, (void)caller;
}

static const char *const tokens[] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "#", "###", "a",
    "##a", "aaaa", "##aaaa", "aaaaaaab", "##aaaaaaab", "the", "cat", "sat", "on", "mat", "##s", ".",
    "中", "##文", "σ", "##σ", "##ς", "é", "[", "]", "e"};

/* Calls for each byte of a text that is unit over and over. */
static double cost_with(const mlm_tokenizer *tokenizer, const char *unit, size_t size)
{
    size_t length = strlen(unit), count;
    char *text = malloc(size);
    int32_t *ids = malloc((size + 2) * sizeof *ids),
            *spans = malloc((size + 2) * 2 * sizeof *spans);
    ck_assert(text && ids && spans);
    for (size_t i = 0; i < size; i++)
        text[i] = unit[i % length];
    uint64_t before = calls;
    assert_ok(mlm_tokenizer_encode(tokenizer, text, size, NULL, ids, spans, size + 2, &count));
    double steps = (double)(calls - before) / (double)size;
    free(spans);
    free(ids);
    free(text);
    return steps;
}

static double cost(int32_t profile, bool strip, int32_t longest, const char *unit, size_t size)
{
    mlm_tokenizer_options options;
    mlm_tokenizer_options_init(&options, sizeof options);
    options.profile = profile;
    options.strip_accents = strip;
    options.max_input_chars_per_word = longest;
    mlm_tokenizer *tokenizer;
    assert_ok(
        mlm_tokenizer_create(NULL, tokens, sizeof tokens / sizeof tokens[0], &options, &tokenizer));
    double steps = cost_with(tokenizer, unit, size);
    mlm_tokenizer_free(tokenizer);
    return steps;
}

static const char prose[] = "The cat sat on the mats, naïve. Another sentence [MASK] follows it!\n";

/* 10 MB without a space cost for each byte what 64 KB of the same do; and of any kind of character no
   more than some times what prose in ASCII does, of whose letters most take no call at all. */
START_TEST(test_hard_texts_cost_no_more_than_prose)
{
    static const char *const units[] = {"a", "aaaaaaac", "#", "##", "\xCC\x81", "\xCC\x81\xCC\x96",
        "e\xCC\x81", "中", "中文", "\xCE\xA3", "\xCE\xA3\xCC\x81", "\xED\x95\x9C", "[MASK",
        "[MASK]", " ", "\xE3\x80\x80", ".", "\xFF", "\xE4\xB8", "\x01", "\xF0\x9F\x98\x80",
        "\xC4\xB0"};
    int32_t profile = _i & 1;
    int32_t longest = _i & 2 ? INT32_MAX : -1;
    size_t size = _i == 0 ? 10 << 20 : 1 << 20;
    double usual = cost(profile, true, -1, prose, size);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        double steps = cost(profile, true, longest, units[i], size);
        double few = cost(profile, true, longest, units[i], 1 << 16);
        ck_assert_msg(steps <= 1.05 * few + 0.1 && steps <= 6 * usual,
            "profile %d, unit %zu: %.2f calls a byte; 64 KB: %.2f; prose: %.2f", profile, i, steps,
            few, usual);
    }
}
END_TEST

/* Marks that stay and stand in no order are put in order class by class: so much for a byte, however
   many there are. */
START_TEST(test_marks_out_of_order_are_linear)
{
    static const char marks[] = "\xE3\x80\xAE\xCC\x81\xCC\x96\xD6\xB0\xE0\xA4\xBC\xCC\xA7";
    double few = cost(MLM_PROFILE_HF, true, -1, marks, 4096 * 15);
    ck_assert_double_le(cost(MLM_PROFILE_HF, true, -1, marks, 4096 * 15 * 64), 1.1 * few);
}
END_TEST

/* Tokens of up to 4,000 bytes, all of which but the last a word of "a" has at every place. */
START_TEST(test_long_tokens_cost_no_more)
{
    enum { LONGEST = 4000 };
    static char text[16][LONGEST + 8];
    const char *list[16] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "##a"};
    size_t count = 6;
    for (size_t length = LONGEST; length > 1; length = length * 2 / 5) {
        for (int32_t inside = 0; inside < 2; inside++) {
            size_t begin = strlen(strcpy(text[count - 6], inside ? "##" : ""));
            memset(text[count - 6] + begin, 'a', length - 1);
            text[count - 6][begin + length - 1] = 'b';
            list[count] = text[count - 6];
            if (++count == 16)
                length = 0;
        }
    }
    list[count - 1] = "a";
    mlm_tokenizer_options options;
    mlm_tokenizer_options_init(&options, sizeof options);
    options.max_input_chars_per_word = INT32_MAX;
    mlm_tokenizer *tokenizer;
    uint64_t before = calls;
    assert_ok(mlm_tokenizer_create(NULL, list, count, &options, &tokenizer));
    ck_assert_uint_le(calls - before, 40 * 2 * LONGEST * 5 / 3);
    double usual = cost(MLM_PROFILE_HF, true, -1, prose, 1 << 16);
    static const char *const units[] = {"a", "aaaaaaaaaaaaaaaac", "aaaaaaaaaaaab"};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        ck_assert_double_le(cost_with(tokenizer, units[i], 1 << 20), 6 * usual);
    mlm_tokenizer_free(tokenizer);
}
END_TEST

/* White space that every token found in it would take up to its end. */
START_TEST(test_white_space_is_taken_once)
{
    static const char json[] =
        "{\"normalizer\":{\"type\":\"BertNormalizer\"},\"pre_tokenizer\":{\"type\":"
        "\"BertPreTokenizer\"},\"added_tokens\":[{\"id\":5,\"content\":\" \",\"lstrip\":true,"
        "\"rstrip\":true,\"normalized\":false}],\"model\":{\"vocab\":{\"[PAD]\":0,\"[UNK]\":1,"
        "\"[CLS]\":2,\"[SEP]\":3,\"[MASK]\":4}}}";
    const char *path = test_path(test_folder(), "tokenizer.json");
    test_write_file(path, json, sizeof json - 1);
    mlm_tokenizer *tokenizer;
    assert_ok(mlm_tokenizer_load(NULL, path, NULL, &tokenizer));
    double few = cost_with(tokenizer, " ", 1 << 10);
    ck_assert_double_le(cost_with(tokenizer, " ", 1 << 20), 1.1 * few);
    mlm_tokenizer_free(tokenizer);
}
END_TEST

Suite *steps_suite(void)
{
    Suite *suite = suite_create("steps");
    TCase *tests = tcase_create("steps");
    tcase_set_timeout(tests, 200);
    tcase_add_loop_test(tests, test_hard_texts_cost_no_more_than_prose, 0, 4);
    tcase_add_test(tests, test_marks_out_of_order_are_linear);
    tcase_add_test(tests, test_long_tokens_cost_no_more);
    tcase_add_test(tests, test_white_space_is_taken_once);
    suite_add_tcase(suite, tests);
    return suite;
}
