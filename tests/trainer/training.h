/* A small model and an endless stream of labelled sequences, as in make_fixtures.py. */
#ifndef MLM_TESTS_TRAINING_H
#define MLM_TESTS_TRAINING_H

#include <jansson.h>
#include <stdbool.h>

#include "mlm/mlm.h"

enum { TRAINING_LONGEST = 9, TRAINING_MOST = 16 };

typedef struct training_batch {
    int32_t offsets[TRAINING_MOST + 1], sentence_labels[TRAINING_MOST];
    int32_t input_ids[TRAINING_MOST * TRAINING_LONGEST];
    int32_t token_type_ids[TRAINING_MOST * TRAINING_LONGEST];
    int32_t labels[TRAINING_MOST * TRAINING_LONGEST];
} training_batch;

/* Sequences position to position + B - 1; the batch's arrays are those of memory. */
mlm_batch training_batch_make(
    training_batch *memory, int64_t position, int32_t B, bool sentence_labels);

/* Two layers of width 8, 31 tokens, both heads. */
mlm_encoder_config training_config(void);
mlm_encoder *training_encoder(mlm_runtime *runtime, double dropout);
/* The stated dropout is the config's. */
mlm_trainer_options training_options(void);
mlm_trainer *training_trainer(mlm_runtime *runtime, mlm_encoder *encoder);

/* Updates of five sequences in two batches, the first three with sentence labels. */
mlm_status training_try_update(mlm_trainer *trainer, mlm_metrics *metrics);
void training_update(mlm_trainer *trainer, mlm_metrics *metrics);
void training_updates(mlm_trainer *trainer, int32_t count);

/* Writes trainer.json as a save does, and takes root. */
void training_store_record(const char *checkpoint, json_t *root);

/* Every number of two encoders. */
void assert_same_parameters(const mlm_encoder *a, const mlm_encoder *b);
void assert_other_parameters(const mlm_encoder *a, const mlm_encoder *b);

#endif
