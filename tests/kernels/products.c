/* Every way to compute products against three loops in double. */
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/random.h"
#include "kernels/blas.h"
#include "kernels/kernels.h"
#include "kernels/products.h"
#include "kernels/suites.h"
#include "mlm/mlm.h"
#include "support/cpu.h"
#include "support/support.h"

/* m, n, k: a tile, less, more, several blocks of each dimension. */
static const size_t shapes[][3] = {{1, 1, 1}, {2, 3, 1}, {7, 5, 9}, {6, 64, 2}, {17, 33, 65},
    {128, 31, 12}, {1, 130, 64}, {129, 1, 70}, {64, 64, 300}, {200, 70, 33}, {5, 600, 257},
    {13, 16, 513}, {13, 130, 1100}, {9, 130, 1031}, {200, 300, 30}, {13, 300, 1030}};
enum { SHAPES = sizeof shapes / sizeof shapes[0], PADDING = 3, VARIANTS = 4, PACKED_ROWS = 100 };

static float *random_matrix(size_t rows, size_t stride, uint32_t site)
{
    float *matrix = malloc(rows * stride * sizeof *matrix);
    ck_assert_ptr_nonnull(matrix);
    mlm__random_stream stream =
        mlm__random_stream_make(mlm__random_key_make(1, MLM__RANDOM_INIT, 0), 0, site);
    for (size_t i = 0; i < rows * stride; i++)
        matrix[i] = (float)(2 * mlm__random_double(&stream) - 1);
    return matrix;
}

/* Memory that is just as large as needed, so that a sanitizer sees a step beyond. */
static void *aligned(size_t size)
{
    void *memory = NULL;
    ck_assert_int_eq(posix_memalign(&memory, 64, size ? size : 1), 0);
    return memory;
}

/* To nearest, ties to even; as torch.bfloat16. */
static float to_bf16(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits += 0x7fff + (bits >> 16 & 1);
    bits &= 0xffff0000u;
    memcpy(&x, &bits, sizeof x);
    return x;
}

typedef struct product {
    size_t m, n, k, lda, ldb, ldc;
    float *a, *b, *c, *bias;
    mlm__operand left, right;
    void *room, *packed;
} product;

static product product_make(
    const mlm__products *products, const size_t shape[3], bool transpose_a, bool transpose_b)
{
    product p = {.m = shape[0], .n = shape[1], .k = shape[2]};
    p.lda = (transpose_a ? p.m : p.k) + PADDING;
    p.ldb = (transpose_b ? p.k : p.n) + PADDING;
    p.ldc = p.n + PADDING;
    p.a = random_matrix(transpose_a ? p.k : p.m, p.lda, 1);
    p.b = random_matrix(transpose_b ? p.n : p.k, p.ldb, 2);
    p.c = random_matrix(p.m, p.ldc, 3);
    p.bias = random_matrix(1, p.n, 4);
    p.left = transpose_a ? mlm__transposed(p.a, p.lda) : mlm__plain(p.a, p.lda);
    p.right = transpose_b ? mlm__transposed(p.b, p.ldb) : mlm__plain(p.b, p.ldb);
    p.room = aligned(products->room_size);
    return p;
}

static void product_pack(const mlm__products *products, product *p)
{
    p->packed = aligned(products->packed_size(p->k, p->n));
    const size_t panels = (p->n + MLM__PANEL - 1) / MLM__PANEL;
    for (size_t i = 0; i < panels; i++)
        for (size_t k0 = 0; k0 < p->k; k0 += PACKED_ROWS)
            products->pack(p->right, p->k, p->n, i, k0,
                k0 + PACKED_ROWS < p->k ? k0 + PACKED_ROWS : p->k, p->packed);
    p->right.packed = p->packed;
    p->right.packed_k = p->k;
}

static void product_compute(
    const mlm__products *products, const product *p, size_t m, float alpha, bool add)
{
    if (products->begin)
        products->begin();
    products->multiply(m, p->n, p->k, alpha, p->left, p->right, add, p->c, p->ldc, p->room);
    if (products->end)
        products->end();
}

