/* The global norm of the gradients, and what clipping makes of it. */
#ifndef MLM_TRAINER_GRADIENT_NORM_H
#define MLM_TRAINER_GRADIENT_NORM_H

#include "trainer/pieces.h"

/* The root of the sum of all squares. sums [pieces->count] is scratch. */
double mlm__gradient_norm(
    mlm_runtime *runtime, const mlm__pieces *pieces, const float *gradients, double *sums);

/* The factor of torch.nn.utils.clip_grad_norm_: max_norm / (norm + 1e-6), 1 at most; 1 where
   max_norm is 0. */
double mlm__clip_coefficient(double norm, double max_norm);

#endif
