/* config.json and model.safetensors, as transformers writes and reads them. */
#include <stdbool.h>
#include <stdio.h>
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
#include "files/tensor_files.h"

static const char config_name[] = "config.json", tensors_name[] = "model.safetensors";

/* Parameters that a file may have under the name of a copy: of tied ones, or of the decoder's bias,
   which versions of transformers before 5 kept equal to the head's. */
static const struct copy {
    const char *name, *copy;
} tied_copies[] =
    {
        {"bert.embeddings.word_embeddings.weight", "cls.predictions.decoder.weight"},
        {"cls.predictions.bias", "cls.predictions.decoder.bias"},
},
  untied_copies[] = {
      {"cls.predictions.decoder.bias", "cls.predictions.bias"},
};

/* What a file of another class of model may lack as a whole. */
static const char *const heads[] = {"bert.pooler.", "cls.predictions.", "cls.seq_relationship."};

/* The files of one load, and where the values of each parameter come from. */
typedef struct source {
    mlm_runtime *runtime;
    const mlm__layout *layout;
    mlm__tensor_files *files;
    const mlm__stored_tensor **tensors; /* [layout->count]; NULL: a head that the files lack */
} source;

/* What follows prefix in name; NULL: name begins otherwise. */
static const char *after(const char *prefix, const char *name)
{
    while (*prefix && *prefix == *name)
        prefix++, name++;
    return *prefix ? NULL : name;
}

/* By name, or with the layer norms' names of TensorFlow: gamma and beta. */
static const mlm__stored_tensor *find_spelled(const mlm__tensor_files *files, const char *name)
{
    static const char norm[] = "LayerNorm.";
    const mlm__stored_tensor *tensor = mlm__tensor_files_find(files, name);
    const char *place = strstr(name, norm);
    if (tensor || !place)
        return tensor;
    char spelled[sizeof((mlm__parameter *)0)->name];
    const char *last = place[sizeof norm - 1] == 'w' ? "gamma" : "beta";
    snprintf(spelled, sizeof spelled, "%.*s%s%s", (int)(place - name), name, norm, last);
    return mlm__tensor_files_find(files, spelled);
}

static size_t copies_of(const mlm__layout *layout, const struct copy **copies)
{
    *copies = layout->config.untied_word_embeddings ? untied_copies : tied_copies;
    return layout->config.untied_word_embeddings ? sizeof untied_copies / sizeof *untied_copies
                                                 : sizeof tied_copies / sizeof *tied_copies;
}

/* With "bert.", or without as in the file of a BertModel; last by the name of a copy. */
static const mlm__stored_tensor *find_parameter(const source *from, const char *name)
{
    const mlm__stored_tensor *tensor = find_spelled(from->files, name);
    const char *inner = after("bert.", name);
    if (!tensor && inner)
        tensor = find_spelled(from->files, inner);
    const struct copy *copies;
    size_t count = copies_of(from->layout, &copies);
    for (size_t i = 0; !tensor && i < count; i++)
        if (strcmp(name, copies[i].name) == 0)
            tensor = mlm__tensor_files_find(from->files, copies[i].copy);
    return tensor;
}

static mlm_status check_tensor(const mlm__stored_tensor *stored, const mlm__parameter *parameter)
{
    const mlm__safetensor *tensor = stored->tensor;
    if (tensor->dtype != MLM__F32 && tensor->dtype != MLM__F16 && tensor->dtype != MLM__BF16)
        return mlm__error(MLM_ERR_UNSUPPORTED, "%s: %s has another dtype than F32, F16 and BF16",
            stored->path, tensor->name);
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
    return mlm__error(MLM_ERR_SHAPE, "%s: %s has shape [%s], not [%s]", stored->path, tensor->name,
        given, wanted);
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
            find_parameter(from, from->layout->parameters[i].name))
            return NULL;
    return head;
}

