/* Right operands that several pieces read are packed once, by all threads. */
#ifndef MLM_LAYERS_PACKING_H
#define MLM_LAYERS_PACKING_H

#include "layers/compute.h"

/* b [k,n] to room for mlm__products.packed_size(k, n) bytes. */
typedef struct mlm__packing {
    mlm__operand b;
    size_t k, n;
    void *to;
} mlm__packing;

void mlm__pack(const mlm__compute *compute, const mlm__packing *packings, size_t count);

#endif
