/* What products.c multiplies, and by which instructions: the one place for what depends on the CPU.
   An `element` is a float, or two bf16 that follow each other along k, whose products are added to
   the sum by one instruction. */
#ifndef MLM_KERNELS_ELEMENTS_H
#define MLM_KERNELS_ELEMENTS_H

#include <immintrin.h>
#include <string.h>

#include "kernels/products.h"

/* ---- vectors ---------------------------------------------------------------------------- */

/* ROWS x VECTORS vectors of sums, the vectors of B and one of A fit the registers: 24 + 4 + 1 of 32
   for AVX-512, 12 + 2 + 1 of 16 for AVX2. */
#ifdef __AVX512F__

enum { LANES = 16, VECTORS = 4, ROWS = 6 };
typedef float vector __attribute__((vector_size(16 * 4)));

/* 32 bits in every lane. */
static inline vector spread(const void *bits)
{
    int number;
    memcpy(&number, bits, sizeof number);
    return (vector)_mm512_set1_epi32(number);
}

static inline vector fused_multiply_add(vector sum, vector a, vector b)
{
    return (vector)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)sum);
}

#else

enum { LANES = 8, VECTORS = 2, ROWS = 6 };
typedef float vector __attribute__((vector_size(8 * 4)));

static inline vector spread(const void *bits)
{
    return (vector)_mm256_broadcast_ss(bits);
}

static inline vector fused_multiply_add(vector sum, vector a, vector b)
{
    return (vector)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)sum);
}

#endif

typedef uint32_t elements __attribute__((vector_size(LANES * 4)));
typedef uint32_t elements_8 __attribute__((vector_size(8 * 4)));

/* ---- elements --------------------------------------------------------------------------- */

#ifdef __AVX512BF16__

typedef uint32_t element;
enum { ELEMENT = 2 }; /* numbers along k */

static inline vector accumulate(vector sum, vector a, vector b)
{
    return (vector)_mm512_dpbf16_ps((__m512)sum, (__m512bh)a, (__m512bh)b);
}

static inline float float_of_bf16(uint16_t bf16)
{
    const uint32_t bits = (uint32_t)bf16 << 16;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* ELEMENT rows of LANES numbers of a matrix, from its number `at` on, become LANES elements. */
static inline elements join_rows(mlm__operand from, size_t at)
{
    const __m512i interleave = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25,
        9, 24, 8, 23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    __m512i rows;
    if (from.bf16) {
        const __m256i *first = (const __m256i *)(const void *)(from.bf16 + at);
        const __m256i *second = (const __m256i *)(const void *)(from.bf16 + at + from.stride);
        rows = _mm512_inserti64x4(
            _mm512_castsi256_si512(_mm256_loadu_si256(first)), _mm256_loadu_si256(second), 1);
    } else {
        rows = (__m512i)_mm512_cvtne2ps_pbh(
            _mm512_loadu_ps(from.numbers + at + from.stride), _mm512_loadu_ps(from.numbers + at));
    }
    return (elements)_mm512_permutexvar_epi16(interleave, rows);
}

/* 8 ELEMENT numbers of a row become 8 elements. */
static inline elements_8 join_columns(mlm__operand from, size_t at)
{
    elements_8 joined;
    if (from.bf16)
        memcpy(&joined, from.bf16 + at, sizeof joined);
    else
        joined = (elements_8)_mm512_cvtneps_pbh(_mm512_loadu_ps(from.numbers + at));
    return joined;
}

static inline void copy_numbers(mlm__operand from, size_t at, size_t count, float *to)
{
    for (size_t i = 0; i < count; i++)
        to[i] = from.bf16 ? float_of_bf16(from.bf16[at + i]) : from.numbers[at + i];
}

/* The elements of rows of k numbers where they lie, from number `at` on; NULL if they are none
   there. */
static inline const element *elements_in_place(mlm__operand from, size_t at, size_t k)
{
    const void *there = from.bf16 ? from.bf16 + at : NULL;
    const bool whole = from.stride % 2 == 0 && k % 2 == 0;
    return whole && (uintptr_t)there % sizeof(element) == 0 ? there : NULL;
}

#else

typedef float element;
enum { ELEMENT = 1 };

static inline vector accumulate(vector sum, vector a, vector b)
{
    return fused_multiply_add(sum, a, b);
}

static inline elements join_rows(mlm__operand from, size_t at)
{
    elements joined;
    memcpy(&joined, from.numbers + at, sizeof joined);
    return joined;
}

static inline elements_8 join_columns(mlm__operand from, size_t at)
{
    elements_8 joined;
    memcpy(&joined, from.numbers + at, sizeof joined);
    return joined;
}

static inline void copy_numbers(mlm__operand from, size_t at, size_t count, float *to)
{
    memcpy(to, from.numbers + at, count * sizeof *to);
}

static inline const element *elements_in_place(mlm__operand from, size_t at, size_t k)
{
    (void)k;
    return from.numbers + at;
}

#endif

/* join_rows and join_columns at a matrix's edge: numbers that are not there are 0. */
static inline elements join_rows_part(mlm__operand from, size_t at, size_t k, size_t columns)
{
    float part[ELEMENT * LANES] = {0};
    for (size_t l = 0; l < k && l < ELEMENT; l++)
        copy_numbers(from, at + l * from.stride, columns, part + l * LANES);
    return join_rows((mlm__operand){.numbers = part, .stride = LANES}, 0);
}

static inline elements_8 join_columns_part(mlm__operand from, size_t at, size_t k)
{
    float part[ELEMENT * 8] = {0};
    copy_numbers(from, at, k, part);
    return join_columns((mlm__operand){.numbers = part}, 0);
}

static inline void transpose_8(const elements_8 in[8], elements_8 out[8])
{
    __m256 t[8], u[8];
    for (size_t i = 0; i < 8; i += 2) {
        t[i] = _mm256_unpacklo_ps((__m256)in[i], (__m256)in[i + 1]);
        t[i + 1] = _mm256_unpackhi_ps((__m256)in[i], (__m256)in[i + 1]);
    }
    for (size_t i = 0; i < 8; i += 4) {
        u[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
        u[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
        u[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        u[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
    for (size_t i = 0; i < 4; i++) {
        out[i] = (elements_8)_mm256_permute2f128_ps(u[i], u[i + 4], 0x20);
        out[i + 4] = (elements_8)_mm256_permute2f128_ps(u[i], u[i + 4], 0x31);
    }
}

/* ---- rounding --------------------------------------------------------------------------- */

#ifdef __AVX512BF16__

static inline void to_bf16(size_t n, const real *numbers, uint16_t *bf16)
{
    const mlm__operand from = {.numbers = numbers};
    size_t i = 0;
    for (; i + 32 <= n; i += 32) {
        const __m512i both = (__m512i)_mm512_cvtne2ps_pbh(
            _mm512_loadu_ps(numbers + i + 16), _mm512_loadu_ps(numbers + i));
        memcpy(bf16 + i, &both, sizeof both);
    }
    for (; i < n; i += 16) {
        const elements_8 joined =
            n - i >= 16 ? join_columns(from, i) : join_columns_part(from, i, n - i);
        memcpy(bf16 + i, &joined, (n - i < 16 ? n - i : 16) * sizeof *bf16);
    }
}

static inline void from_bf16(size_t n, real factor, const uint16_t *bf16, real *numbers)
{
    for (size_t i = 0; i < n; i++)
        numbers[i] = factor * float_of_bf16(bf16[i]);
}

#define ROUNDING .round = to_bf16, .widen = from_bf16

#else

#define ROUNDING .round = NULL, .widen = NULL

#endif

#endif