static mlm_status match(source *from, bool heads_may_lack)
{
    const char *warned = NULL, *path = mlm__tensor_files_path(from->files);
    for (size_t i = 0; i < from->layout->count; i++) {
        const mlm__parameter *parameter = &from->layout->parameters[i];
        from->tensors[i] = find_parameter(from, parameter->name);
        if (from->tensors[i]) {
            MLM__TRY(check_tensor(from->tensors[i], parameter));
            continue;
        }
        const char *head = heads_may_lack ? lacking_head(from, parameter->name) : NULL;
        if (!head)
            return mlm__error(MLM_ERR_FORMAT, "%s: %s is missing", path, parameter->name);
        if (head != warned)
            mlm__log(from->runtime, MLM_LOG_WARNING, "%s: no %s*: made from the seed", path, head);
        warned = head;
    }
    return MLM_OK;
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
    const size_t count = mlm__tensor_files_count(from->files);
    bool *used = mlm__alloc_zero(from->runtime, count, sizeof *used);
    if (!used)
        return MLM_ERR_MEMORY;
    for (size_t i = 0; i < from->layout->count; i++)
        if (from->tensors[i])
            used[from->tensors[i] - mlm__tensor_files_get(from->files, 0)] = true;
    const char *first = NULL;
    size_t unused = 0;
    for (size_t i = 0; i < count; i++) {
        const char *name = mlm__tensor_files_get(from->files, i)->tensor->name;
        if (used[i] || expected_to_be_unused(name))
            continue;
        first = first ? first : name;
        unused++;
    }
    mlm__free(from->runtime, used);
    if (unused)
        mlm__log(from->runtime, MLM_LOG_WARNING, "%s: %zu tensors are not used, the first is %s",
            mlm__tensor_files_path(from->files), unused, first);
    return MLM_OK;
}

static size_t parameter_index(const mlm__layout *layout, const char *name)
{
    size_t i = 0;
    while (strcmp(layout->parameters[i].name, name) != 0)
        i++;
    return i;
}

/* transformers does not tie two tensors that a file has with different values; with a config.json that
   says they are tied, that is refused. Values that are equal, as in files made from torch's, are fine. */
static mlm_status check_tied(const source *from, const float *parameters)
{
    if (from->layout->config.untied_word_embeddings)
        return MLM_OK;
    for (size_t i = 0; i < sizeof tied_copies / sizeof *tied_copies; i++) {
        size_t index = parameter_index(from->layout, tied_copies[i].name);
        const mlm__parameter *parameter = &from->layout->parameters[index];
        const mlm__stored_tensor *copy = mlm__tensor_files_find(from->files, tied_copies[i].copy);
        if (!copy || copy == from->tensors[index])
            continue;
        MLM__TRY(check_tensor(copy, parameter));
        float *values = mlm__alloc(from->runtime, parameter->count, sizeof *values);
        if (!values)
            return MLM_ERR_MEMORY;
        mlm_status status = mlm__safetensors_read(copy->file, copy->tensor, values);
        size_t same = 0;
        while (status == MLM_OK && same < parameter->count &&
               values[same] == parameters[parameter->offset + same])
            same++;
        mlm__free(from->runtime, values);
        MLM__TRY(status);
        if (same < parameter->count)
            return mlm__error(MLM_ERR_UNSUPPORTED,
                "%s: %s is not tied to %s, but config.json has tie_word_embeddings true",
                copy->path, tied_copies[i].copy, tied_copies[i].name);
    }
    return MLM_OK;
}

static mlm_status read_values(const source *from, uint64_t seed, float *parameters)
{
    for (size_t i = 0; i < from->layout->count; i++) {
        const mlm__stored_tensor *stored = from->tensors[i];
        if (stored)
            MLM__TRY(mlm__safetensors_read(
                stored->file, stored->tensor, parameters + from->layout->parameters[i].offset));
        else
            mlm__initialise(from->runtime, from->layout, i, seed, parameters);
        if (!mlm__progress(
                from->runtime, "reading the model", (int64_t)i + 1, (int64_t)from->layout->count))
            return mlm__error(MLM_STOPPED, "%s: reading was stopped by the progress callback",
                mlm__tensor_files_path(from->files));
    }
    return check_tied(from, parameters);
}

/* All parameters of open files in a new array; nothing of their size is allocated before every
   tensor is found to be what it must be. */
static mlm_status read_files(source *from, bool heads_may_lack, uint64_t seed, float **out)
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

