#include "tokens/tokenizer.h"

#include <pthread.h>
#include <stdlib.h>

#include "tokens/encoding_fixture.h"
#include "tokens/tokens_suites.h"

static const char *const bert[] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "##s"};

START_TEST(test_both_ways)
{
    mlm_tokenizer *tokenizer;
    assert_ok(mlm_tokenizer_create(NULL, bert, 7, NULL, &tokenizer));
    ck_assert_int_eq(mlm_tokenizer_vocab_size(tokenizer), 7);
    for (int32_t v = 0; v < 7; v++) {
        ck_assert_str_eq(mlm_tokenizer_token(tokenizer, v), bert[v]);
        ck_assert_int_eq(mlm_tokenizer_id(tokenizer, bert[v]), v);
    }
    ck_assert_ptr_null(mlm_tokenizer_token(tokenizer, 7));
    ck_assert_ptr_null(mlm_tokenizer_token(tokenizer, -1));
    ck_assert_int_eq(mlm_tokenizer_id(tokenizer, "th"), -1);
    ck_assert_int_eq(mlm_tokenizer_id(tokenizer, "thes"), -1);
    ck_assert_int_eq(mlm_tokenizer_id(tokenizer, ""), -1);
    ck_assert_int_eq(mlm_tokenizer_special(tokenizer, MLM_TOKEN_MASK), 4);
    ck_assert_int_eq(mlm_tokenizer_special(tokenizer, 5), -1);
    mlm_tokenizer_free(tokenizer);
}
END_TEST

START_TEST(test_flags)
{
    mlm_tokenizer *tokenizer;
    assert_ok(mlm_tokenizer_create(NULL, bert, 7, NULL, &tokenizer));
    enum { ADDED = MLM__TOKEN_ADDED_SPECIAL, BOTH = MLM__TOKEN_SPECIAL | ADDED };
    const uint8_t expected[] = {BOTH, ADDED, BOTH, BOTH, BOTH, 0, MLM__TOKEN_CONTINUES};
    ck_assert_mem_eq(mlm__tokenizer_flags(tokenizer), expected, 7);
    mlm_tokenizer_free(tokenizer);
}
END_TEST

START_TEST(test_refused_vocabularies)
{
    static char long_token[5000];
    memset(long_token, 'a', sizeof long_token - 1);
    mlm_tokenizer *tokenizer;
    const char *tokens[] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "the"};
    assert_error(mlm_tokenizer_create(NULL, tokens, 7, NULL, &tokenizer), MLM_ERR_FORMAT,
        "tokens[6]: duplicate token 'the'");
    ck_assert_ptr_null(tokenizer);
    assert_error(mlm_tokenizer_create(NULL, tokens, 4, NULL, &tokenizer), MLM_ERR_FORMAT,
        "special token [MASK] is missing");
    assert_error(mlm_tokenizer_create(NULL, tokens, 0, NULL, &tokenizer), MLM_ERR_FORMAT, "empty");
    assert_error(mlm_tokenizer_create(NULL, tokens, SIZE_MAX / 2, NULL, &tokenizer),
        MLM_ERR_ARGUMENT, "V is ");
    tokens[6] = "\xC3";
    assert_error(mlm_tokenizer_create(NULL, tokens, 7, NULL, &tokenizer), MLM_ERR_FORMAT,
        "tokens[6]: token is not UTF-8");
    tokens[6] = long_token;
    assert_error(mlm_tokenizer_create(NULL, tokens, 7, NULL, &tokenizer), MLM_ERR_FORMAT,
        "tokens[6]: token of 4999 bytes");
    tokens[6] = NULL;
    assert_error(mlm_tokenizer_create(NULL, tokens, 7, NULL, &tokenizer), MLM_ERR_ARGUMENT,
        "mlm_tokenizer_create: tokens[6] is NULL");
}
END_TEST

START_TEST(test_refused_options)
{
    mlm_tokenizer *tokenizer;
    mlm_tokenizer_options options;
    mlm_tokenizer_options_init(&options, sizeof options);
    options.lowercase = 2;
    assert_error(mlm_tokenizer_create(NULL, bert, 7, &options, &tokenizer), MLM_ERR_ARGUMENT,
        "lowercase is 2");
    options.lowercase = -1;
    options.max_input_chars_per_word = 0;
    assert_error(mlm_tokenizer_create(NULL, bert, 7, &options, &tokenizer), MLM_ERR_ARGUMENT,
        "max_input_chars_per_word");
}
END_TEST

static char *provenance(const mlm_tokenizer_options *options, size_t V)
{
    mlm_tokenizer *tokenizer;
    assert_ok(mlm_tokenizer_create(NULL, bert, V, options, &tokenizer));
    json_t *object = mlm__tokenizer_provenance(tokenizer);
    mlm_tokenizer_free(tokenizer);
    char *text = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    return text;
}

