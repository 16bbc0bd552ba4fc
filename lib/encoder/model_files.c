/* config.json and model.safetensors, as transformers writes and reads them. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/options.h"
#include "base/runtime.h"
#include "encoder/config.h"
#include "encoder/initialise.h"
#include "encoder/model.h"
#include "files/directory.h"
#include "files/file.h"
#include "files/safetensors.h"

static const char config_name[] = "config.json", tensors_name[] = "model.safetensors";

/* Tensors that a file may have twice under the names of their tied copies. */
static const struct {
    const char *name, *copy;
} tied[] = {
    {"bert.embeddings.word_embeddings.weight", "cls.predictions.decoder.weight"},
    {"cls.predictions.bias", "cls.predictions.decoder.bias"},
};

/* What a file of another class of model may lack as a whole. */
static const char *const heads[] = {"bert.pooler.", "cls.predictions.", "cls.seq_relationship."};

/* The file of one load, and where the values of each parameter come from. */
typedef struct source {
    mlm_runtime *runtime;
    const mlm__layout *layout;
    const char *path; /* of the file, for messages */
    mlm__safetensors *file;
    const mlm__safetensor **tensors; /* [layout->count]; NULL: a head that the file lacks */
} source;

/* What follows prefix in name; NULL: name begins otherwise. */
static const char *after(const char *prefix, const char *name)
{
    while (*prefix && *prefix == *name)
        prefix++, name++;
    return *prefix ? NULL : name;
}

/* By name, or with the layer norms' names of TensorFlow: gamma and beta. */
static const mlm__safetensor *find_spelled(const mlm__safetensors *file, const char *name)
{
    static const char norm[] = "LayerNorm.";
    const mlm__safetensor *tensor = mlm__safetensors_find(file, name);
    const char *place = strstr(name, norm);
    if (tensor || !place)
        return tensor;
    char spelled[sizeof((mlm__parameter *)0)->name];
    const char *last = place[sizeof norm - 1] == 'w' ? "gamma" : "beta";
    snprintf(spelled, sizeof spelled, "%.*s%s%s", (int)(place - name), name, norm, last);
    return mlm__safetensors_find(file, spelled);
}

/* With "bert.", or without as in the file of a BertModel; last by the name of a tied copy. */
static const mlm__safetensor *find_parameter(const mlm__safetensors *file, const char *name)
{
    const mlm__safetensor *tensor = find_spelled(file, name);
    const char *inner = after("bert.", name);
    if (!tensor && inner)
        tensor = find_spelled(file, inner);
    for (size_t i = 0; !tensor && i < sizeof tied / sizeof *tied; i++)
        if (strcmp(name, tied[i].name) == 0)
            tensor = mlm__safetensors_find(file, tied[i].copy);
    return tensor;
}

static mlm_status check_tensor(
    const source *from, const mlm__safetensor *tensor, const mlm__parameter *parameter)
{
    if (tensor->dtype != MLM__F32 && tensor->dtype != MLM__F16 && tensor->dtype != MLM__BF16)
        return mlm__error(MLM_ERR_UNSUPPORTED, "%s: %s has another dtype than F32, F16 and BF16",
            from->path, tensor->name);
    bool same = tensor->ndim == parameter->ndim;
    for (int32_t i = 0; same && i < parameter->ndim; i++)
        same = tensor->shape[i] == parameter->shape[i];
    if (same)
        return MLM_OK;
    char given[96] = "";
    size_t length = 0;
    for (int32_t i = 0; i < tensor->ndim; i++)
        length += (size_t)snprintf(given + length, sizeof given - length, "%s%lld", i ? "," : "",
            (long long)tensor->shape[i]);
    char wanted[48];
    if (parameter->ndim == 1)
        snprintf(wanted, sizeof wanted, "%lld", (long long)parameter->shape[0]);
    else
        snprintf(wanted, sizeof wanted, "%lld,%lld", (long long)parameter->shape[0],
            (long long)parameter->shape[1]);
    return mlm__error(
        MLM_ERR_SHAPE, "%s: %s has shape [%s], not [%s]", from->path, tensor->name, given, wanted);
}

/* The head that a parameter is of, when the file has nothing of it; else NULL. */
static const char *lacking_head(const source *from, const char *name)
{
    const char *head = NULL;
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        if (after(heads[i], name))
            head = heads[i];
    if (!head)
        return NULL;
    for (size_t i = 0; i < from->layout->count; i++)
        if (after(head, from->layout->parameters[i].name) &&
            find_parameter(from->file, from->layout->parameters[i].name))
            return NULL;
    return head;
}

static mlm_status match(source *from, bool heads_may_lack)
{
    const char *warned = NULL;
    for (size_t i = 0; i < from->layout->count; i++) {
        const mlm__parameter *parameter = &from->layout->parameters[i];
        from->tensors[i] = find_parameter(from->file, parameter->name);
        if (from->tensors[i]) {
            MLM__TRY(check_tensor(from, from->tensors[i], parameter));
            continue;
        }
        const char *head = heads_may_lack ? lacking_head(from, parameter->name) : NULL;
        if (!head)
            return mlm__error(MLM_ERR_FORMAT, "%s: %s is missing", from->path, parameter->name);
        if (head != warned)
            mlm__log(
                from->runtime, MLM_LOG_WARNING, "%s: no %s*: made from the seed", from->path, head);
        warned = head;
    }
    return MLM_OK;
}

