#include <stdlib.h>

#include "tokens/encoding_fixture.h"
#include "tokens/tokens_suites.h"

enum { CASES = sizeof encoding_cases / sizeof encoding_cases[0] };
enum { ADDED_CASES = sizeof added_cases / sizeof added_cases[0] };
enum { TOKENS = sizeof fixture_tokens / sizeof fixture_tokens[0] };
enum { PAD, UNK, CLS, SEP, MASK };

mlm_tokenizer *fixture_tokenizer(const mlm_tokenizer_options *options)
{
    mlm_tokenizer *tokenizer;
    assert_ok(mlm_tokenizer_create(NULL, fixture_tokens, TOKENS, options, &tokenizer));
    return tokenizer;
}

static mlm_encode_options plain(void)
{
    mlm_encode_options options;
    mlm_encode_options_init(&options, sizeof options);
    options.add_special_tokens = 0;
    return options;
}

static void check_case(const mlm_tokenizer *tokenizer, const encoding_case *c)
{
    mlm_encode_options options = plain();
    int32_t ids[512], spans[1024];
    size_t count;
    assert_ok(
        mlm_tokenizer_encode(tokenizer, c->text, c->length, &options, ids, spans, 512, &count));
    ck_assert_msg(count == c->count, "\"%s\" has %zu tokens, not %zu", c->text, count, c->count);
    for (size_t i = 0; i < count; i++) {
        ck_assert_msg(
            ids[i] == c->ids[i], "\"%s\": token %zu is %d, not %d", c->text, i, ids[i], c->ids[i]);
        for (size_t k = 2 * i; c->spans && k < 2 * i + 2; k++)
            ck_assert_msg(spans[k] == c->spans[k], "\"%s\": spans[%zu] is %d, not %d", c->text, k,
                spans[k], c->spans[k]);
    }
}

START_TEST(test_equals_the_references)
{
    for (size_t i = 0; i < CASES; i++) {
        const encoding_case *c = &encoding_cases[i];
        mlm_tokenizer_options options;
        mlm_tokenizer_options_init(&options, sizeof options);
        options.profile = c->profile;
        options.lowercase = c->lowercase;
        options.strip_accents = c->strip_accents;
        options.handle_chinese_chars = c->handle_chinese_chars;
        options.clean_text = c->clean_text;
        options.split_special_tokens = c->split_special_tokens;
        mlm_tokenizer *tokenizer = fixture_tokenizer(&options);
        check_case(tokenizer, c);
        mlm_tokenizer_free(tokenizer);
    }
}
END_TEST

START_TEST(test_added_tokens)
{
    const char *path = test_path(test_folder(), "tokenizer.json");
    test_write_file(path, added_json, sizeof added_json - 1);
    mlm_tokenizer *tokenizer;
    assert_ok(mlm_tokenizer_load(NULL, path, NULL, &tokenizer));
    for (size_t i = 0; i < ADDED_CASES; i++)
        check_case(tokenizer, &added_cases[i]);
    ck_assert_int_ge(mlm_tokenizer_id(tokenizer, "COVID"), TOKENS);
    ck_assert_str_eq(
        mlm_tokenizer_token(tokenizer, mlm_tokenizer_id(tokenizer, "Zürich 中")), "Zürich 中");
    mlm_tokenizer_free(tokenizer);
}
END_TEST

START_TEST(test_special_tokens_and_cutting)
{
    mlm_tokenizer *tokenizer = fixture_tokenizer(NULL);
    const char *text = "hello how are you";
    int32_t hello = mlm_tokenizer_id(tokenizer, "hello"), how = mlm_tokenizer_id(tokenizer, "how");
    mlm_encode_options options;
    mlm_encode_options_init(&options, sizeof options);
    int32_t ids[8], spans[16];
    size_t count;
    assert_ok(mlm_tokenizer_encode(tokenizer, text, strlen(text), NULL, ids, spans, 8, &count));
    ck_assert_uint_eq(count, 6);
    ck_assert(ids[0] == CLS && ids[1] == hello && ids[2] == how && ids[5] == SEP);
    const int32_t expected[] = {0, 0, 0, 5, 6, 9, 10, 13, 14, 17, 0, 0};
    ck_assert_mem_eq(spans, expected, sizeof expected);
    options.max_length = 4;
    assert_ok(mlm_tokenizer_encode(tokenizer, text, strlen(text), &options, ids, NULL, 4, &count));
    ck_assert(count == 4 && ids[2] == how && ids[3] == SEP);
    options.max_length = 2;
    assert_ok(mlm_tokenizer_encode(tokenizer, text, strlen(text), &options, ids, NULL, 2, &count));
    ck_assert(count == 2 && ids[1] == SEP);
    options.max_length = 1;
    assert_error(
        mlm_tokenizer_encode(tokenizer, text, strlen(text), &options, ids, NULL, 2, &count),
        MLM_ERR_ARGUMENT, "max_length");
    mlm_tokenizer_free(tokenizer);
}
END_TEST

