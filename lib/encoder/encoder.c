#include "encoder/encoder.h"

#include <assert.h>
#include <string.h>

#include "base/error.h"
#include "base/fpmode.h"
#include "base/memory.h"
#include "base/options.h"
#include "base/runtime.h"
#include "batches/batch.h"
#include "encoder/config.h"
#include "files/directory.h"

static const mlm_encoder_options options_defaults = {
    .struct_size = sizeof(mlm_encoder_options),
    .precision = MLM_F32,
};
static const mlm_tensor tensor_defaults = {.struct_size = sizeof(mlm_tensor)};

void mlm_encoder_options_init(mlm_encoder_options *options, size_t size)
{
    mlm__struct_init(options, size, &options_defaults, sizeof options_defaults);
}

void mlm_tensor_init(mlm_tensor *tensor, size_t size)
{
    mlm__struct_init(tensor, size, &tensor_defaults, sizeof tensor_defaults);
}

static mlm_status read_options(const mlm_encoder_options *given, mlm_encoder_options *options)
{
    MLM__TRY(mlm__struct_read(
        given, &options_defaults, sizeof options_defaults, "mlm_encoder_options", options));
    if (options->precision != MLM_F32 && options->precision != MLM_BF16)
        return mlm__error(MLM_ERR_ARGUMENT,
            "mlm_encoder_options: precision is %d, neither MLM_F32 nor MLM_BF16",
            options->precision);
    if (options->sentence_head < 0 || options->sentence_head > 1)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_encoder_options: sentence_head is %d, not 0 or 1",
            options->sentence_head);
    if (options->reserved0)
        return mlm__error(MLM_ERR_UNSUPPORTED, "mlm_encoder_options: reserved0 is not 0");
    return MLM_OK;
}

mlm_status mlm__encoder_make(
    mlm_runtime *runtime, mlm__model *model, const mlm__products *products, mlm_encoder **out)
{
    mlm_encoder *encoder = mlm__alloc_zero(runtime, 1, sizeof *encoder);
    if (!encoder) {
        mlm__model_free(model);
        return MLM_ERR_MEMORY;
    }
    atomic_init(&encoder->references, 1);
    encoder->model = model;
    mlm_status status = mlm__runtime_retain(runtime, &encoder->runtime);
    assert(status == MLM_OK); /* runtime is not NULL */
    if (!model->packed)
        status = mlm__packed_create(model->runtime, model->layout, products, &model->packed);
    if (status == MLM_OK)
        status = mlm__network_create(runtime, model->layout, mlm__packed_products(model->packed),
            model->packed, &encoder->network);
    if (status != MLM_OK)
        mlm_encoder_free(encoder);
    else
        *out = encoder;
    return status;
}

static const mlm__products *products_of(const mlm_encoder_options *options)
{
    return mlm__products_get(options->precision == MLM_BF16);
}

static mlm_status create(mlm_runtime *runtime, const mlm_encoder_config *config,
    const mlm_encoder_options *options, mlm_encoder **out)
{
    mlm__model *model;
    MLM__TRY(mlm__model_create(runtime, config, options->seed, &model));
    return mlm__encoder_make(runtime, model, products_of(options), out);
}

mlm_status mlm_encoder_create(mlm_runtime *runtime, const mlm_encoder_config *config,
    const mlm_encoder_options *options, mlm_encoder **out)
{
    if (!out)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_encoder_create: out is NULL");
    *out = NULL;
    mlm_encoder_config read;
    mlm_encoder_options how;
    MLM__TRY(mlm__encoder_config_read(config, &read));
    MLM__TRY(read_options(options, &how));
    MLM__TRY(mlm__runtime_retain(runtime, &runtime));
    fenv_t mode;
    mlm__fp_enter(&mode);
    mlm_status status = create(runtime, &read, &how, out);
    mlm__fp_leave(&mode);
    mlm_runtime_free(runtime);
    return status;
}

static mlm_status load(mlm_runtime *runtime, const char *directory,
    const mlm_encoder_options *options, mlm_encoder **out)
{
    mlm__model *model;
    MLM__TRY(
        mlm__model_load_as(runtime, directory, options->seed, options->sentence_head == 1, &model));
    return mlm__encoder_make(runtime, model, products_of(options), out);
}

mlm_status mlm_encoder_load(mlm_runtime *runtime, const char *directory,
    const mlm_encoder_options *options, mlm_encoder **out)
{
    if (!out)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_encoder_load: out is NULL");
    *out = NULL;
    if (!directory)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_encoder_load: directory is NULL");
    mlm_encoder_options how;
    MLM__TRY(read_options(options, &how));
    MLM__TRY(mlm__runtime_retain(runtime, &runtime));
    fenv_t mode;
    mlm__fp_enter(&mode);
    mlm_status status = load(runtime, directory, &how, out);
    mlm__fp_leave(&mode);
    mlm_runtime_free(runtime);
    return status;
}

mlm_status mlm_encoder_share(mlm_encoder *encoder, mlm_runtime *runtime, mlm_encoder **out)
{
    if (!out)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_encoder_share: out is NULL");
    *out = NULL;
    if (!encoder)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_encoder_share: encoder is NULL");
    MLM__TRY(mlm__runtime_retain(runtime, &runtime));
    mlm_status status = mlm__encoder_make(runtime, mlm__model_retain(encoder->model),
        mlm__packed_products(encoder->model->packed), out);
    mlm_runtime_free(runtime);
    return status;
}

mlm_encoder *mlm__encoder_retain(mlm_encoder *encoder)
{
    atomic_fetch_add(&encoder->references, 1);
    return encoder;
}

