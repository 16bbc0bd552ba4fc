/* The products of products.h with kernels of our own. Compiled once for each instruction set, with
   MLM_PRODUCTS_VARIANT as the table's name.

   The design is that of Goto and van de Geijn 2008, "Anatomy of high-performance matrix
   multiplication": C is computed in tiles that stay in registers while k goes by. Of A a number is
   spread over a vector, of B a panel of PANEL columns lies together. What is multiplied, and by which
   instructions, is in elements.h; all here is the same for every CPU. */
#include "kernels/elements.h"
#include "kernels/variants.h"

enum { PANEL = LANES * VECTORS };
_Static_assert(ROWS == 6, "edge_tile has a case for each number of rows");
_Static_assert(MLM__PANEL % PANEL == 0, "operands are entered at a whole panel");

typedef float loose_vector __attribute__((vector_size(LANES * 4), aligned(4)));

/* Sums over K_BLOCK numbers are made in registers and then added to C, so that rounding errors do
   not grow with k as those of one long sum; C's vectors are read and written once for 256
   multiplications of each.
   What is packed of A for M_BLOCK rows and of B for N_BLOCK columns, 208 and 256 KB, fits the core's
   cache together, and A is packed again for the next N_BLOCK columns. A B that is packed already is
   read a panel at a time, so all its columns share what is packed of A. */
enum { K_ELEMENTS = 256, M_BLOCK = 192, N_BLOCK = 256 };
enum { K_BLOCK = K_ELEMENTS * ELEMENT };

/* Of a transposed A, the rows of a block lie together for each k: 13 cache lines apart (12.5 of AVX2),
   so that they spread over all of the cache, as they would not at 12. */
enum { A_STEP = M_BLOCK + LANES };

typedef struct rooms {
    element a[K_ELEMENTS * A_STEP] __attribute__((aligned(64)));
    element b[N_BLOCK * K_ELEMENTS] __attribute__((aligned(64)));
} rooms;

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t units(size_t length, size_t unit)
{
    return (length + unit - 1) / unit;
}

/* ---- the kernel ----------------------------------------------------------------------- */

typedef struct left {
    const element *data;
    size_t row_step, k_step;
} left;

/* Loops over a tile are unrolled at any level of optimisation, so that sums stay in registers. */
#ifdef __clang__
#define UNROLLED _Pragma("clang loop unroll(full)")
#else
#define UNROLLED _Pragma("GCC unroll 8")
#endif

/* rows, at most ROWS, and whole are constants where this is called; a tile that is not whole may have
   fewer columns than a panel: then what the other lanes hold is computed with and dropped. */
static inline __attribute__((always_inline)) void tile(size_t rows, bool whole, size_t columns,
    size_t k, left a, const element *b, float alpha, const float *bias, bool add, float *c,
    size_t ldc)
{
    vector sum[ROWS][VECTORS];
    UNROLLED
    for (size_t i = 0; i < rows; i++) {
        UNROLLED
        for (size_t j = 0; j < VECTORS; j++)
            sum[i][j] = (vector){0};
    }
    /* C comes from memory while the sums are made. */
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j += LANES)
            __builtin_prefetch(c + i * ldc + j);
    for (size_t l = 0; l < k; l++) {
        vector right[VECTORS];
        UNROLLED
        for (size_t j = 0; j < VECTORS; j++)
            memcpy(&right[j], b + l * PANEL + j * LANES, sizeof right[j]);
        UNROLLED
        for (size_t i = 0; i < rows; i++) {
            const vector number = spread(a.data + i * a.row_step + l * a.k_step);
            UNROLLED
            for (size_t j = 0; j < VECTORS; j++)
                sum[i][j] = accumulate(sum[i][j], number, right[j]);
        }
    }
    float edge[(ROWS + 1) * PANEL];
    float *to = whole ? c : edge;
    const size_t step = whole ? ldc : PANEL;
    if (!whole && add)
        for (size_t i = 0; i < rows; i++)
            memcpy(edge + i * PANEL, c + i * ldc, columns * sizeof *c);
    if (!whole && bias)
        bias = memcpy(edge + rows * PANEL, bias, columns * sizeof *bias);
    if (alpha != 1) {
        UNROLLED
        for (size_t i = 0; i < rows; i++) {
            UNROLLED
            for (size_t j = 0; j < VECTORS; j++)
                sum[i][j] *= alpha;
        }
    }
    UNROLLED
    for (size_t i = 0; i < rows; i++) {
        UNROLLED
        for (size_t j = 0; j < VECTORS; j++) {
            loose_vector *at = (loose_vector *)(to + i * step + j * LANES);
            sum[i][j] = add ? sum[i][j] + *at : sum[i][j];
            *at = bias ? sum[i][j] + *(const loose_vector *)(bias + j * LANES) : sum[i][j];
        }
    }
    for (size_t i = 0; i < rows && !whole; i++)
        memcpy(c + i * ldc, edge + i * PANEL, columns * sizeof *c);
}

