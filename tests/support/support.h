/* What every test program shares. */
#ifndef MLM_TESTS_SUPPORT_H
#define MLM_TESTS_SUPPORT_H

#include <check.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "mlm/mlm.h"

/* Runs the suites, TAP on standard output; the exit status of main. */
int test_main(Suite *(*const suites[])(void), size_t count);

#define TEST_MAIN(...)                                                                             \
    int main(void)                                                                                 \
    {                                                                                              \
        Suite *(*const suites[])(void) = {__VA_ARGS__};                                            \
        return test_main(suites, sizeof suites / sizeof suites[0]);                                \
    }

/* The status of a call, with the library's message when it is another. */
#define assert_status(expression, expected)                                                        \
    do {                                                                                           \
        mlm_status status_ = (expression);                                                         \
        ck_assert_msg(status_ == (expected), "%s is %s (%s), not %s", #expression,                 \
            mlm_status_name(status_), mlm_last_error(), mlm_status_name(expected));                \
    } while (0)
#define assert_ok(expression) assert_status(expression, MLM_OK)

/* The status of a call that fails, and a part of its message. */
#define assert_error(expression, expected, part)                                                   \
    do {                                                                                           \
        assert_status(expression, expected);                                                       \
        ck_assert_msg(strstr(mlm_last_error(), part) != NULL, "the message \"%s\" lacks \"%s\"",   \
            mlm_last_error(), part);                                                               \
    } while (0)

/* Every |actual - expected| <= atol + rtol |expected|; else the first place where not, both values
   and the largest error. */
void assert_close_f32(const float *actual, const double *expected, size_t count, double rtol,
    double atol, const char *what);
void assert_close_f64(const double *actual, const double *expected, size_t count, double rtol,
    double atol, const char *what);

/* A new empty folder, removed with all that is in it when the program ends. The name stays valid
   for the next 15 calls. */
const char *test_folder(void);

/* "folder/name"; valid for the next 15 calls. */
const char *test_path(const char *folder, const char *name);
void test_write_file(const char *path, const void *data, size_t size);
/* A file that must exist, with a final zero byte, for free(). */
char *test_read_file(const char *path, size_t *size);

/* The folder that MLM_TEST_DATA names, with text and conformance sets. NULL when it names none:
   the test returns, and a TAP comment says that it was skipped. */
const char *test_data(void);

/* Sets a locale with a decimal comma, made for the test where the machine has none; false, and a TAP
   comment, where that cannot be. setlocale(LC_ALL, "C") undoes it. */
bool test_comma_locale(void);

/* Numbers for tests: a state is any number, the next ones are the same on every machine. */
uint64_t test_random(uint64_t *state);
double test_uniform(uint64_t *state, double low, double high);

/* ThreadSanitizer cannot follow a child that starts threads. */
#if defined(__has_feature)
#define TEST_HAS_FEATURE(name) __has_feature(name)
#else
#define TEST_HAS_FEATURE(name) 0
#endif
#if defined(__SANITIZE_THREAD__) || TEST_HAS_FEATURE(thread_sanitizer)
enum { TEST_FORKS_WORK = 0 };
#else
enum { TEST_FORKS_WORK = 1 };
#endif

/* An allocator that counts, whose fail_at-th allocation fails (from 1 on; 0: none does). */
typedef struct test_allocator {
    int64_t fail_at, allocations, live_blocks, live_bytes;
} test_allocator;

/* A runtime with this allocator, which is set to zero but for fail_at counted from after this
   call. The allocator outlives it. */
mlm_runtime *test_allocator_runtime(test_allocator *allocator, int32_t threads, int64_t fail_at);

/* Calls attempt with runtimes whose 1st, 2nd, 3rd ... allocation fails, until none does. attempt
   frees all that it made and returns its status: MLM_ERR_MEMORY, and MLM_OK at last. Nothing may
   be left. */
typedef mlm_status test_attempt_fn(mlm_runtime *runtime, void *context);
void test_out_of_memory(test_attempt_fn *attempt, void *context);

#endif
