/* The pooler and the next-sentence head: BertPooler, cls.seq_relationship. A row a sequence. */
#ifndef MLM_LAYERS_SENTENCE_HEAD_H
#define MLM_LAYERS_SENTENCE_HEAD_H

#include "layers/compute.h"

typedef struct mlm__sentence_head {
    size_t B, H;
    const int32_t *offsets;  /* [B+1]; offsets[b] - offsets[0] is the first token of sequence b */
    const int32_t *row_of;   /* [N] the row of hidden of each token that has one */
    mlm__weights pooler;     /* weight [H,H], bias [H]: bert.pooler.dense */
    mlm__weights classifier; /* weight [2,H], bias [2]: cls.seq_relationship */
} mlm__sentence_head;

/* pooled = tanh(x Wp^T + bp), x the first token of each sequence
     hidden [U,H]   x, pooled [B,H] */
void mlm__pooler_forward(const mlm__compute *compute, const mlm__sentence_head *layer,
    const real *hidden, real *x, real *pooled);

/* logits [B,2] = pooled Wc^T + bc. */
void mlm__sentence_logits(
    const mlm__compute *compute, const mlm__sentence_head *layer, const real *pooled, real *logits);

/* losses[b] = log(exp(l0) + exp(l1)) - l[label]; correct[b] = the label is the first of the
   larger logits; then logits become dlogits = scale (p - 1 at the label). Where a label is
   negative, loss, correct and gradient are 0.
     logits [B,2]   labels, losses, correct [B] */
void mlm__sentence_loss(
    size_t B, const int32_t *labels, double scale, real *logits, double *losses, uint8_t *correct);

/* dlogits [B,2] to dpooled = dlogits Wc (1 - pooled^2), dhidden[first tokens] += dpooled Wp, and
   gradients of the parameters
     x, pooled, dpooled [B,H]   dx [B,H] room   dhidden [U,H] */
void mlm__sentence_head_backward(const mlm__compute *compute, const mlm__sentence_head *layer,
    const real *x, const real *pooled, const real *dlogits, real *dpooled, real *dx, real *dhidden,
    mlm__weight_gradients pooler, mlm__weight_gradients classifier);

#endif