/* A tile at the edge of C, or one that is narrower than a panel. */
static void edge_tile(size_t rows, size_t columns, size_t k, left a, const element *b, float alpha,
    const float *bias, bool add, float *c, size_t ldc)
{
    if (rows == 6)
        tile(6, false, columns, k, a, b, alpha, bias, add, c, ldc);
    else if (rows == 5)
        tile(5, false, columns, k, a, b, alpha, bias, add, c, ldc);
    else if (rows == 4)
        tile(4, false, columns, k, a, b, alpha, bias, add, c, ldc);
    else if (rows == 3)
        tile(3, false, columns, k, a, b, alpha, bias, add, c, ldc);
    else if (rows == 2)
        tile(2, false, columns, k, a, b, alpha, bias, add, c, ldc);
    else
        tile(1, false, columns, k, a, b, alpha, bias, add, c, ldc);
}

/* m rows of C in the columns of one panel. */
static void tiles_of_panel(size_t m, size_t columns, size_t k, left a, const element *b,
    float alpha, const float *bias, bool add, float *c, size_t ldc)
{
    size_t i = 0;
    if (columns == PANEL)
        for (; i + ROWS <= m; i += ROWS) {
            tile(ROWS, true, PANEL, k, a, b, alpha, bias, add, c + i * ldc, ldc);
            a.data += ROWS * a.row_step;
        }
    for (; i < m; i += ROWS) {
        edge_tile(least(ROWS, m - i), columns, k, a, b, alpha, bias, add, c + i * ldc, ldc);
        a.data += ROWS * a.row_step;
    }
}

/* ---- packing -------------------------------------------------------------------------- */

/* k rows of a matrix from number `at` on to [k][step] elements: of each its columns, and zeros up
   to width, a multiple of LANES. */
static inline void pack_rows(
    mlm__operand from, size_t at, size_t k, size_t columns, size_t width, element *to, size_t step)
{
    const size_t whole = columns / LANES * LANES;
    for (size_t l = 0; l < k; l += ELEMENT) {
        const size_t row = at + l * from.stride;
        element *const packed = to + l / ELEMENT * step;
        size_t j = 0;
        for (; j < whole && l + ELEMENT <= k; j += LANES) {
            const elements joined = join_rows(from, row + j);
            memcpy(packed + j, &joined, sizeof joined);
        }
        for (; j < columns; j += LANES) {
            const elements joined = join_rows_part(from, row + j, k - l, least(columns - j, LANES));
            memcpy(packed + j, &joined, sizeof joined);
        }
        if (j < width)
            memset(packed + j, 0, (width - j) * sizeof *packed);
    }
}

/* 8 rows of k numbers, from number `at` on, to [k][step] elements, a row to a column; or `count`
   rows if that is less, and zeros. */
static inline void pack_8_rows(
    mlm__operand from, size_t at, size_t k, size_t count, element *to, size_t step)
{
    for (size_t l = 0; l < k; l += 8 * ELEMENT) {
        const size_t there = least(8 * ELEMENT, k - l);
        elements_8 in[8] = {{0}}, out[8];
        for (size_t i = 0; i < 8 && i < count; i++)
            in[i] = there == 8 * ELEMENT ? join_columns(from, at + i * from.stride + l)
                                         : join_columns_part(from, at + i * from.stride + l, there);
        transpose_8(in, out);
        for (size_t i = 0; i < units(there, ELEMENT); i++)
            memcpy(to + (l / ELEMENT + i) * step, &out[i], sizeof out[i]);
    }
}

/* Rows k0 to k0 + k - 1 of PANEL columns from n0 on; of those that there are, and zeros. */
static void pack_panel(mlm__operand b, size_t k0, size_t k, size_t n0, size_t columns, element *to)
{
    if (!b.transposed) {
        pack_rows(b, k0 * b.stride + n0, k, least(columns, PANEL), PANEL, to, PANEL);
        return;
    }
    for (size_t j = 0; j < PANEL; j += 8)
        if (columns > j)
            pack_8_rows(b, (n0 + j) * b.stride + k0, k, columns - j, to + j, PANEL);
        else
            for (size_t l = 0; l < units(k, ELEMENT); l++)
                memset(to + l * PANEL + j, 0, 8 * sizeof *to);
}

