/* Dropout: each number becomes 0 with probability p, else is divided by 1 - p (torch.nn.Dropout),
   where p is rounded to a multiple of 1 / 65536. Masks are not stored: backward draws them again.
   They are a function of seed, step, the sequence's position in the stream, site, token and column
   (kernels.h has the map), so neither batches nor threads change them. */
#ifndef MLM_LAYERS_DROPOUT_H
#define MLM_LAYERS_DROPOUT_H

#include "layers/compute.h"

/* One probability over tokens of a chunk. */
typedef struct mlm__dropper {
    mlm__random_key key;
    int64_t position;        /* of the chunk's first sequence */
    const int32_t *sequence; /* [rows] of a row's token: its sequence within the chunk */
    const int32_t *place;    /* [rows] and its place within that */
    uint32_t threshold;      /* 0: nothing is dropped */
    real scale;
} mlm__dropper;

/* Sites: 0 embeddings; then for each layer its A heads, the attention's output, the feed-forward
   output. Part of the format. */
enum { MLM__SITE_EMBEDDINGS = 0 };

static inline uint32_t mlm__site_heads(size_t layer, size_t A)
{
    return (uint32_t)(1 + layer * (A + 2));
}

static inline uint32_t mlm__site_attention_output(size_t layer, size_t A)
{
    return mlm__site_heads(layer, A) + (uint32_t)A;
}

static inline uint32_t mlm__site_feed_forward(size_t layer, size_t A)
{
    return mlm__site_heads(layer, A) + (uint32_t)A + 1;
}

void mlm__dropper_set(mlm__dropper *dropper, double probability);

/* The n multipliers of row i, in the caller's room; NULL when nothing is dropped. */
const real *mlm__dropper_row(const mlm__dropper *dropper, const mlm__kernels *kernels,
    uint32_t site, size_t i, size_t n, real *room);

#endif
