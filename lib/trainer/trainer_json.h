/* trainer.json: everything of a checkpoint that is neither a parameter nor a moment. Its members
   are described in docs/checkpoints.md. */
#ifndef MLM_TRAINER_TRAINER_JSON_H
#define MLM_TRAINER_TRAINER_JSON_H

#include <jansson.h>

#include "files/directory.h"
#include "trainer/trainer.h"

/* Counted up by a change that older libraries would read wrongly. */
enum { MLM__CHECKPOINT_FORMAT = 1 };

#define MLM__TRAINER_JSON "trainer.json"

/* What rounds a run's numbers: mlm_build_info, and the precision of the encoder. */
typedef struct mlm__build_text {
    char text[128];
} mlm__build_text;
mlm__build_text mlm__trainer_json_build(const mlm_trainer *trainer);

/* Options, state, metrics of the last update, provenance, and the files that directory has so far.
   A new reference. */
mlm_status mlm__trainer_json_make(
    const mlm_trainer *trainer, const mlm__directory *directory, json_t **out);

/* What trainer.json says of a run. Every member must be there. */
typedef struct mlm__trainer_record {
    const char *build; /* of mlm__trainer_json_build where it was written; the JSON's */
    mlm_trainer_options options;
    mlm__run_state state;
    mlm_metrics metrics;
} mlm__trainer_record;

/* path is the file's, for messages. MLM_ERR_UNSUPPORTED: of a later format. */
mlm_status mlm__trainer_json_read(const json_t *root, const char *path, mlm__trainer_record *out);

#endif
