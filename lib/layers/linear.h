/* torch.nn.Linear. */
#ifndef MLM_LAYERS_LINEAR_H
#define MLM_LAYERS_LINEAR_H

#include "layers/compute.h"

/* The right operands of y = x weight^T and of dx = dy weight. */
mlm__operand mlm__forward_operand(mlm__weights weights, size_t K);
mlm__operand mlm__backward_operand(mlm__weights weights, size_t K, size_t O);

/* y = x weight^T + bias on rows, on this thread.
     x [rows,K]   weight [O,K]   bias [O]   y [rows,O], another array than x */
void mlm__linear_rows(const mlm__compute *compute, int32_t thread, mlm__weights weights,
    size_t rows, size_t K, size_t O, const real *x, real *y);

/* dx = dy weight, or dx += dy weight where add, on rows, on this thread.
     dy [rows,O]   dx [rows,K], another array than dy */
void mlm__linear_rows_backward(const mlm__compute *compute, int32_t thread, mlm__weights weights,
    size_t rows, size_t K, size_t O, const real *dy, bool add, real *dx);

/* dx += dy weight on all N rows. */
void mlm__linear_backward(const mlm__compute *compute, mlm__weights weights, size_t N, size_t K,
    size_t O, const real *dy, real *dx);

#endif
