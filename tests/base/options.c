#include "base/options.h"

#include <string.h>

#include "base/suites.h"
#include "support/support.h"

/* A struct as this library knows it, and as a newer header has it. */
typedef struct known {
    uint32_t struct_size;
    int32_t a;
    double b;
} known;

typedef struct longer {
    known known;
    int64_t c;
} longer;

static const known defaults = {sizeof(known), 7, 0.5};

START_TEST(init_fills_exactly_its_size)
{
    for (size_t size = 0; size <= sizeof(longer); size++) {
        unsigned char room[sizeof(longer) + 8], expected[sizeof(longer) + 8];
        memset(room, 0xEE, sizeof room);
        memset(expected, 0, sizeof expected);
        memcpy(expected, &defaults, sizeof defaults);
        memset(expected + size, 0xEE, sizeof expected - size);
        uint32_t struct_size = (uint32_t)size;
        memcpy(expected, &struct_size, size < 4 ? size : 4);
        mlm__struct_init(room, size, &defaults, sizeof defaults);
        ck_assert_mem_eq(room, expected, sizeof room);
    }
    mlm__struct_init(NULL, sizeof defaults, &defaults, sizeof defaults);
}
END_TEST

START_TEST(null_means_the_defaults)
{
    known out;
    assert_ok(mlm__struct_read(NULL, &defaults, sizeof defaults, "known", &out));
    ck_assert_mem_eq(&out, &defaults, sizeof out);
}
END_TEST

START_TEST(older_struct_gets_defaults_for_the_rest)
{
    known given = {8, 3, 99}, out;
    assert_ok(mlm__struct_read(&given, &defaults, sizeof defaults, "known", &out));
    ck_assert_int_eq(out.a, 3);
    ck_assert_double_eq(out.b, 0.5);
    ck_assert_uint_eq(out.struct_size, sizeof out);
}
END_TEST

START_TEST(newer_struct_must_be_zero_beyond)
{
    longer given = {{sizeof(longer), 3, 4}, 0};
    known out;
    assert_ok(mlm__struct_read(&given, &defaults, sizeof defaults, "known", &out));
    ck_assert_double_eq(out.b, 4);
    given.c = INT64_C(1) << 56; /* the last byte */
    assert_error(mlm__struct_read(&given, &defaults, sizeof defaults, "known", &out),
        MLM_ERR_UNSUPPORTED, "known: byte 23");
}
END_TEST

START_TEST(uninitialised_struct_is_refused)
{
    static const uint32_t sizes[] = {0, 3, 0xEEEEEEEE};
    for (size_t i = 0; i < 3; i++) {
        known given = {sizes[i], 3, 4}, out;
        assert_error(mlm__struct_read(&given, &defaults, sizeof defaults, "known", &out),
            MLM_ERR_ARGUMENT, "known: struct_size");
        assert_error(mlm__struct_write(&given, &defaults, sizeof defaults, "known"),
            MLM_ERR_ARGUMENT, "known: struct_size");
        ck_assert_int_eq(given.a, 3);
    }
}
END_TEST

START_TEST(write_goes_no_further_than_the_caller)
{
    known older = {8, 3, 4};
    assert_ok(mlm__struct_write(&older, &defaults, sizeof defaults, "known"));
    ck_assert_uint_eq(older.struct_size, 8);
    ck_assert_int_eq(older.a, 7);
    ck_assert_double_eq(older.b, 4);
    longer newer = {{sizeof(longer), 3, 4}, 5};
    assert_ok(mlm__struct_write(&newer, &defaults, sizeof defaults, "known"));
    ck_assert_uint_eq(newer.known.struct_size, sizeof newer);
    ck_assert_double_eq(newer.known.b, 0.5);
    ck_assert_int_eq(newer.c, 5);
}
END_TEST

Suite *options_suite(void)
{
    Suite *suite = suite_create("options");
    TCase *tcase = tcase_create("structs");
    tcase_add_test(tcase, init_fills_exactly_its_size);
    tcase_add_test(tcase, null_means_the_defaults);
    tcase_add_test(tcase, older_struct_gets_defaults_for_the_rest);
    tcase_add_test(tcase, newer_struct_must_be_zero_beyond);
    tcase_add_test(tcase, uninitialised_struct_is_refused);
    tcase_add_test(tcase, write_goes_no_further_than_the_caller);
    suite_add_tcase(suite, tcase);
    return suite;
}
