#include "files/safetensors.h"

#include <assert.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "files/file.h"
#include "files/half.h"
#include "files/json.h"

/*
 * A file: the header's length in 8 bytes, the header (JSON, padded with spaces), the tensors'
 * bytes, without gaps. The format allows headers of 100,000,000 bytes; jansson's tree of one could
 * be a hundred times that, and a model of a thousand tensors has 100,000, so less is read.
 */
enum { PREFIX = 8, FORMAT_LIMIT = 100000000, HEADER_LIMIT = 8 << 20, MOST_DIMENSIONS = 4 };

#define METADATA "__metadata__"

struct mlm__safetensors {
    mlm__file file;
    size_t count;
    mlm__safetensor *tensors;
    char *names; /* of all tensors, each with its zero byte */
};

static const struct {
    const char *name;
    int32_t bits, dtype;
} dtypes[] = {
    {"F32", 32, MLM__F32},
    {"F16", 16, MLM__F16},
    {"BF16", 16, MLM__BF16},
    {"F64", 64, MLM__F64},
    {"I64", 64, MLM__I64},
    {"BOOL", 8, MLM__DTYPE_OTHER},
    {"U8", 8, MLM__DTYPE_OTHER},
    {"I8", 8, MLM__DTYPE_OTHER},
    {"U16", 16, MLM__DTYPE_OTHER},
    {"I16", 16, MLM__DTYPE_OTHER},
    {"U32", 32, MLM__DTYPE_OTHER},
    {"I32", 32, MLM__DTYPE_OTHER},
    {"U64", 64, MLM__DTYPE_OTHER},
    {"C64", 64, MLM__DTYPE_OTHER},
    {"F8_E4M3", 8, MLM__DTYPE_OTHER},
    {"F8_E5M2", 8, MLM__DTYPE_OTHER},
    {"F8_E8M0", 8, MLM__DTYPE_OTHER},
    {"F6_E2M3", 6, MLM__DTYPE_OTHER},
    {"F6_E3M2", 6, MLM__DTYPE_OTHER},
    {"F4", 4, MLM__DTYPE_OTHER},
};

/* ---- header ---------------------------------------------------------------- */

static mlm_status tensor_error(const mlm__safetensors *file, const char *name, const char *what)
{
    return mlm__error(MLM_ERR_FORMAT, "%s: tensor '%s': %s", file->file.path, name, what);
}

/* Sets dtype and *bits, of one element. */
static mlm_status read_dtype(
    const mlm__safetensors *file, const json_t *entry, mlm__safetensor *tensor, int32_t *bits)
{
    const char *name = json_string_value(json_object_get(entry, "dtype"));
    if (!name)
        return tensor_error(file, tensor->name, "dtype is not a string");
    for (size_t i = 0; i < sizeof dtypes / sizeof dtypes[0]; i++)
        if (strcmp(dtypes[i].name, name) == 0) {
            tensor->dtype = dtypes[i].dtype;
            *bits = dtypes[i].bits;
            return MLM_OK;
        }
    return mlm__error(
        MLM_ERR_FORMAT, "%s: tensor '%s': unknown dtype '%s'", file->file.path, tensor->name, name);
}

/* Sets shape and *elements, at most the bits of a file. */
static mlm_status read_shape(
    const mlm__safetensors *file, const json_t *entry, mlm__safetensor *tensor, int64_t *elements)
{
    const json_t *shape = json_object_get(entry, "shape");
    if (!json_is_array(shape))
        return tensor_error(file, tensor->name, "shape is not an array");
    size_t ndim = json_array_size(shape);
    if (ndim > MOST_DIMENSIONS)
        return mlm__error(MLM_ERR_UNSUPPORTED,
            "%s: tensor '%s': has %zu dimensions, at most %d are read", file->file.path,
            tensor->name, ndim, MOST_DIMENSIONS);
    tensor->ndim = (int32_t)ndim;
    *elements = 1;
    for (size_t i = 0; i < ndim; i++) {
        const json_t *length = json_array_get(shape, i);
        if (!json_is_integer(length) || json_integer_value(length) < 0)
            return tensor_error(file, tensor->name, "shape is not of whole numbers from 0 on");
        tensor->shape[i] = json_integer_value(length);
        if (tensor->shape[i] > 0 && *elements > INT64_MAX / 64 / tensor->shape[i])
            return tensor_error(file, tensor->name, "shape is larger than any file");
        *elements *= tensor->shape[i];
    }
    return MLM_OK;
}

