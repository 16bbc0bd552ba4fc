#include "files/tensor_files.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "files/file.h"
#include "files/json.h"

static const char single_name[] = "model.safetensors",
                  index_name[] = "model.safetensors.index.json";

/* 70 bytes a tensor; the largest models have some ten thousand. */
enum { INDEX_LIMIT = 16 << 20 };

/* All are open at once, and a process mostly has 1024 descriptors. */
enum { SHARDS_LIMIT = 512 };

typedef struct shard {
    char *path;
    mlm__safetensors *file;
} shard;

struct mlm__tensor_files {
    mlm_runtime *runtime;
    char *path; /* of the one file or the index */
    shard *shards;
    size_t shard_count, shard_capacity;
    mlm__stored_tensor *tensors; /* [count], by name */
    size_t count;
};

void mlm__tensor_files_close(mlm__tensor_files *files)
{
    if (!files)
        return;
    for (size_t i = 0; i < files->shard_count; i++) {
        mlm__safetensors_close(files->shards[i].file);
        mlm__free(files->runtime, files->shards[i].path);
    }
    mlm__free(files->runtime, files->shards);
    mlm__free(files->runtime, files->tensors);
    mlm__free(files->runtime, files->path);
    mlm__free(files->runtime, files);
}

/* Takes path over. */
static mlm_status add_shard(mlm__tensor_files *files, char *path)
{
    if (!path)
        return MLM_ERR_MEMORY;
    mlm_status status = mlm__grow(files->runtime, &files->shards, &files->shard_capacity,
        files->shard_count + 1, sizeof *files->shards);
    shard added = {.path = path};
    if (status == MLM_OK)
        status = mlm__safetensors_open(files->runtime, path, &added.file);
    if (status == MLM_OK)
        files->shards[files->shard_count++] = added;
    else
        mlm__free(files->runtime, path);
    return status;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const mlm__stored_tensor *)a)->tensor->name,
        ((const mlm__stored_tensor *)b)->tensor->name);
}

static mlm_status list_tensors(mlm__tensor_files *files)
{
    size_t count = 0;
    for (size_t i = 0; i < files->shard_count; i++)
        count += mlm__safetensors_count(files->shards[i].file);
    files->tensors = mlm__alloc(files->runtime, count, sizeof *files->tensors);
    if (!files->tensors)
        return MLM_ERR_MEMORY;
    for (size_t i = 0; i < files->shard_count; i++) {
        const mlm__safetensors *file = files->shards[i].file;
        for (size_t t = 0; t < mlm__safetensors_count(file); t++)
            files->tensors[files->count++] =
                (mlm__stored_tensor){mlm__safetensors_get(file, t), file, files->shards[i].path};
    }
    qsort(files->tensors, count, sizeof *files->tensors, compare_names);
    for (size_t i = 1; i < count; i++)
        if (compare_names(&files->tensors[i - 1], &files->tensors[i]) == 0)
            return mlm__error(MLM_ERR_FORMAT, "%s: %s is in %s too", files->tensors[i].path,
                files->tensors[i].tensor->name, files->tensors[i - 1].path);
    return MLM_OK;
}

/* ---- the index ---------------------------------------------------------------------- */

