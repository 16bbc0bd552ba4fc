#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/runtime.h"
#include "batches_suites.h"
#include "letters.h"
#include "support/support.h"
#include "text/lines.h"

static mlm_runtime *make_runtime(void)
{
    mlm_runtime *runtime;
    assert_ok(mlm__runtime_retain(NULL, &runtime));
    return runtime;
}

/* All lines, each in brackets, '^' before the first of a file; the caller frees it. */
static char *show(mlm__lines *lines)
{
    size_t room = 1, size = 0;
    char *all = calloc(1, 1);
    mlm_status status;
    while ((status = mlm__lines_next(lines)) == MLM_OK) {
        ck_assert_uint_gt(lines->count, 0);
        for (size_t i = 0; i < lines->count; i++) {
            room += lines->length[i] + 3;
            all = realloc(all, room);
            size += (size_t)sprintf(all + size, "%s[", lines->begins_file[i] ? "^" : "");
            memcpy(all + size, lines->text[i], lines->length[i]);
            size += lines->length[i];
            size += (size_t)sprintf(all + size, "]");
        }
    }
    assert_status(status, MLM_END);
    assert_status(mlm__lines_next(lines), MLM_END);
    return all;
}

static const struct {
    const char *text, *lines;
} cases[] = {
    {"", ""},
    {"a", "^[a]"},
    {"a\n", "^[a]"},
    {"a\n\n", "^[a][]"},
    {"\n", "^[]"},
    {"a\r\nb\r\n", "^[a][b]"},
    {"a\rb\nc\r", "^[a\rb][c]"},
    {"\r\n\r\n", "^[][]"},
    {"one\n\ntwo three\n four", "^[one][][two three][ four]"},
    {"\xC3\xA9\n\xE2\x82\xAC\n\xF0\x9F\x98\x80\n", "^[\xC3\xA9][\xE2\x82\xAC][\xF0\x9F\x98\x80]"},
    {"\xFF\nx\x80y\n\xC0\x80", "^[\xFF][x\x80y][\xC0\x80]"},
    {"\xED\xA0\x80\n\xF4\x90\x80\x80\n\xE2\x82\n", "^[\xED\xA0\x80][\xF4\x90\x80\x80][\xE2\x82]"},
};

START_TEST(lines_of_a_callback)
{
    mlm_runtime *runtime = make_runtime();
    for (size_t step = 1; step < 5; step++) {
        letters_text reader = letters_reader(cases[_i].text, strlen(cases[_i].text), step);
        mlm__lines lines;
        assert_ok(mlm__lines_read(runtime, letters_read, &reader, &lines));
        char *shown = show(&lines);
        ck_assert_str_eq(shown, cases[_i].lines);
        ck_assert_int_eq(lines.bytes, (int64_t)strlen(cases[_i].text));
        free(shown);
        mlm__lines_close(&lines);
    }
    mlm_runtime_free(runtime);
}
END_TEST

START_TEST(files_end_lines_and_begin_anew)
{
    mlm_runtime *runtime = make_runtime();
    const char *folder = test_folder();
    const char *const texts[] = {"a\nb", "", "\n\nc\n", "d"};
    const char *paths[4];
    for (size_t i = 0; i < 4; i++) {
        char name[] = {(char)('0' + i), 0};
        paths[i] = test_path(folder, name);
        test_write_file(paths[i], texts[i], strlen(texts[i]));
    }
    mlm__lines lines;
    assert_ok(mlm__lines_open(runtime, paths, 4, &lines));
    char *shown = show(&lines);
    ck_assert_str_eq(shown, "^[a][b]^[][][c]^[d]");
    ck_assert_int_eq(lines.bytes, 8);
    free(shown);
    mlm__lines_close(&lines);
    mlm_runtime_free(runtime);
}
END_TEST

