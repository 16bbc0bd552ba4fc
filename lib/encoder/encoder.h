/* The encoder's inside, for the files of this folder and for the trainer. */
#ifndef MLM_ENCODER_ENCODER_H
#define MLM_ENCODER_ENCODER_H

#include <stdbool.h>

#include "encoder/model.h"
#include "encoder/network.h"

/* Memory of a handle that grows to the largest batch so far and stays. */
typedef struct mlm__scratch {
    void *memory;
    size_t capacity; /* bytes */
} mlm__scratch;

struct mlm_encoder {
    atomic_int references;
    mlm_runtime *runtime;
    mlm__model *model;     /* shared by the handles of mlm_encoder_share */
    mlm__network *network; /* workspace of this handle alone */
    mlm__scratch hidden, pooled, row_of, used_rows, rows, labels, losses, correct, logits;
};

/* A handle on a model, whose reference it takes over, whatever comes. products: how a model without
   a handle so far will be computed. */
mlm_status mlm__encoder_make(
    mlm_runtime *runtime, mlm__model *model, const mlm__products *products, mlm_encoder **out);

mlm_encoder *mlm__encoder_retain(mlm_encoder *encoder);

/* Reads a caller's batch and checks it against the model: ids, types, lengths, labels. With
   need_labels, labels == NULL is MLM_ERR_ARGUMENT unless B is 0. The arrays of batch are the
   caller's; sentence labels that the model has no head for are left out. */
mlm_status mlm__encoder_read_batch(
    const mlm_encoder *encoder, const mlm_batch *given, bool need_labels, mlm_batch *batch);

/* Forward and backward of a batch that was read by mlm__encoder_read_batch, chunk by chunk: adds
   loss_scale d(sum of the masked losses) + sentence_scale d(sum of the sentence losses) to
   gradients (laid out as the parameters, without what is frozen), and counts and losses to *sums.
   After an error gradients and sums are of no use; parameters are never touched. Call it between
   mlm__fp_enter and mlm__fp_leave. */
mlm_status mlm__encoder_train(mlm_encoder *encoder, const mlm_batch *batch,
    const mlm__dropout *dropout, double loss_scale, double sentence_scale,
    const mlm__frozen *frozen, float *gradients, mlm__sums *sums);

/* count elements of size bytes, uninitialised; NULL, with this thread's error set: no memory. */
void *mlm__scratch_get(mlm_runtime *runtime, mlm__scratch *scratch, size_t count, size_t size);

#endif
