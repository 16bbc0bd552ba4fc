/* mlm_trainer_resume: everything is checked before the encoder changes. */
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/fpmode.h"
#include "base/memory.h"
#include "base/runtime.h"
#include "encoder/config.h"
#include "encoder/layout.h"
#include "files/file.h"
#include "files/json.h"
#include "files/safetensors.h"
#include "files/sha256.h"
#include "trainer/checkpoint.h"
#include "trainer/provenance.h"
#include "trainer/trainer.h"
#include "trainer/trainer_json.h"
#include "trainer/trainer_options.h"

enum { MOST_JSON = 1 << 24, READ_SIZE = 1 << 20, MOST_FILES = 64 };

/* A file as trainer.json lists it. */
typedef struct listed_file {
    const char *name, *sha256;
    int64_t size;
} listed_file;

/* A name that leads out of the directory is none of ours. */
static mlm_status read_entry(const json_t *entry, const char *json_path, listed_file *out)
{
    *out = (listed_file){.size = -1};
    if (json_is_object(entry)) {
        MLM__TRY(mlm__json_string(entry, "name", json_path, &out->name));
        MLM__TRY(mlm__json_string(entry, "sha256", json_path, &out->sha256));
        MLM__TRY(mlm__json_int(entry, "size", 0, INT64_MAX, json_path, &out->size));
    }
    if (!out->name || !out->sha256 || out->size < 0)
        return mlm__error(
            MLM_ERR_FORMAT, "%s: files: an entry lacks name, size or sha256", json_path);
    if (!out->name[0] || out->name[0] == '.' || strchr(out->name, '/'))
        return mlm__error(
            MLM_ERR_FORMAT, "%s: files: '%s' is not a file's name", json_path, out->name);
    return MLM_OK;
}

static mlm_status stopped(const char *path)
{
    return mlm__error(MLM_STOPPED, "%s: reading was stopped by the progress callback", path);
}

static mlm_status hash_file(const mlm__file *file, char *buffer, char hex[65])
{
    mlm__sha256 sha;
    mlm__sha256_init(&sha);
    for (int64_t done = 0; done < file->size;) {
        int64_t left = file->size - done;
        size_t piece = left < READ_SIZE ? (size_t)left : READ_SIZE;
        MLM__TRY(mlm__file_read_at(file, done, buffer, piece));
        mlm__sha256_update(&sha, buffer, piece);
        done += (int64_t)piece;
        if (!mlm__progress(file->runtime, "checking the checkpoint", done, file->size))
            return stopped(file->path);
    }
    uint8_t digest[32];
    mlm__sha256_final(&sha, digest);
    mlm__sha256_hex(digest, hex);
    return MLM_OK;
}

static mlm_status check_open_file(const mlm__file *file, const listed_file *listed, char *buffer)
{
    if (file->size != listed->size)
        return mlm__error(MLM_ERR_FORMAT,
            "%s: has %" PRId64 " bytes, " MLM__TRAINER_JSON " says %" PRId64, file->path,
            file->size, listed->size);
    char hex[65];
    MLM__TRY(hash_file(file, buffer, hex));
    if (strcmp(hex, listed->sha256) != 0)
        return mlm__error(MLM_ERR_FORMAT,
            "%s: damaged: its SHA-256 is not the one in " MLM__TRAINER_JSON, file->path);
    return MLM_OK;
}

static mlm_status check_file(
    mlm_runtime *runtime, const char *directory, const listed_file *listed, char *buffer)
{
    char *path = mlm__path_join(runtime, directory, listed->name);
    if (!path)
        return MLM_ERR_MEMORY;
    mlm__file file;
    mlm_status status = mlm__file_open(runtime, path, &file);
    if (status == MLM_ERR_NOT_FOUND)
        status = mlm__error(MLM_ERR_FORMAT, "%s: missing, and listed in " MLM__TRAINER_JSON, path);
    else if (status == MLM_OK) {
        status = check_open_file(&file, listed, buffer);
        mlm__file_close(&file);
    }
    mlm__free(runtime, path);
    return status;
}

