/* Where the batches of a run come from: what must be the same for a resumed run to go on. */
#ifndef MLM_TRAINER_PROVENANCE_H
#define MLM_TRAINER_PROVENANCE_H

#include <jansson.h>

#include "mlm/mlm.h"

/* {"tokenizer": {..}, "corpus": {..}, "masker": {..}}, each only where known: of a handle that is
   attached its own, of the others what the checkpoint said that the trainer was resumed from. */
mlm_status mlm__provenance_of(const mlm_trainer *trainer, json_t **out);

/* Keeps the provenance of the checkpoint that the trainer is resumed from, whose trainer.json is
   path. */
mlm_status mlm__provenance_keep(mlm_trainer *trainer, json_t *provenance, const char *path);

/* MLM_ERR_MISMATCH: the checkpoint had others than these, and the message says which. What either
   does not know of is no difference. */
mlm_status mlm__provenance_check(const mlm_trainer *resumed, const mlm_tokenizer *tokenizer,
    const mlm_corpus *corpus, const mlm_masker *masker);

#endif
