#include "layers/parameter_gradients.h"

#include <assert.h>
#include <string.h>

#include "layers/pack_operands.h"

/* Of a layer norm whose gradients a piece sums: a block of the kernel's. */
enum { NORM_COLUMNS = 64 };

/* Of a tile of a weight's gradient: as many rows as are whole tiles of the product's own and whole
   vectors of its packing; its rows of dy are packed for it alone, so that a wide one packs them less
   often; small weights need several tiles for several threads. */
enum { TILE_ROWS = 96, TILE_COLUMNS = 256, TILE_COLUMNS_LARGE = 512, LARGE_WEIGHT = 512 * 512 };

size_t mlm__parameter_gradients_scratch(void)
{
    return 2 * TILE_ROWS;
}

typedef struct gradients_work {
    const mlm__compute *compute;
    const mlm__linear_gradient *linears;
    mlm__operand x[MLM__LINEARS_MOST]; /* of the linears, packed where products pack */
    size_t linear_count;
    const mlm__norm_gradient *norms;
} gradients_work;

/* Equally wide ones, in whole panels. */
static size_t tile_columns(const mlm__linear_gradient *linear)
{
    const size_t most = linear->K * linear->O >= LARGE_WEIGHT ? TILE_COLUMNS_LARGE : TILE_COLUMNS;
    const size_t panels = mlm__tiles_along(linear->K, MLM__PANEL);
    return mlm__tiles_along(panels, mlm__tiles_along(linear->K, most)) * MLM__PANEL;
}

static size_t tile_count(const mlm__linear_gradient *linear)
{
    return mlm__tiles_along(linear->O, TILE_ROWS) *
           mlm__tiles_along(linear->K, tile_columns(linear));
}

/* sums[o] += sum over rows of dy, in the order of column_sums. */
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

static void linear_tile(const mlm__compute *compute, const mlm__linear_gradient *linear,
    mlm__operand x, size_t tile, int32_t thread)
{
    const size_t columns = tile_columns(linear), across = mlm__tiles_along(linear->K, columns);
    const size_t o = tile / across * TILE_ROWS, k = tile % across * columns;
    const size_t O = mlm__least(TILE_ROWS, linear->O - o), K = mlm__least(columns, linear->K - k);
    const mlm__operand dy = mlm__operand_from(linear->dy, 0, o);
    mlm__multiply(compute, thread, O, K, linear->N, 1, mlm__transpose(dy),
        mlm__operand_from(x, 0, k), true, linear->into.weight + o * linear->K + k, linear->K);
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
            linear_tile(work->compute, &work->linears[i], work->x[i], piece, thread);
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

static bool is_same(const mlm__linear_gradient *a, const mlm__linear_gradient *b)
{
    return a->x.numbers == b->x.numbers && a->x.bf16 == b->x.bf16 && a->x.stride == b->x.stride &&
           a->x.transposed == b->x.transposed && a->N == b->N && a->K == b->K;
}

static void pack_all(gradients_work *work)
{
    const mlm__compute *compute = work->compute;
    mlm__pack_list list = {.count = 0};
    for (size_t i = 0; i < work->linear_count; i++) {
        const mlm__linear_gradient *linear = &work->linears[i];
        work->x[i] = i > 0 && is_same(linear, &work->linears[i - 1])
                         ? work->x[i - 1]
                         : mlm__pack_list_add(&list, compute, linear->x, linear->N, linear->K);
    }
    mlm__pack_operands(compute->runtime, compute->products, list.tasks, list.count);
}

void mlm__parameter_gradients(const mlm__compute *compute, const mlm__linear_gradient *linears,
    size_t linear_count, const mlm__norm_gradient *norms, size_t norm_count)
{
    assert(linear_count <= MLM__LINEARS_MOST);
    gradients_work work = {
        .compute = compute, .linears = linears, .linear_count = linear_count, .norms = norms};
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
    pack_all(&work);
    mlm__compute_pieces(compute, multiplications, pieces, gradients_piece, &work);
}
