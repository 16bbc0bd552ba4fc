/* What saving and resuming a checkpoint agree upon beside trainer.json. */
#ifndef MLM_TRAINER_CHECKPOINT_H
#define MLM_TRAINER_CHECKPOINT_H

#include <stdint.h>

#include "mlm/mlm.h"

#define MLM__OPTIMIZER_FILE "optimizer.safetensors"

/* The first and second moment. */
enum { MLM__MOMENTS = 2 };

typedef struct mlm__moment_name {
    char text[128];
} mlm__moment_name;

/* "<parameter>.exp_avg" or "<parameter>.exp_avg_sq": the keys of torch.optim.AdamW's state. */
void mlm__moment_name_make(const char *parameter, int32_t moment, mlm__moment_name *out);

/* A checkpoint, checked and read, before anything changes: a trainer and the encoder's parameters,
   which mlm__model_put takes. */
typedef struct mlm__checkpoint {
    mlm_trainer *trainer;
    float *parameters;
} mlm__checkpoint;

/* In the default floating-point mode. options are checked, or NULL. The checkpoint must be of a run
   with what is attached to the trainer alike, if that is not NULL. After an error there is none. */
mlm_status mlm__checkpoint_read(mlm_runtime *runtime, mlm_encoder *encoder, const char *directory,
    const mlm_trainer_options *options, const mlm_trainer *alike, mlm__checkpoint *out);

#endif