static size_t packed_size(size_t k, size_t n)
{
    return units(n, MLM__PANEL) * MLM__PANEL * units(k, ELEMENT) * sizeof(element);
}

static void pack(
    mlm__operand b, size_t k, size_t n, size_t panel, size_t k0, size_t k1, void *packed)
{
    for (size_t n0 = panel * MLM__PANEL; n0 < (panel + 1) * MLM__PANEL; n0 += PANEL)
        pack_panel(b, k0, k1 - k0, n0, n > n0 ? n - n0 : 0,
            (element *)packed + n0 * units(k, ELEMENT) + k0 / ELEMENT * PANEL);
}

/* Rows m0 to m0 + m - 1 and numbers k0 to k0 + k - 1 of A as tiles read them. */
static left pack_left(mlm__operand a, size_t m0, size_t m, size_t k0, size_t k, element *room)
{
    if (a.transposed) {
        pack_rows(a, k0 * a.stride + m0, k, m, units(m, LANES) * LANES, room, A_STEP);
        return (left){room, 1, A_STEP};
    }
    const size_t at = m0 * a.stride + k0;
    const element *in_place = elements_in_place(a, at, k);
    if (in_place)
        return (left){in_place, a.stride / ELEMENT, 1};
    for (size_t i = 0; i < m; i++)
        for (size_t l = 0; l < k; l += 8 * ELEMENT) {
            const size_t from = at + i * a.stride + l;
            const elements_8 joined =
                k - l >= 8 * ELEMENT ? join_columns(a, from) : join_columns_part(a, from, k - l);
            memcpy(room + i * K_ELEMENTS + l / ELEMENT, &joined, sizeof joined);
        }
    return (left){room, K_ELEMENTS, 1};
}

/* ---- the product ---------------------------------------------------------------------- */

static void multiply(size_t m, size_t n, size_t k, real alpha, mlm__operand a, mlm__operand b,
    bool add, real *c, size_t ldc, void *room)
{
    rooms *const here = room;
    const size_t n_block = b.packed ? n : N_BLOCK;
    for (size_t n0 = 0; n0 < n; n0 += n_block)
        for (size_t k0 = 0; k0 < k; k0 += K_BLOCK) {
            const size_t kb = least(K_BLOCK, k - k0), nb = least(n_block, n - n0);
            const element *panels = here->b;
            const float *bias = b.bias && k0 + kb == k ? b.bias + n0 : NULL;
            size_t panel_size = units(kb, ELEMENT) * PANEL;
            if (b.packed) {
                panel_size = units(b.packed_k, ELEMENT) * PANEL;
                panels = (const element *)b.packed + (b.n0 + n0) / PANEL * panel_size +
                         (b.k0 + k0) / ELEMENT * PANEL;
            } else {
                for (size_t j = 0; j < nb; j += PANEL)
                    pack_panel(b, k0, kb, n0 + j, nb - j, here->b + j / PANEL * panel_size);
            }
            for (size_t m0 = 0; m0 < m; m0 += M_BLOCK) {
                const size_t mb = least(M_BLOCK, m - m0);
                const left rows = pack_left(a, m0, mb, k0, kb, here->a);
                for (size_t j = 0; j < nb; j += PANEL)
                    tiles_of_panel(mb, least(PANEL, nb - j), units(kb, ELEMENT), rows,
                        panels + j / PANEL * panel_size, alpha, bias ? bias + j : NULL,
                        add || k0 > 0, c + m0 * ldc + n0 + j, ldc);
            }
        }
}

/* ---- the table ------------------------------------------------------------------------- */

#define TEXT_OF(name) TEXT(name)
#define TEXT(name) #name
#define TABLE_OF(name) TABLE(name)
#define TABLE(name) mlm__products_##name

const mlm__products TABLE_OF(MLM_PRODUCTS_VARIANT) = {
    .name = TEXT_OF(MLM_PRODUCTS_VARIANT),
    .bf16 = ELEMENT == 2,
    .multiply = multiply,
    .room_size = sizeof(rooms),
    .packed_size = packed_size,
    .pack = pack,
    ROUNDING,
};
