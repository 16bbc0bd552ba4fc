/* Linear layers in both directions against loops in double: forward in wide tiles, backward, where
   there are few, in narrow ones. */
#include "layers/linear.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "layers/suites.h"
#include "layers/workspace.h"
#include "support/paths.h"
#include "support/support.h"

enum { N = 600, K = 300, O = 600 };

typedef struct visits {
    size_t columns;   /* of the result */
    uint8_t *visited; /* [rows, columns] */
} visits;

static void visit(void *context, mlm__tile tile)
{
    visits *seen = context;
    for (size_t i = tile.row; i < tile.row + tile.rows; i++)
        for (size_t j = tile.column; j < tile.column + tile.columns; j++)
            seen->visited[i * seen->columns + j]++;
}

static void check_visits(const visits *seen)
{
    for (size_t i = 0; i < N * seen->columns; i++)
        ck_assert_int_eq(seen->visited[i], 1);
}

START_TEST(tiles_make_the_whole_layer)
{
    const mlm__products *products = mlm__products_variant((size_t)_i);
    if (test_lacks(products))
        return;
    mlm__compute compute = test_compute(products);
    real *weight = test_numbers(O * K, 1), *bias = test_numbers(O, 2);
    real *x = test_numbers(N * K, 3), *y = test_numbers(N * O, 4);
    const mlm__weights weights = {.weight = weight, .bias = bias};
    const double bound = 3e-6 * sqrt(O);
    if (products->begin)
        products->begin();

    visits forward = {O, calloc(N, O)}, backward = {K, calloc(N, K)};
    ck_assert(forward.visited && backward.visited);
    mlm__linear_forward(
        &compute, weights, N, K, O, mlm__plain(x, K), (mlm__rows){.numbers = y}, visit, &forward);
    check_visits(&forward);
    for (size_t i = 0; i < N; i++)
        for (size_t o = 0; o < O; o++) {
            double sum = (double)bias[o];
            for (size_t k = 0; k < K; k++)
                sum += (double)x[i * K + k] * (double)weight[o * K + k];
            ck_assert_double_le(fabs(sum - (double)y[i * O + o]), bound);
        }

    real *dx = test_numbers(N * K, 5), *before = test_numbers(N * K, 5);
    mlm__linear_backward(&compute, weights, N, K, O, mlm__plain(y, O), true,
        (mlm__rows){.numbers = dx}, visit, &backward);
    check_visits(&backward);
    for (size_t i = 0; i < N; i++)
        for (size_t k = 0; k < K; k++) {
            double sum = (double)before[i * K + k];
            for (size_t o = 0; o < O; o++)
                sum += (double)y[i * O + o] * (double)weight[o * K + k];
            ck_assert_double_le(fabs(sum - (double)dx[i * K + k]), 20 * bound);
        }
    if (products->end)
        products->end();
    free(forward.visited);
    free(backward.visited);
    free(weight);
    free(bias);
    free(x);
    free(y);
    free(dx);
    free(before);
    test_compute_free(&compute);
}
END_TEST

/* Rounded rows in and out: the same bytes as rounding what is computed of the numbers. */
START_TEST(rounded_rows)
{
#ifndef MLM_REAL_DOUBLE
    const mlm__products *products = mlm__products_get(true);
    if (test_lacks(products->bf16 ? products : NULL))
        return;
    mlm__compute compute = test_compute(products);
    real *weight = test_numbers(O * K, 1), *bias = test_numbers(O, 2);
    real *x = test_numbers(N * K, 3), *y = test_numbers(N * O, 4);
    uint16_t *x16 = malloc(N * K * sizeof *x16), *y16 = malloc(N * O * sizeof *y16);
    uint16_t *expected = malloc(N * O * sizeof *expected);
    ck_assert(x16 && y16 && expected);
    const mlm__weights weights = {.weight = weight, .bias = bias};
    products->round(N * K, x, x16);
    mlm__linear_forward(
        &compute, weights, N, K, O, mlm__plain(x, K), (mlm__rows){.numbers = y}, NULL, NULL);
    products->round(N * O, y, expected);
    const mlm__operand rounded = mlm__plain_rows((mlm__rows){.bf16 = x16}, K);
    mlm__linear_forward(&compute, weights, N, K, O, rounded, (mlm__rows){.bf16 = y16}, NULL, NULL);
    ck_assert_mem_eq(y16, expected, N * O * sizeof *expected);
    real *both = test_numbers(N * O, 5);
    memset(y16, 0, N * O * sizeof *y16);
    mlm__linear_forward(&compute, weights, N, K, O, rounded, (mlm__rows){both, y16}, NULL, NULL);
    ck_assert_mem_eq(y16, expected, N * O * sizeof *expected);
    ck_assert_mem_eq(both, y, N * O * sizeof *both);
    free(weight);
    free(bias);
    free(x);
    free(y);
    free(x16);
    free(y16);
    free(expected);
    free(both);
    test_compute_free(&compute);
#endif
}
END_TEST

enum { FACTOR = 3 };

static void multiply_in_tile(void *context, mlm__tile tile)
{
    (void)context;
    for (size_t i = 0; i < tile.rows; i++)
        for (size_t j = 0; j < tile.columns; j++) {
            tile.room[j] = tile.numbers[i * tile.stride + j];
            tile.numbers[i * tile.stride + j] = FACTOR * tile.room[j];
        }
}

/* Nothing but rounded rows comes out, of what is left in the tile. */
START_TEST(rounded_rows_backward)
{
#ifndef MLM_REAL_DOUBLE
    const mlm__products *products = mlm__products_get(true);
    if (test_lacks(products->bf16 ? products : NULL))
        return;
    mlm__compute compute = test_compute(products);
    real *weight = test_numbers(O * K, 1), *dy = test_numbers(N * O, 3);
    real *dx = test_numbers(N * K, 4);
    uint16_t *rounded = malloc(N * K * sizeof *rounded),
             *expected = malloc(N * K * sizeof *expected);
    ck_assert(rounded && expected);
    const mlm__weights weights = {.weight = weight};
    mlm__linear_backward(&compute, weights, N, K, O, mlm__plain(dy, O), false,
        (mlm__rows){.numbers = dx}, NULL, NULL);
    for (size_t i = 0; i < N * K; i++)
        dx[i] *= FACTOR;
    products->round(N * K, dx, expected);
    mlm__linear_backward(&compute, weights, N, K, O, mlm__plain(dy, O), false,
        (mlm__rows){.bf16 = rounded}, multiply_in_tile, NULL);
    ck_assert_mem_eq(rounded, expected, N * K * sizeof *expected);
    free(weight);
    free(dy);
    free(dx);
    free(rounded);
    free(expected);
    test_compute_free(&compute);
#endif
}
END_TEST

Suite *linear_suite(void)
{
    Suite *suite = suite_create("linear");
    TCase *tests = tcase_create("linear");
    tcase_add_loop_test(tests, tiles_make_the_whole_layer, 0, 3);
    tcase_add_test(tests, rounded_rows);
    tcase_add_test(tests, rounded_rows_backward);
    suite_add_tcase(suite, tests);
    return suite;
}
