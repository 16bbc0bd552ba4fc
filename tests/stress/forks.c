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

/* Threads of the host that train all the time. */
typedef struct crowd {
    mlm_runtime *runtime;
    atomic_bool stop;
    pthread_t threads[BUSY];
} crowd;

static void *train_until_stopped(void *context)
{
    crowd *c = context;
    mlm_encoder *encoder = training_encoder(c->runtime, 0.1);
    mlm_trainer *trainer = training_trainer(c->runtime, encoder);
    while (!c->stop)
        training_updates(trainer, 1);
    mlm_trainer_free(trainer);
    mlm_encoder_free(encoder);
    return NULL;
}

static void crowd_start(crowd *c, mlm_runtime *runtime)
{
    c->runtime = runtime;
    c->stop = false;
    for (int i = 0; i < BUSY; i++)
        ck_assert_int_eq(pthread_create(&c->threads[i], NULL, train_until_stopped, c), 0);
}

static void crowd_stop(crowd *c)
{
    c->stop = true;
    for (int i = 0; i < BUSY; i++)
        pthread_join(c->threads[i], NULL);
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
    crowd busy;
    crowd_start(&busy, runtime);
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
    crowd_stop(&busy);
    mlm_runtime_free(runtime);
    ck_assert_msg(
        !wrong, "%s in a child: wait status %d", world_call_name(&world_calls[i - 1]), wrong);
}
END_TEST

Suite *forks_suite(void)
{
    Suite *suite = suite_create("forks");
    TCase *tests = tcase_create("forks");
    tcase_set_timeout(tests, 120);
    if (TEST_FORKS_WORK)
        tcase_add_test(tests, a_child_uses_every_handle);
    suite_add_tcase(suite, tests);
    return suite;
}
