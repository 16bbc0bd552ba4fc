/* What every test program shares. */
#ifndef MLM_TESTS_SUPPORT_H
#define MLM_TESTS_SUPPORT_H

#include <check.h>
#include <stddef.h>

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

/* Every |actual - expected| <= atol + rtol |expected|; else the first place where not, both values
   and the largest error. */
void assert_close_f32(const float *actual, const double *expected, size_t count, double rtol,
    double atol, const char *what);

/* A new empty folder, removed with all that is in it when the program ends. */
const char *test_folder(void);

/* The folder that MLM_TEST_DATA names, or NULL: tests that need its text and conformance sets
   then print that they were skipped. */
const char *test_data(void);

#endif
