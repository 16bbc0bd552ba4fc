/* The one table of everything that computes on rows of numbers; products.h has matrix products.

   Row kernels are compiled several times, for several instruction sets, from one source. AVX2 and
   AVX-512 give the same bytes; the baseline differs from them where exp or the normal distribution
   is computed, which fuse multiplications and additions if the CPU can. Every sum over a row is 16
   partial sums (element i goes to sum i mod 16), added as a tree: l and l + 8, l and l + 4, l and
   l + 2, l and l + 1. The functions exp, erf and tanh are our own, because those of C libraries
   change.

   x, y and so on are rows of n numbers without alignment. An output may be the same array as an
   input, unless it says otherwise, but not overlap it in part. NaN and infinity travel to the
   result. */
#ifndef MLM_KERNELS_KERNELS_H
#define MLM_KERNELS_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/random.h"
#include "kernels/real.h"

/* Mean and 1 / standard deviation of a row. */
typedef struct mlm__moments {
    real mean, rstd;
} mlm__moments;

/* What a row of dropout multipliers is drawn from. A multiplier is 0 with probability
   threshold / 65536, else scale = 65536 / (65536 - threshold). */
typedef struct mlm__dropout_row {
    mlm__random_key key; /* of MLM__RANDOM_DROPOUT and the step */
    int64_t position;    /* of the sequence in the stream */
    uint32_t site;       /* which dropout of the model */
    uint32_t row;        /* token of the sequence */
    uint32_t threshold;
    real scale;
} mlm__dropout_row;

typedef struct mlm__kernels {
    const char *name; /* baseline, avx2, avx512 */

    void (*add)(size_t n, const real *x, real *y);     /* y += x */
    void (*scale)(size_t n, real factor, real *x);     /* x *= factor */
    void (*product)(size_t n, const real *x, real *y); /* y *= x, element by element */
    real (*maximum)(size_t n, const real *x);          /* n > 0; skips NaN */
    /* x = exp(x - shift), where x - shift is at most 64. The sum of them. */
    real (*exp_sum)(size_t n, real shift, real *x);
    void (*tanh)(size_t n, const real *x, real *y);

    /* y = act(x), act one of MLM_GELU, MLM_GELU_TANH, MLM_RELU, MLM_SILU. */
    void (*activate)(int32_t act, size_t n, const real *x, real *y);
    /* y = act(x) again, and d *= act'(x). y is another array than x and d. */
    void (*activate_backward)(int32_t act, size_t n, const real *x, real *d, real *y);

    /* y = (x - mean) rstd weight + bias, with mean and biased variance of the row, eps in the root.
       Returns the moments, which backward needs. */
    mlm__moments (*layer_norm)(
        size_t n, const real *x, const real *weight, const real *bias, real eps, real *y);
    /* dx of dy: with u = (x - mean) rstd and g = dy weight,
       dx = rstd (g - mean(g) - u mean(g u)). dx is another array than x. */
    void (*layer_norm_backward)(size_t n, const real *x, mlm__moments moments, const real *weight,
        const real *dy, real *dx);

    /* s = residual + multipliers y; multipliers NULL: all 1. */
    void (*residual)(
        size_t n, const real *residual, const real *multipliers, const real *y, real *s);

    /* A row of attention probabilities p, and dp, the gradient of what dropout with multipliers m
       (NULL: all 1) made of them, become dp = p (m dp - sum of p m dp) and p = m p. That sum is taken
       off twice, the second time of what is left, so that little is lost where all of dp is nearly
       equal, and the new dp adds up to 0. */
    void (*softmax_backward)(size_t n, const real *multipliers, real *p, real *dp);

    /* sums[j] += sum over i of x[i * stride + j], rows x columns. Rows are added in groups of 32,
       each into a sum of its own, so that the error does not grow with their number. */
    void (*column_sums)(size_t rows, size_t columns, const real *x, size_t stride, real *sums);
    /* The same over dy (into dbias) and over dy (x - mean) rstd (into dweight) of a layer norm. */
    void (*norm_column_sums)(size_t rows, size_t columns, const real *x,
        const mlm__moments *moments, const real *dy, size_t stride, real *dweight, real *dbias);

    /* The multipliers of a row of n: see MLM__DROPOUT_GROUP. */
    void (*dropout)(const mlm__dropout_row *from, size_t n, real *multipliers);
} mlm__kernels;

/* From element to random number; part of the file format, as a resumed run must draw the same.
   Column c of a row of n is in group g = c / 64 at r = c mod 64. The group takes the Philox blocks
   index = (row ceil(n / 64) + g) 8 + j, j = 0 .. 7, of (key, position, site). Element r takes block
   j = r mod 8, word r / 16, the low half if r / 8 is even, else the high half; it is dropped if
   this 16-bit number is below the threshold. */
enum { MLM__DROPOUT_GROUP = 64 };

/* Sums in the order above. */
enum { MLM__SUM_LANES = 16, MLM__SUM_ROWS = 32 };

/* The best variant that this build and this CPU have; always the same one. */
const mlm__kernels *mlm__kernels_get(void);
/* All of them, worst first, that this CPU can run; NULL from the last index on. For tests. */
const mlm__kernels *mlm__kernels_variant(size_t index);
/* Set by tests and benchmarks before anything else: kernels and products are those of a CPU with at
   most 0: no, 1: AVX2, 2: AVX-512, 3: AVX-512 and bf16 instructions. */
extern int mlm__kernels_most;

#endif
