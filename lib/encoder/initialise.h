/* The values a parameter begins with. */
#ifndef MLM_ENCODER_INITIALISE_H
#define MLM_ENCODER_INITIALISE_H

#include "encoder/layout.h"

/* Gives parameter `index` of the layout its initial values, at its place in parameters: a pure
   function of seed, index and config. Call it between mlm__fp_enter and mlm__fp_leave. */
void mlm__initialise(mlm_runtime *runtime, const mlm__layout *layout, size_t index, uint64_t seed,
    float *parameters);

/* z with P(Z < p) of a standard normal Z, for p in [2^-33, 1 - 2^-33]. */
double mlm__normal_quantile(double p);

#endif
