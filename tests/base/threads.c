#include "base/threads.h"

#include <fenv.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#include "base/fpmode.h"
#include "base/runtime.h"
#include "base/suites.h"
#include "support/support.h"

enum { PIECES = 1000, THREADS = 4 };

static mlm_runtime *runtime_with(int32_t threads)
{
    mlm_runtime_options options;
    mlm_runtime_options_init(&options, sizeof options);
    options.threads = threads;
    mlm_runtime *runtime;
    assert_ok(mlm_runtime_create(&options, &runtime));
    return runtime;
}

typedef struct counts {
    int32_t runs[PIECES];
    atomic_int on_thread[THREADS], wrong, others;
    pthread_t caller;
} counts;

static void count_piece(void *context, size_t piece, int32_t thread)
{
    counts *to = context;
    to->runs[piece]++;
    if (thread < 0 || thread >= THREADS)
        to->wrong++;
    else if (atomic_fetch_add(&to->on_thread[thread], 1) != 0)
        to->wrong++;
    if (!pthread_equal(pthread_self(), to->caller))
        to->others++;
    if (thread >= 0 && thread < THREADS)
        to->on_thread[thread]--;
}

/* Whether every piece ran once, no two at a time with one thread number; adds to *others. */
static bool covers(mlm_runtime *runtime, size_t pieces, int *others)
{
    counts to = {.caller = pthread_self()};
    mlm__parallel(runtime, pieces, count_piece, &to);
    for (size_t i = 0; i < PIECES; i++)
        if (to.runs[i] != (i < pieces))
            return false;
    *others += to.others;
    return to.wrong == 0;
}

static void rest_in_piece(void *context, size_t piece, int32_t thread)
{
    counts *to = context;
    count_piece(to, piece, thread);
    if (pthread_equal(pthread_self(), to->caller))
        usleep(1000);
}

/* Whether other threads run pieces too. The caller rests in its own, so that a machine with much
   to do still comes to the others. */
static bool others_help(mlm_runtime *runtime)
{
    for (int i = 0; i < 80; i++) {
        counts to = {.caller = pthread_self()};
        mlm__parallel(runtime, 100, rest_in_piece, &to);
        if (to.others > 0)
            return true;
    }
    return false;
}

START_TEST(every_piece_runs_once)
{
    mlm_runtime *runtime = runtime_with(THREADS);
    ck_assert_int_eq(mlm__threads(runtime), THREADS);
    int others = 0;
    for (size_t i = 0; i < 2000; i++)
        ck_assert(covers(runtime, i % (PIECES + 1), &others));
    ck_assert(others_help(runtime));
    usleep(5000); /* until all sleep */
    ck_assert(covers(runtime, PIECES, &others));
    mlm_runtime_free(runtime);
}
END_TEST

typedef struct firsts {
    atomic_size_t piece[2];
    atomic_bool seen[2];
} firsts;

static void note_first(void *context, size_t piece, int32_t thread)
{
    firsts *to = context;
    if (!atomic_exchange(&to->seen[thread], true))
        atomic_store(&to->piece[thread], piece);
    usleep(200);
}

/* Pieces lie together in shares and each thread begins with its own, unless another one has already
   helped it, which on a busy machine may be. */
START_TEST(each_thread_begins_with_its_share)
{
    mlm_runtime *runtime = runtime_with(2);
    bool both = false;
    for (int i = 0; i < 400 && !both; i++) {
        firsts to = {0};
        mlm__parallel(runtime, 21, note_first, &to);
        both = atomic_load(&to.seen[0]) && atomic_load(&to.piece[0]) == 0 &&
               atomic_load(&to.seen[1]) && atomic_load(&to.piece[1]) == 11;
    }
    ck_assert(both);
    mlm_runtime_free(runtime);
}
END_TEST

START_TEST(one_thread_or_piece_stays_on_the_caller)
{
    int others = 0;
    mlm_runtime *runtime = runtime_with(1);
    ck_assert(covers(runtime, PIECES, &others));
    mlm_runtime_free(runtime);
    runtime = runtime_with(THREADS);
    ck_assert(covers(runtime, 1, &others));
    ck_assert(covers(runtime, 0, &others));
    ck_assert_int_eq(others, 0);
    mlm_runtime_free(runtime);
}
END_TEST

