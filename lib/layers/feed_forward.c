#include "layers/feed_forward.h"

#include "layers/linear.h"

/* The activation of a tile of up, as soon as it or its gradient is computed. */
typedef struct activation_work {
    const mlm__compute *compute;
    const mlm__feed_forward *layer;
} activation_work;

static void activate_tile(void *context, mlm__tile tile)
{
    const activation_work *work = context;
    const mlm__feed_forward *layer = work->layer;
    for (size_t i = tile.row; i < tile.row + tile.rows; i++) {
        const mlm__rows to = mlm__rows_from(layer->activated, i * layer->I + tile.column);
        real *activated = mlm__rows_begin(to, tile.room);
        work->compute->kernels->activate(
            layer->act, tile.columns, tile.numbers + (i - tile.row) * tile.stride, activated);
        mlm__rows_end(work->compute, to, tile.columns, activated);
    }
}

/* Rows lie I apart, so that the CPU does not see by itself which one is next. */
static inline void fetch(const real *row, size_t n)
{
    enum { LINE = 64 / sizeof(real) };
    for (size_t j = 0; j < n; j += LINE)
        __builtin_prefetch(row + j);
}

static void activate_tile_backward(void *context, mlm__tile tile)
{
    const activation_work *work = context;
    const mlm__feed_forward *layer = work->layer;
    for (size_t i = tile.row; i < tile.row + tile.rows; i++) {
        const size_t at = i * layer->I + tile.column;
        const mlm__rows to = mlm__rows_from(layer->activated, at);
        real *activated = mlm__rows_begin(to, tile.room);
        if (i + 1 < tile.row + tile.rows)
            fetch(layer->up + at + layer->I, tile.columns);
        work->compute->kernels->activate_backward(layer->act, tile.columns, layer->up + at,
            tile.numbers + (i - tile.row) * tile.stride, activated);
        mlm__rows_end(work->compute, to, tile.columns, activated);
    }
}

static mlm__residual residual_of(const mlm__feed_forward *layer)
{
    return (mlm__residual){
        layer->N, layer->H, layer->eps, layer->dropper, layer->site, layer->norm, layer->kept};
}

void mlm__feed_forward_forward(
    const mlm__compute *compute, const mlm__feed_forward *layer, mlm__rows out)
{
    const size_t N = layer->N, H = layer->H, I = layer->I;
    const mlm__residual residual = residual_of(layer);
    activation_work work = {compute, layer};
    mlm__linear_forward(compute, layer->intermediate, N, H, I, mlm__plain_rows(layer->x, H),
        (mlm__rows){.numbers = layer->up}, activate_tile, &work);
    mlm__linear_forward(compute, layer->output, N, I, H, mlm__plain_rows(layer->activated, I),
        (mlm__rows){.numbers = layer->kept.sum}, NULL, NULL);
    mlm__residual_forward(compute, &residual, layer->x.numbers, out);
}

void mlm__feed_forward_backward(const mlm__compute *compute, const mlm__feed_forward *layer,
    const real *dout, mlm__rows dproj, mlm__rows dup, real *dx)
{
    const size_t N = layer->N, H = layer->H, I = layer->I;
    const mlm__residual residual = residual_of(layer);
    activation_work work = {compute, layer};
    mlm__residual_backward(compute, &residual, dout, dx, dproj);
    mlm__linear_backward(compute, layer->output, N, I, H, mlm__plain_rows(dproj, H), false, dup,
        activate_tile_backward, &work);
    mlm__linear_backward(compute, layer->intermediate, N, H, I, mlm__plain_rows(dup, I), true,
        (mlm__rows){.numbers = dx}, NULL, NULL);
}
