/* Right operands that several pieces of work read are packed once, by all threads. */
#ifndef MLM_LAYERS_PACK_OPERANDS_H
#define MLM_LAYERS_PACK_OPERANDS_H

#include "layers/compute.h"

/* b [k,n] to mlm__products.packed_size(k, n) bytes. */
typedef struct mlm__pack_task {
    mlm__operand b;
    size_t k, n;
    void *to;
} mlm__pack_task;

void mlm__pack_operands(
    mlm_runtime *runtime, const mlm__products *products, const mlm__pack_task *tasks, size_t count);

/* Operands of one layer, which are packed together into compute's packing_room. */
enum { MLM__PACK_MOST = 6 };
typedef struct mlm__pack_list {
    mlm__pack_task tasks[MLM__PACK_MOST];
    size_t count, used; /* bytes of the room */
} mlm__pack_list;

/* What b [k,n] will be once the list is packed; b where the products pack nothing. */
mlm__operand mlm__pack_list_add(
    mlm__pack_list *list, const mlm__compute *compute, mlm__operand b, size_t k, size_t n);

#endif
