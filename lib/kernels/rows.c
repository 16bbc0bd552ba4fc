/* The row kernels of kernels.h. Compiled once for each instruction set, with MLM_KERNELS_VARIANT as
   the table's name: loops are written so that compilers turn them into vectors of any width, and
   element-wise ones give the same bytes whatever the width. */
#include "kernels/variants.h"

#include <math.h>
#include <string.h>

#include "mlm/mlm.h"

/* ---- exp, the normal distribution, tanh ---------------------------------- */

#ifdef MLM_REAL_DOUBLE

static inline real exp_of(real x, real low)
{
    return exp(x + low);
}

static inline real tanh_of(real x)
{
    return tanh(x);
}

/* Returns P(X < x) of a standard normal X; *e = exp(-x^2 / 2). */
static inline real normal_cdf(real x, real *e)
{
    *e = exp(-0.5 * x * x);
    return 0.5 * erfc(-x * 0.70710678118654752440);
}

#else

static inline uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline float float_of(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* exp(x + low), |low| much below 1: 2^k exp(r) with k the integer next to x / ln 2, ln 2 in two
   parts, of which the first times k is exact (Cody and Waite 1980), and a minimax polynomial for
   exp(r) - 1 - r with an error of 3e-9. At most 1 ulp from the true value, subnormals included.
   2^k is multiplied in two halves, so that neither overflows before the result does. */
static inline float exp_of(float x, float low)
{
    const float to_integer = 12582912.0f; /* 1.5 2^23: adding it rounds to an integer */
    float clamped = x > 89.0f ? 89.0f : x;
    clamped = clamped < -105.0f ? -105.0f : clamped;
    float shifted = clamped * 1.44269504f + to_integer;
    float k = shifted - to_integer;
    float r = ((clamped - k * 0.693359375f) - k * -2.12194440e-4f) + low;
    float p = 0.001381478398f;
    p = p * r + 0.008368707575f;
    p = p * r + 0.0416683848f;
    p = p * r + 0.1666652071f;
    p = p * r + 0.4999999346f;
    p = 1.0f + (r + (r * r) * p);
    int32_t power = (int32_t)(bits_of(shifted) - bits_of(to_integer));
    int32_t half = power >> 1;
    return p * float_of((uint32_t)(half + 127) << 23) *
           float_of((uint32_t)(power - half + 127) << 23);
}

/* x + x^3 p(x^2) with a minimax p near 0, else 1 - 2 / (exp(2 |x|) + 1) with the sign of x. */
static inline float tanh_of(float x)
{
    float a = fabsf(x), z = x * x;
    float p = -0.005704977386f;
    p = p * z + 0.02063907426f;
    p = p * z + -0.05373970905f;
    p = p * z + 0.1333144209f;
    p = p * z + -0.3333328194f;
    float small = x + x * (z * p);
    float large = 1.0f - 2.0f / (exp_of(2.0f * a, 0.0f) + 1.0f);
    large = x < 0.0f ? -large : large;
    return a < 0.625f ? small : large;
}

/* Returns P(X < x) of a standard normal X; *e = exp(-x^2 / 2).

   P(X > a) = exp(-a^2 / 2) p(t) / (1 + a) for a = |x|, t = (a - 4) / (a + 4), p a minimax
   polynomial with an error of 2e-9 (the form is Shepherd and Laframboise's, Math. Comp. 36, 1981).
   The error stays relative in both tails, because nothing is subtracted from 1 for x < 0, and
   because a^2 is taken in two parts: that of a's upper 12 bits, which is exact, and the rest. */
static inline float normal_cdf(float x, float *e)
{
    float a = fabsf(x);
    a = a > 14.5f ? 14.5f : a; /* exp(-14.5^2 / 2) rounds to 0 */
    float high = float_of(bits_of(a) & 0xfffff000u);
    *e = exp_of(-0.5f * high * high, -0.5f * (a - high) * (a + high));
    float t = (a - 4.0f) / (a + 4.0f);
    float p = -7.162864977e-5f;
    p = p * t + -6.058599754e-5f;
    p = p * t + 0.0006928653659f;
    p = p * t + -0.000303733076f;
    p = p * t + -0.005004380528f;
    p = p * t + 0.01794019397f;
    p = p * t + -0.03219727017f;
    p = p * t + 0.02859998196f;
    p = p * t + 0.01399959615f;
    p = p * t + -0.09670346699f;
    p = p * t + 0.4720532069f;
    float tail = *e * (p / (a + 1.0f));
    return x < 0.0f ? tail : 1.0f - tail;
}

#endif

/* ---- sums over a row ------------------------------------------------------ */

/* The 16 partial sums, in two of the compiler's vectors: it computes them in the same way whatever
   the width of the machine's registers. */
typedef real octet __attribute__((vector_size(8 * sizeof(real))));
typedef struct lanes {
    octet part[2];
} lanes;

static inline octet load(const real *x)
{
    octet v;
    memcpy(&v, x, sizeof v);
    return v;
}

static inline real sum_lanes(const lanes *sum)
{
    real part[MLM__SUM_LANES];
    memcpy(part, sum, sizeof part);
    for (size_t half = MLM__SUM_LANES / 2; half > 0; half /= 2)
        for (size_t l = 0; l < half; l++)
            part[l] += part[l + half];
    return part[0];
}

static inline void add_to_lane(lanes *sum, size_t l, real x)
{
    sum->part[l / 8][l % 8] += x;
}

static real sum_of(size_t n, const real *x)
{
    lanes sum = {0};
    size_t i = 0;
    for (; i + MLM__SUM_LANES <= n; i += MLM__SUM_LANES)
        for (size_t h = 0; h < 2; h++)
            sum.part[h] += load(x + i + 8 * h);
    for (size_t l = 0; i < n; i++, l++)
        add_to_lane(&sum, l, x[i]);
    return sum_lanes(&sum);
}

static real dot_row(size_t n, const real *x, const real *y)
{
    lanes sum = {0};
    size_t i = 0;
    for (; i + MLM__SUM_LANES <= n; i += MLM__SUM_LANES)
        for (size_t h = 0; h < 2; h++)
            sum.part[h] += load(x + i + 8 * h) * load(y + i + 8 * h);
    for (size_t l = 0; i < n; i++, l++)
        add_to_lane(&sum, l, x[i] * y[i]);
    return sum_lanes(&sum);
}

static real maximum_row(size_t n, const real *x)
{
    real part[MLM__SUM_LANES];
    for (size_t l = 0; l < MLM__SUM_LANES; l++)
        part[l] = -INFINITY;
    size_t i = 0;
    for (; i + MLM__SUM_LANES <= n; i += MLM__SUM_LANES)
        for (size_t l = 0; l < MLM__SUM_LANES; l++)
            part[l] = x[i + l] > part[l] ? x[i + l] : part[l];
    for (size_t l = 0; i < n; i++, l++)
        part[l] = x[i] > part[l] ? x[i] : part[l];
    for (size_t half = MLM__SUM_LANES / 2; half > 0; half /= 2)
        for (size_t l = 0; l < half; l++)
            part[l] = part[l + half] > part[l] ? part[l + half] : part[l];
    return part[0];
}

/* ---- element by element ---------------------------------------------------- */

static void add_row(size_t n, const real *x, real *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] += x[i];
}

