/* safetensors files: https://huggingface.co/docs/safetensors, version 0.8. */
#ifndef MLM_FILES_SAFETENSORS_H
#define MLM_FILES_SAFETENSORS_H

#include "files/directory.h"
#include "mlm/mlm.h"

enum { MLM__F32, MLM__F16, MLM__BF16, MLM__F64, MLM__I64, MLM__DTYPE_OTHER };

typedef struct mlm__safetensor {
    const char *name;
    int32_t dtype, ndim;
    int64_t shape[4];
    int64_t begin, end; /* its bytes in the file */
} mlm__safetensor;

typedef struct mlm__safetensors mlm__safetensors;

/* Reads and checks the header. A file that is damaged or hostile is MLM_ERR_FORMAT, with the path
   and the tensor in the message; the runtime is borrowed until the close. */
mlm_status mlm__safetensors_open(mlm_runtime *runtime, const char *path, mlm__safetensors **out);
/* Tensors in the order of their bytes in the file. */
size_t mlm__safetensors_count(const mlm__safetensors *file);
const mlm__safetensor *mlm__safetensors_get(const mlm__safetensors *file, size_t index);
/* NULL: there is none of that name. */
const mlm__safetensor *mlm__safetensors_find(const mlm__safetensors *file, const char *name);
/* All numbers of a tensor of MLM__F32, MLM__F16 or MLM__BF16 as float, exactly; another type is
   MLM_ERR_UNSUPPORTED. out is undefined after an error. */
mlm_status mlm__safetensors_read(
    const mlm__safetensors *file, const mlm__safetensor *tensor, float *out);
void mlm__safetensors_close(mlm__safetensors *file);

typedef struct mlm__tensor_source {
    const char *name;
    int32_t ndim;
    int64_t shape[4];
    const float *data;
} mlm__tensor_source;

/* Writes one file as the Python package does: sorted by name, __metadata__ {"format": "pt"}.
   dtype is MLM__F32 or MLM__BF16, rounded to nearest even. */
mlm_status mlm__safetensors_write(mlm__directory *directory, const char *name,
    const mlm__tensor_source *tensors, size_t count, int32_t dtype);

#endif
