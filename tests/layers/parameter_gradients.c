/* Gradients of weights of one tile and of several, against loops in double. */
#include "layers/parameter_gradients.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "layers/suites.h"
#include "layers/workspace.h"
#include "support/cpu.h"
#include "support/support.h"

/* Two linear maps of the same x, as of queries and keys, between two with an x of their own. WIDE is
   enough for wide tiles; N for several blocks along k, and several pieces of packing. */
enum { LINEARS = 4, N = 1101, WIDE = 700, H = 150 };
static const size_t widths[LINEARS][2] = {{WIDE, 400}, {H, H}, {H, 130}, {H, WIDE}};

typedef struct linears {
    real *x[LINEARS], *dy[LINEARS];
    uint16_t *x16[LINEARS], *dy16[LINEARS];
    real *weight[LINEARS], *bias[LINEARS];
    mlm__linear_gradient of[LINEARS];
} linears;

static uint16_t *rounded(const mlm__products *products, const real *numbers, size_t count)
{
    uint16_t *bf16 = malloc(count * sizeof *bf16);
    ck_assert_ptr_nonnull(bf16);
    products->round(count, numbers, bf16);
    return bf16;
}

static linears linears_make(const mlm__products *products)
{
    linears l = {0};
    for (size_t i = 0; i < LINEARS; i++) {
        const size_t K = widths[i][0], O = widths[i][1];
        const uint32_t site = (uint32_t)(10 * i);
        l.x[i] = i == 2 ? l.x[1] : test_numbers(N * K, site);
        l.dy[i] = test_numbers(N * O, site + 1);
        l.weight[i] = test_numbers(O * K, site + 2);
        l.bias[i] = test_numbers(O, site + 3);
        l.of[i] = (mlm__linear_gradient){.N = N,
            .K = K,
            .O = O,
            .x = mlm__plain(l.x[i], K),
            .dy = mlm__plain(l.dy[i], O),
            .into = {l.weight[i], i == 1 ? NULL : l.bias[i]}};
        if (products->bf16) {
            l.x16[i] = i == 2 ? l.x16[1] : rounded(products, l.x[i], N * K);
            l.dy16[i] = rounded(products, l.dy[i], N * O);
            l.of[i].x = mlm__plain_rows((mlm__rows){.bf16 = l.x16[i]}, K);
            l.of[i].dy = mlm__plain_rows((mlm__rows){.bf16 = l.dy16[i]}, O);
            products->widen(N * K, 1, l.x16[i], l.x[i]);
            products->widen(N * O, 1, l.dy16[i], l.dy[i]);
        }
    }
    return l;
}

static void linears_free(linears *l)
{
    for (size_t i = 0; i < LINEARS; i++) {
        if (i != 2) {
            free(l->x[i]);
            free(l->x16[i]);
        }
        free(l->dy[i]);
        free(l->dy16[i]);
        free(l->weight[i]);
        free(l->bias[i]);
    }
}

/* Of element (o, k) of a weight; k = K: of its bias. */
static double expected_at(const linears *l, size_t i, size_t o, size_t k)
{
    const size_t K = widths[i][0], O = widths[i][1];
    double sum = 0;
    for (size_t n = 0; n < N; n++)
        sum += (double)l->dy[i][n * O + o] * (k < K ? (double)l->x[i][n * K + k] : 1);
    return sum;
}

static void compute_all(const mlm__products *products, const mlm__compute *compute, linears *l)
{
    if (products->begin)
        products->begin();
    mlm__parameter_gradients(compute, l->of, LINEARS, NULL, 0);
    if (products->end)
        products->end();
}

/* The same bytes as one product of all, packed as it goes. */
static void check_bytes(const mlm__compute *compute, const linears *l, linears *before)
{
    for (size_t i = 0; i < LINEARS; i++) {
        const size_t K = widths[i][0], O = widths[i][1];
        mlm__multiply(compute, 0, O, K, N, 1, mlm__transpose(l->of[i].dy), l->of[i].x, true,
            before->weight[i], K);
        ck_assert_mem_eq(before->weight[i], l->weight[i], O * K * sizeof(real));
    }
}

START_TEST(gradients_are_added_to_what_is_there)
{
    const mlm__products *products = mlm__products_variant((size_t)_i);
    if (test_lacks(products))
        return;
    mlm__compute compute = test_compute(products);
    for (size_t i = 0; i < LINEARS; i++)
        compute.packing_room_size += i == 2 ? 0 : products->packed_size(N, widths[i][0]);
    compute.packing_room = aligned_alloc(64, compute.packing_room_size);
    linears l = linears_make(products), before = linears_make(products);
    compute_all(products, &compute, &l);
    for (size_t i = 0; i < LINEARS; i++) {
        const size_t K = widths[i][0], O = widths[i][1];
        for (size_t o = 0; o < O; o += 3) {
            for (size_t k = 0; k < K; k += 7)
                ck_assert_double_le(fabs((double)before.weight[i][o * K + k] +
                                         expected_at(&l, i, o, k) - (double)l.weight[i][o * K + k]),
                    2e-6 * sqrt(N));
            const double bias = i == 1 ? 0 : expected_at(&l, i, o, K);
            ck_assert_double_le(
                fabs((double)before.bias[i][o] + bias - (double)l.bias[i][o]), 2e-6 * sqrt(N));
        }
    }
    if (products->packed_size(1, 1) > 0)
        check_bytes(&compute, &l, &before);
    free(compute.packing_room);
    linears_free(&l);
    linears_free(&before);
    test_compute_free(&compute);
}
END_TEST

Suite *parameter_gradients_suite(void)
{
    Suite *suite = suite_create("parameter_gradients");
    TCase *tests = tcase_create("parameter_gradients");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, gradients_are_added_to_what_is_there, 0, 4);
    suite_add_tcase(suite, tests);
    return suite;
}