/* So that the caller is done first, and sleeps while workers work. */
static void slow_piece(void *context, size_t piece, int32_t thread)
{
    (void)piece;
    usleep(thread == 0 ? 100 : 3000);
    atomic_fetch_add((atomic_int *)context, 1);
}

START_TEST(slow_pieces_are_waited_for)
{
    mlm_runtime *runtime = runtime_with(THREADS);
    atomic_int done = 0;
    for (int i = 1; i <= 10; i++) {
        mlm__parallel(runtime, 5, slow_piece, &done);
        ck_assert_int_eq(done, 5 * i);
    }
    mlm_runtime_free(runtime);
}
END_TEST

static void *call_often(void *runtime)
{
    int others = 0;
    for (size_t i = 0; i < 300; i++)
        if (!covers(runtime, i % 50, &others))
            return runtime;
    return NULL;
}

START_TEST(concurrent_callers_do_not_disturb_each_other)
{
    mlm_runtime *runtime = runtime_with(THREADS);
    pthread_t callers[3];
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(pthread_create(&callers[i], NULL, call_often, runtime), 0);
    for (int i = 0; i < 3; i++) {
        void *failed;
        pthread_join(callers[i], &failed);
        ck_assert_ptr_null(failed);
    }
    mlm_runtime_free(runtime);
}
END_TEST

/* Waits for a child for at most ten seconds; its exit status, -1 if it hangs or dies. */
static int status_of(pid_t child)
{
    for (int i = 0; i < 1000; i++) {
        int status;
        if (waitpid(child, &status, WNOHANG) == child)
            return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        usleep(10000);
    }
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    return -1;
}

static void meet(void *context, size_t piece, int32_t thread)
{
    (void)piece, (void)thread;
    pthread_barrier_wait(context);
}

/* Computes with all of its threads at once, so that none is still being started: a sanitizer's
   allocator may be locked meanwhile, and would stay so in the child of a fork. */
static mlm_runtime *started_runtime(void)
{
    mlm_runtime *runtime = runtime_with(THREADS);
    pthread_barrier_t all;
    pthread_barrier_init(&all, NULL, THREADS);
    mlm__parallel(runtime, THREADS, meet, &all);
    pthread_barrier_destroy(&all);
    return runtime;
}

static int compute_in_child(mlm_runtime *runtime)
{
    int others = 0;
    for (int i = 0; i < 100; i++)
        if (!covers(runtime, PIECES, &others))
            return 1;
    if (!others_help(runtime)) /* its own workers */
        return 2;
    mlm_runtime_free(runtime);
    return 0;
}

START_TEST(child_of_a_fork_computes)
{
    mlm_runtime *runtime = started_runtime();
    int others = 0;
    pid_t child = fork();
    if (child == 0)
        _exit(compute_in_child(runtime));
    ck_assert_int_eq(status_of(child), 0);
    child = fork(); /* one that never computes only frees */
    if (child == 0) {
        mlm_runtime_free(runtime);
        _exit(0);
    }
    ck_assert_int_eq(status_of(child), 0);
    ck_assert(covers(runtime, PIECES, &others));
    mlm_runtime_free(runtime);
}
END_TEST

typedef struct caller {
    mlm_runtime *runtime;
    pthread_barrier_t begun;
    atomic_bool stop;
} caller;

static void *call_until_stopped(void *context)
{
    caller *self = context;
    int others = 0;
    pthread_barrier_wait(&self->begun);
    while (!self->stop)
        covers(self->runtime, PIECES, &others);
    return NULL;
}

/* Whatever the other thread was doing inside the pool when the fork came. */
START_TEST(fork_while_another_thread_computes)
{
    caller busy = {.runtime = started_runtime()};
    pthread_t thread;
    pthread_barrier_init(&busy.begun, NULL, 2);
    ck_assert_int_eq(pthread_create(&thread, NULL, call_until_stopped, &busy), 0);
    pthread_barrier_wait(&busy.begun);
    int failed = 0;
    for (int i = 0; i < 20 && !failed; i++) {
        usleep((useconds_t)(i * 37));
        pid_t child = fork();
        if (child == 0)
            _exit(compute_in_child(busy.runtime));
        failed = status_of(child);
    }
    busy.stop = true;
    pthread_join(thread, NULL);
    pthread_barrier_destroy(&busy.begun);
    ck_assert_int_eq(failed, 0);
    mlm_runtime_free(busy.runtime);
}
END_TEST

