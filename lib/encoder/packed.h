/* The weights of a model, packed for products: made again when they have changed. */
#ifndef MLM_ENCODER_PACKED_H
#define MLM_ENCODER_PACKED_H

#include "encoder/layout.h"
#include "layers/compute.h"

typedef struct mlm__packed mlm__packed;

/* layout must outlive it. */
mlm_status mlm__packed_create(mlm_runtime *runtime, const mlm__layout *layout,
    const mlm__products *products, mlm__packed **out);
void mlm__packed_free(mlm__packed *packed);

const mlm__products *mlm__packed_products(const mlm__packed *packed);

/* Has the forms that forward needs, and where training those of backward, hold these parameters;
   version is another number whenever they have changed. Uses the threads of runtime. Any number of
   threads may call it at once. */
mlm_status mlm__packed_update(mlm__packed *packed, mlm_runtime *runtime, const real *parameters,
    uint64_t version, bool training);

/* The weights at a place of the layout, with their packed forms where there are any. */
mlm__weights mlm__packed_weights(const mlm__packed *packed, const real *parameters, mlm__affine at);

#endif
