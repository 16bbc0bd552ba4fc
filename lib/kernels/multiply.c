/* The matrix product through cblas, on the calling thread: who calls it cuts the work into pieces
   and has entered mlm__blas_begin. */
#include "kernels/variants.h"

#include <assert.h>
#include <limits.h>

#include <cblas.h>

#ifdef MLM_REAL_DOUBLE
#define GEMM cblas_dgemm
#else
#define GEMM cblas_sgemm
#endif

void mlm__multiply(bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k, real alpha,
    const real *a, size_t lda, const real *b, size_t ldb, real beta, real *c, size_t ldc)
{
    assert(m <= INT_MAX && n <= INT_MAX && k <= INT_MAX);
    assert(lda <= INT_MAX && ldb <= INT_MAX && ldc <= INT_MAX);
    GEMM(CblasRowMajor, transpose_a ? CblasTrans : CblasNoTrans,
        transpose_b ? CblasTrans : CblasNoTrans, (int)m, (int)n, (int)k, alpha, a, (int)lda, b,
        (int)ldb, beta, c, (int)ldc);
}
