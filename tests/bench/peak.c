#include "peak.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/threads.h"
#include "clock.h"
#include "kernels/kernels.h"
#include "kernels/products.h"
#include "support/support.h"

const char *const peak_names[PEAK_COUNT] = {"own", "oneDNN", "libxsmm"};

struct peak {
    bare_product *products[PEAK_COUNT];
};

void *peak_alloc(size_t bytes)
{
    void *memory = aligned_alloc(64, (bytes + 63) / 64 * 64);
    if (memory)
        return memory;
    fprintf(stderr, "train: no memory for the bare product\n");
    exit(1);
}

uint16_t peak_bf16(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/* ---- our own ------------------------------------------------------------------ */

enum { OWN_ROWS = 128 };

typedef struct own_bare_product {
    bare_product base;
    const mlm__products *products;
    mlm__operand x, weight; /* X, W^T */
    char *rooms;            /* room_size bytes a thread */
    size_t room_size;
} own_bare_product;

static void own_piece(void *context, size_t piece, int32_t thread)
{
    const own_bare_product *p = context;
    const size_t first = piece * OWN_ROWS;
    p->products->multiply(OWN_ROWS, PEAK_O, PEAK_K, 1, mlm__operand_from(p->x, first, 0), p->weight,
        false, p->base.y + first * PEAK_O, PEAK_O, p->rooms + (size_t)thread * p->room_size);
}

static void own_run(bare_product *base)
{
    own_bare_product *p = (own_bare_product *)base;
    if (p->products->begin)
        p->products->begin();
    mlm__parallel(base->runtime, PEAK_N / OWN_ROWS, own_piece, p);
    if (p->products->end)
        p->products->end();
}

bare_product *own_product(mlm_runtime *runtime, int32_t precision, const float *x, const float *w)
{
    const mlm__products *products = mlm__products_get(precision == MLM_BF16);
    own_bare_product *p = peak_alloc(sizeof *p);
    *p = (own_bare_product){.base = {own_run, runtime, x, w, NULL},
        .products = products,
        .x = mlm__plain(x, PEAK_K),
        .weight = mlm__transposed(w, PEAK_K),
        .room_size = (products->room_size + 63) / 64 * 64};
    p->base.y = peak_alloc(sizeof(float) * PEAK_N * PEAK_O);
    p->rooms = peak_alloc((size_t)mlm__threads(runtime) * p->room_size);
    if (products->bf16) {
        uint16_t *rounded = peak_alloc(sizeof *rounded * PEAK_N * PEAK_K);
        products->round((size_t)PEAK_N * PEAK_K, x, rounded);
        p->x = (mlm__operand){.bf16 = rounded, .stride = PEAK_K};
    }
    const size_t packed_size = products->packed_size(PEAK_K, PEAK_O);
    if (packed_size > 0) {
        void *packed = peak_alloc(packed_size);
        for (size_t panel = 0; panel < PEAK_O / MLM__PANEL; panel++)
            products->pack(p->weight, PEAK_K, PEAK_O, panel, 0, PEAK_K, packed);
        p->weight.packed = packed;
        p->weight.packed_k = PEAK_K;
    }
    return &p->base;
}

/* ---- all ---------------------------------------------------------------------- */

static float *random_matrix(size_t count, uint64_t state)
{
    float *x = peak_alloc(count * sizeof *x);
    for (size_t i = 0; i < count; i++)
        x[i] = (float)(test_random(&state) >> 40) * 0x1p-24f - 0.5f;
    return x;
}

static void check(const bare_product *p, int32_t precision, const char *name)
{
    const double tolerance = precision == MLM_BF16 ? 0.1 : 1e-4;
    for (size_t n = 0; n < PEAK_N; n += 611)
        for (size_t o = 0; o < PEAK_O; o += 407) {
            double sum = 0;
            for (size_t k = 0; k < PEAK_K; k++)
                sum += (double)p->x[n * PEAK_K + k] * (double)p->w[o * PEAK_K + k];
            if (fabs(sum - (double)p->y[n * PEAK_O + o]) <= tolerance)
                continue;
            fprintf(stderr, "train: %s's product has %g at %zu, %zu, not %g\n", name,
                (double)p->y[n * PEAK_O + o], n, o, sum);
            exit(1);
        }
}

peak *peak_create(mlm_runtime *runtime, int32_t precision)
{
    bare_product *(*const create[PEAK_COUNT])(mlm_runtime *, int32_t, const float *,
        const float *) = {own_product, onednn_product, libxsmm_product};
    peak *all = peak_alloc(sizeof *all);
    const float *x = random_matrix((size_t)PEAK_N * PEAK_K, 1);
    const float *w = random_matrix((size_t)PEAK_O * PEAK_K, 2);
    for (size_t i = 0; i < PEAK_COUNT; i++) {
        /* Peers know nothing of a CPU with fewer instructions. */
        const bool counts = i == 0 || mlm__kernels_most == 3;
        bare_product *p = all->products[i] = counts ? create[i](runtime, precision, x, w) : NULL;
        if (p) {
            p->run(p);
            check(p, precision, peak_names[i]);
        }
    }
    return all;
}

double peak_measure(peak *all, size_t which, bool cpu_time)
{
    bare_product *p = all->products[which];
    const bench_clock clock = {cpu_time, p ? mlm__threads(p->runtime) : 1};
    const double start = bench_seconds(clock);
    double seconds = 0;
    int32_t runs = 0;
    for (; p && seconds < 0.15; runs++) {
        p->run(p);
        seconds = bench_seconds(clock) - start;
    }
    return runs ? runs * PEAK_FLOPS / seconds : 0;
}
