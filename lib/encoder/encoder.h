/* The encoder's inside, for the files of this folder and for the trainer. */
#ifndef MLM_ENCODER_ENCODER_H
#define MLM_ENCODER_ENCODER_H

#include <stdatomic.h>
#include <stdbool.h>

#include "mlm/mlm.h"

typedef struct mlm__directory mlm__directory;
typedef struct mlm__dropout mlm__dropout;
typedef struct mlm__layout mlm__layout;
typedef struct mlm__network mlm__network;
typedef struct mlm__sums mlm__sums;

/* What mlm_encoder_share shares. parameters holds layout->size numbers, in the layout's order. */
typedef struct mlm__model {
    atomic_int references;
    mlm_runtime *runtime;
    mlm__layout *layout; /* its config is the model's */
    float *parameters;
} mlm__model;

/* Memory of a handle that grows to the largest batch so far and stays. */
typedef struct mlm__scratch {
    void *memory;
    size_t capacity; /* bytes */
} mlm__scratch;

struct mlm_encoder {
    atomic_int references;
    mlm_runtime *runtime;
    mlm__model *model;
    mlm__network *network; /* workspace of this handle alone */
    mlm__scratch hidden, rows, block, pooled;
};

mlm_encoder *mlm__encoder_retain(mlm_encoder *encoder);

/* Reads a caller's batch and checks it against the model: ids, types, lengths, labels. With
   need_labels, labels == NULL is MLM_ERR_ARGUMENT. The arrays of batch are the caller's. */
mlm_status mlm__encoder_read_batch(const mlm_encoder *encoder, const mlm_batch *given,
    bool need_labels, mlm_batch *batch);

/* Forward and backward of a batch that was read by mlm__encoder_read_batch, chunk by chunk: adds
   loss_scale * d(sum of the masked losses) + sentence_scale * d(sum of the sentence losses) to
   gradients (in the layout of the parameters), and counts and losses to *sums. After an error
   gradients and sums are of no use; parameters are not touched. */
mlm_status mlm__encoder_train(mlm_encoder *encoder, const mlm_batch *batch,
    const mlm__dropout *dropout, double loss_scale, double sentence_scale, float *gradients,
    mlm__sums *sums);

/* config.json and model.safetensors into an open directory. dtype is MLM_F32 or MLM_BF16. */
mlm_status mlm__encoder_write(const mlm_encoder *encoder, mlm__directory *directory,
    int32_t dtype);

/* The parameters of a directory with config.json and model.safetensors into the encoder, all of
   them or, after an error, none. A config that differs is MLM_ERR_MISMATCH and names the member;
   no tensor may be missing. */
mlm_status mlm__encoder_read(mlm_encoder *encoder, const char *directory);

#endif
