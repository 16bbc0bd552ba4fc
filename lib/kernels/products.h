/* Matrix products: in fp32 or bf16, by kernels of our own or through cblas. */
#ifndef MLM_KERNELS_PRODUCTS_H
#define MLM_KERNELS_PRODUCTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/real.h"

/* A matrix, rows stride numbers apart, or its transpose. */
typedef struct mlm__operand {
    const real *numbers;
    const uint16_t *bf16; /* instead of numbers: what mlm__products.round made of them */
    size_t stride;
    bool transposed;
    /* Right operands only: what mlm__products.pack made of the k x n matrix that this one is
       part of, and where in it; NULL: not packed. */
    const void *packed;
    size_t packed_k, k0, n0;
    const real *bias; /* right operands only: n numbers for every row of C; NULL: none */
} mlm__operand;

static inline mlm__operand mlm__plain(const real *numbers, size_t stride)
{
    return (mlm__operand){.numbers = numbers, .stride = stride};
}

static inline mlm__operand mlm__transposed(const real *numbers, size_t stride)
{
    return (mlm__operand){.numbers = numbers, .stride = stride, .transposed = true};
}

/* What mlm__products.pack made of a right operand [k,n]. */
static inline mlm__operand mlm__packed_whole(const void *packed, size_t k)
{
    return (mlm__operand){.packed = packed, .packed_k = k};
}

static inline mlm__operand mlm__transpose(mlm__operand of)
{
    of.transposed = !of.transposed;
    return of;
}

/* What is left of an operand from a row and a column on; of a packed one, multiples of
   MLM__PANEL. */
static inline mlm__operand mlm__operand_from(mlm__operand of, size_t row, size_t column)
{
    const size_t at = of.transposed ? column * of.stride + row : row * of.stride + column;
    if (of.bf16)
        of.bf16 += at;
    else if (of.numbers)
        of.numbers += at;
    of.k0 += row;
    of.n0 += column;
    if (of.bias)
        of.bias += column;
    return of;
}

/* Columns of a right operand that are packed together, in every variant a divisor of this. */
enum { MLM__PANEL = 64 };

/* One way to compute products, on the calling thread. The bytes of an element of C depend on its
   row of A and its column of B alone, not on m, n, or where they lie; cblas does not promise that.

   In bf16, operands are rounded to it (to nearest, ties to even) and each C is a sum in fp32. */
typedef struct mlm__products {
    const char *name; /* blas, avx2, avx512, avx512_bf16 */
    bool bf16;

    /* Around every call that computes products; NULL: nothing to do. */
    void (*begin)(void);
    void (*end)(void);

    /* C = alpha A B + bias, or C += that where add. A [m,k], B [k,n], C [m,n] with rows ldc apart;
       m, n, k > 0. C overlaps neither A nor B. room: room_size bytes, aligned to 64, of the calling
       thread. */
    void (*multiply)(size_t m, size_t n, size_t k, real alpha, mlm__operand a, mlm__operand b,
        bool add, real *c, size_t ldc, void *room);
    size_t room_size;

    /* Numbers that several products read are rounded once: n of them to bf16, and back, times a
       factor. Those of fp32 have neither. */
    void (*round)(size_t n, const real *numbers, uint16_t *bf16);
    void (*widen)(size_t n, real factor, const uint16_t *bf16, real *numbers);

    /* Right operands that are used often are packed once. Bytes of B [k,n] packed, 0 where nothing
       is packed; and one panel of it, MLM__PANEL columns, from row k0 (even) to k1 - 1. */
    size_t (*packed_size)(size_t k, size_t n);
    void (*pack)(
        mlm__operand b, size_t k, size_t n, size_t panel, size_t k0, size_t k1, void *packed);
} mlm__products;

/* The best variant of this build and CPU; always the same one. bf16: where the CPU has no
   instructions for it, that of fp32. */
const mlm__products *mlm__products_get(bool bf16);
/* All of them that this CPU can run, cblas first; NULL from the last index on. For tests. */
const mlm__products *mlm__products_variant(size_t index);

#endif
