#include "layers/linear.h"

void mlm__linear_rows(const mlm__compute *compute, mlm__weights weights, size_t rows, size_t K,
    size_t O, const real *x, real *y)
{
    compute->kernels->multiply(false, true, rows, O, K, 1, x, K, weights.weight, K, 0, y, O);
    for (size_t i = 0; i < rows; i++)
        compute->kernels->add(O, weights.bias, y + i * O);
}

void mlm__linear_rows_backward(const mlm__compute *compute, const real *weight, size_t rows,
    size_t K, size_t O, const real *dy, bool add, real *dx)
{
    compute->kernels->multiply(false, false, rows, K, O, 1, dy, O, weight, K, add ? 1 : 0, dx, K);
}

typedef struct backward_work {
    const mlm__compute *compute;
    const real *weight, *dy;
    real *dx;
    size_t N, K, O;
} backward_work;

static void backward_piece(void *context, size_t piece, int32_t thread)
{
    const backward_work *work = context;
    const mlm__row_range rows = mlm__rows_of_piece(work->N, piece);
    (void)thread;
    mlm__linear_rows_backward(work->compute, work->weight, rows.count, work->K, work->O,
        work->dy + rows.first * work->O, true, work->dx + rows.first * work->K);
}

void mlm__linear_backward(const mlm__compute *compute, const real *weight, size_t N, size_t K,
    size_t O, const real *dy, real *dx)
{
    backward_work work = {compute, weight, dy, dx, N, K, O};
    mlm__parallel(compute->runtime, mlm__pieces_of(N), backward_piece, &work);
}
