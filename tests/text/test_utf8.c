#include "text/utf8.h"

#include "text/text_suites.h"

START_TEST(test_every_code_point)
{
    uint8_t bytes[4];
    size_t size;
    for (int32_t code = 0; code < 0x110000; code++) {
        size_t written = mlm__utf8_encode(code, bytes);
        bool surrogate = code >= 0xD800 && code < 0xE000;
        int32_t read = mlm__utf8_decode(bytes, bytes + written, &size);
        bool good = read == (surrogate ? MLM__UTF8_INVALID : code) &&
                    size == (surrogate ? 1 : written) &&
                    mlm__utf8_valid(bytes, written) != surrogate &&
                    (surrogate || mlm__utf8_size(bytes[0]) == written) &&
                    (surrogate || mlm__utf8_previous(bytes, bytes + written) == bytes);
        /* Cut off anywhere it is one invalid part. */
        for (size_t cut = 1; cut < written && !surrogate; cut++)
            good = good && mlm__utf8_decode(bytes, bytes + cut, &size) == MLM__UTF8_INVALID &&
                   size == cut;
        if (!good)
            ck_abort_msg("U+%04X", (unsigned)code);
    }
}
END_TEST

/* The examples of the Unicode standard, tables 3-8 to 3-11: bytes and sizes of the parts, of which
   those greater than 8 are characters. */
START_TEST(test_maximal_parts)
{
    static const struct {
        const char *bytes;
        const char *sizes;
    } cases[] = {
        {"\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41", "111111119"},
        {"\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41", "111111119"},
        {"\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42", "111119119"},
        {"\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41", "21329"},
    };
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        const uint8_t *at = (const uint8_t *)cases[c].bytes;
        const uint8_t *end = at + strlen(cases[c].bytes);
        const char *expected = cases[c].sizes;
        for (size_t size; at < end; at += size, expected++) {
            bool valid = mlm__utf8_decode(at, end, &size) != MLM__UTF8_INVALID;
            ck_assert_int_eq(valid ? 9 : (int)size, *expected - '0');
        }
        ck_assert_int_eq(*expected, 0);
    }
}
END_TEST

START_TEST(test_backwards_over_invalid_bytes)
{
    static const uint8_t text[] = "a\x80\xC3\xA9\xA9";
    ck_assert_ptr_eq(mlm__utf8_previous(text, text + 5), text + 4);
    ck_assert_ptr_eq(mlm__utf8_previous(text, text + 4), text + 2);
    ck_assert_ptr_eq(mlm__utf8_previous(text, text + 2), text + 1);
    ck_assert_ptr_eq(mlm__utf8_previous(text, text + 1), text);
    ck_assert_uint_eq(mlm__utf8_count((const uint8_t *)"a\xC3\xA9z", 4), 3);
}
END_TEST

START_TEST(test_count_of_invalid_bytes)
{
    static const struct {
        const char *bytes;
        size_t invalid;
    } cases[] = {{"", 0}, {"plain text of some length", 0}, {"\xC3\xA9 caf\xC3\xA9s and more", 0},
        {"\xFF", 1}, {"x\x80y", 1}, {"\xC0\x80", 2}, {"\xED\xA0\x80", 3}, {"\xF4\x90\x80\x80", 4},
        {"\xE2\x82", 2}, {"12345678\x80 90123456\xE2\x82 78", 3}};
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++)
        ck_assert_uint_eq(
            mlm__utf8_count_invalid((const uint8_t *)cases[c].bytes, strlen(cases[c].bytes)),
            cases[c].invalid);
}
END_TEST

Suite *utf8_suite(void)
{
    Suite *suite = suite_create("utf8");
    TCase *tests = tcase_create("utf8");
    tcase_add_test(tests, test_every_code_point);
    tcase_add_test(tests, test_maximal_parts);
    tcase_add_test(tests, test_backwards_over_invalid_bytes);
    tcase_add_test(tests, test_count_of_invalid_bytes);
    suite_add_tcase(suite, tests);
    return suite;
}
