/* The functions of one number against the C library's in double, over their whole range. */
#include <math.h>
#include <string.h>

#include "kernels/kernels.h"
#include "kernels/suites.h"
#include "mlm/mlm.h"
#include "support/support.h"

enum { COUNT = 4096 };

/* The distance between neighbouring floats at x. */
static double ulp(double x)
{
    int exponent;
    frexp(x, &exponent);
    return ldexp(1, exponent - 24 < -149 ? -149 : exponent - 24);
}

typedef double function(double x);
typedef void row(const mlm__kernels *kernels, const float *x, float *y);

/* Largest error in ulps of the result, or in atol where that is more. */
static double largest_error(const mlm__kernels *kernels, row *actual, function *expected,
    double low, double high, double atol, double *where)
{
    static float x[COUNT], y[COUNT];
    double largest = 0;
    for (int block = 0; block < 64; block++) {
        for (int i = 0; i < COUNT; i++)
            x[i] = (float)(low + (high - low) * (block * COUNT + i) / (64.0 * COUNT - 1));
        actual(kernels, x, y);
        for (int i = 0; i < COUNT; i++) {
            const double true_value = expected((double)x[i]);
            const double unit = fmax(ulp(true_value), atol);
            const double error = fabs((double)y[i] - true_value) / unit;
            if (!(error <= largest)) {
                largest = error;
                *where = (double)x[i];
            }
        }
    }
    return largest;
}

static void exp_row(const mlm__kernels *kernels, const float *x, float *y)
{
    memcpy(y, x, COUNT * sizeof *y);
    kernels->exp_sum(COUNT, 0, y);
}

static void tanh_row(const mlm__kernels *kernels, const float *x, float *y)
{
    kernels->tanh(COUNT, x, y);
}

#define ACTIVATION(name, act)                                                                      \
    static void name##_row(const mlm__kernels *kernels, const float *x, float *y)                  \
    {                                                                                              \
        kernels->activate(act, COUNT, x, y);                                                       \
    }                                                                                              \
    static void name##_slope_row(const mlm__kernels *kernels, const float *x, float *y)            \
    {                                                                                              \
        static float value[COUNT], again[COUNT];                                                   \
        for (int i = 0; i < COUNT; i++)                                                            \
            y[i] = 1;                                                                              \
        kernels->activate_backward(act, COUNT, x, y, value);                                       \
        kernels->activate(act, COUNT, x, again);                                                   \
        ck_assert_mem_eq(value, again, sizeof value);                                              \
    }
ACTIVATION(gelu, MLM_GELU)
ACTIVATION(gelu_tanh, MLM_GELU_TANH)
ACTIVATION(relu, MLM_RELU)
ACTIVATION(silu, MLM_SILU)

static double gelu(double x)
{
    return 0.5 * x * erfc(-x * sqrt(0.5));
}

static double gelu_slope(double x)
{
    return 0.5 * erfc(-x * sqrt(0.5)) + x * exp(-0.5 * x * x) / sqrt(2 * acos(-1));
}

static double gelu_tanh(double x)
{
    return x / (1 + exp(-2 * sqrt(2 / acos(-1)) * (x + 0.044715 * x * x * x)));
}

static double gelu_tanh_slope(double x)
{
    const double root = sqrt(2 / acos(-1)), t = tanh(root * (x + 0.044715 * x * x * x));
    return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * root * (1 + 3 * 0.044715 * x * x);
}

static double relu(double x)
{
    return fmax(x, 0);
}

static double relu_slope(double x)
{
    return x > 0;
}

static double silu(double x)
{
    return x / (1 + exp(-x));
}

static double silu_slope(double x)
{
    const double s = 1 / (1 + exp(-x));
    return s + x * s * (1 - s);
}

/* ulps: the promise of rows.c, or what one rounding more or less of the exponent's argument does to
   gelu_tanh and silu in their tails. The slopes pass through 0, so there the error is absolute,
   in units of the slope's size, which is about 1. */
static const struct {
    const char *name;
    row *actual;
    function *expected;
    double low, high, atol, ulps;
} functions[] = {
    {"exp", exp_row, exp, -110, 64, 0, 1.5},
    {"exp near 0", exp_row, exp, -1, 1, 0, 1.5},
    {"tanh", tanh_row, tanh, -20, 20, 0, 2},
    {"tanh near 0", tanh_row, tanh, -1, 1, 0, 2},
    {"gelu", gelu_row, gelu, -12, 12, 0, 4},
    {"gelu near 0", gelu_row, gelu, -1, 1, 0, 4},
    {"gelu beyond", gelu_row, gelu, -1000, 1000, 1e-37, 4},
    {"gelu slope", gelu_slope_row, gelu_slope, -15, 15, 6e-8, 2.5},
    {"gelu_tanh", gelu_tanh_row, gelu_tanh, -4, 20, 6e-8, 3},
    {"gelu_tanh slope", gelu_tanh_slope_row, gelu_tanh_slope, -15, 15, 6e-8, 6},
    {"relu", relu_row, relu, -20, 20, 0, 0},
    {"relu slope", relu_slope_row, relu_slope, -20, 20, 0, 0},
    {"silu", silu_row, silu, -80, 80, 0, 3.5},
    {"silu slope", silu_slope_row, silu_slope, -80, 80, 6e-8, 3},
};

