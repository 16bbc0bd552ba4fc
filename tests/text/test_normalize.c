#include "text/normalize.h"

#include <stdlib.h>

#include "text/normalize_fixture.h"
#include "text/text_suites.h"

enum { ROOM = 256 };

static size_t normalize(int32_t profile, bool lowercase, bool strip, const char *text,
    uint8_t bytes[ROOM], int32_t from[ROOM])
{
    mlm__normalizer normalizer;
    mlm__normalized out = {.bytes = bytes, .from = from};
    mlm__normalizer_init(&normalizer, profile, true, true, strip, lowercase);
    mlm__normalize(&normalizer, (const uint8_t *)text, 0, strlen(text), &out);
    bytes[out.length] = 0;
    return out.length;
}

static void check(
    int32_t profile, bool lowercase, bool strip, const char *text, const char *expected)
{
    uint8_t bytes[ROOM];
    normalize(profile, lowercase, strip, text, bytes, NULL);
    ck_assert_str_eq((char *)bytes, expected);
}

START_TEST(test_equals_the_reference)
{
    for (size_t i = 0; i < sizeof normalize_cases / sizeof normalize_cases[0]; i++) {
        const normalize_case *c = &normalize_cases[i];
        check(MLM_PROFILE_HF, c->lowercase, c->strip_accents, c->text, c->normalized);
    }
}
END_TEST

/* Python 3.11: "ΑΣ".lower() and so on. */
START_TEST(test_final_sigma)
{
    check(MLM_PROFILE_GOOGLE, true, true, "ΑΣ ΑΣΑ Σ Α'Σ ΑΣ. ΑΣ'Α", "ας ασα σ α'ς ας. ασ'α");
    check(MLM_PROFILE_GOOGLE, true, true, "\xCE\x91\xFF\xCE\xA3\xFF\xCE\x91", "ασα");
    check(MLM_PROFILE_GOOGLE, true, true, "\xCE\x91\xC2\xAD\xCE\xA3\x01", "ας");
    check(MLM_PROFILE_HF, true, true, "ΑΣ", "ασ");
    check(MLM_PROFILE_GOOGLE, true, false, "İ", "i\xCC\x87");
}
END_TEST

START_TEST(test_invalid_bytes)
{
    check(MLM_PROFILE_HF, true, true, "a\xFF\xE4\xB8\x62", "ab");
    mlm__normalizer normalizer;
    uint8_t bytes[16];
    mlm__normalized out = {.bytes = bytes};
    mlm__normalizer_init(&normalizer, MLM_PROFILE_HF, false, true, true, true);
    mlm__normalize(&normalizer, (const uint8_t *)"a\xFF\xE4\xB8\x62", 0, 5, &out);
    ck_assert_uint_eq(out.length, 8);
    ck_assert_mem_eq(bytes, "a\xEF\xBF\xBD\xEF\xBF\xBD\x62", 8);
    mlm__normalizer_init(&normalizer, MLM_PROFILE_GOOGLE, false, true, true, true);
    mlm__normalize(&normalizer, (const uint8_t *)"a\xFF\xE4\xB8\x62", 0, 5, &out);
    ck_assert_uint_eq(out.length, 2);
}
END_TEST

START_TEST(test_origins)
{
    uint8_t bytes[ROOM];
    int32_t from[ROOM];
    /* A, a control character, é in two ways, a space of three bytes, an ideograph. */
    size_t length = normalize(MLM_PROFILE_HF, true, true,
        "A\x01\xC3\xA9\x65\xCC\x81\xE2\x80\x83\xE4\xB8\xAD", bytes, from);
    static const int32_t expected[] = {0, 2, 4, 7, 10, 10, 10, 10, 10};
    ck_assert_str_eq((char *)bytes, "aee  中 ");
    ck_assert_uint_eq(length, 9);
    ck_assert_mem_eq(from, expected, sizeof expected);
}
END_TEST

/* No text of one to three characters becomes more than MLM__NORMALIZED_GROWTH times as long, which
   the arrays rely on, and all that comes out is in order. */
START_TEST(test_growth)
{
    static const char *const letters[] = {"a", "\xFF", "\xCE\x90", "\xE1\xBE\x82", "\xC4\xB0",
        "\xED\x95\x9C", "\xC8\xBA", "\xE4\xB8\xAD", "\xF0\x9D\x85\xA0", "\xEF\xA9\xAC", "\xCD\x84"};
    enum { LETTERS = sizeof letters / sizeof letters[0] };
    for (int32_t options = 0; options < 32; options++) {
        mlm__normalizer normalizer;
        mlm__normalizer_init(
            &normalizer, options & 1, options & 2, options & 4, options & 8, options & 16);
        for (size_t i = 0; i < LETTERS * LETTERS * LETTERS; i++) {
            char text[16];
            size_t length = 0;
            for (size_t rest = i, k = 0; k < 3; k++, rest /= LETTERS) {
                strcpy(text + length, letters[rest % LETTERS]);
                length += strlen(letters[rest % LETTERS]);
            }
            uint8_t *bytes = malloc(MLM__NORMALIZED_GROWTH * length);
            int32_t *from = malloc(MLM__NORMALIZED_GROWTH * length * sizeof *from);
            mlm__normalized out = {.bytes = bytes, .from = from};
            mlm__normalize(&normalizer, (const uint8_t *)text, 0, length, &out);
            ck_assert_uint_le(out.length, MLM__NORMALIZED_GROWTH * length);
            for (size_t k = 1; k < out.length; k++)
                ck_assert_int_le(from[k - 1], from[k]);
            free(from);
            free(bytes);
        }
    }
}
END_TEST

Suite *normalize_suite(void)
{
    Suite *suite = suite_create("normalize");
    TCase *tests = tcase_create("normalize");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_equals_the_reference);
    tcase_add_test(tests, test_final_sigma);
    tcase_add_test(tests, test_invalid_bytes);
    tcase_add_test(tests, test_origins);
    tcase_add_test(tests, test_growth);
    suite_add_tcase(suite, tests);
    return suite;
}
