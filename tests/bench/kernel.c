/* How near the product's kernel comes to a loop that multiplies and adds in registers alone: one
   column panel of packed operands from the core's caches, on one thread. A compiler that keeps the
   kernel's sums in memory shows as a ratio far below 0.9.

   usage: bench_kernel */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/runtime.h"
#include "kernels/products.h"
#include "support/support.h"

enum { M = 48, N = MLM__PANEL, ELEMENTS = 256, ROUNDS = 9 };

#ifdef MLM_KERNELS_SIMD

#include <immintrin.h>

#ifdef __clang__
#define UNROLLED _Pragma("clang loop unroll(full)")
#else
#define UNROLLED _Pragma("GCC unroll 24")
#endif

/* count multiplications and additions of each of `sums` vectors, as many as the kernel has. They
   begin with different numbers, so that no compiler makes one of them. */
#define REGISTER_LOOP(name, instructions, vector, sums, load, step, store)                         \
    __attribute__((target(instructions))) static void name(size_t count, float *numbers)           \
    {                                                                                              \
        vector sum[sums];                                                                          \
        UNROLLED                                                                                   \
        for (size_t i = 0; i < sums; i++)                                                          \
            sum[i] = load(numbers + 32 + 16 * i);                                                  \
        const vector a = load(numbers), b = load(numbers + 16);                                    \
        for (size_t l = 0; l < count; l++) {                                                       \
            UNROLLED                                                                               \
            for (size_t i = 0; i < sums; i++)                                                      \
                sum[i] = step;                                                                     \
        }                                                                                          \
        UNROLLED                                                                                   \
        for (size_t i = 0; i < sums; i++)                                                          \
            store(numbers + 32 + 16 * i, sum[i]);                                                  \
    }

REGISTER_LOOP(loop_avx2, "avx2,fma", __m256, 12, _mm256_loadu_ps, _mm256_fmadd_ps(a, b, sum[i]),
    _mm256_storeu_ps)
REGISTER_LOOP(loop_avx512, "avx512f", __m512, 24, _mm512_loadu_ps, _mm512_fmadd_ps(a, b, sum[i]),
    _mm512_storeu_ps)
REGISTER_LOOP(loop_avx512_bf16, "avx512f,avx512bf16", __m512, 24, _mm512_loadu_ps,
    _mm512_dpbf16_ps(sum[i], (__m512bh)a, (__m512bh)b), _mm512_storeu_ps)

static const struct {
    const char *name;
    void (*loop)(size_t count, float *numbers);
    double flops; /* of a step */
} loops[] = {
    {"avx2", loop_avx2, 12 * 8 * 2},
    {"avx512", loop_avx512, 24 * 16 * 2},
    {"avx512_bf16", loop_avx512_bf16, 24 * 16 * 4},
};

typedef struct kernel {
    const mlm__products *products;
    mlm__operand a, b;
    size_t k;
    void *room;
} kernel;

enum { LONGEST = 2 * ELEMENTS };
static _Alignas(64) float a[M * LONGEST], b[LONGEST * N], c[M * N];
static _Alignas(64) uint16_t rounded[M * LONGEST];
static _Alignas(64) float packed[LONGEST * N];

static kernel kernel_make(const mlm__products *products)
{
    const size_t k = ELEMENTS * (products->bf16 ? 2 : 1);
    kernel it = {products, mlm__plain(a, k), mlm__packed_whole(packed, k), k,
        aligned_alloc(64, (products->room_size + 63) / 64 * 64)};
    uint64_t state = 1;
    if (!it.room || products->packed_size(k, N) > sizeof packed) {
        fputs("kernel: no memory\n", stderr);
        exit(1);
    }
    for (size_t i = 0; i < M * k; i++)
        a[i] = (float)(test_random(&state) >> 40) * 0x1p-24f;
    for (size_t i = 0; i < k * N; i++)
        b[i] = (float)(test_random(&state) >> 40) * 0x1p-24f;
    products->pack(mlm__plain(b, N), k, N, 0, 0, k, packed);
    if (products->bf16) {
        products->round(M * k, a, rounded);
        it.a = (mlm__operand){.bf16 = rounded, .stride = k};
    }
    return it;
}

/* FLOPs a second. */
static double kernel_rate(const kernel *it)
{
    enum { CALLS = 3000 };
    const double began = mlm__seconds();
    for (int i = 0; i < CALLS; i++)
        it->products->multiply(M, N, it->k, 1, it->a, it->b, false, c, N, it->room);
    return 2.0 * M * N * (double)it->k * CALLS / (mlm__seconds() - began);
}

static double loop_rate(size_t which)
{
    enum { COUNT = 2000000 };
    static float numbers[32 + 24 * 16];
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        numbers[i] = 0x1p-10f * (float)(1 + i);
    const double began = mlm__seconds();
    loops[which].loop(COUNT, numbers);
    return loops[which].flops * COUNT / (mlm__seconds() - began);
}

static int by_size(const void *first, const void *second)
{
    const double x = *(const double *)first, y = *(const double *)second;
    return (x > y) - (x < y);
}

/* In turn; the median of each and of their ratios. */
static void measure(const mlm__products *products, size_t which)
{
    const kernel it = kernel_make(products);
    double own[ROUNDS], alone[ROUNDS], ratio[ROUNDS];
    kernel_rate(&it);
    for (int i = 0; i < ROUNDS; i++) {
        own[i] = kernel_rate(&it);
        alone[i] = loop_rate(which);
        ratio[i] = own[i] / alone[i];
    }
    free(it.room);
    qsort(own, ROUNDS, sizeof *own, by_size);
    qsort(alone, ROUNDS, sizeof *alone, by_size);
    qsort(ratio, ROUNDS, sizeof *ratio, by_size);
    printf("%-12s %8.1f %10.1f %6.2f\n", products->name, own[ROUNDS / 2] * 1e-9,
        alone[ROUNDS / 2] * 1e-9, ratio[ROUNDS / 2]);
}

int main(void)
{
    printf("%-12s %8s %10s %6s\n", "kernel", "GFLOP/s", "registers", "ratio");
    const mlm__products *products;
    for (size_t i = 0; (products = mlm__products_variant(i)); i++)
        for (size_t which = 0; which < sizeof loops / sizeof *loops; which++)
            if (strcmp(products->name, loops[which].name) == 0)
                measure(products, which);
    return 0;
}

#else

int main(void)
{
    puts("this build has no kernels of its own");
    return 0;
}

#endif
