#include "encoder/initialise.h"

#include <math.h>
#include <string.h>

#include "base/random.h"
#include "base/threads.h"

/*
 * log(x) of a normal x > 0: x = 2^e m with m in [1/sqrt 2, sqrt 2), s = (m - 1) / (m + 1), and
 * log m = 2 (s + s^3/3 + s^5/5 + ...); s^2 < 0.0295, so that 11 terms reach a double's end.
 * Own, because a libm's last bits change between distributions, and models with them.
 */
static double natural_log(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    int32_t exponent = (int32_t)(bits >> 52) - 1023;
    bits = (bits & 0x000fffffffffffffu) | 0x3ff0000000000000u;
    double m;
    memcpy(&m, &bits, sizeof m);
    if (m > 1.4142135623730951) {
        m *= 0.5;
        exponent++;
    }
    double s = (m - 1) / (m + 1), square = s * s, sum = 0;
    for (int32_t k = 21; k >= 1; k -= 2)
        sum = sum * square + 1.0 / k;
    return 2 * s * sum + exponent * 0.6931471805599453;
}

/* c[0] + c[1] x + ... + c[7] x^7 */
static double polynomial(const double c[8], double x)
{
    double sum = c[7];
    for (int32_t i = 6; i >= 0; i--)
        sum = sum * x + c[i];
    return sum;
}

/*
 * Wichura 1988, algorithm AS 241, PPND16, relative error about 1e-16. Its third branch, for p
 * below exp(-25), is not reached.
 */
double mlm__normal_quantile(double p)
{
    static const double a[8] = {3.3871328727963666080e0, 1.3314166789178437745e+2,
        1.9715909503065514427e+3, 1.3731693765509461125e+4, 4.5921953931549871457e+4,
        6.7265770927008700853e+4, 3.3430575583588128105e+4, 2.5090809287301226727e+3};
    static const double b[8] = {1.0, 4.2313330701600911252e+1, 6.8718700749205790830e+2,
        5.3941960214247511077e+3, 2.1213794301586595867e+4, 3.9307895800092710610e+4,
        2.8729085735721942674e+4, 5.2264952788528545610e+3};
    static const double c[8] = {1.42343711074968357734e0, 4.63033784615654529590e0,
        5.76949722146069140550e0, 3.64784832476320460504e0, 1.27045825245236838258e0,
        2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4};
    static const double d[8] = {1.0, 2.05319162663775882187e0, 1.67638483018380384940e0,
        6.89767334985100004550e-1, 1.48103976427480074590e-1, 1.51986665636164571966e-2,
        5.47593808499534494600e-4, 1.05075007164441684324e-9};
    double q = p - 0.5;
    if (q >= -0.425 && q <= 0.425) {
        double r = 0.180625 - q * q;
        return q * polynomial(a, r) / polynomial(b, r);
    }
    double r = sqrt(-natural_log(q < 0 ? p : 1 - p)) - 1.6;
    double z = polynomial(c, r) / polynomial(d, r);
    return q < 0 ? -z : z;
}

enum { PIECE = 1 << 16 }; /* elements, a multiple of the 4 of a random block */

typedef struct initialisation {
    float *values;
    size_t count;
    double range;
    mlm__random_key key;
    int64_t index;
} initialisation;

/* Element e of parameter `index` is the word e mod 4 of random block e div 4 at position `index`:
   u of 2^32 equally likely values, taken at (u + 1/2) / 2^32 of the normal distribution. */
static void fill_normal(void *context, size_t piece, int32_t thread)
{
    (void)thread;
    const initialisation *work = context;
    size_t end = (piece + 1) * PIECE < work->count ? (piece + 1) * PIECE : work->count;
    for (size_t e = piece * PIECE; e < end; e += 4) {
        uint64_t block = e / 4;
        uint32_t word[4];
        mlm__random_block(work->key, work->index, (uint32_t)(block >> 32), (uint32_t)block, word);
        for (size_t i = 0; i < 4 && e + i < end; i++)
            work->values[e + i] =
                (float)(work->range * mlm__normal_quantile((word[i] + 0.5) * 0x1p-32));
    }
}

/* As transformers' BertPreTrainedModel: a plain normal with initializer_range as its standard
   deviation (google-research/bert cuts it at two), biases 0, layer norms 1 and 0, and the pad
   token's embedding 0. */
void mlm__initialise(
    mlm_runtime *runtime, const mlm__layout *layout, size_t index, uint64_t seed, float *parameters)
{
    const mlm_encoder_config *config = &layout->config;
    const mlm__parameter *parameter = &layout->parameters[index];
    float *values = parameters + parameter->offset;
    if (parameter->init != MLM__INIT_NORMAL) {
        float value = parameter->init == MLM__INIT_ONES ? 1.0f : 0.0f;
        for (size_t i = 0; i < parameter->count; i++)
            values[i] = value;
        return;
    }
    initialisation work = {values, parameter->count, config->initializer_range,
        mlm__random_key_make(seed, MLM__RANDOM_INIT, 0), (int64_t)index};
    mlm__parallel(runtime, (parameter->count + PIECE - 1) / PIECE, fill_normal, &work);
    if (parameter->offset == layout->word_embeddings && config->pad_token_id >= 0) {
        size_t H = (size_t)config->hidden_size;
        memset(values + (size_t)config->pad_token_id * H, 0, H * sizeof *values);
    }
}