START_TEST(test_capacity_leaves_the_need)
{
    mlm_tokenizer *tokenizer = fixture_tokenizer(NULL);
    const char *text = "hello how are you";
    int32_t ids[6] = {-7, -7, -7, -7, -7, -7};
    size_t count;
    assert_status(mlm_tokenizer_encode(tokenizer, text, strlen(text), NULL, NULL, NULL, 0, &count),
        MLM_ERR_CAPACITY);
    ck_assert_uint_eq(count, 6);
    assert_status(mlm_tokenizer_encode(tokenizer, text, strlen(text), NULL, ids, NULL, 5, &count),
        MLM_ERR_CAPACITY);
    ck_assert_uint_eq(count, 6);
    ck_assert_int_eq(ids[5], -7);
    assert_ok(mlm_tokenizer_encode(tokenizer, text, strlen(text), NULL, ids, NULL, 6, &count));
    mlm_tokenizer_free(tokenizer);
}
END_TEST

/* first and second: how many of "a" each text has; kept: how many remain. */
static void check_pair(const mlm_tokenizer *tokenizer, size_t first, size_t second,
    int32_t max_length, int32_t add, size_t kept_first, size_t kept_second)
{
    const char *letters = "a a a a a a a a", *others = "e e e e e e e e";
    int32_t a = mlm_tokenizer_id(tokenizer, "a"), e = mlm_tokenizer_id(tokenizer, "e");
    int32_t ids[32], types[32];
    size_t count, at = 0;
    mlm_encode_options options;
    mlm_encode_options_init(&options, sizeof options);
    options.max_length = max_length;
    options.add_special_tokens = add;
    size_t need = kept_first + kept_second + (add ? 3 : 0);
    assert_ok(mlm_tokenizer_encode_pair(
        tokenizer, letters, 2 * first, others, 2 * second, &options, ids, types, need, &count));
    ck_assert_uint_eq(count, need);
    if (add)
        ck_assert(ids[at] == CLS && types[at++] == 0);
    for (size_t i = 0; i < kept_first; i++, at++)
        ck_assert(ids[at] == a && types[at] == 0);
    if (add)
        ck_assert(ids[at] == SEP && types[at++] == 0);
    for (size_t i = 0; i < kept_second; i++, at++)
        ck_assert(ids[at] == e && types[at] == 1);
    if (add)
        ck_assert(ids[at] == SEP && types[at] == 1);
}

START_TEST(test_pairs)
{
    mlm_tokenizer *tokenizer = fixture_tokenizer(NULL);
    check_pair(tokenizer, 3, 2, 0, 1, 3, 2);
    check_pair(tokenizer, 3, 2, 0, 0, 3, 2);
    /* Whatever the sizes: one after the other off the longer text, ties off the pair. */
    for (size_t first = 0; first <= 8; first++) {
        for (size_t second = 0; second <= 8; second++) {
            for (int32_t room = 1; room <= 17; room++) {
                size_t kept_first = first, kept_second = second;
                while (kept_first + kept_second > (size_t)room) {
                    if (kept_first > kept_second)
                        kept_first--;
                    else
                        kept_second--;
                }
                check_pair(tokenizer, first, second, room, 0, kept_first, kept_second);
                check_pair(tokenizer, first, second, room + 3, 1, kept_first, kept_second);
            }
        }
    }
    size_t count;
    int32_t ids[7];
    assert_status(
        mlm_tokenizer_encode_pair(tokenizer, "a a", 3, "e e e", 5, NULL, ids, NULL, 7, &count),
        MLM_ERR_CAPACITY);
    ck_assert_uint_eq(count, 8);
    mlm_tokenizer_free(tokenizer);
}
END_TEST

