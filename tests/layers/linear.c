/* Linear layers in both directions against loops in double, in tiles of every width. */
#include "layers/linear.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "layers/suites.h"
#include "layers/workspace.h"
#include "support/cpu.h"
#include "support/support.h"

enum { K = 300, O = 600 };

/* With few rows tiles are narrow, with many wide. */
enum { ROW_COUNTS = 2 };
static const struct {
    size_t N, forward, backward; /* rows, and columns of the widest tile */
} cases[ROW_COUNTS] = {{600, 64, 64}, {2100, 256, 128}};

typedef struct visits {
    size_t columns;   /* of the result */
    uint8_t *visited; /* [rows, columns] */
    atomic_size_t widest;
} visits;

static void visit(void *context, mlm__tile tile)
{
    visits *seen = context;
    size_t widest = atomic_load(&seen->widest);
    while (tile.columns > widest &&
           !atomic_compare_exchange_weak(&seen->widest, &widest, tile.columns))
        ;
    for (size_t i = tile.row; i < tile.row + tile.rows; i++)
        for (size_t j = tile.column; j < tile.column + tile.columns; j++)
            seen->visited[i * seen->columns + j]++;
}

static void check_visits(visits *seen, size_t N, size_t widest)
{
    for (size_t i = 0; i < N * seen->columns; i++)
        ck_assert_int_eq(seen->visited[i], 1);
    ck_assert_uint_eq(atomic_load(&seen->widest), widest);
}

enum { VARIANTS = 3 };

START_TEST(tiles_make_the_whole_layer)
{
    const mlm__products *products = mlm__products_variant((size_t)_i % VARIANTS);
    if (test_lacks(products))
        return;
    const size_t N = cases[_i / VARIANTS].N;
    /* Of many rows every seventh, which are all rows of a tile, and the last. */
    const size_t step = N > cases[0].N ? 7 : 1, first = (N - 1) % step;
    mlm__compute compute = test_compute(products);
    real *weight = test_numbers(O * K, 1), *bias = test_numbers(O, 2);
    real *x = test_numbers(N * K, 3), *y = test_numbers(N * O, 4);
    const mlm__weights weights = {.weight = weight, .bias = bias};
    const double bound = 3e-6 * sqrt(O);
    if (products->begin)
        products->begin();

    visits forward = {O, calloc(N, O), 0}, backward = {K, calloc(N, K), 0};
    ck_assert(forward.visited && backward.visited);
    mlm__linear_forward(
        &compute, weights, N, K, O, mlm__plain(x, K), (mlm__rows){.numbers = y}, visit, &forward);
    check_visits(&forward, N, cases[_i / VARIANTS].forward);
    for (size_t i = first; i < N; i += step)
        for (size_t o = 0; o < O; o++) {
            double sum = (double)bias[o];
            for (size_t k = 0; k < K; k++)
                sum += (double)x[i * K + k] * (double)weight[o * K + k];
            ck_assert_double_le(fabs(sum - (double)y[i * O + o]), bound);
        }

    real *dx = test_numbers(N * K, 5), *before = test_numbers(N * K, 5);
    mlm__linear_backward(&compute, weights, N, K, O, mlm__plain(y, O), true,
        (mlm__rows){.numbers = dx}, visit, &backward);
    check_visits(&backward, N, cases[_i / VARIANTS].backward);
    for (size_t i = first; i < N; i += step)
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
    const size_t N = cases[_i].N;
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
    const size_t N = cases[_i].N;
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
    tcase_add_loop_test(tests, tiles_make_the_whole_layer, 0, ROW_COUNTS * VARIANTS);
    tcase_add_loop_test(tests, rounded_rows, 0, ROW_COUNTS);
    tcase_add_loop_test(tests, rounded_rows_backward, 0, ROW_COUNTS);
    suite_add_tcase(suite, tests);
    return suite;
}
