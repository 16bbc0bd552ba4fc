#include "files/half.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "files/suites.h"
#include "support/support.h"

/* IEEE 754-2008, 3.4: (-1)^s 2^(e-15) (1 + f/1024), or (-1)^s 2^-14 f/1024 where e is 0. */
START_TEST(every_half_is_exact)
{
    for (uint32_t half = 0; half < 0x10000; half++) {
        int exponent = half >> 10 & 31, fraction = half & 1023;
        float value = mlm__half_to_float((uint16_t)half);
        ck_assert_int_eq(!!signbit(value), half >> 15);
        if (exponent == 31 && fraction != 0) {
            ck_assert(isnan(value));
            continue;
        }
        double magnitude = exponent == 31  ? (double)INFINITY
                           : exponent == 0 ? ldexp(fraction, -24)
                                           : ldexp(1024 + fraction, exponent - 25);
        ck_assert_double_eq(fabs((double)value), magnitude);
    }
}
END_TEST

START_TEST(every_bfloat_comes_back)
{
    for (uint32_t bfloat = 0; bfloat < 0x10000; bfloat++) {
        float value = mlm__bfloat_to_float((uint16_t)bfloat);
        uint16_t back = mlm__bfloat_from_float(value);
        if (isnan(value))
            ck_assert(isnan(mlm__bfloat_to_float(back)));
        else
            ck_assert_uint_eq(back, bfloat);
    }
}
END_TEST

/* By the definition: of the two neighbours the nearer, of equally near ones the even. */
START_TEST(rounding_is_to_nearest_even)
{
    uint64_t state = 1;
    for (int i = 0; i < 400000; i++) {
        uint32_t bits = (uint32_t)test_random(&state);
        if (i % 4 == 0)
            bits = (bits & 0xFFFF0000) | 0x8000; /* in the middle */
        else if (i % 4 == 1)
            bits = (bits & 0xFFFF0000) | (0x7FFF + 2 * (bits & 1)); /* next to it */
        float value;
        memcpy(&value, &bits, sizeof value);
        uint16_t got = mlm__bfloat_from_float(value), below = (uint16_t)(bits >> 16);
        if (isnan(value)) {
            ck_assert(isnan(mlm__bfloat_to_float(got)));
            continue;
        }
        /* Beyond the largest number the neighbour is what would follow it: 2^128. */
        double low = mlm__bfloat_to_float(below);
        double high = mlm__bfloat_to_float((uint16_t)(below + 1));
        if (isinf(value))
            high = low;
        else if (isinf(high))
            high = copysign(0x1p128, high);
        double to_low = fabs(value - low), to_high = fabs(high - value);
        bool up = !isinf(value) && (to_high < to_low || (to_high == to_low && below % 2 == 1));
        ck_assert_uint_eq(got, below + up);
    }
    ck_assert(isnan(mlm__bfloat_to_float(mlm__bfloat_from_float(NAN))));
    uint32_t payload = 0x7F800001; /* nothing of it in the upper half */
    float value;
    memcpy(&value, &payload, sizeof value);
    ck_assert(isnan(mlm__bfloat_to_float(mlm__bfloat_from_float(value))));
}
END_TEST

Suite *half_suite(void)
{
    Suite *suite = suite_create("half");
    TCase *tcase = tcase_create("formats");
    tcase_add_test(tcase, every_half_is_exact);
    tcase_add_test(tcase, every_bfloat_comes_back);
    tcase_add_test(tcase, rounding_is_to_nearest_even);
    suite_add_tcase(suite, tcase);
    return suite;
}
