#include "layers/prediction_head.h"

#include <string.h>

#include "layers/linear.h"
#include "layers/parameter_gradients.h"

typedef struct forward_work {
    const mlm__compute *compute;
    const mlm__prediction_head *layer;
    mlm__rows z;
} forward_work;

/* act(up) becomes what the norm is of. */
static void activate_tile(void *context, mlm__tile tile)
{
    const forward_work *work = context;
    const mlm__prediction_head *layer = work->layer;
    for (size_t i = tile.row; i < tile.row + tile.rows; i++) {
        work->compute->kernels->activate(layer->act, tile.columns,
            tile.numbers + (i - tile.row) * tile.stride,
            layer->kept.sum + i * layer->H + tile.column);
    }
}

static void norm_piece(void *context, size_t piece, int32_t thread)
{
    const forward_work *work = context;
    const mlm__prediction_head *layer = work->layer;
    const size_t H = layer->H;
    const mlm__row_range rows = mlm__range_of_piece(layer->M, piece);
    for (size_t i = rows.first; i < rows.first + rows.count; i++) {
        const mlm__rows to = mlm__rows_from(work->z, i * H);
        real *z = mlm__rows_begin(to, mlm__scratch_of(work->compute, thread));
        layer->kept.moments[i] = work->compute->kernels->layer_norm(
            H, layer->kept.sum + i * H, layer->norm.weight, layer->norm.bias, (real)layer->eps, z);
        mlm__rows_end(work->compute, to, H, z);
    }
}

void mlm__prediction_head_forward(
    const mlm__compute *compute, const mlm__prediction_head *layer, const real *hidden, mlm__rows z)
{
    const size_t M = layer->M, H = layer->H;
    forward_work work = {compute, layer, z};
    for (size_t m = 0; m < M; m++) {
        const mlm__rows to = mlm__rows_from(layer->x, m * H);
        const real *row = hidden + (size_t)layer->rows[m] * H;
        if (to.numbers)
            memcpy(to.numbers, row, H * sizeof(real));
        mlm__rows_end(compute, to, H, row);
    }
    mlm__linear_forward(compute, layer->transform, M, H, H, mlm__plain_rows(layer->x, H),
        (mlm__rows){.numbers = layer->up}, activate_tile, &work);
    mlm__compute_row_pieces(compute, M * layer->H, mlm__pieces_of(M), norm_piece, &work);
}

typedef struct backward_work {
    const mlm__compute *compute;
    const mlm__prediction_head *layer;
    const real *dz;
    mlm__rows dup;
    real *dx;
} backward_work;

static void norm_backward_piece(void *context, size_t piece, int32_t thread)
{
    const backward_work *work = context;
    const mlm__prediction_head *layer = work->layer;
    const mlm__kernels *kernels = work->compute->kernels;
    const size_t H = layer->H;
    const mlm__row_range rows = mlm__range_of_piece(layer->M, piece);
    for (size_t i = rows.first; i < rows.first + rows.count; i++) {
        const mlm__rows to = mlm__rows_from(work->dup, i * H);
        real *dup = mlm__rows_begin(to, mlm__scratch_of(work->compute, thread));
        kernels->layer_norm_backward(H, layer->kept.sum + i * H, layer->kept.moments[i],
            layer->norm.weight, work->dz + i * H, dup);
        /* dx is only room here: act(up) is in kept.sum already. */
        kernels->activate_backward(layer->act, H, layer->up + i * H, dup, work->dx + i * H);
        mlm__rows_end(work->compute, to, H, dup);
    }
}

void mlm__prediction_head_backward(const mlm__compute *compute, const mlm__prediction_head *layer,
    const real *dz, mlm__rows dup, real *dx, real *dhidden, mlm__weight_gradients transform,
    mlm__weight_gradients norm)
{
    const size_t M = layer->M, H = layer->H;
    backward_work work = {compute, layer, dz, dup, dx};
    mlm__compute_row_pieces(compute, M * layer->H, mlm__pieces_of(M), norm_backward_piece, &work);
    mlm__linear_backward(compute, layer->transform, M, H, H, mlm__plain_rows(dup, H), false,
        (mlm__rows){.numbers = dx}, NULL, NULL);
    for (size_t m = 0; m < M; m++)
        compute->kernels->add(H, dx + m * H, dhidden + (size_t)layer->rows[m] * H);
    mlm__parameter_gradients(compute,
        &(mlm__linear_gradient){
            M, H, H, mlm__plain_rows(layer->x, H), mlm__plain_rows(dup, H), transform},
        1, &(mlm__norm_gradient){M, H, layer->kept.sum, layer->kept.moments, dz, norm}, 1);
}
