/* What the trainer needs of a corpus beside the public calls. */
#ifndef MLM_BATCHES_CORPUS_H
#define MLM_BATCHES_CORPUS_H

#include <jansson.h>

#include "mlm/mlm.h"

mlm_corpus *mlm__corpus_retain(mlm_corpus *corpus);

/* Where the next call of mlm_corpus_next begins, the same on all ranks: a multiple of B ranks, and
   what mlm_corpus_seek takes. */
int64_t mlm__corpus_position(const mlm_corpus *corpus);

/* A flat object of what must be the same for a position to mean the same sequences: members of
   the options by their names, and "tokens_xxh64", the hash of the packed text. A new
   reference; NULL: no memory, with this thread's error set. */
json_t *mlm__corpus_provenance(const mlm_corpus *corpus);

#endif
