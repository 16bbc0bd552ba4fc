#include "base/error.h"

#include <pthread.h>
#include <string.h>

#include "base/suites.h"
#include "support/support.h"

START_TEST(message_is_kept_and_prefixed)
{
    ck_assert_int_eq(mlm__error(MLM_ERR_FORMAT, "duplicate token '%s'", "the"), MLM_ERR_FORMAT);
    ck_assert_str_eq(mlm_last_error(), "duplicate token 'the'");
    ck_assert_int_eq(mlm__error_in(MLM_ERR_IO, "vocab.txt:31"), MLM_ERR_IO);
    ck_assert_str_eq(mlm_last_error(), "vocab.txt:31: duplicate token 'the'");
    mlm__error(MLM_ERR_IO, "%s", mlm_last_error());
    ck_assert_str_eq(mlm_last_error(), "vocab.txt:31: duplicate token 'the'");
}
END_TEST

START_TEST(message_is_one_line)
{
    mlm__error(MLM_ERR_FORMAT, "a\nb\tc\x1b[31m\x7f");
    ck_assert_str_eq(mlm_last_error(), "a?b?c?[31m?");
    mlm__error(MLM_ERR_FORMAT, "%s", "Zürich 東京");
    ck_assert_str_eq(mlm_last_error(), "Zürich 東京");
}
END_TEST

/* Cut messages end with a whole character, wherever the cut falls. */
START_TEST(long_message_is_cut_between_characters)
{
    char text[4096];
    for (size_t shift = 0; shift < 4; shift++) {
        memset(text, 'x', shift);
        for (size_t i = shift; i + 4 < sizeof text; i += 4)
            memcpy(text + i, "\xF0\x9F\x98\x80", 5);
        mlm__error(MLM_ERR_FORMAT, "%s", text);
        size_t length = strlen(mlm_last_error());
        ck_assert_uint_eq((length - shift) % 4, 0);
        ck_assert_uint_gt(length, 1000);
        ck_assert_int_eq(strncmp(mlm_last_error(), text, length), 0);
    }
}
END_TEST

static void *fail_elsewhere(void *unused)
{
    (void)unused;
    ck_assert_str_eq(mlm_last_error(), "");
    mlm__error(MLM_ERR_IO, "elsewhere");
    return NULL;
}

START_TEST(message_is_the_threads_own)
{
    mlm__error(MLM_ERR_IO, "here");
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, fail_elsewhere, NULL), 0);
    pthread_join(thread, NULL);
    ck_assert_str_eq(mlm_last_error(), "here");
}
END_TEST

START_TEST(every_status_has_its_name)
{
    static const char *const errors[] = {"MLM_ERR_ARGUMENT", "MLM_ERR_MEMORY", "MLM_ERR_IO",
        "MLM_ERR_FORMAT", "MLM_ERR_SHAPE", "MLM_ERR_CAPACITY", "MLM_ERR_UNSUPPORTED",
        "MLM_ERR_NUMERIC", "MLM_ERR_COMM", "MLM_ERR_NOT_FOUND", "MLM_ERR_MISMATCH",
        "MLM_ERR_INTERNAL", "MLM_STOPPED"};
    ck_assert_str_eq(mlm_status_name(MLM_OK), "MLM_OK");
    ck_assert_str_eq(mlm_status_name(MLM_END), "MLM_END");
    for (int i = 0; i < 13; i++)
        ck_assert_str_eq(mlm_status_name((mlm_status)(-1 - i)), errors[i]);
    ck_assert_str_eq(mlm_status_name((mlm_status)99), "unknown status");
    ck_assert_int_eq(mlm_version(), MLM_VERSION);
    ck_assert_int_eq(mlm_abi_version(), MLM_ABI_VERSION);
}
END_TEST

Suite *error_suite(void)
{
    Suite *suite = suite_create("error");
    TCase *tcase = tcase_create("messages");
    tcase_add_test(tcase, message_is_kept_and_prefixed);
    tcase_add_test(tcase, message_is_one_line);
    tcase_add_test(tcase, long_message_is_cut_between_characters);
    tcase_add_test(tcase, message_is_the_threads_own);
    tcase_add_test(tcase, every_status_has_its_name);
    suite_add_tcase(suite, tcase);
    return suite;
}
