#include "trainer/collective.h"

#include "base/error.h"
#include "trainer/trainer.h"

/* Part of the interface: MPI's counts and the buffers of a caller's network layer are bounded. */
enum { MOST_NUMBERS = 1 << 24 };

mlm_status mlm__sum_over_ranks(mlm_trainer *trainer, void *data, size_t count, int32_t dtype)
{
    if (!trainer->allreduce)
        return MLM_OK;
    const size_t size = dtype == MLM_F32 ? sizeof(float) : sizeof(int64_t);
    for (size_t done = 0; done < count; done += MOST_NUMBERS) {
        size_t piece = count - done < MOST_NUMBERS ? count - done : MOST_NUMBERS;
        int answer = trainer->allreduce(trainer->user, (char *)data + done * size, piece, dtype);
        if (answer != MLM_CONTINUE)
            return mlm__error(MLM_ERR_COMM, "the all-reduce callback returned %d", answer);
    }
    return MLM_OK;
}

/* A sum is all there is: each rank adds its number in a place of its own. */
static mlm_status gather(mlm_trainer *trainer, int64_t number)
{
    for (int32_t rank = 0; rank < trainer->ranks; rank++)
        trainer->rank_numbers[rank] = 0;
    trainer->rank_numbers[trainer->rank] = number;
    return mlm__sum_over_ranks(trainer, trainer->rank_numbers, (size_t)trainer->ranks, MLM_I64);
}

mlm_status mlm__most_of_ranks(mlm_trainer *trainer, int64_t *number)
{
    if (!trainer->allreduce)
        return MLM_OK;
    MLM__TRY(gather(trainer, *number));
    for (int32_t rank = 0; rank < trainer->ranks; rank++)
        if (trainer->rank_numbers[rank] > *number)
            *number = trainer->rank_numbers[rank];
    return MLM_OK;
}

mlm_status mlm__agree(mlm_trainer *trainer, mlm_status mine, const char *caller)
{
    if (!trainer->allreduce)
        return mine;
    MLM__TRY(gather(trainer, mine < MLM_OK ? (int64_t)mine : 0));
    if (mine < MLM_OK)
        return mine;
    for (int32_t rank = 0; rank < trainer->ranks; rank++) {
        mlm_status theirs = (mlm_status)trainer->rank_numbers[rank];
        if (theirs < MLM_OK)
            return mlm__error(
                theirs, "%s: rank %d failed: %s", caller, rank, mlm_status_name(theirs));
    }
    return MLM_OK;
}
