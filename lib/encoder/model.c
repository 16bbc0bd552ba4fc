#include "encoder/model.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/runtime.h"
#include "encoder/initialise.h"

mlm_status mlm__model_make(mlm_runtime *runtime, const mlm_encoder_config *config, mlm__model **out)
{
    *out = NULL;
    mlm__model *model = mlm__alloc_zero(runtime, 1, sizeof *model);
    if (!model)
        return MLM_ERR_MEMORY;
    atomic_init(&model->references, 1);
    atomic_init(&model->version, 1);
    mlm_status status = mlm__runtime_retain(runtime, &model->runtime);
    if (status == MLM_OK)
        status = mlm__layout_create(runtime, config, &model->layout);
    if (status != MLM_OK)
        mlm__model_free(model);
    else
        *out = model;
    return status;
}

mlm_status mlm__model_create(
    mlm_runtime *runtime, const mlm_encoder_config *config, uint64_t seed, mlm__model **out)
{
    *out = NULL;
    mlm__model *model;
    mlm_status status = mlm__model_make(runtime, config, &model);
    if (status != MLM_OK)
        return status;
    model->parameters = mlm__alloc_zero(runtime, model->layout->size, sizeof *model->parameters);
    if (!model->parameters) {
        mlm__model_free(model);
        return MLM_ERR_MEMORY;
    }
    int64_t count = (int64_t)model->layout->count;
    for (int64_t i = 0; i < count; i++) {
        mlm__initialise(runtime, model->layout, (size_t)i, seed, model->parameters);
        if (!mlm__progress(runtime, "initialising the model", i + 1, count)) {
            mlm__model_free(model);
            return mlm__error(MLM_STOPPED,
                "mlm_encoder_create: initialising was stopped by the progress callback");
        }
    }
    *out = model;
    return MLM_OK;
}

mlm__model *mlm__model_retain(mlm__model *model)
{
    atomic_fetch_add(&model->references, 1);
    return model;
}

void mlm__model_free(mlm__model *model)
{
    if (!model || atomic_fetch_sub(&model->references, 1) != 1)
        return;
    mlm_runtime *runtime = model->runtime;
    mlm__packed_free(model->packed);
    mlm__free(runtime, model->parameters);
    mlm__layout_free(runtime, model->layout);
    mlm__free(runtime, model);
    mlm_runtime_free(runtime);
}
