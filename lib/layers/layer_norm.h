/* Layer norm behind a residual connection: how every half of a post-norm Transformer layer ends
   (BertSelfOutput and BertOutput in transformers). */
#ifndef MLM_LAYERS_LAYER_NORM_H
#define MLM_LAYERS_LAYER_NORM_H

#include "layers/dropout.h"

/* What forward leaves for backward. */
typedef struct mlm__residual_norm {
    real *sum;             /* [N,H] */
    mlm__moments *moments; /* [N] */
} mlm__residual_norm;

/* sum = residual + dropout(y)
   out = (sum - mean(sum)) / sqrt(var(sum) + eps) weight + bias, over the last axis
     y [count,H], the range's rows; residual, out [N,H] (may be the same)
     room [H] of the calling thread
   Ba, Kiros and Hinton 2016, eq. 4; equals torch.nn.LayerNorm (biased variance). */
void mlm__residual_norm_rows(const mlm__compute *compute, mlm__weights weights, double eps,
    const mlm__dropper *dropper, uint32_t site, mlm__row_range rows, size_t H, const real *y,
    const real *residual, const mlm__residual_norm *kept, real *out, real *room);

/* With u = (sum - mean) rstd and g = dout weight:
   dresidual = dsum = rstd (g - mean(g) - u mean(g u))
   dy = dsum with forward's dropout
     dout, dresidual, dy [N,H], three arrays */
void mlm__residual_norm_rows_backward(const mlm__compute *compute, const real *weight,
    const mlm__dropper *dropper, uint32_t site, mlm__row_range rows, size_t H, const real *dout,
    const mlm__residual_norm *kept, real *dresidual, real *dy);

#endif
