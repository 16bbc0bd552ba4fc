#include "layers/linear.h"

#include <assert.h>

/* Of a tile: 48 KB at most, which stay in the core's cache for what follows with what they are
   computed from; whole tiles of the product's own, in rows 8 of 6; halved in columns down to a panel
   while there are fewer than two for each of 64 threads, which whole steps do not notice on two. */
enum { TILE_ROWS = 48, TILE_COLUMNS = 256, ENOUGH_TILES = 128 };

static size_t tile_columns(size_t m, size_t n)
{
    size_t columns = TILE_COLUMNS;
    while (columns > MLM__PANEL &&
           mlm__tiles_along(m, TILE_ROWS) * mlm__tiles_along(n, columns) < ENOUGH_TILES)
        columns /= 2;
    return columns;
}

size_t mlm__linear_scratch(void)
{
    return (TILE_ROWS + 1) * TILE_COLUMNS;
}

mlm__operand mlm__forward_operand(mlm__weights weights, size_t K)
{
    mlm__operand operand = mlm__transposed(weights.weight, K);
    operand.packed = weights.packed_forward;
    operand.packed_k = K;
    operand.bias = weights.bias;
    return operand;
}

mlm__operand mlm__backward_operand(mlm__weights weights, size_t K, size_t O)
{
    mlm__operand operand = mlm__plain(weights.weight, K);
    operand.packed = weights.packed_backward;
    operand.packed_k = O;
    return operand;
}

/* c [m,n] = a [m,k] b and b's bias, or += that where add. */
typedef struct tiles_work {
    const mlm__compute *compute;
    size_t m, n, k;
    mlm__operand a, b;
    bool add;
    mlm__rows c;
    mlm__tile_fn *then;
    void *context;
} tiles_work;

/* Tiles of the same rows follow each other: of those a thread finds in its core's cache what it
   computed of them before. */
static void tile_piece(void *context, size_t piece, int32_t thread)
{
    const tiles_work *work = context;
    const size_t most = tile_columns(work->m, work->n), across = mlm__tiles_along(work->n, most);
    real *room = mlm__scratch_of(work->compute, thread);
    mlm__tile tile = {.row = piece / across * TILE_ROWS,
        .column = piece % across * most,
        .room = room + TILE_ROWS * TILE_COLUMNS};
    tile.rows = mlm__least(TILE_ROWS, work->m - tile.row);
    tile.columns = mlm__least(most, work->n - tile.column);
    const mlm__rows c = mlm__rows_from(work->c, tile.row * work->n + tile.column);
    assert(c.numbers || !work->add);
    tile.numbers = mlm__rows_begin(c, room);
    tile.stride = c.numbers ? work->n : TILE_COLUMNS;
    mlm__multiply(work->compute, thread, tile.rows, tile.columns, work->k, 1,
        mlm__operand_from(work->a, tile.row, 0), mlm__operand_from(work->b, 0, tile.column),
        work->add, tile.numbers, tile.stride);
    if (work->then)
        work->then(work->context, tile);
    for (size_t i = 0; c.bf16 && i < tile.rows; i++)
        mlm__rows_end(work->compute, mlm__rows_from(c, i * work->n), tile.columns,
            tile.numbers + i * tile.stride);
}

static void multiply_tiles(tiles_work *work)
{
    mlm__compute_pieces(work->compute, (double)work->m * (double)work->n * (double)work->k,
        mlm__tiles_along(work->m, TILE_ROWS) *
            mlm__tiles_along(work->n, tile_columns(work->m, work->n)),
        tile_piece, work);
}

void mlm__linear_forward(const mlm__compute *compute, mlm__weights weights, size_t N, size_t K,
    size_t O, mlm__operand x, mlm__rows y, mlm__tile_fn *then, void *context)
{
    multiply_tiles(&(tiles_work){
        compute, N, O, K, x, mlm__forward_operand(weights, K), false, y, then, context});
}

void mlm__linear_backward(const mlm__compute *compute, mlm__weights weights, size_t N, size_t K,
    size_t O, mlm__operand dy, bool add, mlm__rows dx, mlm__tile_fn *then, void *context)
{
    multiply_tiles(&(tiles_work){
        compute, N, K, O, dy, mlm__backward_operand(weights, K, O), add, dx, then, context});
}
