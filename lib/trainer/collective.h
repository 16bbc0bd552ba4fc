/* Sums over the ranks. Without mlm_trainer_set_allreduce there is one, and nothing to do. */
#ifndef MLM_TRAINER_COLLECTIVE_H
#define MLM_TRAINER_COLLECTIVE_H

#include "mlm/mlm.h"

/* Sums count numbers over all ranks in place, in pieces of at most 2^24. */
mlm_status mlm__sum_over_ranks(mlm_trainer *trainer, void *data, size_t count, int32_t dtype);

/* The largest of one number of each rank. */
mlm_status mlm__most_of_ranks(mlm_trainer *trainer, int64_t *number);

/* Every rank calls it with what became of its part and leaves with an error if any has one: its
   own, or that of the lowest failed rank, of which caller's message then tells. No rank is left
   waiting for one that gave up. */
mlm_status mlm__agree(mlm_trainer *trainer, mlm_status mine, const char *caller);

#endif
