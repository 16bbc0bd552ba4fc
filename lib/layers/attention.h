/* The attention half of a layer: BertSelfAttention and BertSelfOutput. */
#ifndef MLM_LAYERS_ATTENTION_H
#define MLM_LAYERS_ATTENTION_H

#include "layers/layer_norm.h"

/* What backward computes a row of probabilities from again: p = exp(score - maximum) / sum. */
typedef struct mlm__softmax_row {
    real maximum, inverse_sum;
} mlm__softmax_row;

typedef struct mlm__attention {
    size_t B, N, H, A;
    double eps;
    const int32_t *offsets; /* [B+1]; offsets[b] - offsets[0] is sequence b's first row */
    const mlm__dropper *probability_dropper;
    uint32_t head_site; /* of head 0; of head a: head_site + a */
    const mlm__dropper *output_dropper;
    uint32_t output_site;
    mlm__weights qkv;    /* weight [3H,H], bias [3H]: self.query, self.key, self.value */
    mlm__weights output; /* weight [H,H], bias [H]: output.dense */
    mlm__weights norm;   /* output.LayerNorm */
    mlm__rows x;         /* [N,H] */
    /* Kept for backward. */
    mlm__rows projected;       /* [N,3H]: query, key, value of each token */
    mlm__softmax_row *softmax; /* [N,A] */
    mlm__rows context;         /* [N,H] */
    mlm__residual_norm kept;
} mlm__attention;

/* Numbers of scratch a thread needs; T is the longest sequence, D = H / A. */
size_t mlm__attention_scratch(size_t T, size_t D);

/* projected = x Wqkv^T + bqkv; and for each sequence and head, with Q, K, V [T,D] of it:
   context = dropout(softmax(Q K^T / sqrt(D))) V
   out = LayerNorm(x + dropout(context Wo^T + bo))
     out [N,H], may be x
   Vaswani et al. 2017, eq. 1. Sequences are apart, so there is no mask. */
void mlm__attention_forward(
    const mlm__compute *compute, const mlm__attention *layer, mlm__rows out);

/* dproj = dLayerNorm(dout) with dropout, dcontext = dproj Wo; for each sequence and head, with P
   the probabilities, R the multipliers of dropout, S the scores before softmax, dO of dcontext:
     dV = (R P)^T dO            dP = R (dO V^T)
     dS = P (dP - sum of P dP)  over the row; the sum is nearly dO . O, where softmax_backward starts
     dQ = dS K / sqrt(D)        dK = dS^T Q / sqrt(D)
   dx = dLayerNorm(dout) + dprojected Wqkv
     dout, dx, dproj, dcontext [N,H]; dprojected [N,3H] */
void mlm__attention_backward(const mlm__compute *compute, const mlm__attention *layer,
    const real *dout, mlm__rows dproj, real *dcontext, mlm__rows dprojected, real *dx);

#endif
