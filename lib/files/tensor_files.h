/* The tensors of a model's directory: of one model.safetensors, or of the shards that
   model.safetensors.index.json lists. */
#ifndef MLM_FILES_TENSOR_FILES_H
#define MLM_FILES_TENSOR_FILES_H

#include "files/safetensors.h"

/* A tensor, and the file that has its numbers. */
typedef struct mlm__stored_tensor {
    const mlm__safetensor *tensor;
    const mlm__safetensors *file;
    const char *path; /* of the file, for messages */
} mlm__stored_tensor;

typedef struct mlm__tensor_files mlm__tensor_files;

/* Where both are, the one file, as in transformers. A shard is a file of the directory itself, whatever
   the index says; a tensor that is not in the shard the index names, or in two, is MLM_ERR_FORMAT.
   MLM_ERR_UNSUPPORTED: there is only pytorch_model.bin. The runtime is borrowed until the close. */
mlm_status mlm__tensor_files_open(
    mlm_runtime *runtime, const char *directory, mlm__tensor_files **out);
/* In the order of their names. */
size_t mlm__tensor_files_count(const mlm__tensor_files *files);
const mlm__stored_tensor *mlm__tensor_files_get(const mlm__tensor_files *files, size_t index);
/* NULL: there is none of that name. */
const mlm__stored_tensor *mlm__tensor_files_find(const mlm__tensor_files *files, const char *name);
/* The one file's path, or the index's. */
const char *mlm__tensor_files_path(const mlm__tensor_files *files);
void mlm__tensor_files_close(mlm__tensor_files *files);

#endif