static mlm_status read_parameters(mlm_runtime *runtime, const char *directory,
    const mlm__layout *layout, bool heads_may_lack, uint64_t seed, float **out)
{
    source from = {.runtime = runtime, .layout = layout};
    MLM__TRY(mlm__tensor_files_open(runtime, directory, &from.files));
    mlm_status status = MLM_ERR_MEMORY;
    from.tensors = mlm__alloc_zero(runtime, layout->count, sizeof *from.tensors);
    if (from.tensors)
        status = read_files(&from, heads_may_lack, seed, out);
    mlm__free(runtime, (void *)from.tensors);
    mlm__tensor_files_close(from.files);
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

static mlm_status load_resolved(mlm_runtime *runtime, const char *directory, uint64_t seed,
    bool sentence_head, mlm__model **out)
{
    mlm_encoder_config config;
    mlm__model *model;
    MLM__TRY(read_config(runtime, directory, &config));
    config.sentence_head |= sentence_head;
    MLM__TRY(mlm__model_make(runtime, &config, &model));
    mlm_status status =
        read_parameters(runtime, directory, model->layout, true, seed, &model->parameters);
    if (status != MLM_OK)
        mlm__model_free(model);
    else
        *out = model;
    return status;
}

mlm_status mlm__model_load_as(mlm_runtime *runtime, const char *directory, uint64_t seed,
    bool sentence_head, mlm__model **out)
{
    *out = NULL;
    char *resolved = mlm__directory_resolve(runtime, directory);
    if (!resolved)
        return MLM_ERR_MEMORY;
    mlm_status status = load_resolved(runtime, resolved, seed, sentence_head, out);
    mlm__free(runtime, resolved);
    return status;
}

mlm_status mlm__model_load(
    mlm_runtime *runtime, const char *directory, uint64_t seed, mlm__model **out)
{
    return mlm__model_load_as(runtime, directory, seed, false, out);
}

static mlm_status read_resolved(const mlm__model *model, const char *directory, float **out)
{
    mlm_encoder_config config;
    MLM__TRY(read_config(model->runtime, directory, &config));
    MLM__TRY(mlm__encoder_config_compare(&model->layout->config, &config, directory));
    return read_parameters(model->runtime, directory, model->layout, false, 0, out);
}

mlm_status mlm__model_read(const mlm__model *model, const char *directory, float **out)
{
    *out = NULL;
    char *resolved = mlm__directory_resolve(model->runtime, directory);
    if (!resolved)
        return MLM_ERR_MEMORY;
    mlm_status status = read_resolved(model, resolved, out);
    mlm__free(model->runtime, resolved);
    return status;
}

void mlm__model_put(mlm__model *model, float *parameters)
{
    memcpy(model->parameters, parameters, model->layout->size * sizeof *parameters);
    mlm__model_changed(model);
    mlm__free(model->runtime, parameters);
}

static mlm__tensor_source source_of(
    const mlm__model *model, const mlm__parameter *parameter, const char *name)
{
    return (mlm__tensor_source){name, parameter->ndim, {parameter->shape[0], parameter->shape[1]},
        model->parameters + parameter->offset};
}

/* Untied, transformers has a bias of the head beside the decoder's and does not use it; a file
   without it would be a warning there. */
mlm_status mlm__model_write(const mlm__model *model, mlm__directory *directory, int32_t dtype)
{
    const mlm__layout *layout = model->layout;
    MLM__TRY(mlm__encoder_config_write(&layout->config, directory, dtype));
    const size_t copies = layout->config.untied_word_embeddings ? 1 : 0;
    mlm__tensor_source *tensors =
        mlm__alloc_zero(model->runtime, layout->count + copies, sizeof *tensors);
    if (!tensors)
        return MLM_ERR_MEMORY;
    for (size_t i = 0; i < layout->count; i++)
        tensors[i] = source_of(model, &layout->parameters[i], layout->parameters[i].name);
    for (size_t i = 0; i < copies; i++)
        tensors[layout->count + i] =
            source_of(model, &layout->parameters[parameter_index(layout, untied_copies[i].name)],
                untied_copies[i].copy);
    mlm_status status = mlm__safetensors_write(directory, tensors_name, tensors,
        layout->count + copies, dtype == MLM_BF16 ? MLM__BF16 : MLM__F32);
    mlm__free(model->runtime, tensors);
    return status;
}
