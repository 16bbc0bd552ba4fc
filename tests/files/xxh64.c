#include "files/xxh64.h"

#include <string.h>

#include "files/suites.h"
#include "support/support.h"

static uint64_t digest(const void *data, size_t size)
{
    mlm__xxh64 xxh;
    mlm__xxh64_init(&xxh);
    mlm__xxh64_update(&xxh, data, size);
    return mlm__xxh64_digest(&xxh);
}

/* xxHash's own sanity check (xxhsum's benchmark of itself): a buffer of bytes from a generator. */
START_TEST(digests_are_the_published_ones)
{
    uint8_t bytes[222];
    uint64_t generator = UINT64_C(2654435761);
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(generator >> 56);
        generator *= UINT64_C(11400714785074694797);
    }
    static const struct {
        size_t size;
        uint64_t digest;
    } vectors[] = {
        {0, UINT64_C(0xEF46DB3751D8E999)},
        {1, UINT64_C(0xE934A84ADB052768)},
        {4, UINT64_C(0x9136A0DCA57457EE)},
        {14, UINT64_C(0x8282DCC4994E35C8)},
        {222, UINT64_C(0xB641AE8CB691C174)},
    };
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++)
        ck_assert_uint_eq(digest(bytes, vectors[i].size), vectors[i].digest);
    ck_assert_uint_eq(digest("a", 1), UINT64_C(0xD24EC4F1A98C6E5B));
    ck_assert_uint_eq(digest("abc", 3), UINT64_C(0x44BC2CF5AD770999));
}
END_TEST

START_TEST(pieces_do_not_matter)
{
    uint8_t bytes[200];
    uint64_t state = 3;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)test_random(&state);
    for (size_t size = 0; size <= sizeof bytes; size++)
        for (size_t piece = 1; piece < 70; piece += 3) {
            mlm__xxh64 xxh;
            mlm__xxh64_init(&xxh);
            for (size_t at = 0; at < size; at += piece) {
                mlm__xxh64_digest(&xxh); /* changes nothing */
                mlm__xxh64_update(&xxh, bytes + at, size - at < piece ? size - at : piece);
            }
            ck_assert_uint_eq(mlm__xxh64_digest(&xxh), digest(bytes, size));
        }
}
END_TEST

Suite *xxh64_suite(void)
{
    Suite *suite = suite_create("xxh64");
    TCase *tests = tcase_create("xxh64");
    tcase_add_test(tests, digests_are_the_published_ones);
    tcase_add_test(tests, pieces_do_not_matter);
    suite_add_tcase(suite, tests);
    return suite;
}