enum { FUNCTIONS = sizeof functions / sizeof functions[0] };

/* The variants with fused multiplications and additions give the same bytes as each other. */
START_TEST(function_is_accurate)
{
    const int f = _i % FUNCTIONS;
    const mlm__kernels *kernels = _i < FUNCTIONS ? mlm__kernels_get() : mlm__kernels_variant(0);
    double where = 0;
    const double error = largest_error(kernels, functions[f].actual, functions[f].expected,
        functions[f].low, functions[f].high, functions[f].atol, &where);
    ck_assert_msg(error <= functions[f].ulps, "%s, %s: %g ulps at %.9g, more than %g",
        functions[f].name, kernels->name, error, where, functions[f].ulps);
}
END_TEST

START_TEST(not_a_number_stays)
{
    const mlm__kernels *kernels = mlm__kernels_get();
    float x[3] = {0, NAN, 1}, y[3], d[3] = {1, 1, 1};
    kernels->tanh(3, x, y);
    ck_assert(isnan(y[1]) && !isnan(y[0]) && !isnan(y[2]));
    for (int32_t act = MLM_GELU; act <= MLM_SILU; act++) {
        kernels->activate(act, 3, x, y);
        ck_assert_msg(isnan(y[1]) && !isnan(y[0]) && !isnan(y[2]), "activation %d", (int)act);
    }
    kernels->activate_backward(MLM_GELU, 3, x, d, y);
    ck_assert(isnan(d[1]));
    float e[3] = {1, 1, 1};
    kernels->activate_backward(MLM_RELU, 3, x, e, y);
    ck_assert(e[0] == 0 && e[1] == 1 && e[2] == 1 && isnan(y[1]));
    ck_assert(isnan(kernels->exp_sum(3, 0, x)));
}
END_TEST

/* Mean and variance against sums in double, for a row far from 0 too. */
START_TEST(layer_norm_is_accurate)
{
    enum { H = 333 };
    float x[H], weight[H], bias[H], y[H];
    double mean = 0, variance = 0, expected[H];
    for (int i = 0; i < H; i++) {
        x[i] = (float)(_i * 10 + sin(i));
        weight[i] = (float)(1 + 0.1 * cos(i));
        bias[i] = (float)(0.1 * sin(2 * i));
        mean += (double)x[i] / H;
    }
    for (int i = 0; i < H; i++)
        variance += ((double)x[i] - mean) * ((double)x[i] - mean) / H;
    for (int i = 0; i < H; i++)
        expected[i] =
            ((double)x[i] - mean) / sqrt(variance + 1e-12) * (double)weight[i] + (double)bias[i];
    mlm__kernels_get()->layer_norm(H, x, weight, bias, 1e-12f, y);
    assert_close_f32(y, expected, H, 0, _i == 0 ? 5e-7 : 2e-6, "layer norm");
}
END_TEST

/* A chunk's rows, each 0.1 in float: in order, a plain sum is 3e-5 off. */
START_TEST(column_sums_are_accurate)
{
    enum { ROWS = 2048 };
    static float x[ROWS];
    float sum[1] = {0};
    double expected[1] = {0};
    for (int i = 0; i < ROWS; i++) {
        x[i] = 0.1f;
        expected[0] += (double)x[i];
    }
    mlm__kernels_get()->column_sums(ROWS, 1, x, 1, sum);
    assert_close_f32(sum, expected, 1, 2e-6, 0, "sum");
}
END_TEST

/* The probabilities' gradients nearly equal and far from 0, as where all values of a sequence are
   alike: the result is 1e-5 of what it is the difference of, and adds up to 0. */
START_TEST(softmax_backward_is_accurate)
{
    enum { T = 100 };
    float p[T], dp[T];
    double expected[T], mean = 0, sum = 0, size = 0;
    for (int i = 0; i < T; i++) {
        p[i] = (float)((1 + 0.5 * (i % 2 ? 1 : -1)) / T);
        dp[i] = (float)(10 + 1e-4 * cos(3 * i));
        sum += (double)p[i];
        mean += (double)p[i] * (double)dp[i];
    }
    mean /= sum;
    for (int i = 0; i < T; i++)
        expected[i] = (double)p[i] * ((double)dp[i] - mean);
    mlm__kernels_get()->softmax_backward(T, NULL, p, dp);
    sum = 0;
    for (int i = 0; i < T; i++) {
        sum += (double)dp[i];
        size += fabs(expected[i]);
    }
    assert_close_f32(dp, expected, T, 0, 1e-6 * size / T, "softmax backward");
    ck_assert_double_le(fabs(sum), 1e-7 * size);
    float one[1] = {1}, gradient[1] = {0.3f};
    mlm__kernels_get()->softmax_backward(1, NULL, one, gradient);
    ck_assert(gradient[0] == 0);
}
END_TEST

Suite *accuracy_suite(void)
{
    Suite *suite = suite_create("accuracy");
    TCase *tests = tcase_create("functions");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, function_is_accurate, 0, 2 * FUNCTIONS);
    tcase_add_test(tests, not_a_number_stays);
    tcase_add_loop_test(tests, layer_norm_is_accurate, 0, 2);
    tcase_add_test(tests, column_sums_are_accurate);
    tcase_add_test(tests, softmax_backward_is_accurate);
    suite_add_tcase(suite, tests);
    return suite;
}
