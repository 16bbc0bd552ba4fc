#include "layers/linear.h"

mlm__operand mlm__forward_operand(mlm__weights weights, size_t K)
{
    mlm__operand operand = mlm__transposed(weights.weight, K);
    operand.packed = weights.packed_forward;
    operand.packed_k = K;
    return operand;
}

mlm__operand mlm__backward_operand(mlm__weights weights, size_t K, size_t O)
{
    mlm__operand operand = mlm__plain(weights.weight, K);
    operand.packed = weights.packed_backward;
    operand.packed_k = O;
    return operand;
}

void mlm__linear_rows(const mlm__compute *compute, int32_t thread, mlm__weights weights,
    size_t rows, size_t K, size_t O, const real *x, real *y)
{
    mlm__multiply(compute, thread, rows, O, K, 1, mlm__plain(x, K),
        mlm__forward_operand(weights, K), false, y, O);
    for (size_t i = 0; i < rows; i++)
        compute->kernels->add(O, weights.bias, y + i * O);
}

void mlm__linear_rows_backward(const mlm__compute *compute, int32_t thread, mlm__weights weights,
    size_t rows, size_t K, size_t O, const real *dy, bool add, real *dx)
{
    mlm__multiply(compute, thread, rows, K, O, 1, mlm__plain(dy, O),
        mlm__backward_operand(weights, K, O), add, dx, K);
}

typedef struct backward_work {
    const mlm__compute *compute;
    mlm__weights weights;
    const real *dy;
    real *dx;
    size_t N, K, O;
} backward_work;

static void backward_piece(void *context, size_t piece, int32_t thread)
{
    const backward_work *work = context;
    const mlm__row_range rows = mlm__rows_of_piece(work->N, piece);
    mlm__linear_rows_backward(work->compute, thread, work->weights, rows.count, work->K, work->O,
        work->dy + rows.first * work->O, true, work->dx + rows.first * work->K);
}

void mlm__linear_backward(const mlm__compute *compute, mlm__weights weights, size_t N, size_t K,
    size_t O, const real *dy, real *dx)
{
    backward_work work = {compute, weights, dy, dx, N, K, O};
    mlm__parallel(compute->runtime, mlm__pieces_of(N), backward_piece, &work);
}