START_TEST(test_provenance)
{
    mlm_tokenizer_options options;
    mlm_tokenizer_options_init(&options, sizeof options);
    char *first = provenance(NULL, 7), *same = provenance(&options, 7);
    options.lowercase = 0;
    char *cased = provenance(&options, 7), *smaller = provenance(NULL, 6);
    ck_assert_str_eq(first, same);
    ck_assert_str_ne(first, cased);
    ck_assert_str_ne(first, smaller);
    /* printf '[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\n##s\n' | sha256sum */
    ck_assert_ptr_nonnull(
        strstr(first, "691dffb70974c5530713bcc696b299a5526ddf36f7d386856c021f7a7d52a0ea"));
    free(smaller);
    free(cased);
    free(same);
    free(first);
}
END_TEST

typedef struct job {
    const mlm_tokenizer *tokenizer;
    size_t wrong;
} job;

static void *encode_all(void *context)
{
    job *j = context;
    mlm_encode_options options;
    mlm_encode_options_init(&options, sizeof options);
    options.add_special_tokens = 0;
    for (size_t round = 0; round < 20; round++) {
        for (size_t i = 0; i < sizeof encoding_cases / sizeof encoding_cases[0]; i++) {
            const encoding_case *c = &encoding_cases[i];
            int32_t ids[512], spans[1024];
            size_t count;
            /* The first cases are those with the default options. */
            if (c->profile != MLM_PROFILE_HF || c->split_special_tokens || c->lowercase == 0 ||
                c->strip_accents != -1 || !c->handle_chinese_chars || !c->clean_text)
                continue;
            mlm_status status = mlm_tokenizer_encode(
                j->tokenizer, c->text, c->length, &options, ids, spans, 512, &count);
            j->wrong += status != MLM_OK || count != c->count ||
                        memcmp(ids, c->ids, count * sizeof *ids) != 0;
        }
    }
    return NULL;
}

START_TEST(test_many_threads)
{
    enum { THREADS = 4 };
    mlm_tokenizer *tokenizer = fixture_tokenizer(NULL);
    pthread_t threads[THREADS];
    job jobs[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        jobs[i] = (job){tokenizer, 0};
        pthread_create(&threads[i], NULL, encode_all, &jobs[i]);
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        ck_assert_uint_eq(jobs[i].wrong, 0);
    }
    mlm_tokenizer_free(tokenizer);
}
END_TEST

static mlm_status use_tokenizer(mlm_runtime *runtime, void *context)
{
    const char *text = "hello [MASK] naïve";
    const char *const texts[] = {text, text, text};
    const size_t lengths[] = {strlen(text), 5, 0};
    int32_t ids[32], spans[64], offsets[4];
    size_t count;
    mlm_tokenizer *tokenizer = NULL;
    mlm_status status = mlm_tokenizer_create(runtime, fixture_tokens,
        sizeof fixture_tokens / sizeof fixture_tokens[0], NULL, &tokenizer);
    if (status == MLM_OK)
        status = mlm_tokenizer_encode(tokenizer, text, strlen(text), NULL, ids, spans, 32, &count);
    if (status == MLM_OK)
        status = mlm_tokenizer_encode_batch(
            tokenizer, texts, lengths, 3, NULL, offsets, ids, spans, 32, &count);
    if (status == MLM_OK)
        status = mlm_tokenizer_save(tokenizer, context);
    mlm_tokenizer_free(tokenizer);
    if (status == MLM_OK) {
        tokenizer = NULL;
        status = mlm_tokenizer_load(runtime, context, NULL, &tokenizer);
        mlm_tokenizer_free(tokenizer);
    }
    return status;
}

START_TEST(test_out_of_memory_anywhere)
{
    test_out_of_memory(use_tokenizer, (void *)test_path(test_folder(), "model"));
}
END_TEST

/* Once every size has been seen, encoding allocates nothing. */
START_TEST(test_steady_state)
{
    test_allocator allocator;
    mlm_runtime *runtime = test_allocator_runtime(&allocator, 1, 0);
    mlm_tokenizer *tokenizer;
    assert_ok(mlm_tokenizer_create(runtime, fixture_tokens,
        sizeof fixture_tokens / sizeof fixture_tokens[0], NULL, &tokenizer));
    int32_t ids[32];
    size_t count;
    for (size_t i = 0; i < 3; i++) {
        int64_t before = allocator.allocations;
        assert_ok(mlm_tokenizer_encode(tokenizer, "hello you", 9, NULL, ids, NULL, 32, &count));
        ck_assert(i == 0 || allocator.allocations == before);
    }
    mlm_tokenizer_free(tokenizer);
    mlm_runtime_free(runtime);
    ck_assert_int_eq(allocator.live_bytes, 0);
}
END_TEST

Suite *tokenizer_suite(void)
{
    Suite *suite = suite_create("tokenizer");
    TCase *tests = tcase_create("tokenizer");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_both_ways);
    tcase_add_test(tests, test_flags);
    tcase_add_test(tests, test_refused_vocabularies);
    tcase_add_test(tests, test_refused_options);
    tcase_add_test(tests, test_provenance);
    tcase_add_test(tests, test_many_threads);
    tcase_add_test(tests, test_out_of_memory_anywhere);
    tcase_add_test(tests, test_steady_state);
    suite_add_tcase(suite, tests);
    return suite;
}
