#include "files/safetensors.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/runtime.h"
#include "files/suites.h"
#include "support/support.h"

static mlm_runtime *runtime;

static void setup(void)
{
    assert_ok(mlm__runtime_retain(NULL, &runtime));
}

static void teardown(void)
{
    int64_t now;
    mlm_runtime_memory(runtime, &now, NULL);
    ck_assert_int_eq(now, 0);
    mlm_runtime_free(runtime);
}

static const float weight[6] = {-0.5f, -0.25f, 0, 0.25f, 0.5f, 0.75f};
static const float bias[3] = {1e-38f, -3.5f, INFINITY};

/* A tensor of an open file has this type, shape and, where they are numbers, values. */
static void assert_tensor(mlm__safetensors *file, const char *name, int32_t dtype, int32_t ndim,
    const int64_t *shape, const float *values, size_t count)
{
    const mlm__safetensor *tensor = mlm__safetensors_find(file, name);
    ck_assert_ptr_nonnull(tensor);
    ck_assert_int_eq(tensor->dtype, dtype);
    ck_assert_int_eq(tensor->ndim, ndim);
    for (int32_t i = 0; i < ndim; i++)
        ck_assert_int_eq(tensor->shape[i], shape[i]);
    if (!values) {
        assert_error(mlm__safetensors_read(file, tensor, NULL), MLM_ERR_UNSUPPORTED, name);
        return;
    }
    float read[8];
    assert_ok(mlm__safetensors_read(file, tensor, read));
    ck_assert_mem_eq(read, values, count * sizeof *values);
}

START_TEST(files_of_the_python_package_are_read)
{
    mlm__safetensors *file;
    assert_ok(mlm__safetensors_open(runtime, TEST_FIXTURES "/plain.safetensors", &file));
    ck_assert_uint_eq(mlm__safetensors_count(file), 5);
    assert_tensor(file, "encoder.weight", MLM__F32, 2, (int64_t[]){2, 3}, weight, 6);
    assert_tensor(file, "encoder.bias", MLM__F32, 1, (int64_t[]){3}, bias, 3);
    assert_tensor(file, "scale", MLM__F32, 0, NULL, (float[]){7.25f}, 1);
    assert_tensor(file, "empty", MLM__F32, 2, (int64_t[]){0, 4}, weight, 0);
    assert_tensor(file, "größe", MLM__F32, 2, (int64_t[]){1, 1}, (float[]){1}, 1);
    ck_assert_ptr_null(mlm__safetensors_find(file, "absent"));
    ck_assert_str_eq(mlm__safetensors_get(file, 0)->name, "empty");
    mlm__safetensors_close(file);

    assert_ok(mlm__safetensors_open(runtime, TEST_FIXTURES "/mixed.safetensors", &file));
    ck_assert_uint_eq(mlm__safetensors_count(file), 5);
    assert_tensor(
        file, "half", MLM__F16, 1, (int64_t[]){4}, (float[]){1.5f, -65504, 0x1p-24f, -0x1p-14f}, 4);
    assert_tensor(file, "bfloat", MLM__BF16, 2, (int64_t[]){1, 2}, (float[]){1.5f, -0x1p127f}, 2);
    assert_tensor(file, "position_ids", MLM__I64, 2, (int64_t[]){1, 4}, NULL, 0);
    assert_tensor(file, "double", MLM__F64, 1, (int64_t[]){1}, NULL, 0);
    assert_tensor(file, "flags", MLM__DTYPE_OTHER, 1, (int64_t[]){3}, NULL, 0);
    mlm__safetensors_close(file);
    mlm__safetensors_close(NULL);
}
END_TEST

static void assert_same_file(const char *path, const char *expected)
{
    size_t size, expected_size;
    char *bytes = test_read_file(path, &size);
    char *expected_bytes = test_read_file(expected, &expected_size);
    ck_assert_uint_eq(size, expected_size);
    ck_assert_mem_eq(bytes, expected_bytes, size);
    free(bytes);
    free(expected_bytes);
}