/* Sets begin and end, which the header counts from its own end on. */
static mlm_status read_offsets(
    const mlm__safetensors *file, const json_t *entry, int64_t start, mlm__safetensor *tensor)
{
    const json_t *offsets = json_object_get(entry, "data_offsets");
    const json_t *begin = json_array_get(offsets, 0), *end = json_array_get(offsets, 1);
    if (json_array_size(offsets) != 2 || !json_is_integer(begin) || !json_is_integer(end))
        return tensor_error(file, tensor->name, "data_offsets is not two whole numbers");
    int64_t low = json_integer_value(begin), high = json_integer_value(end);
    if (low < 0 || high < low || high > file->file.size - start)
        return mlm__error(MLM_ERR_FORMAT,
            "%s: tensor '%s': data_offsets %" PRId64 " to %" PRId64
            " are not in the file's %" PRId64 " bytes of data",
            file->file.path, tensor->name, low, high, file->file.size - start);
    tensor->begin = start + low;
    tensor->end = start + high;
    return MLM_OK;
}

static mlm_status read_tensor(
    const mlm__safetensors *file, const json_t *entry, int64_t start, mlm__safetensor *tensor)
{
    int32_t bits = 0;
    int64_t elements = 0;
    if (!json_is_object(entry))
        return tensor_error(file, tensor->name, "is not an object");
    MLM__TRY(read_dtype(file, entry, tensor, &bits));
    MLM__TRY(read_shape(file, entry, tensor, &elements));
    MLM__TRY(read_offsets(file, entry, start, tensor));
    /* No overflow: shapes are below 2^63 / 64 elements, of at most 64 bits. */
    if (elements * bits % 8 != 0 || elements * bits / 8 != tensor->end - tensor->begin)
        return mlm__error(MLM_ERR_FORMAT,
            "%s: tensor '%s': has %" PRId64 " bytes, its shape and dtype say %" PRId64 " bits",
            file->file.path, tensor->name, tensor->end - tensor->begin, elements * bits);
    return MLM_OK;
}

/* Of its strings nothing is used; that they are strings is checked as the reference does. */
static mlm_status check_metadata(const mlm__safetensors *file, json_t *metadata)
{
    const char *name;
    json_t *value;
    if (!json_is_object(metadata))
        return mlm__error(MLM_ERR_FORMAT, "%s: " METADATA " is not an object", file->file.path);
    json_object_foreach (metadata, name, value)
        if (!json_is_string(value))
            return mlm__error(
                MLM_ERR_FORMAT, "%s: " METADATA ": '%s' is not a string", file->file.path, name);
    return MLM_OK;
}

static int by_place(const void *a, const void *b)
{
    const mlm__safetensor *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    if (x->end != y->end)
        return x->end < y->end ? -1 : 1; /* the empty ones of a place first */
    return strcmp(x->name, y->name);
}

/* Every byte of the data belongs to one tensor. */
static mlm_status check_places(const mlm__safetensors *file, int64_t start)
{
    int64_t end = start;
    for (size_t i = 0; i < file->count; i++) {
        const mlm__safetensor *tensor = &file->tensors[i];
        if (tensor->begin != end)
            return mlm__error(MLM_ERR_FORMAT, "%s: tensor '%s': %s the one before it",
                file->file.path, tensor->name,
                tensor->begin < end ? "overlaps" : "leaves a gap after");
        end = tensor->end;
    }
    if (end != file->file.size)
        return mlm__error(MLM_ERR_FORMAT, "%s: has %" PRId64 " bytes after its last tensor",
            file->file.path, file->file.size - end);
    return MLM_OK;
}

/* Allocates room for what header describes. */
static mlm_status allocate(mlm__safetensors *file, json_t *header)
{
    const char *name;
    json_t *entry;
    size_t length = 0, count = 0;
    json_object_foreach (header, name, entry) {
        length += strlen(name) + 1;
        count++;
    }
    mlm_runtime *runtime = file->file.runtime;
    file->tensors = mlm__alloc_zero(runtime, count, sizeof *file->tensors);
    file->names = mlm__alloc(runtime, length, 1);
    return file->tensors && file->names ? MLM_OK : MLM_ERR_MEMORY;
}

static mlm_status read_entries(mlm__safetensors *file, json_t *header, int64_t start)
{
    const char *name;
    json_t *entry;
    if (!json_is_object(header))
        return mlm__error(MLM_ERR_FORMAT, "%s: its header is not a JSON object", file->file.path);
    MLM__TRY(allocate(file, header));
    char *next_name = file->names;
    json_object_foreach (header, name, entry) {
        if (strcmp(name, METADATA) == 0) {
            MLM__TRY(check_metadata(file, entry));
            continue;
        }
        mlm__safetensor *tensor = &file->tensors[file->count++];
        tensor->name = strcpy(next_name, name);
        next_name += strlen(name) + 1;
        MLM__TRY(read_tensor(file, entry, start, tensor));
    }
    if (file->count > 0)
        qsort(file->tensors, file->count, sizeof *file->tensors, by_place);
    return check_places(file, start);
}