static void product_free(product *p)
{
    free(p->a);
    free(p->b);
    free(p->c);
    free(p->bias);
    free(p->room);
    free(p->packed);
}

static double number_at(const mlm__products *products, mlm__operand of, size_t row, size_t column)
{
    const float x =
        of.transposed ? of.numbers[column * of.stride + row] : of.numbers[row * of.stride + column];
    return (double)(products->bf16 ? to_bf16(x) : x);
}

static void check_product(const mlm__products *products, const size_t shape[3], bool transpose_a,
    bool transpose_b, bool packed, float alpha, bool bias, bool add)
{
    product p = product_make(products, shape, transpose_a, transpose_b);
    if (bias)
        p.right.bias = p.bias;
    double *expected = malloc(p.m * p.ldc * sizeof *expected);
    ck_assert_ptr_nonnull(expected);
    for (size_t i = 0; i < p.m; i++)
        for (size_t j = 0; j < p.ldc; j++) {
            double sum = 0;
            for (size_t l = 0; l < p.k && j < p.n; l++)
                sum += number_at(products, p.left, i, l) * number_at(products, p.right, l, j);
            const double before = (double)p.c[i * p.ldc + j];
            if (bias && j < p.n)
                sum += (double)p.bias[j] / (double)alpha;
            expected[i * p.ldc + j] = j < p.n ? (double)alpha * sum + (add ? before : 0) : before;
        }
    for (size_t i = 0; i < p.m && !add; i++)
        for (size_t j = 0; j < p.n; j++)
            p.c[i * p.ldc + j] = NAN; /* must not be read */
    if (packed)
        product_pack(products, &p);
    product_compute(products, &p, p.m, alpha, add);
    assert_close_f32(
        p.c, expected, p.m * p.ldc, 1e-6, 2e-7 * sqrt((double)p.k) * 4, products->name);
    free(expected);
    product_free(&p);
}

START_TEST(product_is_right)
{
    const mlm__products *products = mlm__products_variant((size_t)_i / SHAPES);
    if (test_lacks(products))
        return;
    const size_t *shape = shapes[_i % SHAPES];
    for (int form = 0; form < 8; form++) {
        const bool packed = form & 4;
        if (packed && products->packed_size(1, 1) == 0)
            continue;
        check_product(products, shape, form & 1, form & 2, packed, 1, false, false);
        check_product(products, shape, form & 1, form & 2, packed, 1, true, false);
        check_product(products, shape, form & 1, form & 2, packed, 0.5f, false, true);
        check_product(products, shape, form & 1, form & 2, packed, 0.5f, true, true);
    }
}
END_TEST

/* NULL: this CPU has none. */
static const mlm__products *bf16_products(void)
{
    const mlm__products *products = mlm__products_get(true);
    return products->bf16 ? products : NULL;
}

/* The same matrix rounded, stride numbers between its rows, from number `first` of memory on, with
   nothing behind the last. */
static mlm__operand rounded(const mlm__products *products, mlm__operand of, size_t rows,
    size_t columns, size_t stride, size_t first, void **memory)
{
    *memory = malloc((first + (rows - 1) * stride + columns) * sizeof(uint16_t));
    ck_assert_ptr_nonnull(*memory);
    uint16_t *bf16 = (uint16_t *)*memory + first;
    for (size_t i = 0; i < rows; i++)
        products->round(columns, of.numbers + i * of.stride, bf16 + i * stride);
    return (mlm__operand){.bf16 = bf16, .stride = stride, .transposed = of.transposed};
}

/* With rows an even or odd number of numbers apart, the first at an even or odd place: heads of odd
   width begin at such. */