static mlm_status write_file(mlm_runtime *with, const char *folder,
    const mlm__tensor_source *tensors, size_t count, int32_t dtype)
{
    mlm__directory *directory;
    mlm_status status = mlm__directory_begin(with, folder, MLM__REPLACE_FILES, &directory);
    if (status != MLM_OK)
        return status;
    status = mlm__safetensors_write(directory, "a.safetensors", tensors, count, dtype);
    if (status == MLM_OK)
        return mlm__directory_commit(directory);
    mlm__directory_abort(directory);
    return status;
}

static const float scale = 7.25f, size = 1;
static const mlm__tensor_source plain[] = {
    {"encoder.weight", 2, {2, 3}, weight},
    {"scale", 0, {0}, &scale},
    {"größe", 2, {1, 1}, &size},
    {"empty", 2, {0, 4}, weight},
    {"encoder.bias", 1, {3}, bias},
};

START_TEST(files_are_byte_for_byte_as_the_python_package_writes_them)
{
    const char *folder = test_folder(), *path = test_path(folder, "a.safetensors");
    assert_ok(write_file(runtime, folder, plain, 5, MLM__F32));
    assert_same_file(path, TEST_FIXTURES "/plain.safetensors");

    static const float rounded[4] = {1 + 0x1p-8f, 1 + 3 * 0x1p-8f, 1 + 0x1p-8f + 0x1p-20f, -3.5f};
    const mlm__tensor_source halves[] = {
        {"rounded", 1, {4}, rounded}, {"encoder.weight", 2, {2, 3}, weight}};
    assert_ok(write_file(runtime, folder, halves, 2, MLM__BF16));
    assert_same_file(path, TEST_FIXTURES "/bf16.safetensors");
}
END_TEST

/* More numbers than any buffer on the way holds. */
START_TEST(large_tensors_come_back)
{
    enum { COUNT = 70001 };
    float *numbers = malloc(COUNT * sizeof *numbers), *read = malloc(COUNT * sizeof *read);
    for (int i = 0; i < COUNT; i++)
        numbers[i] = (float)(i % 256) * 0.5f; /* eight bits: exact in both formats */
    const char *folder = test_folder();
    mlm__tensor_source source = {"a", 1, {COUNT}, numbers};
    for (int32_t dtype = MLM__F32; dtype <= MLM__BF16; dtype += MLM__BF16 - MLM__F32) {
        assert_ok(write_file(runtime, folder, &source, 1, dtype));
        mlm__safetensors *file;
        assert_ok(mlm__safetensors_open(runtime, test_path(folder, "a.safetensors"), &file));
        assert_ok(mlm__safetensors_read(file, mlm__safetensors_get(file, 0), read));
        ck_assert_mem_eq(read, numbers, COUNT * sizeof *read);
        mlm__safetensors_close(file);
    }
    free(numbers);
    free(read);
}
END_TEST

#define ENTRY(name, dtype, shape, offsets)                                                         \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

