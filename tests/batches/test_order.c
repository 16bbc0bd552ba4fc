#include <stdlib.h>

#include "batches/order.h"
#include "batches_suites.h"
#include "letters.h"
#include "support/support.h"

static const int64_t counts[] = {1, 2, 3, 4, 5, 7, 15, 16, 17, 63, 64, 65, 100, 255, 256, 257, 1000,
    1024, 1025, 4097, 65536, 65537, 100003};

START_TEST(every_index_once)
{
    int64_t count = counts[_i];
    for (int64_t epoch = 0; epoch < 3; epoch++) {
        mlm__order order = mlm__order_make(epoch == 2 ? UINT64_MAX : 5, epoch, count);
        char *seen = calloc((size_t)count, 1);
        for (int64_t i = 0; i < count; i++) {
            int64_t at = mlm__order_at(&order, i);
            if (at < 0 || at >= count || seen[at])
                ck_abort_msg("%lld is outside or comes twice", (long long)at);
            seen[at] = 1;
        }
        free(seen);
    }
}
END_TEST

/* Too many to try them all: different indices go to different places. */
START_TEST(large_counts)
{
    static const int64_t large[] = {INT64_C(1) << 32, (INT64_C(1) << 40) + 12345, INT64_MAX / 2};
    mlm__order order = mlm__order_make(1, 2, large[_i]);
    enum { TRIED = 1000 };
    int64_t at[TRIED], high = 0;
    for (int i = 0; i < TRIED; i++) {
        at[i] = mlm__order_at(&order, i % 2 ? i : large[_i] - 1 - i);
        ck_assert_int_ge(at[i], 0);
        ck_assert_int_lt(at[i], large[_i]);
        high += at[i] >= large[_i] / 2;
        for (int k = 0; k < i; k++)
            if (at[i] == at[k])
                ck_abort_msg("%lld comes twice", (long long)at[i]);
    }
    ck_assert_int_gt(high, TRIED / 2 - 100);
    ck_assert_int_lt(high, TRIED / 2 + 100);
}
END_TEST

/* Over many epochs each index goes everywhere equally often, and each pair of neighbours too. */
START_TEST(no_place_is_preferred)
{
    enum { EPOCHS = 5000 };
    int64_t n = counts[_i];
    double *places = calloc((size_t)(n * n), sizeof *places);
    double *pairs = calloc((size_t)(n * n), sizeof *pairs);
    for (int64_t epoch = 0; epoch < EPOCHS; epoch++) {
        mlm__order order = mlm__order_make(77, epoch, n);
        for (int64_t i = 0; i < n; i++)
            places[i * n + mlm__order_at(&order, i)]++;
        pairs[mlm__order_at(&order, 0) * n + mlm__order_at(&order, 1)]++;
    }
    double place_sum = 0, pair_sum = 0, expected = (double)EPOCHS / (double)n;
    double expected_pair = expected / (double)(n - 1);
    for (int64_t i = 0; i < n * n; i++) {
        place_sum += (places[i] - expected) * (places[i] - expected) / expected;
        if (i / n != i % n)
            pair_sum += (pairs[i] - expected_pair) * (pairs[i] - expected_pair) / expected_pair;
    }
    /* A doubly stochastic table has (n-1)^2 degrees of freedom, and its sum is that of a
       multinomial times n / (n-1). */
    double place_limit = chi_square_limit((double)((n - 1) * (n - 1)));
    ck_assert_msg(place_sum * (double)(n - 1) / (double)n < place_limit, "n %lld: %g, limit %g",
        (long long)n, place_sum, place_limit);
    double pair_limit = chi_square_limit((double)(n * (n - 1) - 1));
    ck_assert_msg(
        pair_sum < pair_limit, "n %lld: %g, limit %g", (long long)n, pair_sum, pair_limit);
    free(places);
    free(pairs);
}
END_TEST

START_TEST(seeds_and_epochs_differ)
{
    enum { N = 1000 };
    mlm__order a = mlm__order_make(1, 0, N), b = mlm__order_make(1, 1, N);
    mlm__order c = mlm__order_make(2, 0, N), again = mlm__order_make(1, 0, N);
    int same_b = 0, same_c = 0, fixed = 0;
    for (int64_t i = 0; i < N; i++) {
        int64_t at = mlm__order_at(&a, i);
        ck_assert_int_eq(at, mlm__order_at(&again, i));
        same_b += at == mlm__order_at(&b, i);
        same_c += at == mlm__order_at(&c, i);
        fixed += at == i;
    }
    /* Poisson with mean 1. */
    ck_assert_int_lt(same_b, 10);
    ck_assert_int_lt(same_c, 10);
    ck_assert_int_lt(fixed, 10);
}
END_TEST

Suite *order_suite(void)
{
    Suite *suite = suite_create("order");
    TCase *tests = tcase_create("order");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, every_index_once, 0, sizeof counts / sizeof counts[0]);
    tcase_add_loop_test(tests, large_counts, 0, 3);
    tcase_add_loop_test(tests, no_place_is_preferred, 1, 9);
    tcase_add_test(tests, seeds_and_epochs_differ);
    suite_add_tcase(suite, tests);
    return suite;
}