/* No name leads out of the directory. */
static bool is_file_name(const char *name)
{
    return *name && !strchr(name, '/') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static int compare_strings(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static mlm_status list_shards(mlm__tensor_files *files, json_t *map, const char **names)
{
    size_t count = 0;
    const char *tensor;
    json_t *value;
    json_object_foreach (map, tensor, value) {
        const char *name = json_string_value(value);
        if (!name || !is_file_name(name))
            return mlm__error(MLM_ERR_FORMAT, "%s: weight_map: %s: '%s' is not a file's name",
                files->path, tensor, name ? name : "");
        names[count++] = name;
    }
    qsort((void *)names, count, sizeof *names, compare_strings);
    return MLM_OK;
}

/* names are in order. */
static mlm_status open_shards(
    mlm__tensor_files *files, const char *directory, const char *const *names, size_t count)
{
    size_t distinct = 0;
    for (size_t i = 0; i < count; i++)
        distinct += i == 0 || strcmp(names[i - 1], names[i]) != 0;
    if (distinct > SHARDS_LIMIT)
        return mlm__error(MLM_ERR_FORMAT, "%s: weight_map: %zu shards are more than %d",
            files->path, distinct, SHARDS_LIMIT);
    for (size_t i = 0; i < count; i++)
        if (i == 0 || strcmp(names[i - 1], names[i]) != 0)
            MLM__TRY(add_shard(files, mlm__path_join(files->runtime, directory, names[i])));
    return MLM_OK;
}

static mlm_status check_map(const mlm__tensor_files *files, json_t *map)
{
    const char *name;
    json_t *value;
    json_object_foreach (map, name, value) {
        const mlm__stored_tensor *found = mlm__tensor_files_find(files, name);
        const char *shard_name = json_string_value(value);
        const char *last = found ? strrchr(found->path, '/') : NULL;
        if (!found || strcmp(last ? last + 1 : found->path, shard_name) != 0)
            return mlm__error(
                MLM_ERR_FORMAT, "%s: weight_map: %s is not in %s", files->path, name, shard_name);
    }
    return MLM_OK;
}

static mlm_status read_map(mlm__tensor_files *files, const char *directory, json_t *map)
{
    if (!json_is_object(map) || json_object_size(map) == 0)
        return mlm__error(MLM_ERR_FORMAT, "%s: no weight_map", files->path);
    const char **names = mlm__alloc(files->runtime, json_object_size(map), sizeof *names);
    if (!names)
        return MLM_ERR_MEMORY;
    mlm_status status = list_shards(files, map, names);
    if (status == MLM_OK)
        status = open_shards(files, directory, names, json_object_size(map));
    mlm__free(files->runtime, (void *)names);
    if (status == MLM_OK)
        status = list_tensors(files);
    return status == MLM_OK ? check_map(files, map) : status;
}

static mlm_status read_index(mlm__tensor_files *files, const char *directory)
{
    json_t *root = NULL;
    MLM__TRY(mlm__json_load(files->runtime, files->path, INDEX_LIMIT, &root));
    mlm_status status = read_map(files, directory, json_object_get(root, "weight_map"));
    json_decref(root);
    return status;
}

/* ---- opening ------------------------------------------------------------------------ */

/* A directory that has the model in another form says so, not that there is none. */
static mlm_status refuse_other_forms(mlm_runtime *runtime, const char *directory)
{
    static const char *const forms[] = {"pytorch_model.bin", "pytorch_model.bin.index.json"};
    mlm_status status = MLM_OK;
    for (size_t i = 0; status == MLM_OK && i < sizeof forms / sizeof *forms; i++) {
        char *path = mlm__path_join(runtime, directory, forms[i]);
        if (!path)
            return MLM_ERR_MEMORY;
        if (mlm__path_exists(path))
            status = mlm__error(MLM_ERR_UNSUPPORTED, "%s: only %s is read", path, single_name);
        mlm__free(runtime, path);
    }
    return status;
}

static mlm_status open_files(mlm__tensor_files *files, const char *directory)
{
    files->path = mlm__path_join(files->runtime, directory, index_name);
    if (!files->path)
        return MLM_ERR_MEMORY;
    char *single = mlm__path_join(files->runtime, directory, single_name);
    if (!single)
        return MLM_ERR_MEMORY;
    if (!mlm__path_exists(single) && mlm__path_exists(files->path)) {
        mlm__free(files->runtime, single);
        return read_index(files, directory);
    }
    mlm__free(files->runtime, files->path);
    files->path = single;
    if (!mlm__path_exists(single))
        MLM__TRY(refuse_other_forms(files->runtime, directory));
    MLM__TRY(add_shard(files, mlm__path_join(files->runtime, directory, single_name)));
    return list_tensors(files);
}

mlm_status mlm__tensor_files_open(
    mlm_runtime *runtime, const char *directory, mlm__tensor_files **out)
{
    *out = NULL;
    mlm__tensor_files *files = mlm__alloc_zero(runtime, 1, sizeof *files);
    if (!files)
        return MLM_ERR_MEMORY;
    files->runtime = runtime;
    mlm_status status = open_files(files, directory);
    if (status == MLM_OK)
        *out = files;
    else
        mlm__tensor_files_close(files);
    return status;
}

size_t mlm__tensor_files_count(const mlm__tensor_files *files)
{
    return files->count;
}

const mlm__stored_tensor *mlm__tensor_files_get(const mlm__tensor_files *files, size_t index)
{
    return &files->tensors[index];
}

const mlm__stored_tensor *mlm__tensor_files_find(const mlm__tensor_files *files, const char *name)
{
    const mlm__safetensor named = {.name = name};
    const mlm__stored_tensor key = {.tensor = &named};
    return bsearch(&key, files->tensors, files->count, sizeof *files->tensors, compare_names);
}

const char *mlm__tensor_files_path(const mlm__tensor_files *files)
{
    return files->path;
}
