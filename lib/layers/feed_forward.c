#include "layers/feed_forward.h"

#include "layers/linear.h"

typedef struct forward_work {
    const mlm__compute *compute;
    const mlm__feed_forward *layer;
    real *out;
} forward_work;

size_t mlm__feed_forward_scratch(size_t H, size_t I)
{
    return MLM__PIECE_ROWS * (I + H) + H;
}

static void forward_piece(void *context, size_t piece, int32_t thread)
{
    const forward_work *work = context;
    const mlm__compute *compute = work->compute;
    const mlm__feed_forward *layer = work->layer;
    const size_t H = layer->H, I = layer->I;
    const mlm__row_range rows = mlm__rows_of_piece(layer->N, piece);
    real *act = mlm__scratch_of(compute, thread), *y = act + MLM__PIECE_ROWS * I;
    real *room = y + MLM__PIECE_ROWS * H, *up = layer->up + rows.first * I;
    mlm__linear_rows(
        compute, thread, layer->intermediate, rows.count, H, I, layer->x + rows.first * H, up);
    compute->kernels->activate(layer->act, rows.count * I, up, act);
    mlm__linear_rows(compute, thread, layer->output, rows.count, I, H, act, y);
    mlm__residual_norm_rows(compute, layer->norm, layer->eps, layer->dropper, layer->site, rows, H,
        y, layer->x, &layer->kept, work->out, room);
}

void mlm__feed_forward_forward(
    const mlm__compute *compute, const mlm__feed_forward *layer, real *out)
{
    forward_work work = {compute, layer, out};
    mlm__parallel(compute->runtime, mlm__pieces_of(layer->N), forward_piece, &work);
}

typedef struct backward_work {
    const mlm__compute *compute;
    const mlm__feed_forward *layer;
    const real *dout;
    real *dproj, *dup, *act, *dx;
} backward_work;

static void backward_piece(void *context, size_t piece, int32_t thread)
{
    const backward_work *work = context;
    const mlm__compute *compute = work->compute;
    const mlm__feed_forward *layer = work->layer;
    const size_t H = layer->H, I = layer->I;
    const mlm__row_range rows = mlm__rows_of_piece(layer->N, piece);
    const size_t h = rows.first * H, i = rows.first * I;
    mlm__residual_norm_rows_backward(compute, layer->norm.weight, layer->dropper, layer->site, rows,
        H, work->dout, &layer->kept, work->dx, work->dproj);
    mlm__linear_rows_backward(
        compute, thread, layer->output, rows.count, I, H, work->dproj + h, false, work->dup + i);
    compute->kernels->activate_backward(
        layer->act, rows.count * I, layer->up + i, work->dup + i, work->act + i);
    mlm__linear_rows_backward(
        compute, thread, layer->intermediate, rows.count, H, I, work->dup + i, true, work->dx + h);
}

void mlm__feed_forward_backward(const mlm__compute *compute, const mlm__feed_forward *layer,
    const real *dout, real *dproj, real *dup, real *act, real *dx)
{
    backward_work work = {compute, layer, dout, dproj, dup, act, dx};
    mlm__parallel(compute->runtime, mlm__pieces_of(layer->N), backward_piece, &work);
}
