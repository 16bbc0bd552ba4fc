/* The embeddings: BertEmbeddings. */
#ifndef MLM_LAYERS_EMBEDDING_H
#define MLM_LAYERS_EMBEDDING_H

#include "layers/layer_norm.h"

typedef struct mlm__embedding {
    size_t N, H, types; /* types: type_vocab_size */
    int32_t pad_token_id;
    double eps;
    const mlm__dropper *dropper;
    const int32_t *input_ids;      /* [N] */
    const int32_t *token_type_ids; /* [N], or NULL: all 0 */
    const int32_t *place; /* [N] place of each token within its sequence: its position id */
    const real *word, *position, *type; /* word_embeddings [V,H] and so on */
    mlm__weights norm;
    mlm__residual_norm kept;
} mlm__embedding;

typedef struct mlm__embedding_gradients {
    real *word, *position, *type;
    mlm__weight_gradients norm;
} mlm__embedding_gradients;

/* out = dropout(LayerNorm(word[id] + type[type id] + position[place]))   out [N,H] */
void mlm__embedding_forward(
    const mlm__compute *compute, const mlm__embedding *layer, mlm__rows out);

/* The row of each table gets the sum of its tokens' gradients; pad_token_id's row of word gets none
   (padding_idx of torch.nn.Embedding).
     dout [N,H] is overwritten; dsum [N,H] room */
void mlm__embedding_backward(const mlm__compute *compute, const mlm__embedding *layer, real *dout,
    real *dsum, const mlm__embedding_gradients *into);

#endif
