/* AdamW (Loshchilov and Hutter 2019), as torch.optim.AdamW and google-research/bert. */
#ifndef MLM_TRAINER_ADAMW_H
#define MLM_TRAINER_ADAMW_H

#include "trainer/pieces.h"

typedef struct mlm__adamw {
    double learning_rate, weight_decay, beta1, beta2, epsilon;
    double gradient_scale; /* the clipping coefficient */
    int32_t bias_correction;
    int64_t step; /* of this update, from 1 */
} mlm__adamw;

/* One update of the parameters of the pieces, and of their moments.
   The gradients are read only: clipping is applied on the way. */
void mlm__adamw_update(mlm_runtime *runtime, const mlm__pieces *pieces, const mlm__adamw *adamw,
    const float *gradients, float *exp_avg, float *exp_avg_sq, float *parameters);

#endif
