/* The product through cblas against three loops in double. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernels/blas.h"
#include "kernels/kernels.h"
#include "kernels/suites.h"
#include "mlm/mlm.h"
#include "support/support.h"

static const size_t shapes[][3] = {{1, 1, 1}, {2, 3, 1}, {7, 5, 9}, {17, 33, 65}, {128, 31, 12},
    {1, 130, 64}, {129, 1, 70}, {64, 64, 300}};
enum { SHAPES = sizeof shapes / sizeof shapes[0], PADDING = 3 };

static float *random_matrix(size_t rows, size_t stride, uint32_t site)
{
    float *matrix = malloc(rows * stride * sizeof *matrix);
    ck_assert_ptr_nonnull(matrix);
    mlm__random_stream stream =
        mlm__random_stream_make(mlm__random_key_make(1, MLM__RANDOM_INIT, 0), 0, site);
    for (size_t i = 0; i < rows * stride; i++)
        matrix[i] = (float)(2 * mlm__random_double(&stream) - 1);
    return matrix;
}

static void check_product(
    const size_t shape[3], bool transpose_a, bool transpose_b, float alpha, float beta)
{
    const size_t m = shape[0], n = shape[1], k = shape[2];
    const size_t lda = (transpose_a ? m : k) + PADDING, ldb = (transpose_b ? k : n) + PADDING;
    const size_t ldc = n + PADDING;
    float *a = random_matrix(transpose_a ? k : m, lda, 1);
    float *b = random_matrix(transpose_b ? n : k, ldb, 2), *c = random_matrix(m, ldc, 3);
    double *expected = malloc(m * ldc * sizeof *expected);
    ck_assert_ptr_nonnull(expected);
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < ldc; j++) {
            double sum = 0;
            for (size_t l = 0; l < k && j < n; l++)
                sum += (double)(transpose_a ? a[l * lda + i] : a[i * lda + l]) *
                       (double)(transpose_b ? b[j * ldb + l] : b[l * ldb + j]);
            const double before = (double)c[i * ldc + j];
            expected[i * ldc + j] = j < n ? (double)alpha * sum + (double)beta * before : before;
        }
    for (size_t i = 0; i < m && beta == 0; i++)
        for (size_t j = 0; j < n; j++)
            c[i * ldc + j] = NAN; /* must not be read */
    mlm__blas_begin();
    mlm__kernels_get()->multiply(
        transpose_a, transpose_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
    mlm__blas_end();
    assert_close_f32(c, expected, m * ldc, 1e-6, 2e-7 * sqrt((double)k) * 4, "product");
    free(a);
    free(b);
    free(c);
    free(expected);
}

START_TEST(product_is_right)
{
    const size_t *shape = shapes[_i / 4];
    const bool transpose_a = _i & 1, transpose_b = _i & 2;
    check_product(shape, transpose_a, transpose_b, 1, 0);
    check_product(shape, transpose_a, transpose_b, 0.5f, 1);
    check_product(shape, transpose_a, transpose_b, -2, 0.25f);
}
END_TEST

#ifdef MLM_BLAS_OPENBLAS
extern int openblas_get_num_threads(void);
extern void openblas_set_num_threads(int threads);

START_TEST(threads_of_the_host_come_back)
{
    const int before = openblas_get_num_threads();
    openblas_set_num_threads(2);
    const int host = openblas_get_num_threads();
    mlm__blas_begin();
    mlm__blas_begin();
    ck_assert_int_eq(openblas_get_num_threads(), 1);
    mlm__blas_end();
    ck_assert_int_eq(openblas_get_num_threads(), 1);
    mlm__blas_end();
    ck_assert_int_eq(openblas_get_num_threads(), host);
    openblas_set_num_threads(before);
}
END_TEST

/* As if another thread had been computing when the host forked. */
START_TEST(threads_of_the_host_come_back_after_fork)
{
    const int before = openblas_get_num_threads();
    openblas_set_num_threads(2);
    const int host = openblas_get_num_threads();
    mlm__blas_begin();
    const pid_t child = fork();
    if (child == 0) {
        mlm__blas_begin();
        const bool one = openblas_get_num_threads() == 1;
        mlm__blas_end();
        _exit(one && openblas_get_num_threads() == host ? 0 : 1);
    }
    int status = 1;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    mlm__blas_end();
    ck_assert_int_eq(openblas_get_num_threads(), host);
    openblas_set_num_threads(before);
}
END_TEST
#endif

START_TEST(build_info_names_the_path_taken)
{
    ck_assert_ptr_nonnull(strstr(mlm_build_info(), mlm__kernels_get()->name));
    ck_assert_ptr_nonnull(strstr(mlm_build_info(), mlm__blas_name()));
}
END_TEST

Suite *multiply_suite(void)
{
    Suite *suite = suite_create("multiply");
    TCase *tests = tcase_create("products");
    tcase_add_loop_test(tests, product_is_right, 0, 4 * SHAPES);
#ifdef MLM_BLAS_OPENBLAS
    tcase_add_test(tests, threads_of_the_host_come_back);
    tcase_add_test(tests, threads_of_the_host_come_back_after_fork);
#endif
    tcase_add_test(tests, build_info_names_the_path_taken);
    suite_add_tcase(suite, tests);
    return suite;
}