static void see_signals(void *context, size_t piece, int32_t thread)
{
    (void)piece;
    sigset_t blocked;
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    if (thread > 0 && (!sigismember(&blocked, SIGINT) || !sigismember(&blocked, SIGUSR1)))
        atomic_fetch_add((atomic_int *)context, 1);
    usleep(100);
}

START_TEST(workers_block_signals_and_the_caller_does_not)
{
    mlm_runtime *runtime = runtime_with(THREADS);
    sigset_t before, after;
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    atomic_int open = 0;
    mlm__parallel(runtime, 100, see_signals, &open);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    ck_assert_int_eq(open, 0);
    for (int i = 1; i < 32; i++)
        ck_assert_int_eq(sigismember(&before, i), sigismember(&after, i));
    mlm_runtime_free(runtime);
}
END_TEST

/* A host's mode: upward, and on x86 subnormals flushed. */
static void set_odd_mode(void)
{
    fesetround(FE_UPWARD);
#if defined(__x86_64__)
    _mm_setcsr(_mm_getcsr() | 0x8040);
#endif
}

/* Computes what the mode changes: a third, and half of the smallest normal number. */
static void see_mode(void *context, size_t piece, int32_t thread)
{
    (void)piece, (void)thread;
    volatile double one = 1, three = 3, tiny = 0x1p-1022, half = 0.5;
    static const double third = 1.0 / 3;
    if (fegetround() != FE_TONEAREST || one / three != third || tiny * half != 0x1p-1023)
        atomic_fetch_add((atomic_int *)context, 1);
    usleep(100);
}

START_TEST(all_threads_compute_in_the_default_mode)
{
    mlm_runtime *runtime = runtime_with(THREADS);
    fenv_t original, saved;
    fegetenv(&original);
    set_odd_mode();
    atomic_int done = 0;
    mlm__parallel(runtime, 10, slow_piece, &done); /* the workers start here */
    feclearexcept(FE_ALL_EXCEPT);
    feraiseexcept(FE_DIVBYZERO);
    atomic_int other = 0;
    mlm__fp_enter(&saved);
    mlm__parallel(runtime, 100, see_mode, &other);
    mlm__fp_leave(&saved);
    int direction = fegetround(), flags = fetestexcept(FE_ALL_EXCEPT);
    atomic_int seen = 0;
    see_mode(&seen, 0, 0);
    fesetenv(&original);
    ck_assert_int_eq(other, 0);
    ck_assert_int_eq(direction, FE_UPWARD);
    ck_assert_int_eq(flags, FE_DIVBYZERO);
    ck_assert_int_eq(seen, 1);
    mlm_runtime_free(runtime);
}
END_TEST

START_TEST(fewer_threads_are_no_error)
{
    pid_t child = fork();
    if (child == 0) {
        struct rlimit none = {0, 0};
        setrlimit(RLIMIT_NPROC, &none);
        if (setuid(65534) != 0) /* root is not limited */
            _exit(4);
        mlm_runtime *runtime = runtime_with(THREADS);
        int others = 0;
        bool whole = covers(runtime, PIECES, &others);
        mlm_runtime_free(runtime);
        _exit(!whole ? 1 : others > 0 ? 2 : 0);
    }
    int status = status_of(child);
    ck_assert_msg(status == 0 || status == 4, "status %d", status);
}
END_TEST

Suite *threads_suite(void)
{
    Suite *suite = suite_create("threads");
    TCase *tcase = tcase_create("pool");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, every_piece_runs_once);
    tcase_add_test(tcase, one_thread_or_piece_stays_on_the_caller);
    tcase_add_test(tcase, each_thread_begins_with_its_share);
    tcase_add_test(tcase, slow_pieces_are_waited_for);
    tcase_add_test(tcase, concurrent_callers_do_not_disturb_each_other);
    tcase_add_test(tcase, workers_block_signals_and_the_caller_does_not);
    tcase_add_test(tcase, all_threads_compute_in_the_default_mode);
    if (TEST_FORKS_WORK) {
        tcase_add_test(tcase, child_of_a_fork_computes);
        tcase_add_test(tcase, fork_while_another_thread_computes);
        tcase_add_test(tcase, fewer_threads_are_no_error);
    }
    suite_add_tcase(suite, tcase);
    return suite;
}