static int compare_addresses(const void *a, const void *b)
{
    uintptr_t left = (uintptr_t) * (const mlm__safetensor *const *)a;
    uintptr_t right = (uintptr_t) * (const mlm__safetensor *const *)b;
    return (left > right) - (left < right);
}

/* Heads of other tasks and tied copies are no news; the rest may mean that config.json is not this
   model's: a layer too few, say. */
static bool expected_to_be_unused(const char *name)
{
    const char *inner = after("bert.", name) ? after("bert.", name) : name;
    return after("pooler.", inner) || after("cls.", name) || after("classifier.", name) ||
           after("qa_outputs.", name) || strcmp(inner, "embeddings.position_ids") == 0;
}

static mlm_status warn_of_unused(const source *from)
{
    size_t count = from->layout->count, unused = 0;
    const mlm__safetensor **used = mlm__alloc(from->runtime, count, sizeof *used);
    if (!used)
        return MLM_ERR_MEMORY;
    memcpy(used, from->tensors, count * sizeof *used);
    qsort(used, count, sizeof *used, compare_addresses);
    const char *first = NULL;
    for (size_t i = 0; i < mlm__safetensors_count(from->file); i++) {
        const mlm__safetensor *tensor = mlm__safetensors_get(from->file, i);
        if (expected_to_be_unused(tensor->name) ||
            bsearch(&tensor, used, count, sizeof *used, compare_addresses))
            continue;
        first = first ? first : tensor->name;
        unused++;
    }
    mlm__free(from->runtime, used);
    if (unused)
        mlm__log(from->runtime, MLM_LOG_WARNING, "%s: %zu tensors are not used, the first is %s",
            from->path, unused, first);
    return MLM_OK;
}

static size_t parameter_index(const mlm__layout *layout, const char *name)
{
    size_t i = 0;
    while (strcmp(layout->parameters[i].name, name) != 0)
        i++;
    return i;
}

/* transformers does not tie two tensors that a file has with different values; we know only tied
   ones. Values that are equal, as in files made from torch's, are fine. */
static mlm_status check_tied(const source *from, const float *parameters)
{
    for (size_t i = 0; i < sizeof tied / sizeof *tied; i++) {
        size_t index = parameter_index(from->layout, tied[i].name);
        const mlm__parameter *parameter = &from->layout->parameters[index];
        const mlm__safetensor *copy = mlm__safetensors_find(from->file, tied[i].copy);
        if (!copy || copy == from->tensors[index])
            continue;
        MLM__TRY(check_tensor(from, copy, parameter));
        float *values = mlm__alloc(from->runtime, parameter->count, sizeof *values);
        if (!values)
            return MLM_ERR_MEMORY;
        mlm_status status = mlm__safetensors_read(from->file, copy, values);
        size_t same = 0;
        while (status == MLM_OK && same < parameter->count &&
               values[same] == parameters[parameter->offset + same])
            same++;
        mlm__free(from->runtime, values);
        MLM__TRY(status);
        if (same < parameter->count)
            return mlm__error(MLM_ERR_UNSUPPORTED, "%s: %s is not tied to %s", from->path,
                tied[i].copy, tied[i].name);
    }
    return MLM_OK;
}

static mlm_status read_values(const source *from, uint64_t seed, float *parameters)
{
    for (size_t i = 0; i < from->layout->count; i++) {
        if (from->tensors[i])
            MLM__TRY(mlm__safetensors_read(
                from->file, from->tensors[i], parameters + from->layout->parameters[i].offset));
        else
            mlm__initialise(from->runtime, from->layout, i, seed, parameters);
        if (!mlm__progress(
                from->runtime, "reading the model", (int64_t)i + 1, (int64_t)from->layout->count))
            return mlm__error(
                MLM_STOPPED, "%s: reading was stopped by the progress callback", from->path);
    }
    return check_tied(from, parameters);
}

/* All parameters of an open file in a new array; nothing of their size is allocated before every
   tensor is found to be what it must be. */
static mlm_status read_file(source *from, bool heads_may_lack, uint64_t seed, float **out)
{
    MLM__TRY(match(from, heads_may_lack));
    MLM__TRY(warn_of_unused(from));
    float *parameters = mlm__alloc_zero(from->runtime, from->layout->size, sizeof *parameters);
    if (!parameters)
        return MLM_ERR_MEMORY;
    mlm_status status = read_values(from, seed, parameters);
    if (status != MLM_OK)
        mlm__free(from->runtime, parameters);
    else
        *out = parameters;
    return status;
}

