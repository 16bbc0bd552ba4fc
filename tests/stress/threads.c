/* Handles on several threads of a host at once, and a system that gives no threads. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "stress/memory.h"
#include "stress/suites.h"
#include "stress/world.h"
#include "support/support.h"

/* ---- several threads ---------------------------------------------------------- */

enum { TRAINERS = 2, STEPS = 300, VISITORS = 8, ROUNDS = 1000 };

/* Threads of a test begin what they do together. */
static pthread_barrier_t barrier;

static const world_call no_call = {"", NULL, NULL, NULL};

typedef struct run {
    pthread_t thread;
    bool together;
    world *world;
    mlm_status status;
} run;

/* The whole way from text to the updated encoder. */
static void *train(void *context)
{
    run *r = context;
    world *w = r->world;
    mlm_batch batch, masked;
    mlm_batch_init(&batch, sizeof batch);
    mlm_batch_init(&masked, sizeof masked);
    for (int i = 0; i < STEPS; i++) {
        if (r->status == MLM_OK)
            r->status = mlm_corpus_next(w->corpus, &batch);
        if (r->status == MLM_OK)
            r->status = mlm_masker_apply(w->masker, &batch, &masked);
        if (r->status == MLM_OK)
            r->status = mlm_trainer_accumulate(w->trainer, &masked);
        if (r->together)
            pthread_barrier_wait(&barrier);
        if (r->status == MLM_OK)
            r->status = mlm_trainer_update(w->trainer, NULL);
    }
    return NULL;
}

/* With a runtime each, and with one between them. */
START_TEST(two_trainers_at_once)
{
    mlm_runtime *runtimes[TRAINERS] = {memory_runtime(2), memory_runtime(2)};
    run alone = {.world = world_make(runtimes[0], &no_call)};
    train(&alone);
    assert_ok(alone.status);
    size_t size;
    char *expected = world_describe(alone.world, &size);
    world_free(alone.world);
    run runs[TRAINERS];
    pthread_barrier_init(&barrier, NULL, TRAINERS);
    for (int i = 0; i < TRAINERS; i++)
        runs[i] = (run){.together = true, .world = world_make(runtimes[_i ? i : 0], &no_call)};
    for (int i = 0; i < TRAINERS; i++)
        ck_assert_int_eq(pthread_create(&runs[i].thread, NULL, train, &runs[i]), 0);
    for (int i = 0; i < TRAINERS; i++)
        pthread_join(runs[i].thread, NULL);
    for (int i = 0; i < TRAINERS; i++) {
        assert_ok(runs[i].status);
        size_t given_size;
        char *given = world_describe(runs[i].world, &given_size);
        ck_assert_uint_eq(given_size, size);
        ck_assert_mem_eq(given, expected, size);
        free(given);
        world_free(runs[i].world);
    }
    free(expected);
    pthread_barrier_destroy(&barrier);
    for (int i = 0; i < TRAINERS; i++)
        mlm_runtime_free(runtimes[i]);
}
END_TEST

typedef struct visitor {
    pthread_t thread;
    mlm_tokenizer *tokenizer;
    int wrong;
} visitor;

/* All that a tokenizer may be asked, with results that are known. */
static void *visit(void *context)
{
    visitor *v = context;
    static const char *const texts[] = {"a b", "c", "zz a"}, *const words[] = {"new"};
    static const size_t lengths[] = {3, 1, 4};
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < ROUNDS && !v->wrong; i++) {
        int32_t ids[32], offsets[4];
        size_t count;
        char text[32];
        mlm_tokenizer *longer;
        v->wrong |=
            mlm_tokenizer_encode(v->tokenizer, "a b", 3, NULL, ids, NULL, 32, &count) != MLM_OK ||
            count != 4 || ids[1] != 5 || ids[2] != 6;
        v->wrong |= mlm_tokenizer_decode(v->tokenizer, ids, count, MLM_DECODE_SKIP_SPECIAL, text,
                        sizeof text, &count) != MLM_OK ||
                    strcmp(text, "a b") != 0;
        v->wrong |= mlm_tokenizer_encode_batch(v->tokenizer, texts, lengths, 3, NULL, offsets, ids,
                        NULL, 32, &count) != MLM_OK ||
                    count != 11 || offsets[3] != 11 || ids[8] != 1;
        v->wrong |= mlm_tokenizer_id(v->tokenizer, "z") != 30 ||
                    strcmp(mlm_tokenizer_token(v->tokenizer, 30), "z") != 0;
        if (i % 250 == 0) {
            v->wrong |= mlm_tokenizer_add_words(v->tokenizer, words, 1, &longer) != MLM_OK;
            mlm_tokenizer_free(longer);
        }
    }
    return NULL;
}

START_TEST(one_tokenizer_for_eight_threads)
{
    mlm_runtime *runtime = memory_runtime(3);
    world *w = world_make(runtime, &no_call);
    visitor visitors[VISITORS] = {{.wrong = 0}};
    pthread_barrier_init(&barrier, NULL, VISITORS);
    for (int i = 0; i < VISITORS; i++) {
        visitors[i].tokenizer = w->tokenizer;
        ck_assert_int_eq(pthread_create(&visitors[i].thread, NULL, visit, &visitors[i]), 0);
    }
    for (int i = 0; i < VISITORS; i++) {
        pthread_join(visitors[i].thread, NULL);
        ck_assert_int_eq(visitors[i].wrong, 0);
    }
    pthread_barrier_destroy(&barrier);
    world_free(w);
    mlm_runtime_free(runtime);
}
END_TEST

/* ---- no threads --------------------------------------------------------------- */

static atomic_int threads_left = 1 << 20;

/* What the linker's --wrap makes of pthread_create: the system gives so many threads and no more. */
typedef void *thread_fn(void *argument);
int __real_pthread_create(
    pthread_t *thread, const pthread_attr_t *attributes, thread_fn *start, void *argument);
int __wrap_pthread_create(
    pthread_t *thread, const pthread_attr_t *attributes, thread_fn *start, void *argument);

int __wrap_pthread_create(
    pthread_t *thread, const pthread_attr_t *attributes, thread_fn *start, void *argument)
{
    if (atomic_fetch_sub(&threads_left, 1) <= 0)
        return EAGAIN;
    return __real_pthread_create(thread, attributes, start, argument);
}

START_TEST(fewer_threads_are_the_same_bytes)
{
    const world_call *call = &world_calls[_i];
    size_t size, given_size;
    char *expected = world_expected(call, &size);
    for (int threads = 0; threads < 3; threads++) {
        mlm_runtime *runtime = memory_runtime(4);
        threads_left = threads;
        world *w = world_make(runtime, call);
        assert_ok(call->call(w));
        char *given = world_describe(w, &given_size);
        threads_left = 1 << 20;
        ck_assert_msg(given_size == size && memcmp(given, expected, size) == 0,
            "%s: other results with %d threads", world_call_name(call), threads);
        free(given);
        world_free(w);
        mlm_runtime_free(runtime);
    }
    free(expected);
}
END_TEST

Suite *threads_suite(void)
{
    Suite *suite = suite_create("threads");
    TCase *tests = tcase_create("threads");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, two_trainers_at_once, 0, 2);
    tcase_add_test(tests, one_tokenizer_for_eight_threads);
    tcase_add_loop_test(tests, fewer_threads_are_the_same_bytes, 0, (int)world_call_count);
    suite_add_tcase(suite, tests);
    return suite;
}
