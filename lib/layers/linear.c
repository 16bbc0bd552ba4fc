#include "layers/linear.h"

/* Of a tile: a few hundred kilobytes with what it is computed from, so that it is in the core's
   cache for what follows; and tiles enough of a chunk of a large model for 64 threads. */
enum { TILE_ROWS = 64, TILE_COLUMNS = 256 };

mlm__operand mlm__forward_operand(mlm__weights weights, size_t K)
{
    mlm__operand operand = mlm__transposed(weights.weight, K);
    operand.packed = weights.packed_forward;
    operand.packed_k = K;
    return operand;
}

mlm__operand mlm__backward_operand(mlm__weights weights, size_t K, size_t O)
{
    mlm__operand operand = mlm__plain(weights.weight, K);
    operand.packed = weights.packed_backward;
    operand.packed_k = O;
    return operand;
}

/* c [m,n] = a [m,k] b, or += where add, and with bias where it is not NULL. */
typedef struct tiles_work {
    const mlm__compute *compute;
    size_t m, n, k;
    const real *a;
    mlm__operand b;
    const real *bias;
    bool add;
    real *c;
    mlm__tile_fn *then;
    void *context;
} tiles_work;

static size_t tiles_along(size_t length, size_t side)
{
    return (length + side - 1) / side;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Tiles of the same columns follow each other, so that threads share what they read of b. */
static void tile_piece(void *context, size_t piece, int32_t thread)
{
    const tiles_work *work = context;
    const size_t down = tiles_along(work->m, TILE_ROWS);
    mlm__tile tile = {.row = piece % down * TILE_ROWS, .column = piece / down * TILE_COLUMNS};
    tile.rows = least(TILE_ROWS, work->m - tile.row);
    tile.columns = least(TILE_COLUMNS, work->n - tile.column);
    real *c = work->c + tile.row * work->n + tile.column;
    mlm__multiply(work->compute, thread, tile.rows, tile.columns, work->k, 1,
        mlm__plain(work->a + tile.row * work->k, work->k),
        mlm__operand_from(work->b, 0, tile.column), work->add, c, work->n);
    for (size_t i = 0; work->bias && i < tile.rows; i++)
        work->compute->kernels->add(tile.columns, work->bias + tile.column, c + i * work->n);
    if (work->then)
        work->then(work->context, tile);
}

static void multiply_tiles(tiles_work *work)
{
    mlm__compute_pieces(work->compute, (double)work->m * (double)work->n * (double)work->k,
        tiles_along(work->m, TILE_ROWS) * tiles_along(work->n, TILE_COLUMNS), tile_piece, work);
}

void mlm__linear_forward(const mlm__compute *compute, mlm__weights weights, size_t N, size_t K,
    size_t O, const real *x, real *y, mlm__tile_fn *then, void *context)
{
    multiply_tiles(&(tiles_work){compute, N, O, K, x, mlm__forward_operand(weights, K),
        weights.bias, false, y, then, context});
}

void mlm__linear_backward(const mlm__compute *compute, mlm__weights weights, size_t N, size_t K,
    size_t O, const real *dy, bool add, real *dx, mlm__tile_fn *then, void *context)
{
    multiply_tiles(&(tiles_work){
        compute, N, K, O, dy, mlm__backward_operand(weights, K, O), NULL, add, dx, then, context});
}