/* More lines, and longer ones, than a block has room for. */
START_TEST(more_than_a_block)
{
    mlm_runtime *runtime = make_runtime();
    enum { LONG = 3000000, SHORT = 100000, SIZE = 2 * LONG + SHORT };
    char *text = malloc(SIZE);
    memset(text, 'x', SIZE);
    memset(text + LONG, '\n', SHORT);
    text[0] = 'a';
    text[SIZE - 1] = 'z';
    letters_text reader = letters_reader(text, SIZE, 77777);
    mlm__lines lines;
    assert_ok(mlm__lines_read(runtime, letters_read, &reader, &lines));
    size_t count = 0, blocks = 0, length = 0;
    char first = 0, last = 0;
    while (mlm__lines_next(&lines) == MLM_OK) {
        for (size_t i = 0; i < lines.count; i++) {
            if (lines.length[i] > 0)
                last = lines.text[i][lines.length[i] - 1];
            if (count == 0)
                first = lines.text[0][0];
            length += lines.length[i];
            count++;
        }
        blocks++;
    }
    ck_assert_uint_eq(count, SHORT + 1);
    ck_assert_uint_eq(length, 2 * LONG);
    ck_assert_uint_gt(blocks, 2);
    ck_assert_int_eq(first, 'a');
    ck_assert_int_eq(last, 'z');
    mlm__lines_close(&lines);
    free(text);
    mlm_runtime_free(runtime);
}
END_TEST

START_TEST(a_pipe_is_a_file)
{
    mlm_runtime *runtime = make_runtime();
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(write(ends[1], "a\nb", 3), 3);
    close(ends[1]);
    char path[32];
    snprintf(path, sizeof path, "/dev/fd/%d", ends[0]);
    const char *paths[] = {path};
    mlm__lines lines;
    assert_ok(mlm__lines_open(runtime, paths, 1, &lines));
    char *shown = show(&lines);
    ck_assert_str_eq(shown, "^[a][b]");
    free(shown);
    mlm__lines_close(&lines);
    close(ends[0]);
    mlm_runtime_free(runtime);
}
END_TEST

static void expect_failure(const char *path, mlm_status expected, const char *part)
{
    mlm_runtime *runtime = make_runtime();
    mlm__lines lines;
    mlm_status status = mlm__lines_open(runtime, &path, 1, &lines);
    if (status == MLM_OK) {
        while ((status = mlm__lines_next(&lines)) == MLM_OK)
            ;
        mlm__lines_close(&lines);
    }
    assert_error(status, expected, part);
    mlm_runtime_free(runtime);
}

START_TEST(what_is_no_text)
{
    const char *folder = test_folder(), *binary = test_path(folder, "binary");
    char *data = malloc(2000000);
    memset(data, '\n', 2000000);
    data[1234567] = 0;
    test_write_file(binary, data, 2000000);
    free(data);
    expect_failure(binary, MLM_ERR_FORMAT, "binary: byte 1234567 is zero");
    expect_failure(test_path(folder, "absent"), MLM_ERR_NOT_FOUND, "absent");
    expect_failure(folder, MLM_ERR_IO, "directory");
    if (access("/proc/self/mem", R_OK) == 0) /* has nothing at its beginning that could be read */
        expect_failure(
            "/proc/self/mem", MLM_ERR_IO, "/proc/self/mem: cannot read: Input/output error");
    if (geteuid() != 0) {
        chmod(binary, 0);
        expect_failure(binary, MLM_ERR_IO, "binary: Permission denied");
    }
}
END_TEST

/* The hash is that of the bytes and of where files end, whether lines are made or not. */
START_TEST(hash_of_a_text)
{
    mlm_runtime *runtime = make_runtime();
    const char *folder = test_folder(), *paths[3];
    static const char *const texts[] = {"a\nb", "c\nd\n", "a\nbc\nd\n"};
    for (size_t i = 0; i < 3; i++) {
        paths[i] = test_path(folder, (const char[]){(char)('0' + i), 0});
        test_write_file(paths[i], texts[i], strlen(texts[i]));
    }
    uint64_t hash[5];
    for (int way = 0; way < 5; way++) {
        letters_text reader = letters_reader(texts[2], strlen(texts[2]), 3);
        mlm__lines lines;
        if (way == 4)
            assert_ok(mlm__lines_read(runtime, letters_read, &reader, &lines));
        else
            assert_ok(mlm__lines_open(runtime, paths + way / 2 * 2, way < 2 ? 2 : 1, &lines));
        while (way % 2 == 1 && mlm__lines_next(&lines) == MLM_OK)
            ;
        ck_assert_int_eq(mlm__lines_once(&lines), way == 4);
        assert_ok(mlm__lines_hash(&lines, &hash[way]));
        mlm__lines_close(&lines);
    }
    ck_assert_uint_eq(hash[0], hash[1]);
    ck_assert_uint_eq(hash[2], hash[3]);
    ck_assert_uint_eq(hash[2], hash[4]);
    ck_assert_uint_ne(hash[0], hash[2]);
    mlm_runtime_free(runtime);
}
END_TEST