/* Sets the header's length from the first bytes. */
static mlm_status read_length(const mlm__file *file, size_t *length)
{
    uint64_t said;
    if (file->size < PREFIX)
        return mlm__error(MLM_ERR_FORMAT, "%s: is no safetensors file: it has %" PRId64 " bytes",
            file->path, file->size);
    MLM__TRY(mlm__file_read_at(file, 0, &said, sizeof said));
    if (said > FORMAT_LIMIT || said > (uint64_t)(file->size - PREFIX))
        return mlm__error(MLM_ERR_FORMAT,
            "%s: is no safetensors file, or cut off: a header of %" PRIu64
            " bytes in a file of %" PRId64,
            file->path, said, file->size);
    if (said > HEADER_LIMIT)
        return mlm__error(MLM_ERR_UNSUPPORTED,
            "%s: has a header of %" PRIu64 " bytes, at most %d are read", file->path, said,
            HEADER_LIMIT);
    *length = (size_t)said;
    return MLM_OK;
}

static mlm_status read_header(mlm__safetensors *file)
{
    size_t length = 0;
    MLM__TRY(read_length(&file->file, &length));
    char *text = mlm__alloc(file->file.runtime, length, 1);
    if (!text)
        return MLM_ERR_MEMORY;
    json_t *header = NULL;
    mlm_status status = mlm__file_read_at(&file->file, PREFIX, text, length);
    if (status == MLM_OK)
        status = mlm__json_parse(text, length, file->file.path, &header);
    mlm__free(file->file.runtime, text);
    if (status == MLM_OK)
        status = read_entries(file, header, PREFIX + (int64_t)length);
    json_decref(header);
    return status;
}

mlm_status mlm__safetensors_open(mlm_runtime *runtime, const char *path, mlm__safetensors **out)
{
    *out = NULL;
    mlm__safetensors *file = mlm__alloc_zero(runtime, 1, sizeof *file);
    if (!file)
        return MLM_ERR_MEMORY;
    mlm_status status = mlm__file_open(runtime, path, &file->file);
    if (status != MLM_OK) {
        mlm__free(runtime, file);
        return status;
    }
    status = read_header(file);
    if (status == MLM_OK)
        *out = file;
    else
        mlm__safetensors_close(file);
    return status;
}

void mlm__safetensors_close(mlm__safetensors *file)
{
    if (!file)
        return;
    mlm_runtime *runtime = file->file.runtime;
    mlm__free(runtime, file->names);
    mlm__free(runtime, file->tensors);
    mlm__file_close(&file->file);
    mlm__free(runtime, file);
}

/* ---- tensors ---------------------------------------------------------------- */

size_t mlm__safetensors_count(const mlm__safetensors *file)
{
    return file->count;
}

const mlm__safetensor *mlm__safetensors_get(const mlm__safetensors *file, size_t index)
{
    assert(index < file->count);
    return &file->tensors[index];
}

const mlm__safetensor *mlm__safetensors_find(const mlm__safetensors *file, const char *name)
{
    for (size_t i = 0; i < file->count; i++)
        if (strcmp(file->tensors[i].name, name) == 0)
            return &file->tensors[i];
    return NULL;
}

/* out holds count 16-bit numbers in its upper half: each is read before it is written over. */
static void widen(float *out, size_t count, float (*to_float)(uint16_t))
{
    const char *from = (const char *)out + count * sizeof(uint16_t);
    for (size_t i = 0; i < count; i++) {
        uint16_t number;
        memcpy(&number, from + i * sizeof number, sizeof number);
        out[i] = to_float(number);
    }
}

mlm_status mlm__safetensors_read(
    const mlm__safetensors *file, const mlm__safetensor *tensor, float *out)
{
    size_t size = (size_t)(tensor->end - tensor->begin);
    if (tensor->dtype == MLM__F32)
        return mlm__file_read_at(&file->file, tensor->begin, out, size);
    if (tensor->dtype != MLM__F16 && tensor->dtype != MLM__BF16)
        return mlm__error(MLM_ERR_UNSUPPORTED, "%s: tensor '%s': is not of F32, F16 or BF16",
            file->file.path, tensor->name);
    MLM__TRY(mlm__file_read_at(&file->file, tensor->begin, (char *)out + size, size));
    widen(out, size / sizeof(uint16_t),
        tensor->dtype == MLM__F16 ? mlm__half_to_float : mlm__bfloat_to_float);
    return MLM_OK;
}

