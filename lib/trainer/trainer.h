/* The trainer's inside, for the files of this folder. */
#ifndef MLM_TRAINER_TRAINER_H
#define MLM_TRAINER_TRAINER_H

#include "encoder/encoder.h"
#include "trainer/pieces.h"

/* A batch that waits for the next update. Its arrays lie in the trainer's numbers, which move when
   they grow: hence places, not pointers. */
typedef struct mlm__waiting {
    int32_t B;
    int64_t position;
    size_t offsets, input_ids;                      /* [B+1], [N] */
    size_t token_type_ids, labels, sentence_labels; /* MLM__ABSENT: NULL */
} mlm__waiting;

#define MLM__ABSENT SIZE_MAX

/* What a checkpoint keeps beside options, parameters and moments. */
typedef struct mlm__run_state {
    int64_t step;         /* updates done */
    int64_t position;     /* where the corpus goes on */
    double learning_rate; /* instead of the schedule's; -1: the schedule's */
    int32_t observed;     /* whether there is a lowest loss */
    int32_t stale;        /* observations since the lowest */
    double lowest;
    double loss_average; /* of the updates' losses; 0: none yet */
    double rate_factor;  /* of all rates */
    int32_t bad_updates; /* that were not finite, since the last good one */
} mlm__run_state;

struct mlm_trainer {
    mlm_runtime *runtime;
    mlm_encoder *encoder;
    mlm_trainer_options options;
    mlm__pieces pieces;
    mlm__frozen frozen;
    /* [trained_size] in the parameters' layout, without what is frozen */
    float *gradients, *exp_avg, *exp_avg_sq;
    size_t trained_size;
    double *sums; /* [pieces.count], the norm's scratch */

    mlm__waiting *waiting;
    size_t waiting_count, waiting_capacity;
    int32_t *numbers;
    size_t number_count, number_capacity;

    mlm__run_state state;
    mlm_metrics metrics; /* of the last update */
    double seconds;      /* spent since then */
    bool has_gradient;

    mlm_tokenizer *tokenizer; /* as attached, or NULL */
    mlm_corpus *corpus;
    mlm_masker *masker;
    char *resumed_provenance; /* the checkpoint's, as JSON, after a resume; else NULL */

    mlm_allreduce_fn allreduce; /* NULL: one rank */
    void *user;
    int32_t rank, ranks;
    int64_t *rank_numbers; /* [ranks], scratch of the collectives */
};

/* Allocates everything; moments are zero. options are whole and checked, but for freeze_layers
   against the encoder. */
mlm_status mlm__trainer_new(mlm_runtime *runtime, mlm_encoder *encoder,
    const mlm_trainer_options *options, mlm_trainer **out);

/* What was accumulated comes to nothing. */
void mlm__trainer_drop_waiting(mlm_trainer *trainer);

#endif