START_TEST(rounded_operands_give_the_same_bytes)
{
    const mlm__products *products = bf16_products();
    if (test_lacks(products))
        return;
    const size_t *shape = shapes[_i];
    for (int form = 0; form < 16; form++) {
        const bool transpose_a = form & 1, transpose_b = form & 2;
        const size_t first = form & 8 ? 1 : 0;
        void *left, *right;
        product p = product_make(products, shape, transpose_a, transpose_b);
        float *expected = malloc(p.m * p.ldc * sizeof *expected);
        ck_assert_ptr_nonnull(expected);
        product_compute(products, &p, p.m, 0.5f, false);
        memcpy(expected, p.c, p.m * p.ldc * sizeof *expected);
        const size_t across_a = transpose_a ? p.m : p.k, across_b = transpose_b ? p.k : p.n;
        const size_t more = form & 4 ? 1 : 2;
        p.left = rounded(products, p.left, transpose_a ? p.k : p.m, across_a,
            across_a + more + across_a % 2, first, &left);
        p.right = rounded(products, p.right, transpose_b ? p.n : p.k, across_b,
            across_b + more + across_b % 2, first, &right);
        product_compute(products, &p, p.m, 0.5f, false);
        ck_assert_mem_eq(expected, p.c, p.m * p.ldc * sizeof *expected);
        free(left);
        free(right);
        free(expected);
        product_free(&p);
    }
}
END_TEST

START_TEST(rounding_is_to_nearest_even)
{
    const mlm__products *products = bf16_products();
    if (test_lacks(products))
        return;
    const float ties[] = {1 + 0x1p-8f, 1 + 0x3p-8f, -1 - 0x1p-8f, 1 + 0x1p-8f + 0x1p-23f, 0, -0.0f,
        INFINITY, -INFINITY, 3.3e38f, 0x1p-126f};
    enum { TIES = sizeof ties / sizeof ties[0], COUNT = 1000 };
    float *numbers = random_matrix(1, COUNT, 4), back[COUNT + 1];
    uint16_t bf16[COUNT + 1];
    memcpy(numbers, ties, sizeof ties);
    for (size_t n = 1; n <= COUNT; n += n < 40 ? 1 : 53) {
        bf16[n] = 0x1234;
        back[n] = 7;
        products->round(n, numbers, bf16);
        products->widen(n, 1, bf16, back);
        for (size_t i = 0; i < n; i++)
            ck_assert(back[i] == to_bf16(numbers[i]) && signbit(back[i]) == signbit(numbers[i]));
        ck_assert(bf16[n] == 0x1234 && back[n] == 7);
        products->widen(n, -0.25f, bf16, back);
        for (size_t i = 0; i < n; i++)
            ck_assert(back[i] == -0.25f * to_bf16(numbers[i]));
    }
    numbers[0] = NAN;
    products->round(1, numbers, bf16);
    products->widen(1, 1, bf16, back);
    ck_assert(isnan(back[0]));
    free(numbers);
}
END_TEST

/* What follows a row and a column of a packed operand, and what is before. */
START_TEST(part_of_packed_is_the_product_with_that_part)
{
    const mlm__products *products = mlm__products_variant((size_t)_i + 1);
    if (test_lacks(products))
        return;
    const size_t shape[3] = {9, 200, 1200}, n0 = 64, k0 = 576;
    product p = product_make(products, shape, false, _i & 1);
    product_pack(products, &p);
    float *whole = malloc(p.m * p.ldc * sizeof *whole);
    ck_assert_ptr_nonnull(whole);
    product part = p;
    part.n -= n0;
    part.k -= k0;
    part.right = mlm__operand_from(p.right, k0, n0);
    part.right.packed = NULL;
    product_compute(products, &part, p.m, 1, false);
    memcpy(whole, p.c, p.m * p.ldc * sizeof *whole);
    part.right = mlm__operand_from(p.right, k0, n0);
    product_compute(products, &part, p.m, 1, false);
    ck_assert_mem_eq(whole, p.c, p.m * p.ldc * sizeof *whole);
    free(whole);
    product_free(&p);
}
END_TEST

