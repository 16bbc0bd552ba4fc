/* The products of products.h through cblas: for a CPU that our own kernels do not know, and over
   double. */
#include "kernels/variants.h"

#include <assert.h>
#include <limits.h>

#include <cblas.h>

#include "kernels/blas.h"

#ifdef MLM_REAL_DOUBLE
#define GEMM cblas_dgemm
#else
#define GEMM cblas_sgemm
#endif

static void multiply(size_t m, size_t n, size_t k, real alpha, mlm__operand a, mlm__operand b,
    bool add, real *c, size_t ldc, void *room)
{
    (void)room;
    assert(m <= INT_MAX && n <= INT_MAX && k <= INT_MAX);
    assert(a.stride <= INT_MAX && b.stride <= INT_MAX && ldc <= INT_MAX);
    mlm__blas_product_begin();
    GEMM(CblasRowMajor, a.transposed ? CblasTrans : CblasNoTrans,
        b.transposed ? CblasTrans : CblasNoTrans, (int)m, (int)n, (int)k, alpha, a.numbers,
        (int)a.stride, b.numbers, (int)b.stride, add ? 1 : 0, c, (int)ldc);
    mlm__blas_product_end();
    for (size_t i = 0; b.bias && i < m; i++)
        for (size_t j = 0; j < n; j++)
            c[i * ldc + j] += b.bias[j];
}

static size_t packed_size(size_t k, size_t n)
{
    (void)k;
    (void)n;
    return 0;
}

const mlm__products mlm__products_blas = {
    .name = "blas",
    .begin = mlm__blas_begin,
    .end = mlm__blas_end,
    .multiply = multiply,
    .packed_size = packed_size,
};
