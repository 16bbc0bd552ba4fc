#include "layers/prediction_head.h"

#include <string.h>

#include "layers/linear.h"
#include "layers/parameter_gradients.h"

typedef struct forward_work {
    const mlm__compute *compute;
    const mlm__prediction_head *layer;
    const real *hidden;
    real *z;
} forward_work;

static void forward_piece(void *context, size_t piece, int32_t thread)
{
    const forward_work *work = context;
    const mlm__kernels *kernels = work->compute->kernels;
    const mlm__prediction_head *layer = work->layer;
    const size_t H = layer->H;
    const mlm__row_range rows = mlm__rows_of_piece(layer->M, piece);
    real *x = layer->x + rows.first * H, *up = layer->up + rows.first * H;
    real *act = layer->kept.sum + rows.first * H;
    for (size_t r = 0; r < rows.count; r++)
        memcpy(x + r * H, work->hidden + (size_t)layer->rows[rows.first + r] * H, H * sizeof(real));
    mlm__linear_rows(work->compute, thread, layer->transform, rows.count, H, H, x, up);
    kernels->activate(layer->act, rows.count * H, up, act);
    for (size_t r = 0; r < rows.count; r++)
        layer->kept.moments[rows.first + r] = kernels->layer_norm(H, act + r * H,
            layer->norm.weight, layer->norm.bias, (real)layer->eps, work->z + (rows.first + r) * H);
}

void mlm__prediction_head_forward(
    const mlm__compute *compute, const mlm__prediction_head *layer, const real *hidden, real *z)
{
    forward_work work = {compute, layer, hidden, z};
    mlm__parallel(compute->runtime, mlm__pieces_of(layer->M), forward_piece, &work);
}

typedef struct backward_work {
    const mlm__compute *compute;
    const mlm__prediction_head *layer;
    const real *dz;
    real *dup, *dhidden;
} backward_work;

static void backward_piece(void *context, size_t piece, int32_t thread)
{
    const backward_work *work = context;
    const mlm__kernels *kernels = work->compute->kernels;
    const mlm__prediction_head *layer = work->layer;
    const size_t H = layer->H;
    const mlm__row_range rows = mlm__rows_of_piece(layer->M, piece);
    const size_t at = rows.first * H;
    real *dx = mlm__scratch_of(work->compute, thread);
    for (size_t i = rows.first; i < rows.first + rows.count; i++)
        kernels->layer_norm_backward(H, layer->kept.sum + i * H, layer->kept.moments[i],
            layer->norm.weight, work->dz + i * H, work->dup + i * H);
    /* dx is only room here: act(up) is in kept.sum already. */
    kernels->activate_backward(layer->act, rows.count * H, layer->up + at, work->dup + at, dx);
    mlm__linear_rows_backward(
        work->compute, thread, layer->transform, rows.count, H, H, work->dup + at, false, dx);
    for (size_t r = 0; r < rows.count; r++)
        kernels->add(H, dx + r * H, work->dhidden + (size_t)layer->rows[rows.first + r] * H);
}

void mlm__prediction_head_backward(const mlm__compute *compute, const mlm__prediction_head *layer,
    const real *dz, real *dup, real *dhidden, mlm__weight_gradients transform,
    mlm__weight_gradients norm)
{
    backward_work work = {compute, layer, dz, dup, dhidden};
    mlm__parallel(compute->runtime, mlm__pieces_of(layer->M), backward_piece, &work);
    const size_t M = layer->M, H = layer->H;
    mlm__parameter_gradients(compute, &(mlm__linear_gradient){M, H, H, layer->x, dup, H, transform},
        1, &(mlm__norm_gradient){M, H, layer->kept.sum, layer->kept.moments, dz, norm}, 1);
}