static mlm_status check_list(mlm_runtime *runtime, const char *directory, const json_t *files,
    const char *json_path, char *buffer)
{
    static const char *const needed[] = {"config.json", "model.safetensors", MLM__OPTIMIZER_FILE};
    enum { NEEDED = sizeof needed / sizeof needed[0] };
    bool seen[NEEDED] = {false};
    listed_file list[MOST_FILES];
    if (json_array_size(files) > MOST_FILES)
        return mlm__error(MLM_ERR_FORMAT, "%s: files: %zu are listed, at most %d are read",
            json_path, json_array_size(files), MOST_FILES);
    for (size_t i = 0; i < json_array_size(files); i++) {
        listed_file listed;
        MLM__TRY(read_entry(json_array_get(files, i), json_path, &listed));
        for (size_t k = 0; k < i; k++)
            if (strcmp(list[k].name, listed.name) == 0)
                return mlm__error(
                    MLM_ERR_FORMAT, "%s: files: '%s' is listed twice", json_path, listed.name);
        list[i] = listed;
        MLM__TRY(check_file(runtime, directory, &listed, buffer));
        for (size_t n = 0; n < NEEDED; n++)
            seen[n] = seen[n] || strcmp(listed.name, needed[n]) == 0;
    }
    for (size_t n = 0; n < NEEDED; n++)
        if (!seen[n])
            return mlm__error(MLM_ERR_FORMAT, "%s: files: %s is not listed", json_path, needed[n]);
    return MLM_OK;
}

static mlm_status check_files(
    mlm_runtime *runtime, const char *directory, const json_t *root, const char *json_path)
{
    const json_t *files = json_object_get(root, "files");
    if (!json_is_array(files))
        return mlm__error(MLM_ERR_FORMAT, "%s: files: not an array", json_path);
    char *buffer = mlm__alloc(runtime, READ_SIZE, 1);
    if (!buffer)
        return MLM_ERR_MEMORY;
    mlm_status status = check_list(runtime, directory, files, json_path, buffer);
    mlm__free(runtime, buffer);
    return status;
}

static mlm_status check_config(const mlm_encoder *encoder, const char *directory)
{
    mlm_encoder_config config;
    mlm_encoder_config_init(&config, sizeof config);
    MLM__TRY(mlm_encoder_config_load(encoder->runtime, directory, &config));
    return mlm__encoder_config_compare(&encoder->model->layout->config, &config, directory);
}

static mlm_status read_moment(const mlm__safetensors *file, const char *path,
    const mlm__parameter *parameter, int32_t moment, float *out)
{
    mlm__moment_name name;
    mlm__moment_name_make(parameter->name, moment, &name);
    const mlm__safetensor *tensor = mlm__safetensors_find(file, name.text);
    if (!tensor)
        return mlm__error(MLM_ERR_FORMAT, "%s: %s: missing", path, name.text);
    bool fits = tensor->dtype == MLM__F32 && tensor->ndim == parameter->ndim;
    for (int32_t d = 0; fits && d < parameter->ndim; d++)
        fits = tensor->shape[d] == parameter->shape[d];
    if (!fits)
        return mlm__error(
            MLM_ERR_FORMAT, "%s: %s: not F32 of its parameter's shape", path, name.text);
    return mlm__safetensors_read(file, tensor, out);
}

static mlm_status read_all_moments(
    mlm_trainer *trainer, const mlm__safetensors *file, const char *path)
{
    const mlm__layout *layout = trainer->encoder->model->layout;
    for (size_t i = 0; i < layout->count; i++) {
        const mlm__parameter *parameter = &layout->parameters[i];
        if (mlm__is_frozen(&trainer->frozen, parameter->offset))
            continue;
        const size_t place = mlm__trained_place(&trainer->frozen, parameter->offset);
        MLM__TRY(read_moment(file, path, parameter, 0, trainer->exp_avg + place));
        MLM__TRY(read_moment(file, path, parameter, 1, trainer->exp_avg_sq + place));
        if (!mlm__progress(
                trainer->runtime, "reading the checkpoint", (int64_t)i + 1, (int64_t)layout->count))
            return stopped(path);
    }
    return MLM_OK;
}

static mlm_status read_moments(mlm_trainer *trainer, const char *directory)
{
    char *path = mlm__path_join(trainer->runtime, directory, MLM__OPTIMIZER_FILE);
    if (!path)
        return MLM_ERR_MEMORY;
    mlm__safetensors *file;
    mlm_status status = mlm__safetensors_open(trainer->runtime, path, &file);
    if (status == MLM_OK) {
        status = read_all_moments(trainer, file, path);
        mlm__safetensors_close(file);
    }
    mlm__free(trainer->runtime, path);
    return status;
}

/* Moments of what was frozen are not there, and would begin anew in the middle of a run. */
static mlm_status check_frozen(
    const mlm_trainer_options *given, const mlm_trainer_options *saved, const char *directory)
{
    if (given->freeze_embeddings != saved->freeze_embeddings)
        return mlm__error(MLM_ERR_MISMATCH,
            "%s: freeze_embeddings is %d, the checkpoint was trained with %d", directory,
            given->freeze_embeddings, saved->freeze_embeddings);
    if (given->freeze_layers != saved->freeze_layers)
        return mlm__error(MLM_ERR_MISMATCH,
            "%s: freeze_layers is %d, the checkpoint was trained with %d", directory,
            given->freeze_layers, saved->freeze_layers);
    return MLM_OK;
}