/* ---- writing ---------------------------------------------------------------- */

static size_t elements_of(const mlm__tensor_source *tensor)
{
    size_t elements = 1;
    for (int32_t i = 0; i < tensor->ndim; i++)
        elements *= (size_t)tensor->shape[i];
    return elements;
}

static int by_name(const void *a, const void *b)
{
    const mlm__tensor_source *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

/* The entry of a tensor whose bytes begin at *offset, which moves on. NULL: no memory. */
static json_t *make_entry(const mlm__tensor_source *tensor, int32_t dtype, json_int_t *offset)
{
    json_int_t begin = *offset;
    *offset += (json_int_t)(elements_of(tensor) * (dtype == MLM__F32 ? 4 : 2));
    json_t *shape = json_array();
    for (int32_t i = 0; i < tensor->ndim; i++)
        if (json_array_append_new(shape, json_integer(tensor->shape[i])) != 0) {
            json_decref(shape);
            return NULL;
        }
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", dtype == MLM__F32 ? "F32" : "BF16", "shape",
        shape, "data_offsets", begin, *offset);
}

/* The header's text, for mlm__free. */
static mlm_status make_header(mlm_runtime *runtime, const mlm__tensor_source *const *tensors,
    size_t count, int32_t dtype, char **out)
{
    json_int_t offset = 0;
    json_t *header = json_pack("{s:{s:s}}", METADATA, "format", "pt");
    bool whole = header != NULL;
    for (size_t i = 0; whole && i < count; i++)
        whole = json_object_set_new(
                    header, tensors[i]->name, make_entry(tensors[i], dtype, &offset)) == 0;
    mlm_status status = mlm__json_text(runtime, whole ? header : NULL, out);
    json_decref(header);
    return status;
}

static mlm_status write_header(mlm__directory *directory, const char *text)
{
    static const char spaces[PREFIX] = "        ";
    size_t length = strlen(text), padding = (PREFIX - length % PREFIX) % PREFIX;
    uint64_t whole = length + padding;
    MLM__TRY(mlm__directory_write(directory, &whole, sizeof whole));
    MLM__TRY(mlm__directory_write(directory, text, length));
    return mlm__directory_write(directory, spaces, padding);
}

static mlm_status write_bfloats(mlm__directory *directory, const float *data, size_t count)
{
    uint16_t numbers[4096];
    size_t room = sizeof numbers / sizeof numbers[0];
    for (size_t done = 0; done < count;) {
        size_t n = count - done < room ? count - done : room;
        for (size_t i = 0; i < n; i++)
            numbers[i] = mlm__bfloat_from_float(data[done + i]);
        MLM__TRY(mlm__directory_write(directory, numbers, n * sizeof numbers[0]));
        done += n;
    }
    return MLM_OK;
}

static mlm_status write_tensors(mlm__directory *directory, const char *name,
    const mlm__tensor_source *const *tensors, size_t count, int32_t dtype)
{
    mlm_runtime *runtime = mlm__directory_runtime(directory);
    char *header;
    MLM__TRY(make_header(runtime, tensors, count, dtype, &header));
    mlm_status status = mlm__directory_start(directory, name);
    if (status == MLM_OK)
        status = write_header(directory, header);
    mlm__free(runtime, header);
    for (size_t i = 0; status == MLM_OK && i < count; i++) {
        size_t elements = elements_of(tensors[i]);
        status = dtype == MLM__F32
                     ? mlm__directory_write(directory, tensors[i]->data, elements * sizeof(float))
                     : write_bfloats(directory, tensors[i]->data, elements);
    }
    return status == MLM_OK ? mlm__directory_finish(directory) : status;
}

mlm_status mlm__safetensors_write(mlm__directory *directory, const char *name,
    const mlm__tensor_source *tensors, size_t count, int32_t dtype)
{
    assert(dtype == MLM__F32 || dtype == MLM__BF16);
    mlm_runtime *runtime = mlm__directory_runtime(directory);
    const mlm__tensor_source **sorted = mlm__alloc(runtime, count, sizeof *sorted);
    if (!sorted)
        return MLM_ERR_MEMORY;
    for (size_t i = 0; i < count; i++)
        sorted[i] = &tensors[i];
    qsort(sorted, count, sizeof *sorted, by_name);
    mlm_status status = write_tensors(directory, name, sorted, count, dtype);
    mlm__free(runtime, sorted);
    return status;
}