static const struct {
    const char *header;
    size_t data; /* bytes after it */
    mlm_status status;
    const char *part;
} hostile[] = {
    {"", 0, MLM_ERR_FORMAT, ":1:0: "},
    {"[]", 0, MLM_ERR_FORMAT, "not a JSON object"},
    {"{\"a\":1}", 0, MLM_ERR_FORMAT, "tensor 'a': is not an object"},
    {"{\"__metadata__\":{\"a\":1}}", 0, MLM_ERR_FORMAT, "'a' is not a string"},
    {"{\"__metadata__\":[]}", 0, MLM_ERR_FORMAT, "__metadata__ is not an object"},
    {"{\"a\":{}}", 0, MLM_ERR_FORMAT, "tensor 'a': dtype"},
    {"{" ENTRY("a", "F31", "[1]", "[0,4]") "}", 4, MLM_ERR_FORMAT, "'a': unknown dtype 'F31'"},
    {"{" ENTRY("a", "F32", "1", "[0,4]") "}", 4, MLM_ERR_FORMAT, "'a': shape"},
    {"{" ENTRY("a", "F32", "[-1]", "[0,4]") "}", 4, MLM_ERR_FORMAT, "'a': shape"},
    {"{" ENTRY("a", "F32", "[1.0]", "[0,4]") "}", 4, MLM_ERR_FORMAT, "'a': shape"},
    {"{" ENTRY("a", "F32", "[1,1,1,1,1]", "[0,4]") "}", 4, MLM_ERR_UNSUPPORTED, "'a': has 5 dim"},
    {"{" ENTRY("a", "F32", "[4294967296,4294967296]", "[0,4]") "}", 4, MLM_ERR_FORMAT,
        "'a': shape"},
    {"{" ENTRY("a", "F32", "[9223372036854775807,2]", "[0,4]") "}", 4, MLM_ERR_FORMAT,
        "'a': shape"},
    /* 2^62 numbers of 4 bytes are 0 bytes modulo 2^64. */
    {"{" ENTRY("a", "F32", "[4611686018427387904]", "[0,0]") "}", 0, MLM_ERR_FORMAT, "'a': shape"},
    {"{" ENTRY("a", "F32", "[9223372036854775808]", "[0,4]") "}", 4, MLM_ERR_FORMAT, "too big"},
    {"{" ENTRY("a", "F32", "[2]", "[0,4]") "}", 4, MLM_ERR_FORMAT, "'a': has 4 bytes"},
    {"{" ENTRY("a", "F4", "[3]", "[0,2]") "}", 2, MLM_ERR_FORMAT, "'a': has 2 bytes"},
    {"{" ENTRY("a", "F32", "[1]", "[0]") "}", 4, MLM_ERR_FORMAT, "'a': data_offsets"},
    {"{" ENTRY("a", "F32", "[1]", "[0,4,8]") "}", 4, MLM_ERR_FORMAT, "'a': data_offsets"},
    {"{" ENTRY("a", "F32", "[1]", "{}") "}", 4, MLM_ERR_FORMAT, "'a': data_offsets"},
    {"{" ENTRY("a", "F32", "[1]", "[-4,0]") "}", 4, MLM_ERR_FORMAT, "'a': data_offsets"},
    {"{" ENTRY("a", "F32", "[1]", "[4,0]") "}", 4, MLM_ERR_FORMAT, "'a': data_offsets"},
    {"{" ENTRY("a", "F32", "[1]", "[4,8]") "}", 4, MLM_ERR_FORMAT, "'a': data_offsets"},
    {"{" ENTRY("a", "F32", "[1]", "[9223372036854775803,9223372036854775807]") "}", 4,
        MLM_ERR_FORMAT, "'a': data_offsets"},
    {"{" ENTRY("a", "F32", "[1]", "[4,8]") "}", 8, MLM_ERR_FORMAT, "'a': leaves a gap"},
    {"{" ENTRY("a", "F32", "[1]", "[0,4]") "," ENTRY("b", "F32", "[1]", "[0,4]") "}", 4,
        MLM_ERR_FORMAT, "'b': overlaps"},
    {"{" ENTRY("a", "F32", "[2]", "[0,8]") "," ENTRY("b", "F32", "[1]", "[4,8]") "}", 8,
        MLM_ERR_FORMAT, "'b': overlaps"},
    {"{" ENTRY("a", "F32", "[1]", "[0,4]") "," ENTRY("b", "F32", "[1]", "[8,12]") "}", 12,
        MLM_ERR_FORMAT, "'b': leaves a gap"},
    {"{" ENTRY("a", "F32", "[1]", "[0,4]") "}", 5, MLM_ERR_FORMAT, "1 bytes after its last"},
    {"{" ENTRY("a", "F32", "[1]", "[0,4]") "," ENTRY("a", "F32", "[1]", "[4,8]") "}", 8,
        MLM_ERR_FORMAT, "duplicate object key"},
    {"{" ENTRY("a\\u0000b", "F32", "[1]", "[0,4]") "}", 4, MLM_ERR_FORMAT, "NUL byte"},
    {"{" ENTRY("a\\nb", "F32", "[2]", "[0,4]") "}", 4, MLM_ERR_FORMAT, "tensor 'a?b'"},
};

/* A file that says its header has length bytes. */
static const char *hostile_file(uint64_t length, const char *header, size_t data)
{
    const char *path = test_path(test_folder(), "bad.safetensors");
    size_t header_size = strlen(header), whole = sizeof length + header_size + data;
    char *bytes = calloc(1, whole);
    memcpy(bytes, &length, sizeof length);
    memcpy(bytes + sizeof length, header, header_size);
    test_write_file(path, bytes, whole);
    free(bytes);
    return path;
}

