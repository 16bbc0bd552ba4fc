/* The one check of a caller's batch. */
#ifndef MLM_BATCHES_BATCH_H
#define MLM_BATCHES_BATCH_H

#include <stdbool.h>

#include "mlm/mlm.h"

/* What the numbers of a batch must stay below. 0 in type_vocab_size or T: no limit known. */
typedef struct mlm__batch_limits {
    int32_t V, type_vocab_size, T;
    bool need_labels; /* labels == NULL is MLM_ERR_ARGUMENT, unless B is 0 */
    bool drop_labels; /* they are not looked at, and NULL in *batch */
} mlm__batch_limits;

/* Reads given, of any struct_size, into *batch, whose offsets are never NULL. Messages name the
   place. MLM_ERR_ARGUMENT: NULL, a number out of range, an empty sequence, offsets that do not
   begin at 0 or do not grow; MLM_ERR_SHAPE: a sequence of more than T tokens. */
mlm_status mlm__batch_read(
    const mlm_batch *given, const mlm__batch_limits *limits, mlm_batch *batch);

#endif