static void scale_row(size_t n, real factor, real *x)
{
    for (size_t i = 0; i < n; i++)
        x[i] *= factor;
}

static void product_row(size_t n, const real *x, real *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] *= x[i];
}

static real exp_sum_row(size_t n, real shift, real *x)
{
    for (size_t i = 0; i < n; i++)
        x[i] = exp_of(x[i] - shift, 0);
    return sum_of(n, x);
}

static void tanh_row(size_t n, const real *x, real *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = tanh_of(x[i]);
}

static void residual_row(
    size_t n, const real *residual, const real *multipliers, const real *y, real *s)
{
    if (multipliers)
        for (size_t i = 0; i < n; i++)
            s[i] = residual[i] + multipliers[i] * y[i];
    else
        for (size_t i = 0; i < n; i++)
            s[i] = residual[i] + y[i];
}

static void softmax_backward_row(
    size_t n, real shift, const real *restrict multipliers, real *restrict p, real *restrict dp)
{
    if (multipliers)
        for (size_t i = 0; i < n; i++)
            dp[i] = multipliers[i] * dp[i] - shift;
    else
        for (size_t i = 0; i < n; i++)
            dp[i] -= shift;
    const real mean = dot_row(n, p, dp);
    for (size_t i = 0; i < n; i++)
        dp[i] = p[i] * (dp[i] - mean);
    if (multipliers)
        product_row(n, multipliers, p);
}

