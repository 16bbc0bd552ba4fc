/* What the variants of rows.c and products.c are called. For kernels/ alone. */
#ifndef MLM_KERNELS_VARIANTS_H
#define MLM_KERNELS_VARIANTS_H

#include "kernels/kernels.h"
#include "kernels/products.h"

extern const mlm__kernels mlm__kernels_baseline;
#ifdef MLM_KERNELS_SIMD
extern const mlm__kernels mlm__kernels_avx2;
extern const mlm__kernels mlm__kernels_avx512;
#endif

extern const mlm__products mlm__products_blas;
#ifdef MLM_KERNELS_SIMD
extern const mlm__products mlm__products_avx2, mlm__products_avx512, mlm__products_avx512_bf16;
#endif

#endif
