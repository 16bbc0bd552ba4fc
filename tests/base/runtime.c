#include "base/runtime.h"

#include <stdio.h>

#include "base/memory.h"
#include "base/suites.h"
#include "base/threads.h"
#include "support/support.h"

static mlm_runtime_options options_made(void)
{
    mlm_runtime_options options;
    mlm_runtime_options_init(&options, sizeof options);
    return options;
}

static void *some_alloc(void *user, size_t size, size_t alignment)
{
    (void)user, (void)size, (void)alignment;
    return NULL;
}

static void some_release(void *user, void *memory, size_t size)
{
    (void)user, (void)memory, (void)size;
}

static void refused(mlm_runtime_options options, mlm_status status, const char *part)
{
    int dummy;
    mlm_runtime *runtime = (mlm_runtime *)&dummy;
    assert_error(mlm_runtime_create(&options, &runtime), status, part);
    ck_assert_ptr_null(runtime);
}

START_TEST(options_are_checked)
{
    mlm_runtime_options options = options_made();
    ck_assert_int_eq(options.threads, 0);
    ck_assert_int_eq(options.log_level, MLM_LOG_WARNING);
    options.threads = -1;
    refused(options, MLM_ERR_ARGUMENT, "mlm_runtime_create: threads is -1");
    options.threads = 1025;
    refused(options, MLM_ERR_ARGUMENT, "threads is 1025");
    options = options_made();
    options.log_level = MLM_LOG_DEBUG + 1;
    refused(options, MLM_ERR_ARGUMENT, "log_level is 5");
    options.log_level = -1;
    refused(options, MLM_ERR_ARGUMENT, "log_level is -1");
    options = options_made();
    options.reserved0 = 1;
    refused(options, MLM_ERR_UNSUPPORTED, "reserved0");
    options = options_made();
    options.alloc = some_alloc;
    refused(options, MLM_ERR_ARGUMENT, "release is NULL");
    options.release = some_release;
    refused(options, MLM_ERR_MEMORY, "no memory");
    options.alloc = NULL;
    refused(options, MLM_ERR_ARGUMENT, "alloc is NULL");
    options = options_made();
    options.struct_size = 0;
    refused(options, MLM_ERR_ARGUMENT, "mlm_runtime_options: struct_size");
    assert_error(mlm_runtime_create(NULL, NULL), MLM_ERR_ARGUMENT, "out is NULL");
}
END_TEST

START_TEST(null_runtime_is_a_private_one)
{
    mlm_runtime *runtime;
    assert_ok(mlm__runtime_retain(NULL, &runtime));
    ck_assert_int_eq(mlm__threads(runtime), 1);
    ck_assert(mlm__progress(runtime, "nothing", 1, 1));
    mlm__log(runtime, MLM_LOG_ERROR, "nobody hears");
    mlm_runtime *same;
    assert_ok(mlm__runtime_retain(runtime, &same));
    ck_assert_ptr_eq(same, runtime);
    mlm_runtime_free(runtime);
    void *block = mlm__alloc(same, 10, 1); /* alive as long as one holds it */
    ck_assert_ptr_nonnull(block);
    mlm__free(same, block);
    mlm_runtime_free(same);
    mlm_runtime_free(NULL);
    int64_t now = 1, peak = 1;
    mlm_runtime_memory(NULL, &now, &peak);
    ck_assert_int_eq(now + peak, 0);
}
END_TEST

typedef struct heard {
    int lines, calls, answer;
    int32_t level;
    int64_t done;
    char line[64];
} heard;

static void hear(void *user, int32_t level, const char *message)
{
    heard *to = user;
    to->lines++;
    to->level = level;
    snprintf(to->line, sizeof to->line, "%s", message);
}

static int answer(void *user, const char *what, int64_t done, int64_t total)
{
    heard *to = user;
    ck_assert_str_eq(what, "reading");
    ck_assert_int_ge(total, 0);
    to->calls++;
    to->done = done;
    return to->answer;
}

START_TEST(log_passes_up_to_its_level)
{
    heard to = {0};
    mlm_runtime_options options = options_made();
    options.user = &to;
    options.log = hear;
    mlm_runtime *runtime;
    assert_ok(mlm_runtime_create(&options, &runtime));
    mlm__log(runtime, MLM_LOG_INFO, "not this");
    ck_assert_int_eq(to.lines, 0);
    mlm__log(runtime, MLM_LOG_WARNING, "line %d\nof %s", 1, "a.txt");
    ck_assert_int_eq(to.lines, 1);
    ck_assert_int_eq(to.level, MLM_LOG_WARNING);
    ck_assert_str_eq(to.line, "line 1?of a.txt");
    mlm_runtime_free(runtime);
}
END_TEST

START_TEST(progress_is_told_seldom_and_at_the_end)
{
    heard to = {.answer = MLM_CONTINUE};
    mlm_runtime_options options = options_made();
    options.user = &to;
    options.progress = answer;
    mlm_runtime *runtime;
    assert_ok(mlm_runtime_create(&options, &runtime));
    double start = mlm__seconds();
    int64_t done = 0;
    while (mlm__seconds() - start < 0.35)
        ck_assert(mlm__progress(runtime, "reading", done++, 0));
    /* One at once, then one each tenth of a second; a slow machine may miss some. */
    ck_assert_int_ge(to.calls, 2);
    ck_assert_int_le(to.calls, 5);
    int before = to.calls;
    ck_assert(mlm__progress(runtime, "reading", 9, 9));
    ck_assert_int_eq(to.calls, before + 1);
    ck_assert_int_eq(to.done, 9);
    static const int others[] = {0, 2, -1, 256};
    for (size_t i = 0; i < 4; i++) {
        to.answer = others[i];
        ck_assert(!mlm__progress(runtime, "reading", 9, 9));
    }
    mlm_runtime_free(runtime);
}
END_TEST

Suite *runtime_suite(void)
{
    Suite *suite = suite_create("runtime");
    TCase *tcase = tcase_create("runtime");
    tcase_add_test(tcase, options_are_checked);
    tcase_add_test(tcase, null_runtime_is_a_private_one);
    tcase_add_test(tcase, log_passes_up_to_its_level);
    tcase_add_test(tcase, progress_is_told_seldom_and_at_the_end);
    suite_add_tcase(suite, tcase);
    return suite;
}