/* ---- activations ------------------------------------------------------------ */

#define ROOT_2_PI ((real)0.79788456080286535588)  /* sqrt(2 / pi) */
#define ROOT_1_2PI ((real)0.39894228040143267794) /* 1 / sqrt(2 pi) */
#define GELU_CUBE ((real)0.044715)

/* 1 / (1 + exp(-x)), and *slope = sigmoid'(x) = exp(-x) / (1 + exp(-x))^2, which is even. Neither
   overflows, and neither subtracts from 1. */
static inline real sigmoid(real x, real *slope)
{
    real e = exp_of(x < 0 ? x : -x, 0), inverse = 1 / (1 + e);
    *slope = e * inverse * inverse;
    return x < 0 ? e * inverse : inverse;
}

/* Hendrycks and Gimpel 2016: x P(X < x). torch.nn.functional.gelu, "gelu" in config.json. */
static inline real gelu(real x)
{
    real e;
    return x * normal_cdf(x, &e);
}

static inline real gelu_slope(real x, real *y)
{
    real e, cdf = normal_cdf(x, &e);
    *y = x * cdf;
    return cdf + x * (e * ROOT_1_2PI);
}

/* The same paper's approximation, x / 2 (1 + tanh u) = x sigmoid(2 u) with
   u = sqrt(2 / pi) (x + 0.044715 x^3): "gelu_new" and "gelu_pytorch_tanh". */
static inline real gelu_tanh(real x)
{
    real slope;
    return x * sigmoid(2 * ROOT_2_PI * (x + GELU_CUBE * (x * x * x)), &slope);
}

static inline real gelu_tanh_slope(real x, real *y)
{
    real slope, s = sigmoid(2 * ROOT_2_PI * (x + GELU_CUBE * (x * x * x)), &slope);
    *y = x * s;
    return s + x * slope * (2 * ROOT_2_PI * (1 + 3 * GELU_CUBE * (x * x)));
}

/* Not x > 0 ? x : 0, which would lose a NaN. */
static inline real relu(real x)
{
    return x < 0 ? 0 : x;
}

static inline real relu_slope(real x, real *y)
{
    *y = relu(x);
    return x > 0 ? 1 : 0;
}

static inline real silu(real x)
{
    real slope;
    return x * sigmoid(x, &slope);
}

static inline real silu_slope(real x, real *y)
{
    real slope, s = sigmoid(x, &slope);
    *y = x * s;
    return s + x * slope;
}

#define ACTIVATION(function)                                                                       \
    static void function##_row(size_t n, const real *x, real *y)                                   \
    {                                                                                              \
        for (size_t i = 0; i < n; i++)                                                             \
            y[i] = function(x[i]);                                                                 \
    }                                                                                              \
    static void function##_backward_row(                                                           \
        size_t n, const real *x, real *restrict d, real *restrict y)                               \
    {                                                                                              \
        for (size_t i = 0; i < n; i++)                                                             \
            d[i] *= function##_slope(x[i], &y[i]);                                                 \
    }
ACTIVATION(gelu)
ACTIVATION(gelu_tanh)
ACTIVATION(relu)
ACTIVATION(silu)

static void activate_row(int32_t act, size_t n, const real *x, real *y)
{
    static void (*const rows[])(size_t, const real *, real *) = {[MLM_GELU] = gelu_row,
        [MLM_GELU_TANH] = gelu_tanh_row,
        [MLM_RELU] = relu_row,
        [MLM_SILU] = silu_row};
    rows[act](n, x, y);
}