static int give_too_much(void *user, char *buffer, size_t capacity, size_t *length)
{
    (void)user;
    (void)buffer;
    *length = capacity + 1;
    return MLM_CONTINUE;
}

START_TEST(callbacks_that_fail)
{
    mlm_runtime *runtime = make_runtime();
    mlm__lines lines;
    static const int answers[] = {0, -1, 2, 12345};
    for (size_t i = 0; i < 4; i++) {
        letters_text reader = letters_reader("a b\nc d\n", 8, 3);
        reader.answer = answers[i];
        reader.fails_from = 5;
        assert_ok(mlm__lines_read(runtime, letters_read, &reader, &lines));
        assert_error(mlm__lines_next(&lines), MLM_ERR_IO, "read callback returned");
        mlm__lines_close(&lines);
    }
    assert_ok(mlm__lines_read(runtime, give_too_much, NULL, &lines));
    assert_error(mlm__lines_next(&lines), MLM_ERR_IO, "had room");
    mlm__lines_close(&lines);
    mlm_runtime_free(runtime);
}
END_TEST

static mlm_status read_long_lines(mlm_runtime *runtime, void *context)
{
    letters_text reader = *(letters_text *)context;
    mlm__lines lines;
    mlm_status status = mlm__lines_read(runtime, letters_read, &reader, &lines);
    if (status != MLM_OK)
        return status;
    while ((status = mlm__lines_next(&lines)) == MLM_OK)
        ;
    mlm__lines_close(&lines);
    return status == MLM_END ? MLM_OK : status;
}

START_TEST(without_memory)
{
    enum { SIZE = 3000000 };
    char *text = malloc(SIZE);
    memset(text, 'x', SIZE);
    letters_text reader = letters_reader(text, SIZE, SIZE);
    test_out_of_memory(read_long_lines, &reader);
    free(text);
}
END_TEST

/* Called between two reads. */
static int cut_file(void *user, const char *what, int64_t done, int64_t total)
{
    (void)what, (void)total;
    ck_assert_int_gt(done, 0);
    ck_assert_int_eq(truncate(user, 2500000), 0);
    return MLM_CONTINUE;
}

START_TEST(a_file_that_is_cut_meanwhile)
{
    enum { SIZE = 5000000 };
    const char *path = test_path(test_folder(), "text");
    char *text = malloc(SIZE);
    for (int i = 0; i < SIZE; i++)
        text[i] = i % 50 == 49 ? '\n' : 'a';
    test_write_file(path, text, SIZE);
    free(text);
    mlm_runtime_options options;
    mlm_runtime_options_init(&options, sizeof options);
    options.user = (void *)path;
    options.progress = cut_file;
    mlm_runtime *runtime;
    mlm__lines lines;
    mlm_status status;
    assert_ok(mlm_runtime_create(&options, &runtime));
    assert_ok(mlm__lines_open(runtime, &path, 1, &lines));
    while ((status = mlm__lines_next(&lines)) == MLM_OK)
        ;
    assert_error(status, MLM_ERR_IO, "/text: ends at byte 2500000, and had 5000000");
    mlm__lines_close(&lines);
    mlm_runtime_free(runtime);
}
END_TEST

Suite *lines_suite(void)
{
    Suite *suite = suite_create("lines");
    TCase *tests = tcase_create("lines");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, lines_of_a_callback, 0, sizeof cases / sizeof cases[0]);
    tcase_add_test(tests, files_end_lines_and_begin_anew);
    tcase_add_test(tests, more_than_a_block);
    tcase_add_test(tests, a_pipe_is_a_file);
    tcase_add_test(tests, what_is_no_text);
    tcase_add_test(tests, a_file_that_is_cut_meanwhile);
    tcase_add_test(tests, hash_of_a_text);
    tcase_add_test(tests, callbacks_that_fail);
    tcase_add_test(tests, without_memory);
    suite_add_tcase(suite, tests);
    return suite;
}
