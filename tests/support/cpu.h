/* Tests as on a lesser CPU, and what the CPU lacks. */
#ifndef MLM_TESTS_CPU_H
#define MLM_TESTS_CPU_H

#include <stdbool.h>

#include "kernels/products.h"
#include "support/support.h"

/* Before anything else: kernels and products are from now on those of the lesser CPU that
   MLM_TEST_CPU names (baseline, avx2, avx512), the best ones when it names none. False, and TAP
   says that the whole program is skipped, where this CPU or this build does not have it. */
bool test_take_cpu(void);

/* TEST_MAIN on that CPU. */
#define TEST_MAIN_ON_CPU(...)                                                                      \
    int main(void)                                                                                 \
    {                                                                                              \
        Suite *(*const suites[])(void) = {__VA_ARGS__};                                            \
        return test_take_cpu() ? test_main(suites, sizeof suites / sizeof suites[0]) : 0;          \
    }

/* Whether products, which a test is about, are NULL: the test returns, and a TAP comment says that
   it was skipped; or, where MLM_TEST_CPU leaves them out, that the run without it has them. */
bool test_lacks(const mlm__products *products);

#endif