/* The bytes of a row do not depend on the rows computed with it, nor on packing. */
START_TEST(row_does_not_depend_on_others)
{
    const mlm__products *products = mlm__products_variant((size_t)_i + 1);
    if (test_lacks(products))
        return;
    const size_t shape[3] = {200, 150, 1100};
    product p = product_make(products, shape, false, true);
    float *alone = malloc(p.ldc * sizeof *alone);
    ck_assert_ptr_nonnull(alone);
    product one = p;
    for (size_t i = 0; i < p.m; i += 11) {
        one.left.numbers = p.a + i * p.lda;
        product_compute(products, &one, 1, 1, false);
        memcpy(alone, p.c, p.n * sizeof *alone);
        product_compute(products, &p, p.m, 1, false);
        ck_assert_mem_eq(alone, p.c + i * p.ldc, p.n * sizeof *alone);
    }
    memcpy(alone, p.c, p.n * sizeof *alone);
    product_pack(products, &p);
    product_compute(products, &p, p.m, 1, false);
    ck_assert_mem_eq(alone, p.c, p.n * sizeof *alone);
    free(alone);
    product_free(&p);
}
END_TEST

/* AVX2 and AVX-512 add in the same order. */
START_TEST(float_variants_give_the_same_bytes)
{
    const mlm__products *avx2 = mlm__products_variant(1), *avx512 = mlm__products_variant(2);
    if (test_lacks(avx2) || test_lacks(avx512))
        return;
    const size_t shape[3] = {67, 150, 300};
    product p = product_make(avx2, shape, _i & 1, _i & 2);
    float *other = malloc(p.m * p.ldc * sizeof *other);
    ck_assert_ptr_nonnull(other);
    product_compute(avx2, &p, p.m, 0.3f, false);
    memcpy(other, p.c, p.m * p.ldc * sizeof *other);
    free(p.room);
    p.room = aligned(avx512->room_size);
    product_compute(avx512, &p, p.m, 0.3f, false);
    ck_assert_mem_eq(other, p.c, p.m * p.ldc * sizeof *other);
    free(other);
    product_free(&p);
}
END_TEST

/* On a CPU with fewer instructions the next best is taken. */
START_TEST(next_path_down)
{
    static const char *const rows[4] = {"baseline", "avx2", "avx512", "avx512"};
    static const char *const names[2][4] = {
        {"blas", "avx2", "avx512", "avx512"}, {"blas", "avx2", "avx512", "avx512_bf16"}};
    size_t has = 0;
    while (mlm__products_variant(has + 1))
        has++;
    for (size_t most = 0; most < 4; most++) {
        const size_t set = most < has ? most : has;
        mlm__kernels_most = (int)most;
        ck_assert_str_eq(mlm__kernels_get()->name, rows[set]);
        ck_assert_str_eq(mlm__products_get(false)->name, names[0][set]);
        ck_assert_str_eq(mlm__products_get(true)->name, names[1][set]);
        ck_assert_ptr_null(mlm__products_variant(set + 1));
    }
    mlm__kernels_most = 3;
}
END_TEST

/* A row or a column with NaN or infinity spoils no other. */
START_TEST(not_a_number_stays_in_its_row)
{
    const mlm__products *products = mlm__products_variant((size_t)_i);
    if (test_lacks(products))
        return;
    const size_t shape[3] = {7, 5, 9};
    product p = product_make(products, shape, false, true);
    p.a[2 * p.lda + 8] = NAN;
    p.a[3 * p.lda + 1] = INFINITY;
    product_compute(products, &p, p.m, 1, false);
    for (size_t i = 0; i < p.m; i++)
        for (size_t j = 0; j < p.n; j++) {
            const float c = p.c[i * p.ldc + j];
            ck_assert(i == 2 ? isnan(c) : i == 3 ? isinf(c) : isfinite(c));
        }
    product_free(&p);
}
END_TEST

#ifdef MLM_BLAS_OPENBLAS
extern int openblas_get_num_threads(void);
extern void openblas_set_num_threads(int threads);

START_TEST(threads_of_the_host_come_back)
{
    const int before = openblas_get_num_threads();
    openblas_set_num_threads(2);
    const int host = openblas_get_num_threads();
    mlm__blas_begin();
    mlm__blas_begin();
    ck_assert_int_eq(openblas_get_num_threads(), 1);
    mlm__blas_end();
    ck_assert_int_eq(openblas_get_num_threads(), 1);
    mlm__blas_end();
    ck_assert_int_eq(openblas_get_num_threads(), host);
    openblas_set_num_threads(before);
}
END_TEST

