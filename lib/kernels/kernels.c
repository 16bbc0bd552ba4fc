#include "kernels/variants.h"

const mlm__kernels *mlm__kernels_variant(size_t index)
{
    const mlm__kernels *variants[4] = {&mlm__kernels_baseline};
    size_t count = 1;
#ifdef MLM_KERNELS_SIMD
    if (__builtin_cpu_supports("avx2"))
        variants[count++] = &mlm__kernels_avx2;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
        variants[count++] = &mlm__kernels_avx512;
#endif
    return index < count ? variants[index] : NULL;
}

const mlm__kernels *mlm__kernels_get(void)
{
    const mlm__kernels *best = NULL, *next;
    for (size_t i = 0; (next = mlm__kernels_variant(i)); i++)
        best = next;
    return best;
}

const mlm__products *mlm__products_variant(size_t index)
{
    const mlm__products *variants[5] = {&mlm__products_blas};
    size_t count = 1;
#ifdef MLM_KERNELS_SIMD
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        variants[count++] = &mlm__products_avx2;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl")) {
        variants[count++] = &mlm__products_avx512;
        if (__builtin_cpu_supports("avx512bf16"))
            variants[count++] = &mlm__products_avx512_bf16;
    }
#endif
    return index < count ? variants[index] : NULL;
}

const mlm__products *mlm__products_get(bool bf16)
{
    const mlm__products *best = NULL, *next;
    for (size_t i = 0; (next = mlm__products_variant(i)); i++)
        if (bf16 || !next->bf16)
            best = next;
    return best;
}
