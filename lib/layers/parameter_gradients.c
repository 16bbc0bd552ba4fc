#include "layers/parameter_gradients.h"

#include <string.h>

enum { NORM_COLUMNS = 64 };

/* Sides of a tile: large tiles share the packing of their operands, small weights need several
   tiles for several threads. */
enum { TILE_SMALL = 128, TILE_LARGE = 256, LARGE_WEIGHT = 512 * 512 };

size_t mlm__parameter_gradients_scratch(void)
{
    return 2 * TILE_LARGE;
}

typedef struct gradients_work {
    const mlm__compute *compute;
    const mlm__linear_gradient *linears;
    size_t linear_count;
    const mlm__norm_gradient *norms;
} gradients_work;

static size_t tile_side(const mlm__linear_gradient *linear)
{
    return linear->K * linear->O >= LARGE_WEIGHT ? TILE_LARGE : TILE_SMALL;
}

static size_t tile_count(const mlm__linear_gradient *linear)
{
    size_t side = tile_side(linear);
    return mlm__tiles_along(linear->O, side) * mlm__tiles_along(linear->K, side);
}

/* sums[o] += sum over rows of dy. */
static void add_bias_gradient(
    const mlm__compute *compute, mlm__operand dy, size_t N, size_t O, real *room, real *sums)
{
    if (!dy.bf16) {
        compute->kernels->column_sums(N, O, dy.numbers, dy.stride, sums);
        return;
    }
    for (size_t first = 0; first < N; first += MLM__SUM_ROWS) {
        const size_t end = mlm__least(first + MLM__SUM_ROWS, N);
        real *part = room + O;
        memset(part, 0, O * sizeof *part);
        for (size_t i = first; i < end; i++) {
            compute->products->widen(O, 1, dy.bf16 + i * dy.stride, room);
            compute->kernels->add(O, room, part);
        }
        compute->kernels->add(O, part, sums);
    }
}

static void linear_tile(
    const mlm__compute *compute, const mlm__linear_gradient *linear, size_t tile, int32_t thread)
{
    const size_t side = tile_side(linear), across = mlm__tiles_along(linear->K, side);
    const size_t o = tile / across * side, k = tile % across * side;
    const size_t O = mlm__least(side, linear->O - o), K = mlm__least(side, linear->K - k);
    const mlm__operand dy = mlm__operand_from(linear->dy, 0, o);
    mlm__multiply(compute, thread, O, K, linear->N, 1, mlm__transpose(dy),
        mlm__operand_from(linear->x, 0, k), true, linear->into.weight + o * linear->K + k,
        linear->K);
    if (k == 0 && linear->into.bias)
        add_bias_gradient(
            compute, dy, linear->N, O, mlm__scratch_of(compute, thread), linear->into.bias + o);
}

static void norm_columns(const mlm__kernels *kernels, const mlm__norm_gradient *norm, size_t block)
{
    const size_t h = block * NORM_COLUMNS;
    kernels->norm_column_sums(norm->N, mlm__least(NORM_COLUMNS, norm->H - h), norm->x + h,
        norm->moments, norm->dy + h, norm->H, norm->into.weight + h, norm->into.bias + h);
}

static void gradients_piece(void *context, size_t piece, int32_t thread)
{
    const gradients_work *work = context;
    for (size_t i = 0; i < work->linear_count; i++) {
        size_t count = tile_count(&work->linears[i]);
        if (piece < count) {
            linear_tile(work->compute, &work->linears[i], piece, thread);
            return;
        }
        piece -= count;
    }
    const mlm__norm_gradient *norm = work->norms;
    while (piece >= mlm__tiles_along(norm->H, NORM_COLUMNS)) {
        piece -= mlm__tiles_along(norm->H, NORM_COLUMNS);
        norm++;
    }
    norm_columns(work->compute->kernels, norm, piece);
}

void mlm__parameter_gradients(const mlm__compute *compute, const mlm__linear_gradient *linears,
    size_t linear_count, const mlm__norm_gradient *norms, size_t norm_count)
{
    gradients_work work = {compute, linears, linear_count, norms};
    size_t pieces = 0;
    double multiplications = 0;
    for (size_t i = 0; i < linear_count; i++) {
        pieces += tile_count(&linears[i]);
        multiplications += (double)linears[i].N * (double)linears[i].K * (double)linears[i].O;
    }
    for (size_t i = 0; i < norm_count; i++) {
        pieces += mlm__tiles_along(norms[i].H, NORM_COLUMNS);
        multiplications += MLM__NUMBER_WORK * (double)norms[i].N * (double)norms[i].H;
    }
    mlm__compute_pieces(compute, multiplications, pieces, gradients_piece, &work);
}