/* The checkpoint's parts, read and verified. */
static mlm_status fill(mlm_trainer *trainer, const char *directory,
    const mlm__trainer_record *record, const mlm_trainer *alike, float **parameters)
{
    if (alike)
        MLM__TRY(mlm__provenance_check(trainer, alike->tokenizer, alike->corpus, alike->masker));
    MLM__TRY(read_moments(trainer, directory));
    trainer->state = record->state;
    trainer->metrics = record->metrics;
    return mlm__model_read(trainer->encoder->model, directory, parameters);
}

static mlm_status resume_from(mlm_runtime *runtime, mlm_encoder *encoder, const char *directory,
    const char *json_path, const json_t *root, const mlm_trainer_options *given,
    const mlm_trainer *alike, mlm__checkpoint *out)
{
    mlm__trainer_record record;
    MLM__TRY(mlm__trainer_json_read(root, json_path, &record));
    MLM__TRY(check_files(encoder->runtime, directory, root, json_path));
    MLM__TRY(check_config(encoder, directory));
    if (given)
        MLM__TRY(check_frozen(given, &record.options, directory));
    mlm_trainer *trainer;
    MLM__TRY(mlm__trainer_new(runtime, encoder, given ? given : &record.options, &trainer));
    mlm_status status =
        mlm__provenance_keep(trainer, json_object_get(root, "provenance"), json_path);
    if (status == MLM_OK)
        status = fill(trainer, directory, &record, alike, &out->parameters);
    if (status < MLM_OK) {
        mlm_trainer_free(trainer);
        return status;
    }
    /* Who gives another rate means it. */
    if (given && !alike) {
        trainer->state.learning_rate = -1;
        if (given->learning_rate != record.options.learning_rate)
            trainer->state.rate_factor = 1;
    }
    const mlm__build_text build = mlm__trainer_json_build(trainer);
    if (strcmp(record.build, build.text) != 0)
        mlm__log(encoder->runtime, MLM_LOG_WARNING,
            "%s: written by %s, this is %s: from here on numbers may be rounded differently",
            json_path, record.build, build.text);
    out->trainer = trainer;
    return MLM_OK;
}

static mlm_status resume(mlm_runtime *runtime, mlm_encoder *encoder, const char *directory,
    const mlm_trainer_options *given, const mlm_trainer *alike, mlm__checkpoint *out)
{
    char *path = mlm__path_join(encoder->runtime, directory, MLM__TRAINER_JSON);
    if (!path)
        return MLM_ERR_MEMORY;
    json_t *root;
    mlm_status status = mlm__json_load_sealed(encoder->runtime, path, MOST_JSON, &root);
    if (status == MLM_OK) {
        status = resume_from(runtime, encoder, directory, path, root, given, alike, out);
        json_decref(root);
    }
    mlm__free(encoder->runtime, path);
    return status;
}

mlm_status mlm__checkpoint_read(mlm_runtime *runtime, mlm_encoder *encoder, const char *directory,
    const mlm_trainer_options *options, const mlm_trainer *alike, mlm__checkpoint *out)
{
    char *found = mlm__directory_resolve(encoder->runtime, directory);
    if (!found)
        return MLM_ERR_MEMORY;
    mlm_status status = resume(runtime, encoder, found, options, alike, out);
    mlm__free(encoder->runtime, found);
    return status;
}

mlm_status mlm_trainer_resume(mlm_runtime *runtime, mlm_encoder *encoder, const char *directory,
    const mlm_trainer_options *options, mlm_trainer **out)
{
    if (!out)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_trainer_resume: out is NULL");
    *out = NULL;
    if (!encoder)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_trainer_resume: encoder is NULL");
    if (!directory)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_trainer_resume: directory is NULL");
    mlm_trainer_options given;
    if (options)
        MLM__TRY(mlm__trainer_options_read(options, &given));
    mlm__checkpoint read = {0};
    fenv_t mode; /* numbers are read from decimal */
    mlm__fp_enter(&mode);
    mlm_status status =
        mlm__checkpoint_read(runtime, encoder, directory, options ? &given : NULL, NULL, &read);
    mlm__fp_leave(&mode);
    MLM__TRY(status);
    mlm__model_put(encoder->model, read.parameters);
    *out = read.trainer;
    return MLM_OK;
}
