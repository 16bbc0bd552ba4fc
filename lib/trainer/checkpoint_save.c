/* mlm_trainer_save: the files of a checkpoint. docs/checkpoints.md describes them. */
#include <stdio.h>

#include "base/error.h"
#include "base/fpmode.h"
#include "base/memory.h"
#include "encoder/layout.h"
#include "files/json.h"
#include "files/safetensors.h"
#include "tokens/tokenizer.h"
#include "trainer/checkpoint.h"
#include "trainer/collective.h"
#include "trainer/trainer.h"
#include "trainer/trainer_json.h"

void mlm__moment_name_make(const char *parameter, int32_t moment, mlm__moment_name *out)
{
    snprintf(out->text, sizeof out->text, "%s.%s", parameter, moment ? "exp_avg_sq" : "exp_avg");
}

/* Two tensors a parameter that is not frozen. */
static mlm_status write_tensors(const mlm_trainer *trainer, mlm__directory *directory,
    mlm__moment_name *names, mlm__tensor_source *sources)
{
    const mlm__layout *layout = trainer->encoder->model->layout;
    const float *const moments[MLM__MOMENTS] = {trainer->exp_avg, trainer->exp_avg_sq};
    size_t count = 0;
    for (size_t i = 0; i < layout->count; i++) {
        const mlm__parameter *parameter = &layout->parameters[i];
        if (mlm__is_frozen(&trainer->frozen, parameter->offset))
            continue;
        for (int32_t moment = 0; moment < MLM__MOMENTS; moment++) {
            mlm__moment_name_make(parameter->name, moment, &names[count]);
            sources[count] = (mlm__tensor_source){
                .name = names[count].text,
                .ndim = parameter->ndim,
                .shape = {parameter->shape[0], parameter->shape[1]},
                .data = moments[moment] + mlm__trained_place(&trainer->frozen, parameter->offset),
            };
            count++;
        }
    }
    return mlm__safetensors_write(directory, MLM__OPTIMIZER_FILE, sources, count, MLM__F32);
}

static mlm_status write_moments(const mlm_trainer *trainer, mlm__directory *directory)
{
    const size_t count = MLM__MOMENTS * trainer->encoder->model->layout->count;
    mlm__moment_name *names = mlm__alloc(trainer->runtime, count, sizeof *names);
    mlm__tensor_source *sources = mlm__alloc(trainer->runtime, count, sizeof *sources);
    mlm_status status =
        names && sources ? write_tensors(trainer, directory, names, sources) : MLM_ERR_MEMORY;
    mlm__free(trainer->runtime, sources);
    mlm__free(trainer->runtime, names);
    return status;
}

/* Last: it has the hashes of all others. */
static mlm_status write_trainer_json(const mlm_trainer *trainer, mlm__directory *directory)
{
    json_t *root;
    MLM__TRY(mlm__trainer_json_make(trainer, directory, &root));
    mlm_status status = mlm__json_write_sealed(directory, MLM__TRAINER_JSON, root);
    json_decref(root);
    return status;
}

static mlm_status write_files(const mlm_trainer *trainer, mlm__directory *directory)
{
    MLM__TRY(mlm__model_write(trainer->encoder->model, directory, MLM_F32));
    if (trainer->tokenizer)
        MLM__TRY(mlm__tokenizer_write(trainer->tokenizer, directory));
    MLM__TRY(write_moments(trainer, directory));
    return write_trainer_json(trainer, directory);
}

static mlm_status save(const mlm_trainer *trainer, const char *path)
{
    mlm__directory *directory;
    MLM__TRY(mlm__directory_begin(trainer->runtime, path, MLM__REPLACE_DIRECTORY, &directory));
    mlm_status status = write_files(trainer, directory);
    if (status < MLM_OK) {
        mlm__directory_abort(directory);
        return status;
    }
    return mlm__directory_commit(directory);
}

static mlm_status check(const mlm_trainer *trainer, const char *directory)
{
    if (!directory)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_trainer_save: directory is NULL");
    if (trainer->waiting_count)
        return mlm__error(MLM_ERR_ARGUMENT,
            "mlm_trainer_save: %zu accumulated batches wait for mlm_trainer_update",
            trainer->waiting_count);
    return MLM_OK;
}

static mlm_status save_on_rank_0(mlm_trainer *trainer, const char *directory)
{
    MLM__TRY(mlm__agree(trainer, check(trainer, directory), "mlm_trainer_save"));
    mlm_status status = trainer->rank == 0 ? save(trainer, directory) : MLM_OK;
    return mlm__agree(trainer, status, "mlm_trainer_save");
}

mlm_status mlm_trainer_save(mlm_trainer *trainer, const char *directory)
{
    if (!trainer)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_trainer_save: trainer is NULL");
    fenv_t mode; /* numbers are written in decimal */
    mlm__fp_enter(&mode);
    mlm_status status = save_on_rank_0(trainer, directory);
    mlm__fp_leave(&mode);
    return status;
}
