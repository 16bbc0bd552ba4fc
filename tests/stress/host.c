/* A host with settings of its own: every public function finds and leaves them, and gives the bytes
   that it gives without. */
#include <fcntl.h>
#include <fenv.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#include "stress/memory.h"
#include "stress/suites.h"
#include "stress/world.h"
#include "support/support.h"

/* Rounding upward, subnormals flushed where the CPU can, and traps. */
static void set_odd_mode(void)
{
    feclearexcept(FE_ALL_EXCEPT);
    fesetround(FE_UPWARD);
#if defined(__x86_64__)
    _mm_setcsr(_mm_getcsr() | 0x8040);
#endif
#if defined(__GLIBC__)
    feenableexcept(FE_ALL_EXCEPT);
#endif
}

typedef struct mode {
    int rounding, flags;
    unsigned control;
} mode;

static mode mode_now(void)
{
    mode m = {fegetround(), fetestexcept(FE_ALL_EXCEPT), 0};
#if defined(__x86_64__)
    m.control = _mm_getcsr();
#endif
    return m;
}

START_TEST(floating_point_mode)
{
    const world_call *call = &world_calls[_i];
    size_t size, given_size;
    char *expected = world_expected(call, &size);
    mlm_runtime *runtime = memory_runtime(2);
    world *w = world_make(runtime, call);
    fenv_t original;
    fegetenv(&original);
    set_odd_mode();
    const mode before = mode_now();
    mlm_status status = call->call(w);
    const mode after = mode_now();
    fesetenv(&original);
    assert_ok(status);
    ck_assert_msg(before.rounding == after.rounding && before.control == after.control &&
                      before.flags == after.flags,
        "%s: rounding %d, flags %x, control %x before; %d, %x, %x after", world_call_name(call),
        before.rounding, (unsigned)before.flags, before.control, after.rounding,
        (unsigned)after.flags, after.control);
    char *given = world_describe(w, &given_size);
    ck_assert_msg(given_size == size && memcmp(given, expected, size) == 0, "%s: other results",
        world_call_name(call));
    free(given);
    free(expected);
    world_free(w);
    mlm_runtime_free(runtime);
}
END_TEST

START_TEST(locale)
{
    if (!test_comma_locale())
        return;
    for (size_t i = 0; i < world_call_count; i++) {
        const world_call *call = &world_calls[i];
        size_t size, given_size;
        setlocale(LC_ALL, "C");
        char *expected = world_expected(call, &size);
        ck_assert(test_comma_locale());
        mlm_runtime *runtime = memory_runtime(2);
        world *w = world_make(runtime, call);
        assert_ok(call->call(w));
        char *given = world_describe(w, &given_size);
        ck_assert_str_eq(localeconv()->decimal_point, ",");
        ck_assert_msg(given_size == size && memcmp(given, expected, size) == 0, "%s: other results",
            world_call_name(call));
        free(given);
        free(expected);
        world_free(w);
        mlm_runtime_free(runtime);
    }
    setlocale(LC_ALL, "C");
}
END_TEST

static int open_files(void)
{
    int count = 0;
    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

enum { SIGNALS = 32 };

typedef struct signals {
    bool blocked[SIGNALS];
    void (*handler[SIGNALS])(int);
} signals;

static signals signals_now(void)
{
    signals s;
    sigset_t set;
    pthread_sigmask(SIG_SETMASK, NULL, &set);
    for (int i = 1; i < SIGNALS; i++) {
        struct sigaction action;
        sigaction(i, NULL, &action);
        s.blocked[i] = sigismember(&set, i) == 1;
        s.handler[i] = action.sa_handler;
    }
    return s;
}

static void assert_same_signals(const signals *before, const char *when)
{
    const signals after = signals_now();
    for (int i = 1; i < SIGNALS; i++)
        ck_assert_msg(
            before->blocked[i] == after.blocked[i] && before->handler[i] == after.handler[i],
            "%s: signal %d", when, i);
}

/* Also while threads start, which is where the world is made. */
START_TEST(signals_and_descriptors)
{
    const world_call *call = &world_calls[_i];
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    sigaddset(&blocked, SIGPIPE);
    pthread_sigmask(SIG_SETMASK, &blocked, NULL);
    const signals before = signals_now();
    const int files = open_files();
    mlm_runtime *runtime = memory_runtime(2);
    world *w = world_make(runtime, call);
    assert_same_signals(&before, "what the call needs");
    const int files_made = open_files();
    assert_ok(call->call(w));
    assert_same_signals(&before, world_call_name(call));
    ck_assert_int_eq(open_files(), files_made);
    world_free(w);
    mlm_runtime_free(runtime);
    assert_same_signals(&before, "freeing");
    ck_assert_int_eq(open_files(), files);
}
END_TEST

Suite *host_suite(void)
{
    Suite *suite = suite_create("host");
    TCase *tests = tcase_create("host");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, floating_point_mode, 0, (int)world_call_count);
    tcase_add_test(tests, locale);
    tcase_add_loop_test(tests, signals_and_descriptors, 0, (int)world_call_count);
    suite_add_tcase(suite, tests);
    return suite;
}