static mlm_status read_path(source *from, bool heads_may_lack, uint64_t seed, float **out)
{
    MLM__TRY(mlm__safetensors_open(from->runtime, from->path, &from->file));
    mlm_status status = MLM_ERR_MEMORY;
    from->tensors = mlm__alloc_zero(from->runtime, from->layout->count, sizeof *from->tensors);
    if (from->tensors)
        status = read_file(from, heads_may_lack, seed, out);
    mlm__free(from->runtime, (void *)from->tensors);
    mlm__safetensors_close(from->file);
    return status;
}

/* A directory that has the model in another form says so, not that there is none. */
static mlm_status refuse_other_forms(mlm_runtime *runtime, const char *directory)
{
    static const char *const forms[] = {"model.safetensors.index.json", "pytorch_model.bin"};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        char *path = mlm__path_join(runtime, directory, forms[i]);
        if (!path)
            return MLM_ERR_MEMORY;
        bool exists = mlm__path_exists(path);
        if (exists)
            mlm__error(MLM_ERR_UNSUPPORTED, "%s: only a single %s is read", path, tensors_name);
        mlm__free(runtime, path);
        if (exists)
            return MLM_ERR_UNSUPPORTED;
    }
    return MLM_OK;
}

static mlm_status read_parameters(mlm_runtime *runtime, const char *directory,
    const mlm__layout *layout, bool heads_may_lack, uint64_t seed, float **out)
{
    char *path = mlm__path_join(runtime, directory, tensors_name);
    if (!path)
        return MLM_ERR_MEMORY;
    source from = {.runtime = runtime, .layout = layout, .path = path};
    mlm_status status = mlm__path_exists(path) ? MLM_OK : refuse_other_forms(runtime, directory);
    if (status == MLM_OK)
        status = read_path(&from, heads_may_lack, seed, out);
    mlm__free(runtime, path);
    return status;
}

static mlm_status read_config(
    mlm_runtime *runtime, const char *directory, mlm_encoder_config *config)
{
    char *path = mlm__path_join(runtime, directory, config_name);
    if (!path)
        return MLM_ERR_MEMORY;
    mlm_encoder_config_init(config, sizeof *config);
    mlm_status status = mlm__encoder_config_load(runtime, path, config);
    mlm__free(runtime, path);
    return status;
}

static mlm_status load_resolved(
    mlm_runtime *runtime, const char *directory, uint64_t seed, mlm__model **out)
{
    mlm_encoder_config config;
    mlm__model *model;
    MLM__TRY(read_config(runtime, directory, &config));
    MLM__TRY(mlm__model_make(runtime, &config, &model));
    mlm_status status =
        read_parameters(runtime, directory, model->layout, true, seed, &model->parameters);
    if (status != MLM_OK)
        mlm__model_free(model);
    else
        *out = model;
    return status;
}

mlm_status mlm__model_load(
    mlm_runtime *runtime, const char *directory, uint64_t seed, mlm__model **out)
{
    *out = NULL;
    char *resolved = mlm__directory_resolve(runtime, directory);
    if (!resolved)
        return MLM_ERR_MEMORY;
    mlm_status status = load_resolved(runtime, resolved, seed, out);
    mlm__free(runtime, resolved);
    return status;
}

static mlm_status read_resolved(mlm__model *model, const char *directory)
{
    mlm_encoder_config config;
    float *parameters;
    MLM__TRY(read_config(model->runtime, directory, &config));
    MLM__TRY(mlm__encoder_config_compare(&model->layout->config, &config, directory));
    MLM__TRY(read_parameters(model->runtime, directory, model->layout, false, 0, &parameters));
    memcpy(model->parameters, parameters, model->layout->size * sizeof *parameters);
    mlm__free(model->runtime, parameters);
    return MLM_OK;
}

mlm_status mlm__model_read(mlm__model *model, const char *directory)
{
    char *resolved = mlm__directory_resolve(model->runtime, directory);
    if (!resolved)
        return MLM_ERR_MEMORY;
    mlm_status status = read_resolved(model, resolved);
    mlm__free(model->runtime, resolved);
    return status;
}

mlm_status mlm__model_write(const mlm__model *model, mlm__directory *directory, int32_t dtype)
{
    const mlm__layout *layout = model->layout;
    MLM__TRY(mlm__encoder_config_write(&layout->config, directory, dtype));
    mlm__tensor_source *tensors = mlm__alloc_zero(model->runtime, layout->count, sizeof *tensors);
    if (!tensors)
        return MLM_ERR_MEMORY;
    for (size_t i = 0; i < layout->count; i++) {
        const mlm__parameter *parameter = &layout->parameters[i];
        tensors[i] = (mlm__tensor_source){parameter->name, parameter->ndim,
            {parameter->shape[0], parameter->shape[1]}, model->parameters + parameter->offset};
    }
    mlm_status status = mlm__safetensors_write(
        directory, tensors_name, tensors, layout->count, dtype == MLM_BF16 ? MLM__BF16 : MLM__F32);
    mlm__free(model->runtime, tensors);
    return status;
}