/* Long texts are encoded in blocks: the same tokens as word by word. */
START_TEST(test_long_texts)
{
    mlm_tokenizer *tokenizer = fixture_tokenizer(NULL);
    enum { WORDS = 40000 };
    static const char *const words[] = {"hello", "unwanted", "straße", "中", "[MASK]", "you,"};
    char *text = malloc(WORDS * 16);
    int32_t *ids = malloc(WORDS * 4 * sizeof *ids), *spans = malloc(WORDS * 8 * sizeof *spans);
    int32_t *expected = malloc(WORDS * 4 * sizeof *expected);
    mlm_encode_options options = plain();
    size_t length = 0, need = 0, count;
    uint64_t state = 1;
    for (size_t w = 0; w < WORDS; w++) {
        const char *word = words[test_random(&state) % 6];
        assert_ok(mlm_tokenizer_encode(
            tokenizer, word, strlen(word), &options, expected + need, NULL, 16, &count));
        need += count;
        memcpy(text + length, word, strlen(word));
        length += strlen(word);
        text[length++] = w % 1000 == 0 ? '\n' : ' ';
    }
    assert_ok(
        mlm_tokenizer_encode(tokenizer, text, length, &options, ids, spans, WORDS * 4, &count));
    ck_assert_uint_eq(count, need);
    ck_assert_mem_eq(ids, expected, need * sizeof *ids);
    ck_assert_int_eq(spans[2 * count - 1], (int32_t)length - 1);
    free(expected);
    free(spans);
    free(ids);
    free(text);
    mlm_tokenizer_free(tokenizer);
}
END_TEST

/* Ten megabytes without a space, of letters and of marks that canonical ordering moves: done in
   the time limit of a test only when nothing is quadratic. */
START_TEST(test_huge_words)
{
    mlm_tokenizer *tokenizer = fixture_tokenizer(NULL);
    static const char *const units[] = {"a", "\xCD\x85\xCC\x81\xE3\x80\xAE\xCC\xA3", "\xCE\xA3'"};
    size_t size = 10 << 20, count;
    char *text = malloc(size);
    mlm_encode_options options = plain();
    int32_t ids[2], spans[4];
    for (size_t u = 0; u < 3; u++) {
        size_t length = size - size % strlen(units[u]);
        for (size_t i = 0; i < length; i++)
            text[i] = units[u][i % strlen(units[u])];
        mlm_status status =
            mlm_tokenizer_encode(tokenizer, text, length, &options, ids, spans, 2, &count);
        ck_assert(status == MLM_OK || status == MLM_ERR_CAPACITY);
        ck_assert_uint_eq(count, u == 2 ? length / 3 * 2 : 1);
    }
    free(text);
    mlm_tokenizer_free(tokenizer);
}
END_TEST

START_TEST(test_arguments)
{
    mlm_tokenizer *tokenizer = fixture_tokenizer(NULL);
    int32_t ids[4];
    size_t count;
    assert_error(mlm_tokenizer_encode(NULL, "a", 1, NULL, ids, NULL, 4, &count), MLM_ERR_ARGUMENT,
        "mlm_tokenizer_encode: tokenizer is NULL");
    assert_error(mlm_tokenizer_encode(tokenizer, NULL, 1, NULL, ids, NULL, 4, &count),
        MLM_ERR_ARGUMENT, "text is NULL");
    assert_error(mlm_tokenizer_encode(tokenizer, "a", (size_t)1 << 32, NULL, ids, NULL, 4, &count),
        MLM_ERR_SHAPE, "4294967296 bytes");
    assert_error(mlm_tokenizer_encode_pair(tokenizer, "a", 1, NULL, 1, NULL, ids, NULL, 4, &count),
        MLM_ERR_ARGUMENT, "pair is NULL");
    assert_ok(mlm_tokenizer_encode(tokenizer, NULL, 0, NULL, ids, NULL, 4, &count));
    ck_assert_uint_eq(count, 2);
    mlm_tokenizer_free(tokenizer);
}
END_TEST

Suite *encode_suite(void)
{
    Suite *suite = suite_create("encode");
    TCase *tests = tcase_create("encode");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_equals_the_references);
    tcase_add_test(tests, test_added_tokens);
    tcase_add_test(tests, test_special_tokens_and_cutting);
    tcase_add_test(tests, test_capacity_leaves_the_need);
    tcase_add_test(tests, test_pairs);
    tcase_add_test(tests, test_long_texts);
    tcase_add_test(tests, test_huge_words);
    tcase_add_test(tests, test_arguments);
    suite_add_tcase(suite, tests);
    return suite;
}