static void activate_backward_row(int32_t act, size_t n, const real *x, real *d, real *y)
{
    static void (*const rows[])(size_t, const real *, real *, real *) = {
        [MLM_GELU] = gelu_backward_row,
        [MLM_GELU_TANH] = gelu_tanh_backward_row,
        [MLM_RELU] = relu_backward_row,
        [MLM_SILU] = silu_backward_row};
    rows[act](n, x, d, y);
}

/* ---- layer norm ---------------------------------------------------------------- */

static mlm__moments layer_norm_row(
    size_t n, const real *x, const real *weight, const real *bias, real eps, real *y)
{
    real mean = sum_of(n, x) / (real)n;
    lanes squares = {0};
    size_t i = 0;
    for (; i + MLM__SUM_LANES <= n; i += MLM__SUM_LANES)
        for (size_t h = 0; h < 2; h++) {
            octet centred = load(x + i + 8 * h) - mean;
            squares.part[h] += centred * centred;
        }
    for (size_t l = 0; i < n; i++, l++)
        add_to_lane(&squares, l, (x[i] - mean) * (x[i] - mean));
    real variance = sum_lanes(&squares) / (real)n;
    real rstd = (real)(1 / sqrt((double)variance + (double)eps));
    for (i = 0; i < n; i++)
        y[i] = (x[i] - mean) * rstd * weight[i] + bias[i];
    return (mlm__moments){mean, rstd};
}

static void layer_norm_backward_row(
    size_t n, const real *x, mlm__moments moments, const real *weight, const real *dy, real *dx)
{
    real mean = moments.mean, rstd = moments.rstd;
    lanes sum = {0}, sum_u = {0};
    size_t i = 0;
    for (; i + MLM__SUM_LANES <= n; i += MLM__SUM_LANES)
        for (size_t h = 0; h < 2; h++) {
            octet g = load(dy + i + 8 * h) * load(weight + i + 8 * h);
            sum.part[h] += g;
            sum_u.part[h] += g * ((load(x + i + 8 * h) - mean) * rstd);
        }
    for (size_t l = 0; i < n; i++, l++) {
        real g = dy[i] * weight[i];
        add_to_lane(&sum, l, g);
        add_to_lane(&sum_u, l, g * ((x[i] - mean) * rstd));
    }
    real mean_g = sum_lanes(&sum) / (real)n, mean_gu = sum_lanes(&sum_u) / (real)n;
    for (i = 0; i < n; i++)
        dx[i] = rstd * (dy[i] * weight[i] - mean_g - (x[i] - mean) * rstd * mean_gu);
}

/* ---- sums over columns ----------------------------------------------------------- */

enum { COLUMN_BLOCK = 64 };

static void column_sums_of(size_t rows, size_t columns, const real *x, size_t stride, real *sums)
{
    for (size_t c = 0; c < columns; c += COLUMN_BLOCK) {
        const size_t width = columns - c < COLUMN_BLOCK ? columns - c : COLUMN_BLOCK;
        for (size_t first = 0; first < rows; first += MLM__SUM_ROWS) {
            const size_t end = first + MLM__SUM_ROWS < rows ? first + MLM__SUM_ROWS : rows;
            real part[COLUMN_BLOCK] = {0};
            for (size_t i = first; i < end; i++)
                add_row(width, x + i * stride + c, part);
            add_row(width, part, sums + c);
        }
    }
}

