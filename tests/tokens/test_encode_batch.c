#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tokens/encoding_fixture.h"
#include "tokens/tokens_suites.h"

enum { B = 3000 };

static mlm_runtime *runtime_of(int32_t threads)
{
    mlm_runtime_options options;
    mlm_runtime *runtime;
    mlm_runtime_options_init(&options, sizeof options);
    options.threads = threads;
    assert_ok(mlm_runtime_create(&options, &runtime));
    return runtime;
}

typedef struct texts {
    const char *text[B];
    size_t length[B], bytes;
    char *memory;
} texts;

/* Texts of all lengths from none to 100 kB, some of these without a space. */
static void make_texts(texts *t)
{
    uint64_t state = 5;
    size_t used = 0;
    t->memory = malloc(B * 128 + 10 * 100000);
    for (size_t b = 0; b < B; b++) {
        size_t length = b % 300 == 7 ? 100000 : test_random(&state) % 128;
        t->text[b] = t->memory + used;
        t->length[b] = length;
        for (size_t i = 0; i < length; i++)
            t->memory[used++] = "hello, unwanted you"[b % 600 == 7 ? 0 : test_random(&state) % 19];
    }
    t->bytes = used;
}

static void check(int32_t threads, int32_t max_length)
{
    texts *t = malloc(sizeof *t);
    make_texts(t);
    mlm_runtime *runtime = runtime_of(threads);
    mlm_tokenizer *tokenizer;
    assert_ok(mlm_tokenizer_create(runtime, fixture_tokens,
        sizeof fixture_tokens / sizeof fixture_tokens[0], NULL, &tokenizer));
    size_t capacity = t->bytes + 2 * B, count, at = 0, one;
    int32_t *offsets = malloc((B + 1) * sizeof *offsets);
    int32_t *ids = malloc(capacity * sizeof *ids), *spans = malloc(capacity * 2 * sizeof *spans);
    int32_t *one_ids = malloc(100002 * sizeof *ids), *one_spans = malloc(200004 * sizeof *ids);
    mlm_encode_options options;
    mlm_encode_options_init(&options, sizeof options);
    options.max_length = max_length;
    assert_ok(mlm_tokenizer_encode_batch(
        tokenizer, t->text, t->length, B, &options, offsets, ids, spans, capacity, &count));
    ck_assert_int_eq(offsets[0], 0);
    for (size_t b = 0; b < B; b++) {
        assert_ok(mlm_tokenizer_encode(
            tokenizer, t->text[b], t->length[b], &options, one_ids, one_spans, 100002, &one));
        ck_assert_uint_eq((size_t)(offsets[b + 1] - offsets[b]), one);
        ck_assert_mem_eq(ids + at, one_ids, one * sizeof *ids);
        ck_assert_mem_eq(spans + 2 * at, one_spans, 2 * one * sizeof *ids);
        at += one;
    }
    ck_assert_uint_eq(count, at);
    assert_status(mlm_tokenizer_encode_batch(tokenizer, t->text, t->length, B, &options, offsets,
                      ids, NULL, at - 1, &count),
        MLM_ERR_CAPACITY);
    ck_assert_uint_eq(count, at);
    free(one_spans);
    free(one_ids);
    free(spans);
    free(ids);
    free(offsets);
    mlm_tokenizer_free(tokenizer);
    mlm_runtime_free(runtime);
    free(t->memory);
    free(t);
}

START_TEST(test_same_as_one_by_one)
{
    check(1, 0);
    check(2, 0);
    check(3, 16);
}
END_TEST

/* Once it has seen its largest batch, a tokenizer allocates nothing. */
START_TEST(test_steady_state)
{
    texts *t = malloc(sizeof *t);
    make_texts(t);
    test_allocator allocator;
    mlm_runtime *runtime = test_allocator_runtime(&allocator, _i, 0);
    mlm_tokenizer *tokenizer;
    assert_ok(mlm_tokenizer_create(runtime, fixture_tokens,
        sizeof fixture_tokens / sizeof fixture_tokens[0], NULL, &tokenizer));
    size_t capacity = t->bytes + 2 * B, count;
    int32_t *offsets = malloc((B + 1) * sizeof *offsets);
    int32_t *ids = malloc(capacity * sizeof *ids), *spans = malloc(capacity * 2 * sizeof *spans);
    int64_t allocations = 0;
    for (int32_t k = 0; k < 4; k++) {
        assert_ok(mlm_tokenizer_encode_batch(tokenizer, t->text, t->length, k < 2 ? B : B / 2, NULL,
            offsets, ids, spans, capacity, &count));
        ck_assert(k == 0 || allocator.allocations == allocations);
        allocations = allocator.allocations;
    }
    mlm_tokenizer_free(tokenizer);
    mlm_runtime_free(runtime);
    ck_assert_int_eq(allocator.live_bytes, 0);
    free(spans);
    free(ids);
    free(offsets);
    free(t->memory);
    free(t);
}
END_TEST

typedef struct encoding_thread {
    const mlm_tokenizer *tokenizer;
    atomic_bool stop;
} encoding_thread;

static void *encode_until_stopped(void *context)
{
    encoding_thread *t = context;
    int32_t ids[16];
    size_t count;
    while (!atomic_load(&t->stop)) {
        if (mlm_tokenizer_encode(t->tokenizer, "hello", 5, NULL, ids, NULL, 16, &count) != MLM_OK)
            abort();
    }
    return NULL;
}

/* A child that is forked while another thread encodes can encode too. */
START_TEST(test_fork)
{
    encoding_thread t = {.tokenizer = fixture_tokenizer(NULL)};
    pthread_t thread;
    atomic_init(&t.stop, false);
    ck_assert_int_eq(pthread_create(&thread, NULL, encode_until_stopped, &t), 0);
    for (int32_t i = 0; i < 100; i++) {
        pid_t child = fork();
        ck_assert_int_ge(child, 0);
        if (child == 0) {
            int32_t ids[16];
            size_t count;
            alarm(10);
            _exit(mlm_tokenizer_encode(t.tokenizer, "hello", 5, NULL, ids, NULL, 16, &count) !=
                  MLM_OK);
        }
        int status;
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_int_eq(status, 0);
    }
    atomic_store(&t.stop, true);
    pthread_join(thread, NULL);
    mlm_tokenizer_free((mlm_tokenizer *)t.tokenizer);
}
END_TEST

START_TEST(test_no_text)
{
    mlm_tokenizer *tokenizer = fixture_tokenizer(NULL);
    int32_t offsets[1] = {-7};
    size_t count = 7;
    assert_ok(
        mlm_tokenizer_encode_batch(tokenizer, NULL, NULL, 0, NULL, offsets, NULL, NULL, 0, &count));
    ck_assert(offsets[0] == 0 && count == 0);
    assert_error(
        mlm_tokenizer_encode_batch(tokenizer, NULL, NULL, -1, NULL, offsets, NULL, NULL, 0, &count),
        MLM_ERR_ARGUMENT, "B is -1");
    mlm_tokenizer_free(tokenizer);
}
END_TEST

Suite *encode_batch_suite(void)
{
    Suite *suite = suite_create("encode_batch");
    TCase *tests = tcase_create("encode_batch");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_same_as_one_by_one);
    tcase_add_loop_test(tests, test_steady_state, 1, 3);
    tcase_add_test(tests, test_fork);
    tcase_add_test(tests, test_no_text);
    suite_add_tcase(suite, tests);
    return suite;
}
