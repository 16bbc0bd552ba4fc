#include "files/file.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

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

START_TEST(bytes_are_read_from_where_they_are_asked)
{
    const char *path = test_path(test_folder(), "a");
    test_write_file(path, "0123456789", 10);
    mlm__file file;
    assert_ok(mlm__file_open(runtime, path, &file));
    ck_assert_int_eq(file.size, 10);
    char bytes[5] = "";
    assert_ok(mlm__file_read_at(&file, 3, bytes, 4));
    ck_assert_str_eq(bytes, "3456");
    assert_ok(mlm__file_read_at(&file, 10, bytes, 0));
    assert_error(mlm__file_read_at(&file, 8, bytes, 4), MLM_ERR_IO,
        "a: ends before byte 12, and had 10 when");
    mlm__file_close(&file);
}
END_TEST

START_TEST(what_is_no_file_is_refused)
{
    const char *folder = test_folder(), *pipe = test_path(folder, "pipe");
    mlm__file file;
    assert_error(mlm__file_open(runtime, test_path(folder, "absent"), &file), MLM_ERR_NOT_FOUND,
        "absent: cannot open");
    assert_error(mlm__file_open(runtime, folder, &file), MLM_ERR_IO, "is a directory");
    ck_assert_int_eq(mkfifo(pipe, 0600), 0);
    assert_error(mlm__file_open(runtime, pipe, &file), MLM_ERR_IO, "pipe: is not a regular file");
    test_write_file(test_path(folder, "a"), "", 0);
    assert_error(mlm__file_open(runtime, test_path(folder, "a/b"), &file), MLM_ERR_IO, "a/b");
}
END_TEST

START_TEST(whole_file_has_a_final_zero_and_a_limit)
{
    const char *path = test_path(test_folder(), "a");
    test_write_file(path, "x\0y", 3);
    char *data;
    size_t size;
    assert_ok(mlm__file_read_all(runtime, path, 3, &data, &size));
    ck_assert_uint_eq(size, 3);
    ck_assert_mem_eq(data, "x\0y", 4);
    mlm__free(runtime, data);
    assert_error(mlm__file_read_all(runtime, path, 2, &data, &size), MLM_ERR_FORMAT,
        "has 3 bytes, at most 2");
    ck_assert_ptr_null(data);
}
END_TEST

START_TEST(paths_are_joined_and_told_apart)
{
    static const char *const cases[][3] = {{"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"", "b", "b"},
        {"/", "b", "/b"}, {"a/b", "", "a/b/"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *path = mlm__path_join(runtime, cases[i][0], cases[i][1]);
        ck_assert_str_eq(path, cases[i][2]);
        mlm__free(runtime, path);
    }
    const char *folder = test_folder(), *path = test_path(folder, "a");
    ck_assert(!mlm__path_exists(path));
    test_write_file(path, "", 0);
    ck_assert(mlm__path_exists(path) && !mlm__path_is_directory(path));
    ck_assert(mlm__path_exists(folder) && mlm__path_is_directory(folder));
}
END_TEST

static mlm_status read_whole(mlm_runtime *failing, void *path)
{
    char *data;
    size_t size;
    mlm_status status = mlm__file_read_all(failing, path, 100, &data, &size);
    mlm__free(failing, data);
    return status;
}

START_TEST(no_memory_is_reported_without_a_leak)
{
    const char *path = test_path(test_folder(), "a");
    test_write_file(path, "abc", 3);
    test_out_of_memory(read_whole, (void *)path);
}
END_TEST

Suite *file_suite(void)
{
    Suite *suite = suite_create("file");
    TCase *tcase = tcase_create("reading");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, bytes_are_read_from_where_they_are_asked);
    tcase_add_test(tcase, what_is_no_file_is_refused);
    tcase_add_test(tcase, whole_file_has_a_final_zero_and_a_limit);
    tcase_add_test(tcase, paths_are_joined_and_told_apart);
    tcase_add_test(tcase, no_memory_is_reported_without_a_leak);
    suite_add_tcase(suite, tcase);
    return suite;
}
