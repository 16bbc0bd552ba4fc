#include "kernels/variants.h"

/* Instruction sets, each with those before it. */
enum { BASELINE, AVX2, AVX512, AVX512_BF16 };

int mlm__kernels_most = AVX512_BF16;

static int instruction_set(void)
{
    int set = BASELINE;
#ifdef MLM_KERNELS_SIMD
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        set = AVX2;
    if (set == AVX2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
        set = AVX512;
    if (set == AVX512 && __builtin_cpu_supports("avx512bf16"))
        set = AVX512_BF16;
#endif
    return set < mlm__kernels_most ? set : mlm__kernels_most;
}

const mlm__kernels *mlm__kernels_variant(size_t index)
{
    const mlm__kernels *const variants[] = {
        &mlm__kernels_baseline,
#ifdef MLM_KERNELS_SIMD
        &mlm__kernels_avx2,
        &mlm__kernels_avx512,
#endif
    };
    const size_t count = sizeof variants / sizeof variants[0];
    return index < count && index <= (size_t)instruction_set() ? variants[index] : NULL;
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
    const mlm__products *const variants[] = {
        &mlm__products_blas,
#ifdef MLM_KERNELS_SIMD
        &mlm__products_avx2,
        &mlm__products_avx512,
        &mlm__products_avx512_bf16,
#endif
    };
    const size_t count = sizeof variants / sizeof variants[0];
    return index < count && index <= (size_t)instruction_set() ? variants[index] : NULL;
}

const mlm__products *mlm__products_get(bool bf16)
{
    const mlm__products *best = NULL, *next;
    for (size_t i = 0; (next = mlm__products_variant(i)); i++)
        if (bf16 || !next->bf16)
            best = next;
    return best;
}
