/* What saving and resuming a checkpoint agree upon beside trainer.json. */
#ifndef MLM_TRAINER_CHECKPOINT_H
#define MLM_TRAINER_CHECKPOINT_H

#include <stdint.h>

#define MLM__OPTIMIZER_FILE "optimizer.safetensors"

/* The first and second moment. */
enum { MLM__MOMENTS = 2 };

typedef struct mlm__moment_name {
    char text[128];
} mlm__moment_name;

/* "<parameter>.exp_avg" or "<parameter>.exp_avg_sq": the keys of torch.optim.AdamW's state. */
void mlm__moment_name_make(const char *parameter, int32_t moment, mlm__moment_name *out);

#endif
