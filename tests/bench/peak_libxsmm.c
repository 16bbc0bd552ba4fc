/* libxsmm's small product, called on tiles by our own pool: it has no threads of its own. */
#include "peak.h"

#ifdef HAVE_LIBXSMM

#include <libxsmm.h>

#include "base/threads.h"

/* A tile is ROWS rows of X by a packed panel of COLUMNS rows of W. */
enum { ROWS = 128, COLUMNS = 64 };

typedef struct libxsmm_bare_product {
    bare_product base;
    libxsmm_smmfunction f32;
    libxsmm_bsmmfunction bf16;
    float *panels;          /* [O/COLUMNS][K][COLUMNS] */
    libxsmm_bfloat16 *rows; /* [N][K] */
    libxsmm_bfloat16 *vnni; /* [O/COLUMNS][K/2][COLUMNS][2] */
} libxsmm_bare_product;

static void piece_f32(void *context, size_t piece, int32_t thread)
{
    const libxsmm_bare_product *p = context;
    const size_t n = piece * ROWS;
    (void)thread;
    for (size_t o = 0; o < PEAK_O; o += COLUMNS)
        p->f32(p->panels + o * PEAK_K, p->base.x + n * PEAK_K, p->base.y + n * PEAK_O + o);
}

static void piece_bf16(void *context, size_t piece, int32_t thread)
{
    const libxsmm_bare_product *p = context;
    const size_t n = piece * ROWS;
    (void)thread;
    for (size_t o = 0; o < PEAK_O; o += COLUMNS)
        p->bf16(p->vnni + o * PEAK_K, p->rows + n * PEAK_K, p->base.y + n * PEAK_O + o);
}

static void run(bare_product *base)
{
    libxsmm_bare_product *p = (libxsmm_bare_product *)base;
    mlm__parallel(base->runtime, PEAK_N / ROWS, p->f32 ? piece_f32 : piece_bf16, p);
}

static void pack(libxsmm_bare_product *p, int32_t precision)
{
    const size_t weights = (size_t)PEAK_O * PEAK_K, inputs = (size_t)PEAK_N * PEAK_K;
    if (precision == MLM_F32) {
        p->panels = peak_alloc(weights * sizeof *p->panels);
        for (size_t i = 0; i < weights; i++) {
            const size_t o = i / PEAK_K, k = i % PEAK_K;
            p->panels[o / COLUMNS * COLUMNS * PEAK_K + k * COLUMNS + o % COLUMNS] = p->base.w[i];
        }
        return;
    }
    p->vnni = peak_alloc(weights * sizeof *p->vnni);
    p->rows = peak_alloc(inputs * sizeof *p->rows);
    for (size_t i = 0; i < weights; i++) {
        const size_t o = i / PEAK_K, k = i % PEAK_K;
        p->vnni[o / COLUMNS * COLUMNS * PEAK_K + k / 2 * 2 * COLUMNS + o % COLUMNS * 2 + k % 2] =
            peak_bf16(p->base.w[i]);
    }
    for (size_t i = 0; i < inputs; i++)
        p->rows[i] = peak_bf16(p->base.x[i]);
}

/* The library's matrices are column-major: what it calls A is the panel, B the rows of X. */
bare_product *libxsmm_product(
    mlm_runtime *runtime, int32_t precision, const float *x, const float *w)
{
    const libxsmm_blasint lda = COLUMNS, ldb = PEAK_K, ldc = PEAK_O;
    const float alpha = 1, beta = 0;
    const int flags = precision == MLM_F32 ? LIBXSMM_GEMM_FLAG_NONE : LIBXSMM_GEMM_FLAG_VNNI_A;
    libxsmm_bare_product *p = peak_alloc(sizeof *p);
    *p = (libxsmm_bare_product){.base = {run, runtime, x, w, NULL}};
    if (precision == MLM_F32)
        p->f32 = libxsmm_smmdispatch(
            COLUMNS, ROWS, PEAK_K, &lda, &ldb, &ldc, &alpha, &beta, &flags, NULL);
    else
        p->bf16 = libxsmm_bsmmdispatch(
            COLUMNS, ROWS, PEAK_K, &lda, &ldb, &ldc, &alpha, &beta, &flags, NULL);
    if (!p->f32 && !p->bf16)
        return NULL;
    p->base.y = peak_alloc(sizeof(float) * PEAK_N * PEAK_O);
    pack(p, precision);
    return &p->base;
}

#else

bare_product *libxsmm_product(
    mlm_runtime *runtime, int32_t precision, const float *x, const float *w)
{
    (void)runtime, (void)precision, (void)x, (void)w;
    return NULL;
}

#endif
