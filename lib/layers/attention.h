/* The attention half of a layer: BertSelfAttention and BertSelfOutput. */
#ifndef MLM_LAYERS_ATTENTION_H
#define MLM_LAYERS_ATTENTION_H

#include "layers/layer_norm.h"

/* What backward computes a row of probabilities from again: p = exp(score - maximum) / sum. */
typedef struct mlm__softmax_row {
    real maximum, inverse_sum;
} mlm__softmax_row;

typedef struct mlm__attention {
    size_t B, N, U, H, A; /* N tokens give keys and values, U of them queries */
    double eps;
    const int32_t *offsets;       /* [B+1]; offsets[b] - offsets[0] is sequence b's first token */
    const int32_t *query_offsets; /* [B+1]; the same of its first query */
    const int32_t *query_rows;    /* [U] the queries' tokens, ascending; NULL: U = N */
    const mlm__dropper *probability_dropper;
    uint32_t head_site; /* of head 0; of head a: head_site + a */
    const mlm__dropper *output_dropper;
    uint32_t output_site;
    mlm__weights query;     /* weight [H,H], bias [H]: self.query */
    mlm__weights key_value; /* weight [2H,H], bias [2H]: self.key, self.value */
    mlm__weights output;    /* weight [H,H], bias [H]: output.dense */
    mlm__weights norm;      /* output.LayerNorm */
    mlm__rows x;            /* [N,H] */
    mlm__rows query_x; /* [U,H] the queries' rows of x, copied by forward, perhaps over the first
                               rows of x; without query_rows x itself */
    /* Kept for backward. */
    mlm__rows queries;         /* [U,H] */
    mlm__rows keys_values;     /* [N,2H] */
    mlm__softmax_row *softmax; /* [U,A] */
    mlm__rows context;         /* [U,H] */
    mlm__residual_norm kept;
} mlm__attention;

/* Numbers of scratch a thread needs; T is the longest sequence, D = H / A. */
size_t mlm__attention_scratch(size_t T, size_t D);

/* For each sequence and head, with Q [queries,D], K and V [T,D] of it:
   context = dropout(softmax(Q K^T / sqrt(D))) V
   out = LayerNorm(query_x + dropout(context Wo^T + bo))
     out [U,H], may be x
   Vaswani et al. 2017, eq. 1. Sequences are apart, so there is no mask. */
void mlm__attention_forward(
    const mlm__compute *compute, const mlm__attention *layer, mlm__rows out);

/* dproj = dLayerNorm(dout) with dropout, dcontext = dproj Wo; for each sequence and head, with P
   the probabilities, R the multipliers of dropout, S the scores before softmax, dO of dcontext:
     dV = (R P)^T dO            dP = R (dO V^T)
     dS = P (dP - sum of P dP)  over the row
     dQ = dS K / sqrt(D)        dK = dS^T Q / sqrt(D)
   dquery_x = dLayerNorm(dout) + dqueries Wq
   dx = dkeys_values Wkv, and in the queries' rows + dquery_x
     dout, dproj, dcontext, dqueries, dquery_x [U,H]; dkeys_values [N,2H]; dx [N,H]; without
     query_rows dquery_x is dx, else another array */
void mlm__attention_backward(const mlm__compute *compute, const mlm__attention *layer,
    const real *dout, mlm__rows dproj, mlm__rows dcontext, mlm__rows dqueries,
    mlm__rows dkeys_values, real *dquery_x, real *dx);

#endif
