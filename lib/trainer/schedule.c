#include "trainer/schedule.h"

#include <math.h>

static const double pi = 3.14159265358979323846;

/* transformers/optimization.py, with t = step, W = warmup_steps, S = total_steps:
     warmup      t / W
     LINEAR      (S - t) / (S - W)                  get_linear_schedule_with_warmup
     COSINE      (1 + cos(pi (t - W) / (S - W))) / 2  get_cosine_schedule_with_warmup
     CONSTANT    1                                  get_constant_schedule_with_warmup
     WARMUP_STABLE_DECAY                            get_wsd_schedule, decay_type "1-sqrt"
                 1 until the last D = S / 10 updates, then 1 - sqrt((t - (S - D)) / D) */
static double factor(const mlm_trainer_options *options, int64_t step)
{
    int64_t warmup = options->warmup_steps, total = options->total_steps;
    if (step < warmup)
        return (double)step / (double)warmup;
    if (options->lr_scheduler == MLM_LR_CONSTANT)
        return 1;
    if (step >= total)
        return 0;
    switch (options->lr_scheduler) {
    case MLM_LR_LINEAR:
        return (double)(total - step) / (double)(total - warmup);
    case MLM_LR_COSINE:
        return 0.5 * (1 + cos(pi * ((double)(step - warmup) / (double)(total - warmup))));
    default: {
        int64_t decay = total / 10 < total - warmup ? total / 10 : total - warmup;
        int64_t decayed = step - (total - decay);
        return decayed <= 0 ? 1 : 1 - sqrt((double)decayed / (double)decay);
    }
    }
}

double mlm__schedule_rate(const mlm_trainer_options *options, int64_t step)
{
    return options->learning_rate * factor(options, step);
}
