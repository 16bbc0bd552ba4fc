/* What the trainer needs of a masker beside the public calls. */
#ifndef MLM_BATCHES_MASKER_H
#define MLM_BATCHES_MASKER_H

#include <jansson.h>

#include "mlm/mlm.h"

mlm_masker *mlm__masker_retain(mlm_masker *masker);

/* A flat object of the options by their names. A new reference; NULL: no memory, with this
   thread's error set. */
json_t *mlm__masker_provenance(const mlm_masker *masker);

#endif
