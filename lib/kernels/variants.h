/* What the variants of rows.c are called, and what they share. For kernels/ alone. */
#ifndef MLM_KERNELS_VARIANTS_H
#define MLM_KERNELS_VARIANTS_H

#include "kernels/kernels.h"

/* The product through cblas (multiply.c). */
void mlm__multiply(bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k, real alpha,
    const real *a, size_t lda, const real *b, size_t ldb, real beta, real *c, size_t ldc);

extern const mlm__kernels mlm__kernels_baseline;
#ifdef MLM_KERNELS_SIMD
extern const mlm__kernels mlm__kernels_avx2;
extern const mlm__kernels mlm__kernels_avx512;
#endif

#endif
