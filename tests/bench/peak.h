/* The machine's matrix-product peak: Y = X W^T as in a base model's feed-forward half, and nothing
   else, by our own kernels and by the libraries that this build found. */
#ifndef MLM_TESTS_BENCH_PEAK_H
#define MLM_TESTS_BENCH_PEAK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mlm/mlm.h"

/* X [PEAK_N,PEAK_K]   W [PEAK_O,PEAK_K]   Y [PEAK_N,PEAK_O] */
enum { PEAK_N = 4096, PEAK_O = 3072, PEAK_K = 768 };
static const double PEAK_FLOPS = 2.0 * PEAK_N * PEAK_O * PEAK_K;

enum { PEAK_OWN, PEAK_ONEDNN, PEAK_LIBXSMM, PEAK_COUNT };
extern const char *const peak_names[PEAK_COUNT];

/* A product that can be run again and again, its operands converted and packed. */
typedef struct bare_product {
    void (*run)(struct bare_product *product);
    mlm_runtime *runtime;
    const float *x, *w;
    float *y;
} bare_product;

/* NULL: not in this build, or not on this CPU. Operands are of precision MLM_F32 or MLM_BF16, sums
   are float. All live until the process ends. */
bare_product *own_product(mlm_runtime *runtime, int32_t precision, const float *x, const float *w);
bare_product *onednn_product(
    mlm_runtime *runtime, int32_t precision, const float *x, const float *w);
bare_product *libxsmm_product(
    mlm_runtime *runtime, int32_t precision, const float *x, const float *w);

typedef struct peak peak;

/* Its products, each checked once against sums in double. */
peak *peak_create(mlm_runtime *runtime, int32_t precision);
/* FLOPs a second of one of them, over 0.15 seconds or one product; 0: there is none. */
double peak_measure(peak *p, size_t which, bool cpu_time);

/* For the products. */
void *peak_alloc(size_t bytes);
uint16_t peak_bf16(float x);

#endif
