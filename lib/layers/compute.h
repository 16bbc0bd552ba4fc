/* What every layer computes with. Layers are functions from arrays to arrays: forward, and beside
   it backward, which takes the gradient of the loss by the outputs to those by inputs and
   parameters.

   Work is cut into pieces whose sizes depend on the model's shape and the batch alone, and a sum is
   never cut between pieces, so results are the same bytes for any number of threads.

   Names of dimensions: N tokens (rows), U used ones, whose last hidden states a head reads, H
   hidden width, A heads, D = H / A, I intermediate width, V vocabulary, M labelled rows. weight
   [O,K] and bias [O] as in torch.nn.Linear. */
#ifndef MLM_LAYERS_COMPUTE_H
#define MLM_LAYERS_COMPUTE_H

#include "base/threads.h"
#include "kernels/kernels.h"
#include "kernels/products.h"
#include "kernels/real.h"

typedef struct mlm__compute {
    mlm_runtime *runtime;
    const mlm__kernels *kernels;
    const mlm__products *products;
    real *scratch; /* scratch_size numbers for each thread */
    size_t scratch_size;
    char *products_room; /* products_room_size bytes for each thread */
    size_t products_room_size;
    /* Of all threads together: right operands that a layer's backward packs (pack_operands.h). */
    char *packing_room;
    size_t packing_room_size;
} mlm__compute;

static inline real *mlm__scratch_of(const mlm__compute *compute, int32_t thread)
{
    return compute->scratch + (size_t)thread * compute->scratch_size;
}

/* mlm__products.multiply on this thread. */
static inline void mlm__multiply(const mlm__compute *compute, int32_t thread, size_t m, size_t n,
    size_t k, real alpha, mlm__operand a, mlm__operand b, bool add, real *c, size_t ldc)
{
    compute->products->multiply(m, n, k, alpha, a, b, add, c, ldc,
        compute->products_room + (size_t)thread * compute->products_room_size);
}

/* Numbers of an array, and the same rounded to bf16 for products to read.
   numbers NULL: what else reads them widens them again. bf16 NULL: products read numbers. */
typedef struct mlm__rows {
    real *numbers;
    uint16_t *bf16;
} mlm__rows;

/* What is left of them from number `at` on. */
static inline mlm__rows mlm__rows_from(mlm__rows rows, size_t at)
{
    return (mlm__rows){rows.numbers ? rows.numbers + at : NULL, rows.bf16 ? rows.bf16 + at : NULL};
}

/* Where a layer computes them: in their place if there is one, else in room. */
static inline real *mlm__rows_begin(mlm__rows rows, real *room)
{
    return rows.numbers ? rows.numbers : room;
}

/* And when n of them are computed. */
static inline void mlm__rows_end(
    const mlm__compute *compute, mlm__rows rows, size_t n, const real *computed)
{
    if (rows.bf16)
        compute->products->round(n, computed, rows.bf16);
}

/* A matrix of them for products. */
static inline mlm__operand mlm__plain_rows(mlm__rows rows, size_t stride)
{
    return (mlm__operand){
        .numbers = rows.bf16 ? NULL : rows.numbers, .bf16 = rows.bf16, .stride = stride};
}

/* Pieces with so many multiplications in all. Few of them are done by the calling thread: to wake
   another one takes as long as about a million. */
static inline void mlm__compute_pieces(const mlm__compute *compute, double multiplications,
    size_t pieces, mlm__work_fn *work, void *context)
{
    if (multiplications > 1e6)
        mlm__parallel(compute->runtime, pieces, work, context);
    else
        for (size_t piece = 0; piece < pieces; piece++)
            work(context, piece, 0);
}

/* Work on a number that is no product, such as a norm's, takes about as long as so many
   multiplications. */
enum { MLM__NUMBER_WORK = 32 };

static inline void mlm__compute_row_pieces(
    const mlm__compute *compute, size_t numbers, size_t pieces, mlm__work_fn *work, void *context)
{
    mlm__compute_pieces(compute, MLM__NUMBER_WORK * (double)numbers, pieces, work, context);
}

static inline size_t mlm__least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* How many tiles of a side cover a length. */
static inline size_t mlm__tiles_along(size_t length, size_t side)
{
    return (length + side - 1) / side;
}

/* Rows of a piece of work on rows, such as layer norm: some microseconds of it. */
enum { MLM__PIECE_ROWS = 16 };

typedef struct mlm__row_range {
    size_t first, count;
} mlm__row_range;

static inline size_t mlm__pieces_of(size_t rows)
{
    return (rows + MLM__PIECE_ROWS - 1) / MLM__PIECE_ROWS;
}

static inline mlm__row_range mlm__range_of_piece(size_t rows, size_t piece)
{
    size_t first = piece * MLM__PIECE_ROWS, left = rows - first;
    return (mlm__row_range){first, left < MLM__PIECE_ROWS ? left : MLM__PIECE_ROWS};
}

/* A layer's weight and bias, and their gradients. */
typedef struct mlm__weights {
    const real *weight, *bias;
    /* What mlm__products.pack made of the weight's transpose, which forward multiplies by, and of
       the weight, which backward does; NULL: nothing. */
    const void *packed_forward, *packed_backward;
} mlm__weights;

typedef struct mlm__weight_gradients {
    real *weight, *bias;
} mlm__weight_gradients;

#endif
