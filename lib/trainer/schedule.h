/* Learning rates over the updates, as the schedules of Hugging Face's transformers. */
#ifndef MLM_TRAINER_SCHEDULE_H
#define MLM_TRAINER_SCHEDULE_H

#include "mlm/mlm.h"

/* The rate of the update that follows on step updates. The first update of a warmup has rate 0,
   as in transformers; from total_steps on the rate is 0 (CONSTANT has no end). */
double mlm__schedule_rate(const mlm_trainer_options *options, int64_t step);

#endif