/* As if another thread had been computing when the host forked. */
START_TEST(threads_of_the_host_come_back_after_fork)
{
    const int before = openblas_get_num_threads();
    openblas_set_num_threads(2);
    const int host = openblas_get_num_threads();
    mlm__blas_begin();
    const pid_t child = fork();
    if (child == 0) {
        mlm__blas_begin();
        const bool one = openblas_get_num_threads() == 1;
        mlm__blas_end();
        _exit(one && openblas_get_num_threads() == host ? 0 : 1);
    }
    int status = 1;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    mlm__blas_end();
    ck_assert_int_eq(openblas_get_num_threads(), host);
    openblas_set_num_threads(before);
}
END_TEST
#endif

enum { BUSY = 2, WIDTH = 8 };

static void multiply_a_little(void)
{
    const real a[WIDTH * WIDTH] = {0}, b[WIDTH * WIDTH] = {0};
    real c[WIDTH * WIDTH];
    mlm__products_variant(0)->multiply(WIDTH, WIDTH, WIDTH, 1, mlm__plain(a, WIDTH),
        mlm__transposed(b, WIDTH), false, c, WIDTH, NULL);
}

static void *multiply_until_stopped(void *stop)
{
    while (!atomic_load((atomic_bool *)stop))
        multiply_a_little();
    return NULL;
}

/* A lock inside the BLAS that another thread holds when the host forks is held in the child for
   ever. */
START_TEST(fork_waits_for_products)
{
    atomic_bool stop = false;
    pthread_t threads[BUSY];
    mlm__blas_begin();
    for (int i = 0; i < BUSY; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, multiply_until_stopped, &stop), 0);
    int status = 0;
    for (int i = 0; i < 400 && status == 0; i++) {
        const pid_t child = fork();
        if (child == 0) {
            signal(SIGALRM, SIG_DFL);
            alarm(10);
            mlm__blas_begin();
            multiply_a_little();
            mlm__blas_end();
            _exit(0);
        }
        ck_assert_int_eq(waitpid(child, &status, 0), child);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < BUSY; i++)
        pthread_join(threads[i], NULL);
    mlm__blas_end();
    ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(build_info_names_the_path_taken)
{
    char text[64];
    ck_assert_ptr_nonnull(strstr(mlm_build_info(), mlm__blas_name()));
    snprintf(text, sizeof text, "kernels=%s ", mlm__kernels_get()->name);
    ck_assert_ptr_nonnull(strstr(mlm_build_info(), text));
    snprintf(text, sizeof text, "products=%s ", mlm__products_get(false)->name);
    ck_assert_ptr_nonnull(strstr(mlm_build_info(), text));
    snprintf(text, sizeof text, "bf16=%s", mlm__products_get(true)->name);
    ck_assert_ptr_nonnull(strstr(mlm_build_info(), text));
}
END_TEST

Suite *products_suite(void)
{
    Suite *suite = suite_create("products");
    TCase *tests = tcase_create("products");
    tcase_add_loop_test(tests, product_is_right, 0, VARIANTS * SHAPES);
    tcase_add_loop_test(tests, rounded_operands_give_the_same_bytes, 0, SHAPES);
    tcase_add_test(tests, rounding_is_to_nearest_even);
    tcase_add_loop_test(tests, part_of_packed_is_the_product_with_that_part, 0, VARIANTS - 1);
    tcase_add_loop_test(tests, row_does_not_depend_on_others, 0, VARIANTS - 1);
    tcase_add_loop_test(tests, not_a_number_stays_in_its_row, 0, VARIANTS);
    tcase_add_loop_test(tests, float_variants_give_the_same_bytes, 0, 4);
    tcase_add_test(tests, next_path_down);
#ifdef MLM_BLAS_OPENBLAS
    tcase_add_test(tests, threads_of_the_host_come_back);
    tcase_add_test(tests, threads_of_the_host_come_back_after_fork);
#endif
    tcase_set_timeout(tests, 60);
    if (TEST_FORKS_WORK)
        tcase_add_test(tests, fork_waits_for_products);
    tcase_add_test(tests, build_info_names_the_path_taken);
    suite_add_tcase(suite, tests);
    return suite;
}
