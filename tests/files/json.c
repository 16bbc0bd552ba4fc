#include "files/json.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

static json_t *parsed(const char *text)
{
    json_t *root;
    assert_ok(mlm__json_parse(text, strlen(text), "text", &root));
    return root;
}

START_TEST(errors_name_the_place)
{
    static const char *const cases[][2] = {
        {"", "text:1:0: "},
        {"{\n  \"a\": 1,\n  \"a\": 2}", "text:3:5: duplicate object key"},
        {"{\"a\": 1,}", "text:1:9: "},
        {"{} {}", "text:1:4: "},
        {"[9223372036854775808]", "text:1:20: too big integer"},
        {"[1e999]", "text:1:6: real number overflow"},
        {"[\"\xff\"]", "text:1:2: "},
        {"3", "text:1:1: "},
        {"{\"a\": nan}", "text:1:9: "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_t *root;
        assert_error(mlm__json_parse(cases[i][0], strlen(cases[i][0]), "text", &root),
            MLM_ERR_FORMAT, cases[i][1]);
        ck_assert_ptr_null(root);
    }
}
END_TEST

START_TEST(nesting_is_limited)
{
    enum { DEPTH = 1000000 };
    char *text = malloc(DEPTH);
    memset(text, '[', DEPTH);
    json_t *root;
    assert_error(mlm__json_parse(text, DEPTH, "text", &root), MLM_ERR_FORMAT, "depth");
    free(text);
}
END_TEST

START_TEST(members_have_their_type_and_range)
{
    json_t *root = parsed("{\"i\": 9223372036854775807, \"f\": 2.5, \"b\": true, \"s\": \"x\", "
                          "\"n\": null}");
    int64_t i = 1;
    double d = 1;
    bool b = false;
    const char *s = "default";
    assert_ok(mlm__json_int(root, "i", 0, INT64_MAX, "p", &i));
    ck_assert_int_eq(i, INT64_MAX);
    assert_ok(mlm__json_double(root, "f", 2.5, 2.5, "p", &d));
    ck_assert_double_eq(d, 2.5);
    assert_ok(mlm__json_double(root, "i", 0, 1e19, "p", &d));
    ck_assert_double_eq(d, 0x1p63);
    assert_ok(mlm__json_bool(root, "b", "p", &b));
    ck_assert(b);
    assert_ok(mlm__json_string(root, "s", "p", &s));
    ck_assert_str_eq(s, "x");
    static const char *const unset[] = {"n", "absent"};
    for (int k = 0; k < 2; k++) {
        assert_ok(mlm__json_int(root, unset[k], 0, 0, "p", &i));
        assert_ok(mlm__json_double(root, unset[k], 0, 0, "p", &d));
        assert_ok(mlm__json_bool(root, unset[k], "p", &b));
        assert_ok(mlm__json_string(root, unset[k], "p", &s));
    }
    ck_assert(i == INT64_MAX && d == 0x1p63 && b && strcmp(s, "x") == 0);
    assert_error(mlm__json_int(root, "i", 0, 9, "p", &i), MLM_ERR_FORMAT,
        "p: i: is 9223372036854775807, must be 0 to 9");
    assert_error(
        mlm__json_int(root, "f", 0, 9, "p", &i), MLM_ERR_FORMAT, "p: f: is not an integer");
    assert_error(
        mlm__json_double(root, "f", 0, 1, "p", &d), MLM_ERR_FORMAT, "p: f: is 2.5, must be 0 to 1");
    assert_error(
        mlm__json_double(root, "s", 0, 1, "p", &d), MLM_ERR_FORMAT, "p: s: is not a number");
    assert_error(mlm__json_bool(root, "i", "p", &b), MLM_ERR_FORMAT, "p: i: is not true or false");
    assert_error(mlm__json_string(root, "b", "p", &s), MLM_ERR_FORMAT, "p: b: is not a string");
    json_decref(root);
}
END_TEST

/* What json_write makes of root, for free(). */
static char *written(json_t *root)
{
    const char *folder = test_folder();
    mlm__directory *directory;
    assert_ok(mlm__directory_begin(runtime, folder, MLM__REPLACE_FILES, &directory));
    assert_ok(mlm__json_write(directory, "a.json", root));
    assert_ok(mlm__directory_commit(directory));
    json_t *again;
    const char *path = test_path(folder, "a.json");
    assert_ok(mlm__json_load(runtime, path, 1000, &again));
    ck_assert(json_equal(root, again));
    json_decref(again);
    return test_read_file(path, NULL);
}

static const char numbers[] =
    "{\n  \"z\": \"große\",\n  \"a\": [\n    1e-12,\n    0.1,\n    1.0,\n    "
    "-9223372036854775808\n  ]\n}\n";

START_TEST(writing_is_plain_and_reads_back)
{
    json_t *root = parsed(numbers);
    char *text = written(root);
    ck_assert_str_eq(text, numbers);
    free(text);
    json_array_append_new(json_object_get(root, "a"), json_real(0.1 + 0.2));
    text = written(root); /* compares */
    ck_assert_ptr_nonnull(strstr(text, "0.30000000000000004"));
    free(text);
    json_decref(root);
}
END_TEST

START_TEST(locale_never_shows)
{
    if (test_comma_locale()) {
        json_t *root = parsed(numbers);
        char *text = written(root);
        setlocale(LC_ALL, "C");
        ck_assert_str_eq(text, numbers);
        free(text);
        json_decref(root);
    }
}
END_TEST

static mlm_status load(mlm_runtime *failing, void *path)
{
    json_t *root;
    mlm_status status = mlm__json_load(failing, path, 100, &root);
    json_decref(root);
    return status;
}

START_TEST(no_memory_is_reported_without_a_leak)
{
    const char *path = test_path(test_folder(), "a");
    test_write_file(path, "{}", 2);
    test_out_of_memory(load, (void *)path);
    mlm__directory *directory;
    assert_ok(mlm__directory_begin(runtime, test_folder(), MLM__REPLACE_FILES, &directory));
    assert_status(mlm__json_write(directory, "a.json", NULL), MLM_ERR_MEMORY);
    mlm__directory_abort(directory);
}
END_TEST

static mlm_status write_sealed(mlm_runtime *with, void *folder)
{
    json_t *root = parsed(numbers);
    mlm__directory *directory;
    mlm_status status = mlm__directory_begin(with, folder, MLM__REPLACE_FILES, &directory);
    if (status == MLM_OK && (status = mlm__json_write_sealed(directory, "a.json", root)) != MLM_OK)
        mlm__directory_abort(directory);
    else if (status == MLM_OK)
        status = mlm__directory_commit(directory);
    json_decref(root);
    return status;
}

static mlm_status load_sealed(mlm_runtime *failing, void *path)
{
    json_t *root;
    mlm_status status = mlm__json_load_sealed(failing, path, 10000, &root);
    json_decref(root);
    return status;
}

/* head -n -2 FILE | sha256sum is what its last member says; any bit of it that is another shows. */
START_TEST(sealed_files_show_any_damage)
{
    const char *folder = test_folder(), *path = test_path(folder, "a.json");
    assert_ok(write_sealed(runtime, (void *)folder));
    json_t *root, *before = parsed(numbers);
    assert_ok(mlm__json_load_sealed(runtime, path, 10000, &root));
    char command[2000], *seal = strdup(json_string_value(json_object_get(root, "sha256")));
    snprintf(command, sizeof command,
        "printf '%%s  -\n' %s > %s.sum; head -n -2 %s | sha256sum -c --quiet %s.sum", seal, path,
        path, path);
    ck_assert_int_eq(system(command), 0);
    json_object_del(root, "sha256");
    ck_assert(json_equal(root, before));
    json_decref(root);
    json_decref(before);
    free(seal);

    size_t size;
    char *text = test_read_file(path, &size);
    for (size_t bit = 0; bit < 8 * size; bit++) {
        text[bit / 8] ^= (char)(1 << bit % 8);
        test_write_file(path, text, size);
        text[bit / 8] ^= (char)(1 << bit % 8);
        assert_error(load_sealed(runtime, (void *)path), MLM_ERR_FORMAT, "a.json: damaged");
    }
    for (size_t cut = 0; cut < size; cut++) {
        test_write_file(path, text, cut);
        assert_error(load_sealed(runtime, (void *)path), MLM_ERR_FORMAT, "a.json: damaged");
    }
    test_write_file(path, text, size);
    test_out_of_memory(load_sealed, (void *)path);
    test_out_of_memory(write_sealed, (void *)folder);
    free(text);
}
END_TEST

Suite *json_suite(void)
{
    Suite *suite = suite_create("json");
    TCase *tcase = tcase_create("json");
    tcase_set_timeout(tcase, 30);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, errors_name_the_place);
    tcase_add_test(tcase, nesting_is_limited);
    tcase_add_test(tcase, members_have_their_type_and_range);
    tcase_add_test(tcase, writing_is_plain_and_reads_back);
    tcase_add_test(tcase, sealed_files_show_any_damage);
    tcase_add_test(tcase, locale_never_shows);
    tcase_add_test(tcase, no_memory_is_reported_without_a_leak);
    suite_add_tcase(suite, tcase);
    return suite;
}
