/* mlm_trainer_go_back: a resume onto the trainer that went wrong. */
#include <assert.h>

#include "base/error.h"
#include "base/fpmode.h"
#include "base/memory.h"
#include "batches/corpus.h"
#include "trainer/checkpoint.h"
#include "trainer/collective.h"
#include "trainer/trainer.h"

static void swap(float **a, float **b)
{
    float *kept = *a;
    *a = *b;
    *b = kept;
}

/* The corpus is moved while all can still be put back. */
static mlm_status read_checkpoint(mlm_trainer *trainer, const char *directory, mlm__checkpoint *out)
{
    MLM__TRY(mlm__checkpoint_read(
        trainer->runtime, trainer->encoder, directory, &trainer->options, trainer, out));
    return trainer->corpus ? mlm_corpus_seek(trainer->corpus, out->trainer->state.position)
                           : MLM_OK;
}

static void take_over(mlm_trainer *trainer, mlm__checkpoint *checkpoint, double rate_factor)
{
    mlm_trainer *read = checkpoint->trainer;
    const double factor = trainer->state.rate_factor * rate_factor;
    mlm__trainer_drop_waiting(trainer);
    swap(&trainer->exp_avg, &read->exp_avg);
    swap(&trainer->exp_avg_sq, &read->exp_avg_sq);
    trainer->state = read->state;
    trainer->metrics = read->metrics;
    trainer->state.rate_factor = factor;
    trainer->has_gradient = false;
    mlm__model_put(trainer->encoder->model, checkpoint->parameters);
    mlm_trainer_free(read);
}

static mlm_status check(const char *directory, double rate_factor)
{
    if (!directory)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_trainer_go_back: directory is NULL");
    if (!(rate_factor > 0 && rate_factor <= 1))
        return mlm__error(
            MLM_ERR_ARGUMENT, "mlm_trainer_go_back: rate_factor is %g, not in (0,1]", rate_factor);
    return MLM_OK;
}

/* Where one rank cannot read, or is asked for what cannot be, none goes back. */
static mlm_status go_back(mlm_trainer *trainer, const char *directory, double rate_factor)
{
    const int64_t position = trainer->corpus ? mlm__corpus_position(trainer->corpus) : 0;
    mlm__checkpoint checkpoint = {0};
    mlm_status status = check(directory, rate_factor);
    if (status == MLM_OK)
        status = read_checkpoint(trainer, directory, &checkpoint);
    status = mlm__agree(trainer, status, "mlm_trainer_go_back");
    if (status == MLM_OK) {
        take_over(trainer, &checkpoint, rate_factor);
        return MLM_OK;
    }
    const mlm_status back = trainer->corpus ? mlm_corpus_seek(trainer->corpus, position) : MLM_OK;
    assert(back == MLM_OK);
    (void)back;
    mlm__free(trainer->encoder->model->runtime, checkpoint.parameters);
    mlm_trainer_free(checkpoint.trainer);
    return status;
}

mlm_status mlm_trainer_go_back(mlm_trainer *trainer, const char *directory, double rate_factor)
{
    if (!trainer)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_trainer_go_back: trainer is NULL");
    fenv_t mode; /* numbers are read from decimal */
    mlm__fp_enter(&mode);
    const mlm_status status = go_back(trainer, directory, rate_factor);
    mlm__fp_leave(&mode);
    return status;
}
