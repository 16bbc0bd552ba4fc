/* mlm_trainer_go_back: a resume onto the trainer that went wrong. */
#include "base/error.h"
#include "base/fpmode.h"
#include "base/memory.h"
#include "trainer/checkpoint.h"
#include "trainer/collective.h"
#include "trainer/trainer.h"

static void swap(float **a, float **b)
{
    float *kept = *a;
    *a = *b;
    *b = kept;
}

/* Everything is there before anything changes. */
static mlm_status read_back(mlm_trainer *trainer, const char *directory, double rate_factor)
{
    mlm_trainer *read;
    MLM__TRY(mlm__checkpoint_resume(
        trainer->runtime, trainer->encoder, directory, &trainer->options, trainer, &read));
    const double factor = trainer->state.rate_factor * rate_factor;
    mlm__trainer_drop_waiting(trainer);
    swap(&trainer->exp_avg, &read->exp_avg);
    swap(&trainer->exp_avg_sq, &read->exp_avg_sq);
    trainer->state = read->state;
    trainer->metrics = read->metrics;
    trainer->state.rate_factor = factor;
    trainer->has_gradient = false;
    mlm_trainer_free(read);
    return trainer->corpus ? mlm_corpus_seek(trainer->corpus, trainer->state.position) : MLM_OK;
}

mlm_status mlm_trainer_go_back(mlm_trainer *trainer, const char *directory, double rate_factor)
{
    if (!trainer)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_trainer_go_back: trainer is NULL");
    if (!directory)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_trainer_go_back: directory is NULL");
    if (!(rate_factor > 0 && rate_factor <= 1))
        return mlm__error(
            MLM_ERR_ARGUMENT, "mlm_trainer_go_back: rate_factor is %g, not in (0,1]", rate_factor);
    fenv_t mode; /* numbers are read from decimal */
    mlm__fp_enter(&mode);
    mlm_status status = read_back(trainer, directory, rate_factor);
    status = mlm__agree(trainer, status, "mlm_trainer_go_back");
    mlm__fp_leave(&mode);
    return status;
}
