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

typedef struct mlm__residual {
    size_t N, H;
    double eps;
    const mlm__dropper *dropper;
    uint32_t site;
    mlm__weights norm;
    mlm__residual_norm kept;
} mlm__residual;

/* With y in kept.sum:
   sum = residual + dropout(y)
   out = (sum - mean(sum)) / sqrt(var(sum) + eps) weight + bias, over the last axis
     residual, out [N,H], may be the same
   Ba, Kiros and Hinton 2016, eq. 4; equals torch.nn.LayerNorm (biased variance). */
void mlm__residual_forward(
    const mlm__compute *compute, const mlm__residual *layer, const real *residual, mlm__rows out);

/* With u = (sum - mean) rstd and g = dout weight:
   dresidual = dsum = rstd (g - mean(g) - u mean(g u))
   dy = dsum with forward's dropout
     dout, dresidual, dy [N,H], three arrays */
void mlm__residual_backward(const mlm__compute *compute, const mlm__residual *layer,
    const real *dout, real *dresidual, mlm__rows dy);

#endif
