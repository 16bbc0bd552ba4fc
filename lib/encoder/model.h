/* Parameters and what they mean: what the handles of one model share. */
#ifndef MLM_ENCODER_MODEL_H
#define MLM_ENCODER_MODEL_H

#include <stdatomic.h>
#include <stdbool.h>

#include "encoder/packed.h"

typedef struct mlm__directory mlm__directory;

/* parameters holds layout->size numbers, in the layout's order; layout->config is the model's. */
typedef struct mlm__model {
    atomic_int references;
    mlm_runtime *runtime;
    mlm__layout *layout;
    float *parameters;
    atomic_uint_fast64_t version; /* counted up when parameters change */
    mlm__packed *packed;          /* NULL until the first handle is made */
} mlm__model;

/* After every change of parameters that a handle may have computed with. */
static inline void mlm__model_changed(mlm__model *model)
{
    atomic_fetch_add(&model->version, 1);
}

/* Before a call that computes with the model; training: backward too. */
static inline mlm_status mlm__model_pack(mlm__model *model, mlm_runtime *runtime, bool training)
{
    return mlm__packed_update(
        model->packed, runtime, model->parameters, atomic_load(&model->version), training);
}

/* With initial values. config is valid. */
mlm_status mlm__model_create(
    mlm_runtime *runtime, const mlm_encoder_config *config, uint64_t seed, mlm__model **out);
/* With the values of a directory; seed is for a head that the file lacks. sentence_head: the model
   has one, also where config.json names no class with it. */
mlm_status mlm__model_load_as(mlm_runtime *runtime, const char *directory, uint64_t seed,
    bool sentence_head, mlm__model **out);
mlm_status mlm__model_load(
    mlm_runtime *runtime, const char *directory, uint64_t seed, mlm__model **out);
/* The values that a directory has for the model, in a new array; the model stays as it is. A config
   that differs is MLM_ERR_MISMATCH and names the member; no tensor may be missing. */
mlm_status mlm__model_read(const mlm__model *model, const char *directory, float **out);
/* Takes over what mlm__model_read gave. */
void mlm__model_put(mlm__model *model, float *parameters);
/* config.json and model.safetensors into an open directory; dtype is MLM_F32 or MLM_BF16. */
mlm_status mlm__model_write(const mlm__model *model, mlm__directory *directory, int32_t dtype);

/* A model without values yet: parameters is NULL. */
mlm_status mlm__model_make(
    mlm_runtime *runtime, const mlm_encoder_config *config, mlm__model **out);
mlm__model *mlm__model_retain(mlm__model *model);
void mlm__model_free(mlm__model *model);

#endif
