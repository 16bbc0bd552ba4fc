/* A host that forks: whatever its threads were doing at that moment, the child can go on with every
   handle that only the forking thread was using. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stress/memory.h"
#include "stress/suites.h"
#include "stress/world.h"
#include "support/support.h"

enum { BUSY = 2, SECONDS = 20 };

/* Threads of the host that train all the time. They call nothing of Check's, which has a lock. */
typedef struct trainee {
    pthread_t thread;
    mlm_encoder *encoder;
    mlm_trainer *trainer;
    atomic_bool stop;
} trainee;

static void *train_until_stopped(void *context)
{
    trainee *t = context;
    mlm_metrics metrics;
    while (!t->stop && training_try_update(t->trainer, &metrics) == MLM_OK)
        ;
    return NULL;
}

static void crowd_start(trainee crowd[BUSY], mlm_runtime *runtime)
{
    for (int i = 0; i < BUSY; i++) {
        crowd[i].encoder = training_encoder(runtime, 0.1);
        crowd[i].trainer = training_trainer(runtime, crowd[i].encoder);
        crowd[i].stop = false;
        ck_assert_int_eq(pthread_create(&crowd[i].thread, NULL, train_until_stopped, &crowd[i]), 0);
    }
}

static void crowd_stop(trainee crowd[BUSY])
{
    for (int i = 0; i < BUSY; i++) {
        crowd[i].stop = true;
        pthread_join(crowd[i].thread, NULL);
        mlm_trainer_free(crowd[i].trainer);
        mlm_encoder_free(crowd[i].encoder);
    }
}

/* 0, or what is wrong: 1 the status, 2 the bytes. */
static int use_in_child(world *w, const world_call *call, const char *expected, size_t size)
{
    signal(SIGALRM, SIG_DFL);
    alarm(SECONDS);
    mlm_status status = call->call(w);
    if (status != MLM_OK) {
        dprintf(STDOUT_FILENO, "# %s: %s\n", world_call_name(call), mlm_last_error());
        return 1;
    }
    size_t given_size;
    char *given = world_describe(w, &given_size);
    int wrong = given_size != size || memcmp(given, expected, size) != 0;
    free(given);
    mlm_runtime *runtime = w->runtime;
    world_free(w);
    mlm_runtime_free(runtime);
    return wrong ? 2 : 0;
}

START_TEST(a_child_uses_every_handle)
{
    mlm_runtime *runtime = memory_runtime(4);
    trainee crowd[BUSY];
    crowd_start(crowd, runtime);
    int wrong = 0;
    size_t i = 0;
    for (; i < world_call_count && !wrong; i++) {
        size_t size;
        char *expected = world_expected(&world_calls[i], &size);
        world *w = world_make(runtime, &world_calls[i]);
        pid_t child = fork();
        if (child == 0)
            _exit(use_in_child(w, &world_calls[i], expected, size));
        waitpid(child, &wrong, 0);
        world_free(w);
        free(expected);
    }
    crowd_stop(crowd);
    mlm_runtime_free(runtime);
    ck_assert_msg(
        !wrong, "%s in a child: wait status %d", world_call_name(&world_calls[i - 1]), wrong);
}
END_TEST

/* Another thread may be anywhere in a call on the same model when the host forks: at each of its
   allocations, say. A child that has its own handle on the model computes. */
static mlm_encoder *others_share;
static const mlm_batch *others_batch;
static float others_losses[TRAINING_MOST * TRAINING_LONGEST];
static int forks_wrong, forks;

static int compute_in_child(void)
{
    float losses[TRAINING_MOST * TRAINING_LONGEST] = {0};
    signal(SIGALRM, SIG_DFL);
    alarm(SECONDS);
    mlm_encoder *share = others_share;
    others_share = NULL; /* its allocations fork no more */
    if (mlm_encoder_losses(share, others_batch, losses) != MLM_OK)
        return 1;
    return memcmp(losses, others_losses, sizeof losses) == 0 ? 0 : 2;
}

static void *forking_alloc(void *user, size_t size, size_t alignment)
{
    void *memory = NULL;
    (void)user;
    if (others_share && !forks_wrong) {
        pid_t child = fork();
        if (child == 0)
            _exit(compute_in_child());
        waitpid(child, &forks_wrong, 0);
        forks++;
    }
    return posix_memalign(&memory, alignment, size) == 0 ? memory : NULL;
}

static void plain_release(void *user, void *memory, size_t size)
{
    (void)user, (void)size;
    free(memory);
}

START_TEST(a_child_has_a_handle_on_the_same_model)
{
    training_batch memory;
    mlm_batch batch = training_batch_make(&memory, 5, 3, true);
    mlm_runtime_options options;
    mlm_runtime_options_init(&options, sizeof options);
    options.alloc = forking_alloc;
    options.release = plain_release;
    options.threads = 2;
    mlm_runtime *runtime;
    assert_ok(mlm_runtime_create(&options, &runtime));
    mlm_encoder *same = training_encoder(NULL, 0.1), *share;
    assert_ok(mlm_encoder_losses(same, &batch, others_losses));
    mlm_encoder *encoder = training_encoder(runtime, 0.1);
    assert_ok(mlm_encoder_share(encoder, NULL, &share));
    others_batch = &batch;
    others_share = share;
    float losses[TRAINING_MOST * TRAINING_LONGEST] = {0};
    assert_ok(mlm_encoder_losses(encoder, &batch, losses));
    others_share = NULL;
    ck_assert_mem_eq(losses, others_losses, sizeof losses);
    ck_assert_int_gt(forks, 0);
    ck_assert_msg(!forks_wrong, "wait status %d of child %d", forks_wrong, forks);
    mlm_encoder_free(share);
    mlm_encoder_free(encoder);
    mlm_encoder_free(same);
    mlm_runtime_free(runtime);
}
END_TEST

Suite *forks_suite(void)
{
    Suite *suite = suite_create("forks");
    TCase *tests = tcase_create("forks");
    tcase_set_timeout(tests, 120);
    if (TEST_FORKS_WORK) {
        tcase_add_test(tests, a_child_uses_every_handle);
        tcase_add_test(tests, a_child_has_a_handle_on_the_same_model);
    }
    suite_add_tcase(suite, tests);
    return suite;
}
