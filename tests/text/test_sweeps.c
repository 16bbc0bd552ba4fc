/* Every code point between two letters, against the sweeps of MLM_TEST_DATA: no difference is
   allowed. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "text/text_suites.h"
#include "text/utf8.h"
#include "text/words.h"

/* The words of text as a JSON array, in *words. */
static void split(
    const mlm__normalizer *normalizer, const uint8_t *text, size_t length, json_t *words)
{
    uint8_t bytes[64];
    mlm__normalized out = {.bytes = bytes};
    mlm__word word = {0, 0};
    mlm__normalize(normalizer, text, 0, length, &out);
    json_array_clear(words);
    while (mlm__word_next(normalizer, bytes, out.length, word.end, &word))
        json_array_append_new(
            words, json_stringn((char *)bytes + word.begin, word.end - word.begin));
}

/* The next line's words, the last of its columns, and its code point; -1 at the end. */
static int32_t next_line(FILE *pipe, char **line, size_t *capacity, json_t **words)
{
    ssize_t length = getline(line, capacity, pipe);
    if (length <= 0)
        return -1;
    *words = json_loads(strrchr(*line, '\t') + 1, 0, NULL);
    ck_assert_ptr_nonnull(*words);
    return (int32_t)strtol(*line, NULL, 16);
}

static void sweep(int32_t profile, bool lowercase, const char *name, size_t expected_lines)
{
    char call[600];
    snprintf(call, sizeof call, "gzip -dc '%s/conformance/%s'", test_data(), name);
    FILE *pipe = popen(call, "r");
    ck_assert_ptr_nonnull(pipe);
    mlm__normalizer normalizer;
    mlm__normalizer_init(&normalizer, profile, true, true, lowercase, lowercase);
    char *line = NULL;
    size_t capacity = 0, lines = 0;
    json_t *listed = NULL, *words = json_array();
    int32_t next = next_line(pipe, &line, &capacity, &listed);
    for (int32_t code = 0; code < 0x110000; code++) {
        uint8_t text[8] = "x";
        size_t length = 1 + mlm__utf8_encode(code, text + 1);
        text[length++] = 'y';
        if (code >= 0xD800 && code < 0xE000)
            continue;
        split(&normalizer, text, length, words);
        if (code != next) {
            /* What the sweep does not list stays as it is. */
            ck_assert_msg(
                json_array_size(words) == 1 &&
                    json_string_length(json_array_get(words, 0)) == length &&
                    memcmp(json_string_value(json_array_get(words, 0)), text, length) == 0,
                "%s: U+%04X changed", name, (unsigned)code);
            continue;
        }
        ck_assert_msg(json_equal(words, listed), "%s: U+%04X: other words", name, (unsigned)code);
        json_decref(listed);
        listed = NULL;
        next = next_line(pipe, &line, &capacity, &listed);
        lines++;
    }
    ck_assert_uint_eq(lines, expected_lines);
    json_decref(words);
    free(line);
    ck_assert_int_eq(pclose(pipe), 0);
}

START_TEST(test_sweep)
{
    static const struct {
        int32_t profile;
        bool lowercase;
        const char *name;
        size_t lines;
    } sweeps[] = {
        {MLM_PROFILE_HF, true, "hf_codepoint_sweep_uncased.tsv.gz", 234574},
        {MLM_PROFILE_HF, false, "hf_codepoint_sweep_cased.tsv.gz", 219693},
        {MLM_PROFILE_GOOGLE, true, "google_codepoint_sweep_uncased.tsv.gz", 97806},
        {MLM_PROFILE_GOOGLE, false, "google_codepoint_sweep_cased.tsv.gz", 82596},
    };
    if (test_data())
        sweep(sweeps[_i].profile, sweeps[_i].lowercase, sweeps[_i].name, sweeps[_i].lines);
}
END_TEST

Suite *sweeps_suite(void)
{
    Suite *suite = suite_create("sweeps");
    TCase *tests = tcase_create("sweeps");
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, test_sweep, 0, 4);
    suite_add_tcase(suite, tests);
    return suite;
}