START_TEST(hostile_headers_are_refused)
{
    const char *header = hostile[_i].header;
    const char *path = hostile_file(strlen(header), header, hostile[_i].data);
    mlm__safetensors *file;
    assert_error(mlm__safetensors_open(runtime, path, &file), hostile[_i].status, hostile[_i].part);
    assert_error(MLM_ERR_FORMAT, MLM_ERR_FORMAT, "bad.safetensors");
    ck_assert_ptr_null(file);
}
END_TEST

START_TEST(hostile_lengths_are_refused_before_memory_is_taken)
{
    static const uint64_t lengths[] = {
        3, 1000, 100000001, UINT64_C(1) << 63, UINT64_MAX, UINT64_MAX - 7};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        const char *path = hostile_file(lengths[i], "{}", 0);
        mlm__safetensors *file;
        assert_error(mlm__safetensors_open(runtime, path, &file), MLM_ERR_FORMAT, "cut off");
    }
    const char *path = test_path(test_folder(), "short");
    test_write_file(path, "1234567", 7);
    mlm__safetensors *file;
    assert_error(mlm__safetensors_open(runtime, path, &file), MLM_ERR_FORMAT, "it has 7 bytes");
    size_t large = (8 << 20) + 1;
    path = hostile_file(large, "{}", large - 2);
    assert_error(mlm__safetensors_open(runtime, path, &file), MLM_ERR_UNSUPPORTED, "8388609 bytes");
    int64_t peak;
    mlm_runtime_memory(runtime, NULL, &peak);
    ck_assert_int_lt(peak, 10000);
}
END_TEST

START_TEST(truncation_after_opening_is_an_error)
{
    size_t length;
    char *bytes = test_read_file(TEST_FIXTURES "/plain.safetensors", &length);
    const char *path = test_path(test_folder(), "a");
    for (size_t cut = 0; cut < length; cut++) {
        test_write_file(path, bytes, cut);
        mlm__safetensors *cut_file;
        assert_status(mlm__safetensors_open(runtime, path, &cut_file), MLM_ERR_FORMAT);
    }
    test_write_file(path, bytes, length);
    mlm__safetensors *file;
    assert_ok(mlm__safetensors_open(runtime, path, &file));
    test_write_file(path, bytes, length - 1);
    float read;
    assert_error(mlm__safetensors_read(file, mlm__safetensors_find(file, "scale"), &read),
        MLM_ERR_IO, "ends before byte");
    mlm__safetensors_close(file);
    free(bytes);
}
END_TEST

static mlm_status open_file(mlm_runtime *failing, void *path)
{
    mlm__safetensors *file;
    mlm_status status = mlm__safetensors_open(failing, path, &file);
    mlm__safetensors_close(file);
    return status;
}

static mlm_status write_plain(mlm_runtime *failing, void *folder)
{
    return write_file(failing, folder, plain, 5, MLM__BF16);
}

START_TEST(no_memory_is_reported_without_a_leak)
{
    test_out_of_memory(open_file, (void *)TEST_FIXTURES "/plain.safetensors");
    test_out_of_memory(write_plain, (void *)test_folder());
}
END_TEST

Suite *safetensors_suite(void)
{
    Suite *suite = suite_create("safetensors");
    TCase *tcase = tcase_create("safetensors");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, files_of_the_python_package_are_read);
    tcase_add_test(tcase, files_are_byte_for_byte_as_the_python_package_writes_them);
    tcase_add_test(tcase, large_tensors_come_back);
    tcase_add_loop_test(tcase, hostile_headers_are_refused, 0, sizeof hostile / sizeof hostile[0]);
    tcase_add_test(tcase, hostile_lengths_are_refused_before_memory_is_taken);
    tcase_add_test(tcase, truncation_after_opening_is_an_error);
    tcase_add_test(tcase, no_memory_is_reported_without_a_leak);
    suite_add_tcase(suite, tcase);
    return suite;
}