void mlm_encoder_free(mlm_encoder *encoder)
{
    if (!encoder || atomic_fetch_sub(&encoder->references, 1) != 1)
        return;
    mlm_runtime *runtime = encoder->runtime;
    mlm__network_free(encoder->network);
    mlm__model_free(encoder->model);
    mlm__free(runtime, encoder->hidden.memory);
    mlm__free(runtime, encoder->pooled.memory);
    mlm__free(runtime, encoder->row_of.memory);
    mlm__free(runtime, encoder->used_rows.memory);
    mlm__free(runtime, encoder->rows.memory);
    mlm__free(runtime, encoder->labels.memory);
    mlm__free(runtime, encoder->losses.memory);
    mlm__free(runtime, encoder->correct.memory);
    mlm__free(runtime, encoder->logits.memory);
    mlm__free(runtime, encoder);
    mlm_runtime_free(runtime);
}

void *mlm__scratch_get(mlm_runtime *runtime, mlm__scratch *scratch, size_t count, size_t size)
{
    if (size && count > SIZE_MAX / size) {
        mlm__error(MLM_ERR_MEMORY, "no memory for %zu elements of %zu bytes", count, size);
        return NULL;
    }
    /* One byte at least: NULL means failure. */
    size_t need = count && size ? count * size : 1;
    if (mlm__grow(runtime, &scratch->memory, &scratch->capacity, need, 1) != MLM_OK)
        return NULL;
    return scratch->memory;
}

mlm_status mlm__encoder_read_batch(
    const mlm_encoder *encoder, const mlm_batch *given, bool need_labels, mlm_batch *batch)
{
    const mlm_encoder_config *config = &encoder->model->layout->config;
    mlm__batch_limits limits = {
        .V = config->vocab_size,
        .type_vocab_size = config->type_vocab_size,
        .T = config->max_position_embeddings,
        .need_labels = need_labels,
    };
    MLM__TRY(mlm__batch_read(given, &limits, batch));
    if (!config->sentence_head)
        batch->sentence_labels = NULL;
    return MLM_OK;
}

static mlm_status save(const mlm_encoder *encoder, const char *path, int32_t dtype)
{
    mlm__directory *directory;
    MLM__TRY(mlm__directory_begin(encoder->runtime, path, MLM__REPLACE_FILES, &directory));
    mlm_status status = mlm__model_write(encoder->model, directory, dtype);
    if (status == MLM_OK)
        return mlm__directory_commit(directory);
    mlm__directory_abort(directory);
    return status;
}

mlm_status mlm_encoder_save(const mlm_encoder *encoder, const char *directory, int32_t dtype)
{
    if (!encoder)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_encoder_save: encoder is NULL");
    if (!directory)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_encoder_save: directory is NULL");
    if (dtype != MLM_F32 && dtype != MLM_BF16)
        return mlm__error(
            MLM_ERR_ARGUMENT, "mlm_encoder_save: dtype is %d, neither MLM_F32 nor MLM_BF16", dtype);
    fenv_t mode;
    mlm__fp_enter(&mode);
    mlm_status status = save(encoder, directory, dtype);
    mlm__fp_leave(&mode);
    return status;
}

mlm_status mlm_encoder_get_config(const mlm_encoder *encoder, mlm_encoder_config *out)
{
    if (!encoder)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_encoder_get_config: encoder is NULL");
    if (!out)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_encoder_get_config: out is NULL");
    const mlm_encoder_config *config = &encoder->model->layout->config;
    return mlm__struct_write(out, config, sizeof *config, "mlm_encoder_config");
}

size_t mlm_encoder_tensor_count(const mlm_encoder *encoder)
{
    return encoder ? encoder->model->layout->count : 0;
}

/* NULL, with this thread's error set: there is none. */
static const mlm__parameter *find_tensor(const mlm_encoder *encoder, size_t index, const char *call)
{
    if (!encoder) {
        mlm__error(MLM_ERR_ARGUMENT, "%s: encoder is NULL", call);
        return NULL;
    }
    const mlm__layout *layout = encoder->model->layout;
    if (index < layout->count)
        return &layout->parameters[index];
    mlm__error(
        MLM_ERR_ARGUMENT, "%s: index is %zu, there are %zu tensors", call, index, layout->count);
    return NULL;
}

mlm_status mlm_encoder_get_tensor(const mlm_encoder *encoder, size_t index, mlm_tensor *out)
{
    const mlm__parameter *parameter = find_tensor(encoder, index, "mlm_encoder_get_tensor");
    if (!parameter)
        return MLM_ERR_ARGUMENT;
    if (!out)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_encoder_get_tensor: out is NULL");
    mlm_tensor tensor = {
        .struct_size = sizeof tensor,
        .ndim = parameter->ndim,
        .shape = {parameter->shape[0], parameter->shape[1], 1, 1},
        .name = parameter->name,
        .data = encoder->model->parameters + parameter->offset,
    };
    return mlm__struct_write(out, &tensor, sizeof tensor, "mlm_tensor");
}

mlm_status mlm_encoder_set_tensor(
    mlm_encoder *encoder, size_t index, const float *data, size_t count)
{
    const mlm__parameter *parameter = find_tensor(encoder, index, "mlm_encoder_set_tensor");
    if (!parameter)
        return MLM_ERR_ARGUMENT;
    if (!data)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_encoder_set_tensor: data is NULL");
    if (count != parameter->count)
        return mlm__error(MLM_ERR_SHAPE, "mlm_encoder_set_tensor: %s has %zu numbers, not %zu",
            parameter->name, parameter->count, count);
    memmove(encoder->model->parameters + parameter->offset, data, count * sizeof *data);
    mlm__model_changed(encoder->model);
    return MLM_OK;
}
