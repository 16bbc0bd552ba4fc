/* Between hidden states and decoder: BertPredictionHeadTransform, on chosen rows. */
#ifndef MLM_LAYERS_PREDICTION_HEAD_H
#define MLM_LAYERS_PREDICTION_HEAD_H

#include "layers/layer_norm.h"

typedef struct mlm__prediction_head {
    size_t M, H;
    int32_t act;
    double eps;
    const int32_t *rows;    /* [M] of hidden */
    mlm__weights transform; /* weight [H,H], bias [H]: cls.predictions.transform.dense */
    mlm__weights norm;      /* cls.predictions.transform.LayerNorm */
    /* Kept for backward. */
    mlm__rows x; /* [M,H] the rows of hidden */
    real *up;    /* [M,H] */
    mlm__residual_norm kept;
} mlm__prediction_head;

/* x = hidden[rows]   up = x W^T + b   z = LayerNorm(act(up))
     hidden [U,H]   z [M,H] */
void mlm__prediction_head_forward(const mlm__compute *compute, const mlm__prediction_head *layer,
    const real *hidden, mlm__rows z);

/* dup = dLayerNorm(dz) act'(up)   dhidden[rows] += dup W, and gradients of the parameters
     dz, dup [M,H]   dx [M,H] room   dhidden [U,H]; no row may be there twice */
void mlm__prediction_head_backward(const mlm__compute *compute, const mlm__prediction_head *layer,
    const real *dz, mlm__rows dup, real *dx, real *dhidden, mlm__weight_gradients transform,
    mlm__weight_gradients norm);

#endif
