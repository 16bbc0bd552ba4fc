/* torch.nn.Linear. */
#ifndef MLM_LAYERS_LINEAR_H
#define MLM_LAYERS_LINEAR_H

#include "layers/compute.h"

/* The right operands of y = x weight^T + bias and of dx = dy weight. */
mlm__operand mlm__forward_operand(mlm__weights weights, size_t K);
mlm__operand mlm__backward_operand(mlm__weights weights, size_t K, size_t O);

/* A piece of a result: rows row to row + rows - 1 of columns column to column + columns - 1.
   Number 0 is its first; rows lie stride apart. */
typedef struct mlm__tile {
    size_t row, rows, column, columns;
    real *numbers;
    size_t stride;
    real *room; /* as many numbers as it has columns, for whatever is done with it */
} mlm__tile;

/* What is done with a tile while it is in the cache, on the thread that computed it. */
typedef void mlm__tile_fn(void *context, mlm__tile tile);

/* Numbers of scratch a thread needs. */
size_t mlm__linear_scratch(void);

/* y = x weight^T + bias, then `then` on each tile of y; NULL: nothing.
     x [N,K]   weight [O,K]   bias [O]   y [N,O], another array than x */
void mlm__linear_forward(const mlm__compute *compute, mlm__weights weights, size_t N, size_t K,
    size_t O, mlm__operand x, mlm__rows y, mlm__tile_fn *then, void *context);

/* dx = dy weight, or dx.numbers += dy weight where add; then `then` on each tile of dx.
     dy [N,O]   dx [N,K], another array than dy */
void mlm__linear_backward(const mlm__compute *compute, mlm__weights weights, size_t N, size_t K,
    size_t O, mlm__operand dy, bool add, mlm__rows dx, mlm__tile_fn *then, void *context);

#endif
