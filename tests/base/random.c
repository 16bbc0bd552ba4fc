#include "base/random.h"

#include <math.h>
#include <stdlib.h>

#include "base/suites.h"
#include "support/support.h"

/* "philox4x32 10" of Random123 1.14.0, tests/kat_vectors: counter, key, output. */
START_TEST(philox_gives_the_published_answers)
{
    static const uint32_t vectors[3][10] = {
        {0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
        {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0x408f276d,
            0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
        {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0, 0xd16cfe09,
            0x94fdcceb, 0x5001e420, 0x24126ea1},
    };
    for (size_t i = 0; i < 3; i++) {
        uint32_t out[4];
        mlm__philox(vectors[i], vectors[i] + 4, out);
        ck_assert_mem_eq(out, vectors[i] + 6, sizeof out);
    }
}
END_TEST

/* The map of docs/determinism.md, spelled out. */
START_TEST(map_from_seed_and_place_is_as_documented)
{
    uint32_t seed[2] = {0x89abcdef, 0x01234567}, key_counter[4] = {3, 0, 0x55667788, 0x11223344};
    uint32_t words[4], counter[4] = {9, 5, 0xccddeeff, 0x0011aabb}, expected[4], out[4];
    mlm__philox(key_counter, seed, words);
    mlm__philox(counter, words, expected);
    mlm__random_key key = mlm__random_key_make(
        UINT64_C(0x0123456789abcdef), MLM__RANDOM_MASK, INT64_C(0x1122334455667788));
    mlm__random_block(key, INT64_C(0x0011aabbccddeeff), 5, 9, out);
    ck_assert_mem_eq(out, expected, sizeof out);
    ck_assert_int_eq(MLM__RANDOM_INIT, 1);
    ck_assert_int_eq(MLM__RANDOM_ORDER, 2);
    ck_assert_int_eq(MLM__RANDOM_DROPOUT, 4);
}
END_TEST

START_TEST(stream_is_the_blocks_in_their_order)
{
    mlm__random_key key = mlm__random_key_make(1, MLM__RANDOM_INIT, 0);
    mlm__random_stream stream = mlm__random_stream_make(key, 77, 3);
    for (uint32_t index = 0; index < 5; index++) {
        uint32_t block[4];
        mlm__random_block(key, 77, 3, index, block);
        for (int i = 0; i < 4; i++)
            ck_assert_uint_eq(mlm__random_u32(&stream), block[i]);
    }
}
END_TEST

START_TEST(doubles_are_the_upper_53_bits)
{
    mlm__random_key key = mlm__random_key_make(2, MLM__RANDOM_INIT, 0);
    mlm__random_stream words = mlm__random_stream_make(key, 0, 0), doubles = words;
    double sum = 0;
    enum { COUNT = 100000 };
    for (int i = 0; i < COUNT; i++) {
        uint64_t high = mlm__random_u32(&words), low = mlm__random_u32(&words);
        double x = mlm__random_double(&doubles);
        ck_assert_double_eq(x, ldexp((double)((high << 32 | low) >> 11), -53));
        ck_assert(x >= 0 && x < 1);
        sum += x;
    }
    /* Five standard deviations of the mean of uniform numbers, 1 / sqrt(12 n). */
    ck_assert_double_eq_tol(sum / COUNT, 0.5, 5 / sqrt(12.0 * COUNT));
}
END_TEST

/* Against the definition: of 2^32 words, multiples of n have the same number of words each, the
   rest is drawn again. */
START_TEST(below_is_uniform_and_rejects)
{
    mlm__random_key key = mlm__random_key_make(3, MLM__RANDOM_INIT, 0);
    static const uint32_t bounds[] = {1, 2, 3, 7, 30522, 0x80000001, 0xffffffff};
    for (size_t b = 0; b < sizeof bounds / sizeof bounds[0]; b++) {
        uint32_t n = bounds[b];
        mlm__random_stream stream = mlm__random_stream_make(key, 0, n), words = stream;
        for (int i = 0; i < 1000; i++) {
            uint64_t product;
            do
                product = (uint64_t)mlm__random_u32(&words) * n;
            while ((uint32_t)product < (UINT64_C(1) << 32) % n);
            ck_assert_uint_eq(mlm__random_below(&stream, n), product >> 32);
        }
    }
    int64_t counts[7] = {0};
    mlm__random_stream stream = mlm__random_stream_make(key, 1, 0);
    for (int i = 0; i < 70000; i++)
        counts[mlm__random_below(&stream, 7)]++;
    for (int i = 0; i < 7; i++) /* five standard deviations, sqrt(70000 * 1/7 * 6/7) = 92.6 */
        ck_assert_int_le(llabs(counts[i] - 10000), 463);
}
END_TEST

Suite *random_suite(void)
{
    Suite *suite = suite_create("random");
    TCase *tcase = tcase_create("numbers");
    tcase_add_test(tcase, philox_gives_the_published_answers);
    tcase_add_test(tcase, map_from_seed_and_place_is_as_documented);
    tcase_add_test(tcase, stream_is_the_blocks_in_their_order);
    tcase_add_test(tcase, doubles_are_the_upper_53_bits);
    tcase_add_test(tcase, below_is_uniform_and_rejects);
    suite_add_tcase(suite, tcase);
    return suite;
}
