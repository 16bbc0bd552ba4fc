/* The map from element to random number, against its description in kernels.h. */
#include <math.h>
#include <string.h>

#include "kernels/kernels.h"
#include "kernels/suites.h"
#include "support/support.h"

enum { MOST = 300 };

static int kept(const mlm__dropout_row *from, size_t n, size_t column)
{
    const uint32_t groups = (uint32_t)((n + 63) / 64), g = (uint32_t)(column / 64);
    const uint32_t r = (uint32_t)(column % 64);
    uint32_t word[4];
    mlm__random_block(
        from->key, from->position, from->site, (from->row * groups + g) * 8 + r % 8, word);
    const uint32_t number = r / 8 % 2 ? word[r / 16] >> 16 : word[r / 16] & 0xffff;
    return number >= from->threshold;
}

START_TEST(map_is_as_described)
{
    const size_t n = (size_t)_i;
    const mlm__dropout_row from = {.key = mlm__random_key_make(77, MLM__RANDOM_DROPOUT, 1234567),
        .position = INT64_C(0x123456789),
        .site = 9,
        .row = 511,
        .threshold = 20000,
        .scale = 1.5f};
    for (size_t v = 0; mlm__kernels_variant(v); v++) {
        float multipliers[MOST + 1];
        multipliers[n] = -7;
        mlm__kernels_variant(v)->dropout(&from, n, multipliers);
        for (size_t column = 0; column < n; column++)
            ck_assert_msg(multipliers[column] == (kept(&from, n, column) ? 1.5f : 0.0f),
                "%s: column %zu of %zu", mlm__kernels_variant(v)->name, column, n);
        ck_assert(multipliers[n] == -7);
    }
}
END_TEST

/* A million decisions: the share lies within five standard deviations. */
START_TEST(share_is_the_probability)
{
    static const double probability[] = {0.0, 1.0 / 65536, 0.1, 0.5, 0.9};
    enum { ROWS = 4000, WIDTH = 256 };
    mlm__dropout_row from = {.key = mlm__random_key_make(3, MLM__RANDOM_DROPOUT, 0),
        .threshold = (uint32_t)lround(probability[_i] * 65536),
        .scale = 1};
    double dropped = 0;
    for (uint32_t row = 0; row < ROWS; row++) {
        float multipliers[WIDTH];
        from.row = row;
        mlm__kernels_get()->dropout(&from, WIDTH, multipliers);
        for (int i = 0; i < WIDTH; i++)
            dropped += multipliers[i] == 0;
    }
    const double p = from.threshold / 65536.0, n = (double)ROWS * WIDTH;
    ck_assert_double_le(fabs(dropped - n * p), 5 * sqrt(n * p * (1 - p)));
}
END_TEST

/* Another row, site, position or key: masks that agree in half of the places where p is a half. */
START_TEST(masks_are_independent)
{
    enum { WIDTH = 8192 };
    static float one[WIDTH], other[WIDTH];
    mlm__dropout_row from = {.key = mlm__random_key_make(3, MLM__RANDOM_DROPOUT, 0),
        .position = 6,
        .site = 2,
        .row = 1,
        .threshold = 32768,
        .scale = 1};
    mlm__kernels_get()->dropout(&from, WIDTH, one);
    switch (_i) {
    case 0:
        from.row++;
        break;
    case 1:
        from.site++;
        break;
    case 2:
        from.position++;
        break;
    case 3:
        from.position += INT64_C(1) << 32;
        break;
    case 4:
        from.key = mlm__random_key_make(3, MLM__RANDOM_DROPOUT, 1);
        break;
    default:
        from.key = mlm__random_key_make(4, MLM__RANDOM_DROPOUT, 0);
        break;
    }
    mlm__kernels_get()->dropout(&from, WIDTH, other);
    int equal = 0;
    for (int i = 0; i < WIDTH; i++)
        equal += one[i] == other[i];
    ck_assert_double_le(fabs(equal - WIDTH / 2.0), 5 * sqrt(WIDTH / 4.0));
}
END_TEST

/* Eight decisions with p = 1/2: of a column and three of its row, and of the same column in the next
   row, site, sequence and step. All 256 outcomes are as frequent, by a chi-square test that fails
   once in a million seeds. */
START_TEST(decisions_are_independent_together)
{
    enum { ROWS = 4000, WIDTH = 4096, STRIDE = 128, PATTERNS = 256, OTHERS = 4 };
    static float one[WIDTH], other[OTHERS][WIDTH];
    static int32_t seen[PATTERNS];
    memset(seen, 0, sizeof seen);
    const mlm__random_key key = mlm__random_key_make(11, MLM__RANDOM_DROPOUT, 5);
    for (uint32_t row = 0; row < 2 * ROWS; row += 2) {
        const mlm__dropout_row at = {
            .key = key, .position = 8, .site = 4, .row = row, .threshold = 32768, .scale = 1};
        mlm__dropout_row next[OTHERS] = {at, at, at, at};
        next[0].row++;
        next[1].site++;
        next[2].position++;
        next[3].key = mlm__random_key_make(11, MLM__RANDOM_DROPOUT, 6);
        mlm__kernels_get()->dropout(&at, WIDTH, one);
        for (int k = 0; k < OTHERS; k++)
            mlm__kernels_get()->dropout(&next[k], WIDTH, other[k]);
        for (int c = 0; c < WIDTH; c += STRIDE) {
            static const int columns[4] = {0, 1, 8, 64};
            int pattern = 0;
            for (int k = 0; k < 4; k++)
                pattern |= (one[c + columns[k]] == 0) << k | (other[k][c] == 0) << (4 + k);
            seen[pattern]++;
        }
    }
    const double expected = (double)ROWS * WIDTH / STRIDE / PATTERNS;
    double chi_square = 0;
    for (int i = 0; i < PATTERNS; i++)
        chi_square += (seen[i] - expected) * (seen[i] - expected) / expected;
    /* 255 degrees of freedom: scipy.stats.chi2.isf(1e-6, 255) */
    ck_assert_double_le(chi_square, 377.1);
}
END_TEST

Suite *dropout_suite(void)
{
    Suite *suite = suite_create("dropout");
    TCase *tests = tcase_create("dropout");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, map_is_as_described, 1, MOST + 1);
    tcase_add_loop_test(tests, share_is_the_probability, 0, 5);
    tcase_add_loop_test(tests, masks_are_independent, 0, 6);
    tcase_add_test(tests, decisions_are_independent_together);
    suite_add_tcase(suite, tests);
    return suite;
}
