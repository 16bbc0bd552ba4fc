/* The large conformance sets of MLM_TEST_DATA: no difference is allowed. */
#include <jansson.h>
#include <stdio.h>
#include <stdbool.h>
#include <stdlib.h>

#include "text/utf8.h"
#include "tokens/tokens_suites.h"

enum { ROOM = 1 << 16 };

static mlm_tokenizer *load(const char *name, int32_t profile, int32_t lowercase)
{
    char path[512];
    mlm_tokenizer *tokenizer;
    mlm_tokenizer_options options;
    mlm_tokenizer_options_init(&options, sizeof options);
    options.profile = profile;
    options.lowercase = lowercase;
    snprintf(path, sizeof path, "%s/vocab/%s.txt", test_data(), name);
    assert_ok(mlm_tokenizer_load(NULL, path, &options, &tokenizer));
    return tokenizer;
}

/* Whether the tokens of text are the expected ones; spans, in characters, may be NULL. */
static bool equals(const mlm_tokenizer *tokenizer, const json_t *text, const json_t *expected,
    const json_t *offsets)
{
    static int32_t ids[ROOM], spans[2 * ROOM];
    const uint8_t *bytes = (const uint8_t *)json_string_value(text);
    size_t length = json_string_length(text), count;
    mlm_encode_options options;
    mlm_encode_options_init(&options, sizeof options);
    options.add_special_tokens = 0;
    assert_ok(mlm_tokenizer_encode(
        tokenizer, (const char *)bytes, length, &options, ids, spans, ROOM, &count));
    if (count != json_array_size(expected))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (ids[i] != json_integer_value(json_array_get(expected, i)))
            return false;
        for (size_t k = 2 * i; offsets && k < 2 * i + 2; k++) {
            if ((json_int_t)mlm__utf8_count(bytes, (size_t)spans[k]) !=
                json_integer_value(json_array_get(offsets, k)))
                return false;
        }
    }
    return true;
}

/* Calls check for every line of a compressed file of JSON objects. */
static size_t for_lines(const char *command, const char *name,
    size_t (*check)(const json_t *, mlm_tokenizer *const *), mlm_tokenizer *const *tokenizers)
{
    char call[600];
    snprintf(call, sizeof call, "%s '%s/conformance/%s'", command, test_data(), name);
    FILE *pipe = popen(call, "r");
    char *line = NULL;
    size_t capacity = 0, lines = 0;
    ssize_t length;
    ck_assert_ptr_nonnull(pipe);
    while ((length = getline(&line, &capacity, pipe)) > 0) {
        json_t *object = json_loadb(line, (size_t)length, JSON_ALLOW_NUL, NULL);
        ck_assert_ptr_nonnull(object);
        size_t wrong = check(object, tokenizers);
        ck_assert_msg(wrong == 0, "%s: line %zu has other tokens: %s", name, lines + 1, line);
        json_decref(object);
        lines++;
    }
    free(line);
    ck_assert_int_eq(pclose(pipe), 0);
    return lines;
}

static size_t check_torture(const json_t *object, mlm_tokenizer *const *tokenizers)
{
    const json_t *text = json_object_get(object, "text");
    return !equals(tokenizers[0], text, json_object_get(object, "uncased"),
               json_object_get(object, "offsets")) +
           !equals(tokenizers[1], text, json_object_get(object, "cased"), NULL) +
           !equals(tokenizers[2], text, json_object_get(object, "mcased"), NULL);
}

START_TEST(test_torture)
{
    if (!test_data())
        return;
    mlm_tokenizer *tokenizers[] = {load("bert-base-uncased", MLM_PROFILE_HF, 1),
        load("bert-base-cased", MLM_PROFILE_HF, 0),
        load("bert-base-multilingual-cased", MLM_PROFILE_HF, 0)};
    ck_assert_uint_eq(
        for_lines("gzip -dc", "torture.hf.jsonl.gz", check_torture, tokenizers), 30748);
    for (size_t i = 0; i < 3; i++)
        mlm_tokenizer_free(tokenizers[i]);
}
END_TEST

static size_t check_squad(const json_t *object, mlm_tokenizer *const *tokenizers)
{
    return !equals(
        tokenizers[0], json_object_get(object, "text"), json_object_get(object, "ids"), NULL);
}

START_TEST(test_squad_questions)
{
    if (!test_data())
        return;
    mlm_tokenizer *tokenizer = load("bert-base-uncased", MLM_PROFILE_GOOGLE, 1);
    ck_assert_uint_eq(
        for_lines("xz -dc", "squad_questions_uncased.jsonl.xz", check_squad, &tokenizer), 10570);
    mlm_tokenizer_free(tokenizer);
}
END_TEST

Suite *conformance_suite(void)
{
    Suite *suite = suite_create("conformance");
    TCase *tests = tcase_create("conformance");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, test_torture);
    tcase_add_test(tests, test_squad_questions);
    suite_add_tcase(suite, tests);
    return suite;
}
