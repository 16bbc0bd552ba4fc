#include "layers/layer_norm.h"

#include <string.h>

typedef struct forward_work {
    const mlm__compute *compute;
    const mlm__residual *layer;
    const real *residual;
    mlm__rows out;
} forward_work;

static void forward_piece(void *context, size_t piece, int32_t thread)
{
    const forward_work *work = context;
    const mlm__residual *layer = work->layer;
    const mlm__kernels *kernels = work->compute->kernels;
    const size_t H = layer->H;
    const mlm__row_range rows = mlm__range_of_piece(layer->N, piece);
    real *room = mlm__scratch_of(work->compute, thread);
    for (size_t i = rows.first; i < rows.first + rows.count; i++) {
        real *sum = layer->kept.sum + i * H;
        kernels->residual(H, work->residual + i * H,
            mlm__dropper_row(layer->dropper, kernels, layer->site, i, H, room), sum, sum);
        const mlm__rows to = mlm__rows_from(work->out, i * H);
        layer->kept.moments[i] = kernels->layer_norm(
            H, sum, layer->norm.weight, layer->norm.bias, (real)layer->eps, to.numbers);
        mlm__rows_end(work->compute, to, H, to.numbers);
    }
}

void mlm__residual_forward(
    const mlm__compute *compute, const mlm__residual *layer, const real *residual, mlm__rows out)
{
    forward_work work = {compute, layer, residual, out};
    mlm__compute_row_pieces(
        compute, layer->N * layer->H, mlm__pieces_of(layer->N), forward_piece, &work);
}

typedef struct backward_work {
    const mlm__compute *compute;
    const mlm__residual *layer;
    const real *dout;
    real *dresidual;
    mlm__rows dy;
} backward_work;

static void backward_piece(void *context, size_t piece, int32_t thread)
{
    const backward_work *work = context;
    const mlm__residual *layer = work->layer;
    const mlm__kernels *kernels = work->compute->kernels;
    const size_t H = layer->H;
    const mlm__row_range rows = mlm__range_of_piece(layer->N, piece);
    for (size_t i = rows.first; i < rows.first + rows.count; i++) {
        const mlm__rows to = mlm__rows_from(work->dy, i * H);
        real *dsum = work->dresidual + i * H;
        real *dy = mlm__rows_begin(to, mlm__scratch_of(work->compute, thread));
        kernels->layer_norm_backward(H, layer->kept.sum + i * H, layer->kept.moments[i],
            layer->norm.weight, work->dout + i * H, dsum);
        if (mlm__dropper_row(layer->dropper, kernels, layer->site, i, H, dy))
            kernels->product(H, dsum, dy);
        else
            memcpy(dy, dsum, H * sizeof(real));
        mlm__rows_end(work->compute, to, H, dy);
    }
}

void mlm__residual_backward(const mlm__compute *compute, const mlm__residual *layer,
    const real *dout, real *dresidual, mlm__rows dy)
{
    backward_work work = {compute, layer, dout, dresidual, dy};
    mlm__compute_row_pieces(
        compute, layer->N * layer->H, mlm__pieces_of(layer->N), backward_piece, &work);
}
