/* Gradients of weights, biases, and of layer norms' gains: sums over all rows of a chunk. */
#ifndef MLM_LAYERS_PARAMETER_GRADIENTS_H
#define MLM_LAYERS_PARAMETER_GRADIENTS_H

#include "layers/compute.h"

/* Of y = x weight^T + bias:
     dweight += dy^T x   dbias += sum of dy over rows
     x [N,K]   dy [N,O]   dweight [O,K]   dbias [O], NULL: is 0 */
typedef struct mlm__linear_gradient {
    size_t N, K, O;
    mlm__operand x, dy;
    mlm__weight_gradients into;
} mlm__linear_gradient;

/* Of y = (x - mean) rstd weight + bias:
     dweight += sum over rows of dy (x - mean) rstd   dbias += sum of dy
     x, dy [N,H]   moments [N]   dweight, dbias [H] */
typedef struct mlm__norm_gradient {
    size_t N, H;
    const real *x;
    const mlm__moments *moments;
    const real *dy;
    mlm__weight_gradients into;
} mlm__norm_gradient;

/* Numbers of scratch a thread needs. */
size_t mlm__parameter_gradients_scratch(void);

/* Those of a layer: query, key, value, attention output, intermediate, output. */
enum { MLM__LINEARS_MOST = 6 };

/* All of a layer at once, so that there is work for every thread. A piece owns a tile of a weight,
   or columns of a norm, and sums over all rows in order. At most MLM__LINEARS_MOST linears; those of
   the same x, one after the other, share what is packed of it. The packing room holds every other
   x: mlm__products.packed_size(N, K). */
void mlm__parameter_gradients(const mlm__compute *compute, const mlm__linear_gradient *linears,
    size_t linear_count, const mlm__norm_gradient *norms, size_t norm_count);

#endif
