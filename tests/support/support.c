#include "support/support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

int test_main(Suite *(*const suites[])(void), size_t count)
{
    SRunner *runner = srunner_create(NULL);
    for (size_t i = 0; i < count; i++)
        srunner_add_suite(runner, suites[i]());
    srunner_set_tap(runner, "-");
    srunner_run_all(runner, CK_SILENT);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

void assert_close_f32(const float *actual, const double *expected, size_t count, double rtol,
    double atol, const char *what)
{
    size_t first = count;
    double largest = 0;
    for (size_t i = 0; i < count; i++) {
        double error = fabs(actual[i] - expected[i]);
        if (!(error <= atol + rtol * fabs(expected[i])) && first == count)
            first = i;
        if (error > largest)
            largest = error;
    }
    ck_assert_msg(first == count, "%s[%zu] is %.9g, not %.9g; largest error %.3g", what, first,
        (double)actual[first], expected[first], largest);
}

const char *test_data(void)
{
    return getenv("MLM_TEST_DATA");
}
