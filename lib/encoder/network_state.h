/* The inside of a network, for network*.c alone. */
#ifndef MLM_ENCODER_NETWORK_STATE_H
#define MLM_ENCODER_NETWORK_STATE_H

#include "encoder/network.h"
#include "layers/attention.h"
#include "layers/cross_entropy.h"
#include "layers/embedding.h"
#include "layers/feed_forward.h"
#include "layers/prediction_head.h"
#include "layers/sentence_head.h"

/* Labelled rows that go through the head at a time, more than 15 % of a chunk's 2048 tokens: what is
   kept of them for backward, 31 MB in bf16 for V = 30522, is bounded whatever the chunk has. */
enum { MLM__HEAD_ROWS = 512 };

/* Activations of a layer that its backward reads; of the last one the first U rows, but of keys and
   values. */
typedef struct mlm__layer_room {
    mlm__rows queries, keys_values; /* [N,H] [N,2H] */
    mlm__rows context, middle;      /* [N,H] */
    real *up;                       /* [N,I] */
    mlm__rows out;                  /* [N,H] */
    mlm__softmax_row *softmax;      /* [N,A] */
    mlm__residual_norm attention_norm, output_norm;
} mlm__layer_room;

/* Between the hidden states and the losses of MLM__HEAD_ROWS rows. */
typedef struct mlm__head_room {
    int32_t *rows, *labels;
    mlm__rows x, z;
    real *up;
    mlm__residual_norm kept;
    real *maxima, *sums, *label_logits;
    uint8_t *label_leads, *correct;
    double *losses;
    /* training */
    mlm__rows exponentials, dup;
    real *parts, *dz, *dx;
} mlm__head_room;

/* A row a sequence. */
typedef struct mlm__sentence_room {
    real *x, *pooled, *logits, *dpooled, *dx;
    double *losses;
    uint8_t *correct;
} mlm__sentence_room;

/* Gradients on their way back. */
typedef struct mlm__backward_room {
    real *dout, *dmiddle, *dx;                         /* [N,H] */
    mlm__rows attention_dproj, output_dproj, dcontext; /* [N,H] */
    mlm__rows dqueries, dkeys_values;                  /* [N,H] [N,2H] */
    mlm__rows dup;                                     /* [N,I] */
} mlm__backward_room;

/* The tokens of a chunk that a layer is computed for: all N, but in the last layer only those U that
   are used, which is to say that a head reads their hidden states. Of the others that layer needs
   keys and values alone. */
typedef struct mlm__layer_tokens {
    size_t U;
    const int32_t *rows;    /* [U] of the chunk, ascending; NULL: all */
    const int32_t *offsets; /* [B+1]; offsets[b] - offsets[0] is sequence b's first of them */
    mlm__dropper hidden_dropper, attention_dropper;
} mlm__layer_tokens;

/* For the used tokens, up to N of them. */
typedef struct mlm__used_room {
    int32_t *sequence, *place, *offsets; /* [N] [N] [B+1] */
    /* training */
    int32_t *rows, *row_of; /* [N] */
    mlm__rows x;            /* [N,H] their rows of the last layer's input */
    real *dx;               /* [N,H] and its gradient */
} mlm__used_room;

struct mlm__network {
    mlm_runtime *runtime;
    const mlm__layout *layout;
    const mlm__packed *packed;
    mlm__compute compute;
    mlm__vocabulary_cut cut;
    int32_t N, B, T, training; /* what there is room for */
    void *memory;
    int32_t *sequence, *place; /* [N] of the chunk at hand */
    mlm__residual_norm embedding_norm;
    mlm__rows embedded;  /* [N,H], training */
    mlm__rows activated; /* [N,I] of the layer at hand */
    mlm__used_room used;
    uint16_t *hidden;        /* [N,H] in bf16: the caller's hidden states, inference */
    mlm__layer_room *layers; /* [L], in inference only the first has room */
    mlm__head_room head;
    mlm__sentence_room sentence;
    mlm__backward_room backward;
};

/* All tokens of the chunk: which is what, and what is dropped; dropout NULL: nothing. */
mlm__layer_tokens mlm__network_place(
    mlm__network *network, const mlm__chunk *chunk, const mlm__dropout *dropout);
/* Of those the used ones, rows [U], ascending, U > 0. */
mlm__layer_tokens mlm__network_used(mlm__network *network, const mlm__chunk *chunk,
    const mlm__layer_tokens *all, const int32_t *rows, size_t U);

/* The layers' arguments over this network's room. */
mlm__embedding mlm__network_embedding(const mlm__network *network, const real *parameters,
    const mlm__chunk *chunk, const mlm__layer_tokens *all);
/* query_x: where the used rows of x are copied, if need be over its first ones; x for all tokens. */
mlm__attention mlm__network_attention(const mlm__network *network, const real *parameters,
    const mlm__chunk *chunk, const mlm__layer_tokens *tokens, size_t l, const mlm__layer_room *room,
    mlm__rows x, mlm__rows query_x);
mlm__feed_forward mlm__network_feed_forward(const mlm__network *network, const real *parameters,
    const mlm__layer_tokens *tokens, size_t l, const mlm__layer_room *room, mlm__rows x);
mlm__prediction_head mlm__network_prediction_head(
    const mlm__network *network, const real *parameters, const int32_t *rows, size_t M);
mlm__cross_entropy mlm__network_cross_entropy(
    const mlm__network *network, const real *parameters, const int32_t *labels, size_t M);
mlm__sentence_head mlm__network_sentence_head(const mlm__network *network, const real *parameters,
    size_t B, const int32_t *offsets, const int32_t *row_of);

/* Around every call that computes products. */
void mlm__network_begin(const mlm__network *network);
void mlm__network_end(const mlm__network *network);

#endif
