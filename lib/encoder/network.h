/* The model's forward and backward over one chunk of whole sequences. */
#ifndef MLM_ENCODER_NETWORK_H
#define MLM_ENCODER_NETWORK_H

#include "encoder/packed.h"

/* Whole sequences laid end to end. Token i of the chunk is input_ids[i]; sequence b is the tokens
   offsets[b] - offsets[0] to offsets[b+1] - offsets[0] - 1. All values are checked already. */
typedef struct mlm__chunk {
    int32_t B, N;
    int64_t position;               /* of sequence 0 in the stream; of b: position + b */
    const int32_t *offsets;         /* [B+1] */
    const int32_t *input_ids;       /* [N] */
    const int32_t *token_type_ids;  /* [N], or NULL: all 0 */
    const int32_t *labels;          /* [N], negative: none; or NULL: none at all */
    const int32_t *sentence_labels; /* [B], negative: none; or NULL */
} mlm__chunk;

/* Sums, not means. */
typedef struct mlm__sums {
    int64_t sequences, tokens, labels, correct, sentence_count, sentence_correct;
    double loss, sentence_loss;
} mlm__sums;

/* Probabilities in [0,1); 0: none. */
typedef struct mlm__dropout {
    double hidden, attention;
    uint64_t seed;
    int64_t step;
} mlm__dropout;

/* Workspace for one chunk at a time. */
typedef struct mlm__network mlm__network;

/* layout and packed must outlive the network. packed: forms of the parameters that every call below
   is given; NULL: none. */
mlm_status mlm__network_create(mlm_runtime *runtime, const mlm__layout *layout,
    const mlm__products *products, const mlm__packed *packed, mlm__network **out);
void mlm__network_free(mlm__network *network);

/* Makes room for chunks of up to N tokens, B sequences, and sequences of up to T tokens; training:
   for mlm__network_train too. Room grows and stays. Every call below needs it for its chunk; those
   without a chunk need only that it was called once. */
mlm_status mlm__network_reserve(
    mlm__network *network, int32_t N, int32_t B, int32_t T, int32_t training);

/* Tokens that a chunk of several sequences has at most. */
int32_t mlm__network_chunk_most(const mlm__network *network);

/* How a batch is cut: sequences b0 up to the returned end (> b0) form the next chunk. Depends on
   the model's shape and the batch only. */
int32_t mlm__network_chunk_end(
    const mlm__network *network, const int32_t *offsets, int32_t B, int32_t b0);

/* Inference. hidden [N,H] after `layer`: 0 is the embeddings, L the last. */
mlm_status mlm__network_forward(mlm__network *network, const real *parameters,
    const mlm__chunk *chunk, int32_t layer, real *hidden);
/* row_of [N]: not 0 for the tokens that are used. Numbers them: row_of becomes their places among
   each other, and rows [U] has them in that order, ascending. Returns U. */
size_t mlm__number_rows(size_t N, int32_t *row_of, int32_t *rows);
/* After the last layer, computed for U > 0 used tokens alone, rows [U], ascending: their states
   [U,H], which with our own products are the same bytes as among all. hidden has room for [N,H]. */
mlm_status mlm__network_forward_used(mlm__network *network, const real *parameters,
    const mlm__chunk *chunk, const int32_t *rows, size_t U, real *hidden);
/* The prediction head on chosen rows of hidden: logits [M,V] of rows [M]; rows may repeat. */
mlm_status mlm__network_logits(mlm__network *network, const real *parameters, const real *hidden,
    const int32_t *rows, size_t M, real *logits);
/* -log p of labels [M] at rows [M], and whether each label is the likeliest token (of equals: the
   one with the lowest id). correct may be NULL. */
mlm_status mlm__network_losses(mlm__network *network, const real *parameters, const real *hidden,
    const int32_t *rows, const int32_t *labels, size_t M, double *losses, uint8_t *correct);
/* pooled [B,H]: tanh(dense(first token)); token i is row row_of[i] of hidden. Only with
   config.sentence_head, as the next. */
mlm_status mlm__network_pooled(mlm__network *network, const real *parameters,
    const mlm__chunk *chunk, const real *hidden, const int32_t *row_of, real *pooled);
/* logits [B,2] of pooled [B,H]. */
mlm_status mlm__network_sentence_logits(
    mlm__network *network, const real *parameters, const real *pooled, int32_t B, real *logits);

/* Training: forward with dropout, losses, backward. Adds
   loss_scale d(sum of MLM losses) + sentence_scale d(sum of sentence losses) to gradients (laid out
   as the parameters, without what is frozen) and the sums to *sums. Nothing is computed for what is
   frozen, nor below the lowest parameter that is not. */
mlm_status mlm__network_train(mlm__network *network, const real *parameters,
    const mlm__chunk *chunk, const mlm__dropout *dropout, double loss_scale, double sentence_scale,
    const mlm__frozen *frozen, real *gradients, mlm__sums *sums);

#endif
