/* The parameters of a model: names, shapes, and where each lies in one array. No numbers. */
#ifndef MLM_ENCODER_LAYOUT_H
#define MLM_ENCODER_LAYOUT_H

#include <stdbool.h>

#include "mlm/mlm.h"

enum { MLM__INIT_NORMAL, MLM__INIT_ONES, MLM__INIT_ZEROS };

typedef struct mlm__parameter {
    char name[96];    /* Hugging Face's, with "bert." and "cls." */
    int32_t ndim;     /* 1 or 2 */
    int64_t shape[2]; /* of a vector: {length, 1} */
    size_t offset;    /* in numbers from the array's start */
    size_t count;
    bool decay;   /* weight decay applies: neither a bias nor of a layer norm */
    int32_t init; /* MLM__INIT_... */
} mlm__parameter;

/* Offsets of a weight and the bias that goes with it. */
typedef struct mlm__affine {
    size_t weight, bias;
} mlm__affine;

typedef struct mlm__layer_layout {
    /* query: weight [H,H], bias [H]; key and value one behind the other, and behind query: [2H,H],
       [2H]. */
    mlm__affine query, key_value;
    mlm__affine attention_output, attention_norm;
    mlm__affine intermediate, output, output_norm;
} mlm__layer_layout;

typedef struct mlm__layout {
    mlm_encoder_config config;
    size_t count;               /* of parameters */
    mlm__parameter *parameters; /* in the order of BertForMaskedLM or BertForPreTraining */
    /* Numbers in an array of all parameters. Between them lies padding, so that each but key and
       value begins at a multiple of 64 bytes of float; it stays zero in parameters, gradients and
       moments alike. */
    size_t size;
    size_t word_embeddings, position_embeddings, token_type_embeddings;
    mlm__affine embeddings_norm;
    mlm__layer_layout *layers; /* [L] */
    size_t layers_end;
    mlm__affine pooler, sentence;          /* with config.sentence_head only */
    mlm__affine transform, transform_norm; /* prediction head */
    mlm__affine decoder; /* [V,H], [V]; the weight is word_embeddings but for untied ones */
} mlm__layout;

/* config is valid. The layout is freed with the runtime it was made with. */
mlm_status mlm__layout_create(
    mlm_runtime *runtime, const mlm_encoder_config *config, mlm__layout **out);
void mlm__layout_free(mlm_runtime *runtime, mlm__layout *layout);

/* Parameters that are not trained: of the embeddings (with their norm), of the first layers, or of
   both. They lie together, at [begin,end) of the layout; arrays of gradients and moments leave them
   out. All zero: every parameter is trained. */
typedef struct mlm__frozen {
    bool embeddings;
    int32_t layers;
    size_t begin, end;
} mlm__frozen;

/* layers is in [0,L]. */
mlm__frozen mlm__layout_freeze(const mlm__layout *layout, bool embeddings, int32_t layers);

static inline bool mlm__is_frozen(const mlm__frozen *frozen, size_t offset)
{
    return offset >= frozen->begin && offset < frozen->end;
}

/* Where the gradient and the moments are of what lies at offset and is not frozen. */
static inline size_t mlm__trained_place(const mlm__frozen *frozen, size_t offset)
{
    return offset < frozen->begin ? offset : offset - (frozen->end - frozen->begin);
}

#endif
