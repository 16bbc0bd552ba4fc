/* Every variant gives the same bytes at any alignment, and those with fused multiplications and
   additions the same as each other; the baseline rounds once more. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "kernels/kernels.h"
#include "kernels/suites.h"
#include "mlm/mlm.h"
#include "support/support.h"

enum { MOST = 150, ROWS = 70, ROOM = 8 * MOST };

/* Everything that a variant computes of rows of n numbers, one after the other. */
typedef struct results {
    real value[64][MOST];
    bool fused[64]; /* exp or the normal distribution is in it */
    size_t count;
} results;

static void fill(real *x, size_t n, uint32_t site)
{
    mlm__random_stream stream =
        mlm__random_stream_make(mlm__random_key_make(1, MLM__RANDOM_INIT, 0), 0, site);
    for (size_t i = 0; i < n; i++)
        x[i] = (real)(12 * mlm__random_double(&stream) - 6);
}

/* The next row, a copy of another one. */
static real *next(results *r, const real *from, size_t n)
{
    real *row = r->value[r->count++];
    memcpy(row, from, n * sizeof *row);
    return row;
}

static void compute(const mlm__kernels *k, size_t n, size_t offset, results *r)
{
    static real memory[4][ROOM + 4], columns[ROWS * MOST];
    static mlm__moments moments[ROWS];
    real *x = memory[0] + offset, *y = memory[1] + offset, *z = memory[2] + offset;
    real *w = memory[3] + offset;
    memset(r, 0, sizeof *r);
    fill(x, n, 1);
    fill(y, n, 2);
    fill(z, n, 3);
    fill(columns, ROWS * n, 4);
    for (int32_t act = MLM_GELU; act <= MLM_SILU; act++) {
        const size_t before = r->count;
        k->activate(act, n, x, next(r, x, n));
        memcpy(w, y, n * sizeof *w);
        k->activate_backward(act, n, x, w, next(r, x, n));
        next(r, w, n);
        for (size_t i = before; i < r->count; i++)
            r->fused[i] = act != MLM_RELU;
    }
    r->fused[r->count] = true;
    k->tanh(n, x, next(r, x, n));
    k->add(n, x, next(r, y, n));
    k->product(n, x, next(r, y, n));
    k->scale(n, (real)1.7, next(r, y, n));
    r->fused[r->count] = r->fused[r->count + 1] = true;
    real *exponentials = next(r, x, n), *scalars = next(r, x, n);
    scalars[0] = k->exp_sum(n, 5, exponentials);
    *next(r, x, n) = k->maximum(n, x);
    const mlm__moments m = k->layer_norm(n, x, y, z, (real)1e-12, w);
    next(r, w, n)[0] = m.mean;
    next(r, w, n)[0] = m.rstd;
    k->layer_norm_backward(n, x, m, y, z, w);
    next(r, w, n);
    k->residual(n, x, y, z, next(r, x, n));
    k->residual(n, x, NULL, z, next(r, x, n));
    real *p = next(r, x, n), *dp = next(r, y, n);
    k->softmax_backward(n, z, p, dp);
    k->softmax_backward(n, NULL, p, dp);
    k->column_sums(ROWS, n, columns, n, next(r, x, n));
    for (size_t i = 0; i < ROWS; i++)
        moments[i] = (mlm__moments){(real)0.01 * (real)i, 1 + (real)0.02 * (real)i};
    real *dweight = next(r, x, n), *dbias = next(r, y, n);
    k->norm_column_sums(ROWS, n, columns, moments, columns, n, dweight, dbias);
    const mlm__dropout_row from = {.key = {{1, 2}},
        .position = 3,
        .site = 4,
        .row = 5,
        .threshold = 30000,
        .scale = (real)1.8};
    k->dropout(&from, n, next(r, x, n));
}

/* What is not fused is the same. */
static void check_near(const results *actual, const results *expected, size_t n)
{
    for (size_t i = 0; i < actual->count; i++)
        for (size_t j = 0; j < n; j++) {
            const double x = (double)actual->value[i][j], y = (double)expected->value[i][j];
            const double bound = actual->fused[i] ? 4e-6 * (1 + fabs(y)) : 0;
            ck_assert_msg(fabs(x - y) <= bound, "%zu numbers, result %zu, %zu: %.9g, not %.9g", n,
                i, j, x, y);
        }
}

START_TEST(variants_agree)
{
    static results baseline, expected, actual;
    const size_t n = (size_t)_i;
    compute(mlm__kernels_variant(0), n, 0, &baseline);
    for (size_t v = 0; mlm__kernels_variant(v); v++) {
        if (v < 2)
            compute(mlm__kernels_variant(v), n, 0, &expected);
        check_near(&expected, &baseline, n);
        for (size_t offset = 0; offset < 4; offset++) {
            const mlm__kernels *kernels = mlm__kernels_variant(v);
            compute(kernels, n, offset, &actual);
            ck_assert_uint_eq(actual.count, expected.count);
            for (size_t i = 0; i < actual.count; i++)
                ck_assert_msg(memcmp(actual.value[i], expected.value[i], n * sizeof(real)) == 0,
                    "%s, %zu numbers at offset %zu: result %zu", kernels->name, n, offset, i);
        }
    }
}
END_TEST

START_TEST(best_variant_is_last)
{
    size_t count = 0;
    while (mlm__kernels_variant(count))
        count++;
    ck_assert_ptr_eq(mlm__kernels_get(), mlm__kernels_variant(count - 1));
    printf("# kernels: %s\n", mlm__kernels_get()->name);
}
END_TEST

Suite *variants_suite(void)
{
    Suite *suite = suite_create("variants");
    TCase *tests = tcase_create("bytes");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, variants_agree, 1, MOST + 1);
    tcase_add_test(tests, best_variant_is_last);
    suite_add_tcase(suite, tests);
    return suite;
}