static void norm_column_sums_of(size_t rows, size_t columns, const real *x,
    const mlm__moments *moments, const real *dy, size_t stride, real *dweight, real *dbias)
{
    for (size_t c = 0; c < columns; c += COLUMN_BLOCK) {
        const size_t width = columns - c < COLUMN_BLOCK ? columns - c : COLUMN_BLOCK;
        for (size_t first = 0; first < rows; first += MLM__SUM_ROWS) {
            const size_t end = first + MLM__SUM_ROWS < rows ? first + MLM__SUM_ROWS : rows;
            real weights[COLUMN_BLOCK] = {0}, biases[COLUMN_BLOCK] = {0};
            for (size_t i = first; i < end; i++) {
                const real *xi = x + i * stride + c, *dyi = dy + i * stride + c;
                const real mean = moments[i].mean, rstd = moments[i].rstd;
                for (size_t j = 0; j < width; j++) {
                    weights[j] += dyi[j] * ((xi[j] - mean) * rstd);
                    biases[j] += dyi[j];
                }
            }
            add_row(width, weights, dweight + c);
            add_row(width, biases, dbias + c);
        }
    }
}

/* ---- dropout ----------------------------------------------------------------------- */

enum { COUNTERS = 8 };

/* The Philox blocks index .. index + 7 side by side: word[w][j]. Same numbers as
   mlm__random_block. Words lie in 64 bits, which is what vectors multiply 32-bit numbers in. */
static void draw_group(const mlm__dropout_row *from, uint32_t index, uint64_t word[4][COUNTERS])
{
    const uint64_t low = 0xffffffffu;
    uint32_t k0 = from->key.word[0], k1 = from->key.word[1];
    for (uint32_t j = 0; j < COUNTERS; j++) {
        word[0][j] = index + j;
        word[1][j] = from->site;
        word[2][j] = (uint64_t)from->position & low;
        word[3][j] = (uint64_t)from->position >> 32;
    }
    for (int round = 0; round < 10; round++) {
        for (uint32_t j = 0; j < COUNTERS; j++) {
            uint64_t p0 = (word[0][j] & low) * 0xD2511F53u, p1 = (word[2][j] & low) * 0xCD9E8D57u;
            word[0][j] = (p1 >> 32) ^ word[1][j] ^ k0;
            word[1][j] = p1 & low;
            word[2][j] = (p0 >> 32) ^ word[3][j] ^ k1;
            word[3][j] = p0 & low;
        }
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
}

static void dropout_row(const mlm__dropout_row *from, size_t n, real *multipliers)
{
    const uint32_t groups = (uint32_t)((n + MLM__DROPOUT_GROUP - 1) / MLM__DROPOUT_GROUP);
    const uint32_t threshold = from->threshold;
    const real scale = from->scale;
    for (uint32_t g = 0; g < groups; g++) {
        uint64_t word[4][COUNTERS];
        draw_group(from, (from->row * groups + g) * COUNTERS, word);
        real group[MLM__DROPOUT_GROUP];
        for (size_t w = 0; w < 4; w++)
            for (size_t j = 0; j < COUNTERS; j++) {
                group[16 * w + j] = (word[w][j] & 0xffffu) < threshold ? 0 : scale;
                group[16 * w + COUNTERS + j] = (word[w][j] >> 16) < threshold ? 0 : scale;
            }
        const size_t done = (size_t)g * MLM__DROPOUT_GROUP;
        const size_t left = n - done;
        memcpy(multipliers + done, group,
            (left < MLM__DROPOUT_GROUP ? left : MLM__DROPOUT_GROUP) * sizeof(real));
    }
}

#define TEXT_OF(name) TEXT(name)
#define TEXT(name) #name
#define TABLE_OF(name) TABLE(name)
#define TABLE(name) mlm__kernels_##name

const mlm__kernels TABLE_OF(MLM_KERNELS_VARIANT) = {
    .name = TEXT_OF(MLM_KERNELS_VARIANT),
    .add = add_row,
    .scale = scale_row,
    .product = product_row,
    .dot = dot_row,
    .maximum = maximum_row,
    .exp_sum = exp_sum_row,
    .tanh = tanh_row,
    .activate = activate_row,
    .activate_backward = activate_backward_row,
    .layer_norm = layer_norm_row,
    .layer_norm_backward = layer_norm_backward_row,
    .residual = residual_row,
    .softmax_backward = softmax_backward_row,
    .column_sums = column_sums_of,
    .norm_column_sums = norm_column_sums_of,
    .dropout = dropout_row,
};
