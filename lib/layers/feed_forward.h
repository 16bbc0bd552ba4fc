/* The feed-forward half of a layer: BertIntermediate and BertOutput. */
#ifndef MLM_LAYERS_FEED_FORWARD_H
#define MLM_LAYERS_FEED_FORWARD_H

#include "layers/layer_norm.h"

typedef struct mlm__feed_forward {
    size_t N, H, I; /* N the tokens it is computed for: in the last layer the used ones */
    int32_t act;
    double eps;
    const mlm__dropper *dropper;
    uint32_t site;
    mlm__weights intermediate; /* weight [I,H], bias [I]: intermediate.dense */
    mlm__weights output;       /* weight [H,I], bias [H]: output.dense */
    mlm__weights norm;         /* output.LayerNorm */
    mlm__rows x;               /* [N,H] */
    real *up;                  /* [N,I], kept for backward */
    mlm__rows activated;       /* [N,I] act(up), room in forward and backward */
    mlm__residual_norm kept;
} mlm__feed_forward;

/* up = x W1^T + b1
   out = LayerNorm(x + dropout(act(up) W2^T + b2))
     out [N,H], may be x
   Vaswani et al. 2017, eq. 2; activation and places of dropout as in Devlin et al. 2019. */
void mlm__feed_forward_forward(
    const mlm__compute *compute, const mlm__feed_forward *layer, mlm__rows out);

/* dproj = dLayerNorm(dout) with dropout
   dup = (dproj W2) act'(up)
   dx = dLayerNorm(dout) + dup W1
     dout, dx, dproj [N,H]; dup [N,I]; activated is act(up) again, for the gradients of the weights */
void mlm__feed_forward_backward(const mlm__compute *compute, const mlm__feed_forward *layer,
    const real *dout, mlm__rows dproj, mlm__rows dup, real *dx);

#endif
