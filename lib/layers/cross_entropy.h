/* The decoder, tied to the word embeddings, and cross-entropy over the vocabulary. */
#ifndef MLM_LAYERS_CROSS_ENTROPY_H
#define MLM_LAYERS_CROSS_ENTROPY_H

#include "layers/compute.h"

/* How the vocabulary is cut: into groups, whose shares of a gradient are summed, and these into
   blocks, whose logits are computed at a time. A function of V and H alone. */
typedef struct mlm__vocabulary_cut {
    size_t V, groups, group_width, blocks_a_group, block_width;
} mlm__vocabulary_cut;

mlm__vocabulary_cut mlm__vocabulary_cut_make(size_t V, size_t H);

typedef struct mlm__cross_entropy {
    size_t M, H;
    mlm__vocabulary_cut cut;
    mlm__weights decoder;  /* word_embeddings [V,H], cls.predictions.bias [V] */
    mlm__rows z;           /* [M,H] of the prediction head */
    const int32_t *labels; /* [M] */
    /* One number a row and block; blocks = groups blocks_a_group. */
    real *maxima;         /* [M,blocks] */
    real *sums;           /* [M,blocks] */
    real *label_logits;   /* [M] */
    uint8_t *label_leads; /* [M] no lower id of the label's block has as high a logit */
    /* [M,V], in blocks of columns one after the other: exp(logit - the row's maximum in the block),
       kept for backward. Neither array: none is kept. */
    mlm__rows exponentials;
} mlm__cross_entropy;

/* Numbers of scratch a thread needs. */
size_t mlm__cross_entropy_scratch(mlm__vocabulary_cut cut);

/* logits = z E^T + bias
   losses[m] = log(sum over v of exp(logits[m][v])) - logits[m][labels[m]]
   correct[m] = labels[m] is the first of the largest logits
     losses, correct [M]
   torch.nn.functional.cross_entropy without reduction. */
void mlm__cross_entropy_forward(
    const mlm__compute *compute, const mlm__cross_entropy *layer, double *losses, uint8_t *correct);

/* After forward with exponentials, which become dlogits = scale (p - 1 at the label):
   dz = dlogits E   dE += dlogits^T z   dbias += sum of dlogits over rows; dE NULL: not wanted
     dz [M,H]   parts [groups,M,H]: each group's share of dz, summed in order
   The packing room holds z: mlm__products.packed_size(M, H). */
void mlm__cross_entropy_backward(const mlm__compute *compute, const mlm__cross_entropy *layer,
    double scale, real *parts, real *dz, mlm__weight_gradients decoder);

/* logits [M,V] = z E^T + bias. */
void mlm__decoder_logits(const mlm__compute *compute, mlm__weights decoder, size_t M, size_t H,
    mlm__vocabulary_cut cut, mlm__rows z, real *logits);

#endif
