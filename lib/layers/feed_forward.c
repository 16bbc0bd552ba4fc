#include "layers/feed_forward.h"

#include "layers/linear.h"

/* The activation of a tile of up, as soon as it or its gradient is computed. */
typedef struct activation_work {
    const mlm__compute *compute;
    const mlm__feed_forward *layer;
    real *dup;
} activation_work;

static void activate_tile(void *context, mlm__tile tile)
{
    const activation_work *work = context;
    const mlm__feed_forward *layer = work->layer;
    for (size_t i = tile.row; i < tile.row + tile.rows; i++) {
        const size_t at = i * layer->I + tile.column;
        work->compute->kernels->activate(
            layer->act, tile.columns, layer->up + at, layer->activated + at);
    }
}

static void activate_tile_backward(void *context, mlm__tile tile)
{
    const activation_work *work = context;
    const mlm__feed_forward *layer = work->layer;
    for (size_t i = tile.row; i < tile.row + tile.rows; i++) {
        const size_t at = i * layer->I + tile.column;
        work->compute->kernels->activate_backward(
            layer->act, tile.columns, layer->up + at, work->dup + at, layer->activated + at);
    }
}

static mlm__residual residual_of(const mlm__feed_forward *layer)
{
    return (mlm__residual){
        layer->N, layer->H, layer->eps, layer->dropper, layer->site, layer->norm, layer->kept};
}

void mlm__feed_forward_forward(
    const mlm__compute *compute, const mlm__feed_forward *layer, real *out)
{
    const size_t N = layer->N, H = layer->H, I = layer->I;
    const mlm__residual residual = residual_of(layer);
    activation_work work = {compute, layer, NULL};
    mlm__linear_forward(
        compute, layer->intermediate, N, H, I, layer->x, layer->up, activate_tile, &work);
    mlm__linear_forward(
        compute, layer->output, N, I, H, layer->activated, layer->kept.sum, NULL, NULL);
    mlm__residual_forward(compute, &residual, layer->x, out);
}

void mlm__feed_forward_backward(const mlm__compute *compute, const mlm__feed_forward *layer,
    const real *dout, real *dproj, real *dup, real *dx)
{
    const size_t N = layer->N, H = layer->H, I = layer->I;
    const mlm__residual residual = residual_of(layer);
    activation_work work = {compute, layer, dup};
    mlm__residual_backward(compute, &residual, dout, dx, dproj);
    mlm__linear_backward(
        compute, layer->output, N, I, H, dproj, false, dup, activate_tile_backward, &work);
    mlm__linear_backward(compute, layer->intermediate, N, H, I, dup, true, dx, NULL, NULL);
}
