/* The row kernels of kernels.h. Compiled once for each instruction set, with MLM_KERNELS_VARIANT as
   the table's name: loops are written so that compilers turn them into vectors of any width, and
   element-wise ones give the same bytes whatever the width. */
#include "kernels/variants.h"

#include <math.h>
#include <string.h>

#ifdef __SSE2__
#include <immintrin.h>
#endif

#include "mlm/mlm.h"

/* ---- exp, the normal distribution, tanh ---------------------------------- */

#ifdef MLM_REAL_DOUBLE

static inline real exp_of(real x)
{
    return exp(x);
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

/* a b + c, rounded once in the variants for CPUs that can. */
static inline float multiply_add(float a, float b, float c)
{
#ifdef __FMA__
    return __builtin_fmaf(a, b, c);
#else
    return a * b + c;
#endif
}

/* exp(x + low) for x in [-106, 64], |low| much below 1: 2^k exp(r) with k the integer next to
   x / ln 2, ln 2 in two parts, of which the first times k is exact (Cody and Waite 1980), and a
   minimax polynomial for exp(r) - 1 - r with an error of 3e-9. At most 1.5 ulp from the true
   value, subnormals included: exp(r) is multiplied by 2^(k + 32), which is a normal number for all of
   these x, and then by 2^-32, which rounds. */
static inline float exp_parts(float x, float low)
{
    const float to_integer =
        12582912.0f; /* 1.5 2^23: adding it puts an integer into the last bits */
    float shifted = multiply_add(x, 1.44269504f, to_integer);
    float k = shifted - to_integer;
    float r = multiply_add(k, 2.12194440e-4f, multiply_add(k, -0.693359375f, x)) + low;
    float p = 0.001381478398f;
    p = multiply_add(p, r, 0.008368707575f);
    p = multiply_add(p, r, 0.0416683848f);
    p = multiply_add(p, r, 0.1666652071f);
    p = multiply_add(p, r, 0.4999999346f);
    p = 1.0f + (r + (r * r) * p);
    return p * float_of((bits_of(shifted) << 23) + ((127u + 32u) << 23)) * 0x1p-32f;
}

/* exp(x) for x up to 64. */
static inline float exp_of(float x)
{
    return exp_parts(x < -105.0f ? -105.0f : x, -0.0f); /* adding -0 is nothing to compilers */
}

/* x + x^3 p(x^2) with a minimax p near 0, else 1 - 2 / (exp(2 |x|) + 1) with the sign of x; from
   |x| = 9 on, that is 1. */
static inline float tanh_of(float x)
{
    float a = fabsf(x), z = x * x;
    float p = -0.005704977386f;
    p = p * z + 0.02063907426f;
    p = p * z + -0.05373970905f;
    p = p * z + 0.1333144209f;
    p = p * z + -0.3333328194f;
    float small = x + x * (z * p);
    float large = 1.0f - 2.0f / (exp_of(2.0f * (a > 10.0f ? 10.0f : a)) + 1.0f);
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
    *e = exp_parts(-0.5f * high * high, -0.5f * (a - high) * (a + high));
    float t = (a - 4.0f) / (a + 4.0f);
    float p = -7.162864977e-5f;
    p = multiply_add(p, t, -6.058599754e-5f);
    p = multiply_add(p, t, 0.0006928653659f);
    p = multiply_add(p, t, -0.000303733076f);
    p = multiply_add(p, t, -0.005004380528f);
    p = multiply_add(p, t, 0.01794019397f);
    p = multiply_add(p, t, -0.03219727017f);
    p = multiply_add(p, t, 0.02859998196f);
    p = multiply_add(p, t, 0.01399959615f);
    p = multiply_add(p, t, -0.09670346699f);
    p = multiply_add(p, t, 0.4720532069f);
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

static inline lanes load(const real *x)
{
    lanes v;
    memcpy(&v, x, sizeof v);
    return v;
}

/* The last numbers of a row, fewer than a load, and behind them what adds 0 to the sums. */
static inline lanes load_last(const real *x, size_t count, real nothing)
{
    real last[MLM__SUM_LANES];
    for (size_t l = 0; l < MLM__SUM_LANES; l++)
        last[l] = l < count ? x[l] : nothing;
    return load(last);
}

static inline void add_lanes(lanes *sum, lanes x)
{
    sum->part[0] += x.part[0];
    sum->part[1] += x.part[1];
}

static inline void add_products(lanes *sum, lanes x, lanes y)
{
    sum->part[0] += x.part[0] * y.part[0];
    sum->part[1] += x.part[1] * y.part[1];
}

static inline real sum_lanes(const lanes *sum)
{
    typedef real quartet __attribute__((vector_size(4 * sizeof(real))));
    const octet eight = sum->part[0] + sum->part[1];
    quartet half[2];
    memcpy(half, &eight, sizeof half);
    const quartet four = half[0] + half[1];
    return (four[0] + four[2]) + (four[1] + four[3]);
}

static real sum_of(size_t n, const real *x)
{
    lanes sum = {0};
    size_t i = 0;
    for (; i + MLM__SUM_LANES <= n; i += MLM__SUM_LANES)
        add_lanes(&sum, load(x + i));
    if (i < n)
        add_lanes(&sum, load_last(x + i, n - i, 0));
    return sum_lanes(&sum);
}

static real dot_of(size_t n, const real *x, const real *y)
{
    lanes sum = {0};
    size_t i = 0;
    for (; i + MLM__SUM_LANES <= n; i += MLM__SUM_LANES)
        add_products(&sum, load(x + i), load(y + i));
    if (i < n)
        add_products(&sum, load_last(x + i, n - i, 0), load_last(y + i, n - i, 0));
    return sum_lanes(&sum);
}

/* a > b ? a : b of each. */
static inline octet larger(octet a, octet b)
{
#if defined(__AVX2__) && !defined(MLM_REAL_DOUBLE)
    return (octet)_mm256_max_ps((__m256)a, (__m256)b);
#else
    for (size_t l = 0; l < 8; l++)
        a[l] = a[l] > b[l] ? a[l] : b[l];
    return a;
#endif
}

static real maximum_row(size_t n, const real *x)
{
    octet part[2];
    for (size_t l = 0; l < 8; l++)
        part[0][l] = part[1][l] = -INFINITY;
    size_t i = 0;
    for (; i + MLM__SUM_LANES <= n; i += MLM__SUM_LANES) {
        const lanes next = load(x + i);
        for (size_t h = 0; h < 2; h++)
            part[h] = larger(next.part[h], part[h]);
    }
    part[0] = larger(part[0], part[1]);
    real maximum = part[0][0];
    for (size_t l = 1; l < 8; l++)
        maximum = part[0][l] > maximum ? part[0][l] : maximum;
    for (; i < n; i++)
        maximum = x[i] > maximum ? x[i] : maximum;
    return maximum;
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
    lanes sum = {0};
    size_t i = 0;
    for (; i + MLM__SUM_LANES <= n; i += MLM__SUM_LANES) {
        for (size_t l = 0; l < MLM__SUM_LANES; l++)
            x[i + l] = exp_of(x[i + l] - shift);
        add_lanes(&sum, load(x + i));
    }
    if (i < n) {
        for (size_t l = i; l < n; l++)
            x[l] = exp_of(x[l] - shift);
        add_lanes(&sum, load_last(x + i, n - i, 0));
    }
    return sum_lanes(&sum);
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
    size_t n, const real *restrict multipliers, real *restrict p, real *restrict dp)
{
    if (multipliers)
        product_row(n, multipliers, dp);
    const real mean = dot_of(n, p, dp);
    for (size_t i = 0; i < n; i++)
        dp[i] -= mean;
    const real rest = dot_of(n, p, dp);
    for (size_t i = 0; i < n; i++)
        dp[i] = p[i] * (dp[i] - rest);
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
    real e = exp_of(x < 0 ? x : -x), inverse = 1 / (1 + e);
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

/* Of a NaN 1, as in PyTorch. */
static inline real relu_slope(real x, real *y)
{
    *y = relu(x);
    return x <= 0 ? 0 : 1;
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

static inline void add_squares(lanes *squares, lanes x, real mean)
{
    for (size_t h = 0; h < 2; h++) {
        const octet centred = x.part[h] - mean;
        squares->part[h] += centred * centred;
    }
}

static mlm__moments layer_norm_row(
    size_t n, const real *x, const real *weight, const real *bias, real eps, real *y)
{
    real mean = sum_of(n, x) / (real)n;
    lanes squares = {0};
    size_t i = 0;
    for (; i + MLM__SUM_LANES <= n; i += MLM__SUM_LANES)
        add_squares(&squares, load(x + i), mean);
    if (i < n)
        add_squares(&squares, load_last(x + i, n - i, mean), mean);
    real variance = sum_lanes(&squares) / (real)n;
    real rstd = (real)(1 / sqrt((double)variance + (double)eps));
    for (i = 0; i < n; i++)
        y[i] = (x[i] - mean) * rstd * weight[i] + bias[i];
    return (mlm__moments){mean, rstd};
}

/* Of g = dy weight and g (x - mean) rstd. */
static inline void add_gradients(
    lanes *sum, lanes *sum_u, lanes x, mlm__moments moments, lanes weight, lanes dy)
{
    for (size_t h = 0; h < 2; h++) {
        const octet g = dy.part[h] * weight.part[h];
        sum->part[h] += g;
        sum_u->part[h] += g * ((x.part[h] - moments.mean) * moments.rstd);
    }
}

static void layer_norm_backward_row(
    size_t n, const real *x, mlm__moments moments, const real *weight, const real *dy, real *dx)
{
    real mean = moments.mean, rstd = moments.rstd;
    lanes sum = {0}, sum_u = {0};
    size_t i = 0;
    for (; i + MLM__SUM_LANES <= n; i += MLM__SUM_LANES)
        add_gradients(&sum, &sum_u, load(x + i), moments, load(weight + i), load(dy + i));
    if (i < n)
        add_gradients(&sum, &sum_u, load_last(x + i, n - i, mean), moments,
            load_last(weight + i, n - i, 0), load_last(dy + i, n - i, 0));
    real mean_g = sum_lanes(&sum) / (real)n, mean_gu = sum_lanes(&sum_u) / (real)n;
    for (i = 0; i < n; i++)
        dx[i] = rstd * (dy[i] * weight[i] - mean_g - (x[i] - mean) * rstd * mean_gu);
}

/* ---- sums over columns ----------------------------------------------------------- */

/* Columns summed at a time: their sums, two for norms, stay in the nearest cache and rows are read
   in whole cache lines. */
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

enum { BLOCKS = 8 }; /* of Philox, a group */

/* 32-bit words of several blocks side by side, each in 64 bits, of which the upper half may hold
   anything: that is what vectors multiply 32-bit numbers in. */
#if defined(__AVX512F__)
enum { SIDE_BY_SIDE = 8 };
#elif defined(__AVX2__)
enum { SIDE_BY_SIDE = 4 };
#else
enum { SIDE_BY_SIDE = 2 };
#endif
typedef uint64_t words __attribute__((vector_size(SIDE_BY_SIDE * sizeof(uint64_t))));
typedef uint32_t halves __attribute__((vector_size(SIDE_BY_SIDE * sizeof(uint32_t))));

/* All 64 bits of the products. Compilers do not find the instruction by themselves. */
static inline words multiply_words(words x, uint32_t y)
{
#if defined(__AVX512F__)
    return (words)_mm512_mul_epu32((__m512i)x, _mm512_set1_epi64(y));
#elif defined(__AVX2__)
    return (words)_mm256_mul_epu32((__m256i)x, _mm256_set1_epi64x(y));
#elif defined(__SSE2__)
    return (words)_mm_mul_epu32((__m128i)x, _mm_set1_epi64x(y));
#else
    return (x & 0xffffffffu) * y;
#endif
}

/* The Philox blocks index .. index + SIDE_BY_SIDE - 1: the 16-bit numbers of their elements go to
   their places in the group. Same numbers as mlm__random_block. */
static inline void draw_blocks(const mlm__dropout_row *from, uint32_t index, uint32_t *numbers)
{
    const uint64_t position = (uint64_t)from->position;
    words w0 = {0}, w1 = w0 + from->site, w2 = w0 + position, w3 = w0 + (position >> 32);
    uint32_t k0 = from->key.word[0], k1 = from->key.word[1];
    for (uint32_t j = 0; j < SIDE_BY_SIDE; j++)
        w0[j] = index + j;
    for (int round = 0; round < 10; round++) {
        const words p0 = multiply_words(w0, 0xD2511F53u), p1 = multiply_words(w2, 0xCD9E8D57u);
        w0 = (p1 >> 32) ^ w1 ^ k0;
        w1 = p1;
        w2 = (p0 >> 32) ^ w3 ^ k1;
        w3 = p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    const words drawn[4] = {w0, w1, w2, w3};
    for (size_t w = 0; w < 4; w++) {
        const halves word = __builtin_convertvector(drawn[w], halves);
        const halves low = word & 0xffff, high = word >> 16;
        memcpy(numbers + 2 * BLOCKS * w, &low, sizeof low);
        memcpy(numbers + 2 * BLOCKS * w + BLOCKS, &high, sizeof high);
    }
}

static inline void dropout_group(
    const mlm__dropout_row *from, uint32_t index, real *restrict multipliers)
{
    const uint32_t threshold = from->threshold;
    const real scale = from->scale;
    uint32_t numbers[MLM__DROPOUT_GROUP];
    for (uint32_t j = 0; j < BLOCKS; j += SIDE_BY_SIDE)
        draw_blocks(from, index + j, numbers + j);
    for (size_t i = 0; i < MLM__DROPOUT_GROUP; i++)
        multipliers[i] = numbers[i] < threshold ? 0 : scale;
}

static void dropout_row(const mlm__dropout_row *from, size_t n, real *multipliers)
{
    const uint32_t groups = (uint32_t)((n + MLM__DROPOUT_GROUP - 1) / MLM__DROPOUT_GROUP);
    uint32_t index = from->row * groups * BLOCKS;
    for (; n >= MLM__DROPOUT_GROUP; n -= MLM__DROPOUT_GROUP) {
        dropout_group(from, index, multipliers);
        multipliers += MLM__DROPOUT_GROUP;
        index += BLOCKS;
    }
    if (n > 0) {
        real group[MLM__DROPOUT_GROUP];
        dropout_group(from, index, group);
        memcpy(multipliers, group, n * sizeof(real));
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
