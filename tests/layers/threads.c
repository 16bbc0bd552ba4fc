/* The same bytes for any number of threads and whichever rows are asked for; masks that follow a
   sequence wherever it is. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "layers/model.h"
#include "layers/suites.h"
#include "support/cpu.h"
#include "support/support.h"

/* Large enough that loops have several pieces and a remainder and are shared by threads: N H numbers
   are more than 32,000, sequences longer than attention's block of rows, and the vocabulary has
   several groups and blocks. */
enum { V = 9001, H = 72, B = 4, N = 450, T = 160 };
static const int32_t offsets[B + 1] = {0, 160, 160 + 133, 160 + 133 + 1, N};

typedef struct outcome {
    real *hidden, *gradients;
    size_t size, hidden_count;
    mlm__sums sums;
} outcome;

typedef struct batch {
    int32_t ids[N], types[N], labels[N], sentence_labels[B];
} batch;

static batch random_batch(int32_t vocab_size)
{
    batch it;
    mlm__random_stream stream =
        mlm__random_stream_make(mlm__random_key_make(9, MLM__RANDOM_MASK, 0), 0, 0);
    for (int32_t i = 0; i < N; i++) {
        it.ids[i] = (int32_t)mlm__random_below(&stream, (uint32_t)vocab_size);
        it.types[i] = (int32_t)mlm__random_below(&stream, 2);
        const bool labelled = mlm__random_below(&stream, 2);
        it.labels[i] =
            labelled ? (int32_t)mlm__random_below(&stream, (uint32_t)vocab_size) : MLM_NO_LABEL;
    }
    for (int32_t b = 0; b < B; b++)
        it.sentence_labels[b] = b % 2;
    return it;
}

static mlm_encoder_config large_config(void)
{
    mlm_encoder_config config = test_config(MLM_GELU, 1);
    config.vocab_size = V;
    config.hidden_size = H;
    config.num_attention_heads = 4;
    config.intermediate_size = 200;
    config.max_position_embeddings = T;
    return config;
}

/* Sequences b to end - 1, where they are in the stream, with their labels. */
static mlm__chunk part_of(const batch *it, int32_t b, int32_t end)
{
    const int32_t first = offsets[b];
    return (mlm__chunk){.B = end - b,
        .N = offsets[end] - first,
        .position = 100 + b,
        .offsets = offsets + b,
        .input_ids = it->ids + first,
        .token_type_ids = it->types + first,
        .labels = it->labels + first,
        .sentence_labels = it->sentence_labels + b};
}

static test_model make_model(
    const mlm_encoder_config *config, int32_t threads, const mlm__products *products)
{
    test_model model = test_model_make_with(config, threads, products);
    assert_ok(mlm__network_reserve(model.network, N, B, T, 1));
    return model;
}

static test_model make_large(int32_t threads, const mlm__products *products)
{
    const mlm_encoder_config config = large_config();
    return make_model(&config, threads, products);
}

static const mlm__dropout dropout = {.hidden = 0.1, .attention = 0.1, .seed = 7, .step = 11};

static outcome run_config(
    const mlm_encoder_config *config, int32_t threads, const mlm__products *products)
{
    test_model model = make_model(config, threads, products);
    const batch it = random_batch(config->vocab_size);
    model.chunk = part_of(&it, 0, B);
    outcome result = {.size = model.layout->size, .hidden_count = N * (size_t)config->hidden_size};
    result.hidden = malloc(result.hidden_count * sizeof(real));
    result.gradients = malloc(model.layout->size * sizeof(real));
    ck_assert(result.hidden && result.gradients);
    assert_ok(
        mlm__network_forward(model.network, model.parameters, &model.chunk, 2, result.hidden));
    result.sums = test_model_train(&model, &dropout, 0.01, 0.02);
    memcpy(result.gradients, model.gradients, model.layout->size * sizeof(real));
    test_model_free(&model);
    return result;
}

static outcome run(int32_t threads, const mlm__products *products)
{
    const mlm_encoder_config config = large_config();
    return run_config(&config, threads, products);
}

static void outcome_free(outcome *result)
{
    free(result->hidden);
    free(result->gradients);
}

enum { VARIANTS = 4 };

/* Of the usual size; of the smallest width that has the vocabulary cut as a large model's is, into 40
   groups, the last one of 5 tokens; and with so many blocks of the vocabulary that the sums over them
   are shared too. */
static const struct {
    int32_t vocab_size, hidden_size, num_attention_heads, threads;
} sizes[] = {{V, H, 4, 2}, {V, H, 4, 3}, {2501, 768, 12, 4}, {90001, 12, 3, 2}};
enum { SIZES = sizeof sizes / sizeof sizes[0] };

START_TEST(bytes_do_not_depend_on_threads)
{
    const mlm__products *products = mlm__products_variant((size_t)_i % VARIANTS);
    if (test_lacks(products))
        return;
    mlm_encoder_config config = large_config();
    config.vocab_size = sizes[_i / VARIANTS].vocab_size;
    config.hidden_size = sizes[_i / VARIANTS].hidden_size;
    config.num_attention_heads = sizes[_i / VARIANTS].num_attention_heads;
    outcome one = run_config(&config, 1, products);
    outcome more = run_config(&config, sizes[_i / VARIANTS].threads, products);
    ck_assert(isfinite(one.sums.loss));
    ck_assert_mem_eq(one.hidden, more.hidden, one.hidden_count * sizeof(real));
    ck_assert_mem_eq(one.gradients, more.gradients, one.size * sizeof(real));
    ck_assert_mem_eq(&one.sums, &more.sums, sizeof one.sums);
    outcome_free(&one);
    outcome_free(&more);
}
END_TEST

/* Which cblas does not promise. */
START_TEST(bytes_of_a_sequence_do_not_depend_on_others)
{
    const mlm__products *products = mlm__products_variant((size_t)_i);
    if (test_lacks(products))
        return;
    outcome together = run(2, products);
    test_model model = make_large(2, products);
    const batch it = random_batch(V);
    real *hidden = malloc(N * H * sizeof(real));
    ck_assert_ptr_nonnull(hidden);
    for (int32_t b = 0; b < B; b++) {
        const mlm__chunk chunk = part_of(&it, b, b + 1);
        assert_ok(mlm__network_forward(model.network, model.parameters, &chunk, 2, hidden));
        ck_assert_mem_eq(
            hidden, together.hidden + offsets[b] * H, (size_t)chunk.N * H * sizeof(real));
    }
    free(hidden);
    test_model_free(&model);
    outcome_free(&together);
}
END_TEST

/* Rows of the chunk for which the last layer is computed: one, those of one sequence, none of some
   sequences, the first of each, all but one, all. */
static size_t choose_rows(int which, int32_t rows[N])
{
    size_t M = 0;
    for (int32_t i = 0; i < N; i++) {
        const bool first = i == offsets[0] || i == offsets[1] || i == offsets[2] || i == offsets[3];
        const bool chosen[] = {i == 170, i >= offsets[1] && i < offsets[2],
            i % 7 == 3 && i >= offsets[1], first, i != 0, true};
        if (chosen[which])
            rows[M++] = i;
    }
    return M;
}

enum { CHOICES = 6 };

/* cblas does not promise the bytes. */
START_TEST(chosen_rows_are_those_of_all)
{
    const mlm__products *products = mlm__products_variant((size_t)_i % VARIANTS);
    if (test_lacks(products))
        return;
    outcome all = run(1, products);
    test_model model = make_large(2, products);
    const batch it = random_batch(V);
    model.chunk = part_of(&it, 0, B);
    int32_t rows[N];
    const size_t M = choose_rows(_i / VARIANTS, rows);
    real *hidden = malloc(N * H * sizeof(real));
    ck_assert_ptr_nonnull(hidden);
    assert_ok(
        mlm__network_forward_used(model.network, model.parameters, &model.chunk, rows, M, hidden));
    for (size_t m = 0; m < M; m++) {
        const real *expected = all.hidden + (size_t)rows[m] * H;
        if (products == mlm__products_variant(0))
            for (size_t h = 0; h < H; h++)
                ck_assert_double_le(fabs((double)hidden[m * H + h] - (double)expected[h]), 1e-5);
        else
            ck_assert_mem_eq(hidden + m * H, expected, H * sizeof(real));
    }
    free(hidden);
    test_model_free(&model);
    outcome_free(&all);
}
END_TEST

static double distance(const real *x, const real *y, size_t n)
{
    double difference = 0, size = 0;
    for (size_t i = 0; i < n; i++) {
        difference += pow((double)x[i] - (double)y[i], 2);
        size += pow((double)y[i], 2);
    }
    return sqrt(difference / size);
}

/* The gradient of each parameter. That of the keys' bias is 0. */
static void check_gradients(
    const mlm_encoder_config *config, const outcome *own, const outcome *blas, double bound)
{
    mlm_runtime *runtime;
    mlm__layout *layout;
    assert_ok(mlm_runtime_create(NULL, &runtime));
    assert_ok(mlm__layout_create(runtime, config, &layout));
    for (size_t i = 0; i < layout->count; i++) {
        const mlm__parameter *p = &layout->parameters[i];
        if (strstr(p->name, "key.bias"))
            continue;
        const double d =
            distance(own->gradients + p->offset, blas->gradients + p->offset, p->count);
        ck_assert_msg(d <= bound, "%s is %g away, more than %g", p->name, d, bound);
    }
    mlm__layout_free(runtime, layout);
    mlm_runtime_free(runtime);
}

/* Each with cblas, in even and odd widths. That bf16 is no worse than it must be is for the
   comparison with PyTorch to say; here an operand taken from a wrong place would be seen, which puts
   a gradient much farther off than rounding alone. */
START_TEST(variants_agree)
{
    const mlm__products *products = mlm__products_variant((size_t)_i % VARIANTS);
    if (test_lacks(products))
        return;
    mlm_encoder_config config = large_config();
    if (_i >= VARIANTS) {
        config.hidden_size = 51;
        config.num_attention_heads = 3;
        config.intermediate_size = 97;
    }
    outcome blas = run_config(&config, 1, mlm__products_variant(0));
    outcome own = run_config(&config, 1, products);
    const double bound = products->bf16 ? 0.04 : 1e-5;
    ck_assert_double_le(distance(own.hidden, blas.hidden, blas.hidden_count), bound);
    ck_assert_double_le(distance(own.gradients, blas.gradients, blas.size), bound);
    check_gradients(&config, &own, &blas, products->bf16 ? 0.2 : 1e-4);
    ck_assert_double_le(fabs(own.sums.loss - blas.sums.loss), bound * blas.sums.loss);
    outcome_free(&blas);
    outcome_free(&own);
}
END_TEST

/* Trained one after the other, sequences have the dropout that they have together: the sums agree
   but for rounding, and with another step they do not. */
START_TEST(masks_follow_the_position)
{
    outcome together = run(2, mlm__products_get(false));
    test_model model = make_large(2, mlm__products_get(false));
    const batch it = random_batch(V);
    mlm__sums sums = {0}, other = {0};
    for (int32_t b = 0; b < B; b++) {
        const mlm__chunk chunk = part_of(&it, b, b + 1);
        assert_ok(mlm__network_train(model.network, model.parameters, &chunk, &dropout, 0.01, 0.02,
            &(mlm__frozen){0}, model.gradients, &sums));
        mlm__dropout next = dropout;
        next.step++;
        assert_ok(mlm__network_train(model.network, model.parameters, &chunk, &next, 0, 0,
            &(mlm__frozen){0}, model.gradients, &other));
    }
    ck_assert_double_le(fabs(sums.loss - together.sums.loss), 1e-6 * sums.loss);
    ck_assert_double_ge(fabs(sums.loss - other.loss), 1e-5 * sums.loss);
    double error = 0, largest = 0;
    for (size_t i = 0; i < together.size; i++) {
        error = fmax(error, fabs((double)together.gradients[i] - (double)model.gradients[i]));
        largest = fmax(largest, fabs((double)model.gradients[i]));
    }
    ck_assert_msg(error <= 1e-5 * largest, "error %g, largest %g", error, largest);
    outcome_free(&together);
    test_model_free(&model);
}
END_TEST

/* Trained one after the other with some of the labels each, so that the last layer is computed for
   other rows, and for none of some sequences: each token has the dropout that it has with all, and
   the sums agree but for rounding. */
START_TEST(labels_add_up)
{
    enum { PARTS = 4 };
    const mlm__products *products = mlm__products_variant((size_t)_i);
    if (test_lacks(products))
        return;
    outcome together = run(2, products);
    test_model model = make_large(2, products);
    const batch it = random_batch(V);
    mlm__sums sums = {0};
    const double bound = products->bf16 ? 0.02 : 1e-5;
    for (int32_t part = 0; part < PARTS; part++) {
        int32_t labels[N], sentence_labels[B];
        for (int32_t i = 0; i < N; i++) {
            const int32_t of = i < 10 ? 3 : i < 200 ? 1 : i % 2 ? 2 : 0;
            labels[i] = of == part ? it.labels[i] : MLM_NO_LABEL;
        }
        for (int32_t b = 0; b < B; b++)
            sentence_labels[b] = part == b % 2 ? it.sentence_labels[b] : MLM_NO_LABEL;
        mlm__chunk chunk = part_of(&it, 0, B);
        chunk.labels = labels;
        chunk.sentence_labels = sentence_labels;
        assert_ok(mlm__network_train(model.network, model.parameters, &chunk, &dropout, 0.01, 0.02,
            &(mlm__frozen){0}, model.gradients, &sums));
    }
    ck_assert_int_eq(sums.labels, together.sums.labels);
    ck_assert_int_eq(sums.sentence_count, B);
    ck_assert_double_le(fabs(sums.loss - together.sums.loss), 1e-6 * sums.loss);
    ck_assert_double_le(
        fabs(sums.sentence_loss - together.sums.sentence_loss), 1e-6 * sums.sentence_loss);
    ck_assert_double_le(distance(model.gradients, together.gradients, together.size), bound);
    for (size_t i = 0; i < model.layout->count; i++) {
        const mlm__parameter *p = &model.layout->parameters[i];
        if (strstr(p->name, "key.bias"))
            continue;
        const double d =
            distance(model.gradients + p->offset, together.gradients + p->offset, p->count);
        ck_assert_msg(d <= bound, "%s is %g away", p->name, d);
    }
    outcome_free(&together);
    test_model_free(&model);
}
END_TEST

/* More labelled rows than go through the head at a time, and none at all. */
START_TEST(any_number_of_labels)
{
    enum { LONG = 1300 };
    mlm_encoder_config config = test_config(MLM_GELU, 0);
    config.max_position_embeddings = LONG;
    test_model model = test_model_make(&config, 2);
    static int32_t ids[LONG], labels[LONG], rows[LONG];
    static double losses[LONG];
    static real hidden[LONG * 12];
    const int32_t whole[2] = {0, LONG};
    for (int32_t i = 0; i < LONG; i++) {
        ids[i] = i * 7 % 37;
        labels[i] = i * 11 % 37;
        rows[i] = i;
    }
    model.chunk =
        (mlm__chunk){.B = 1, .N = LONG, .offsets = whole, .input_ids = ids, .labels = labels};
    assert_ok(mlm__network_reserve(model.network, LONG, 1, LONG, 1));
    const mlm__dropout none = {0};
    mlm__sums sums = test_model_train(&model, &none, 1, 1);
    ck_assert_int_eq(sums.labels, LONG);
    assert_ok(mlm__network_forward(model.network, model.parameters, &model.chunk, 2, hidden));
    assert_ok(mlm__network_losses(
        model.network, model.parameters, hidden, rows, labels, LONG, losses, NULL));
    double loss = 0;
    for (int32_t i = 0; i < LONG; i++)
        loss += losses[i];
    ck_assert_double_le(fabs(loss - sums.loss), 1e-6 * loss);
    model.chunk.labels = NULL;
    sums = test_model_train(&model, &none, 1, 1);
    ck_assert(sums.labels == 0 && sums.loss == 0 && sums.tokens == LONG);
    for (size_t i = 0; i < model.layout->size; i++)
        ck_assert(model.gradients[i] == 0);
    test_model_free(&model);
}
END_TEST

Suite *threads_suite(void)
{
    Suite *suite = suite_create("threads");
    TCase *tests = tcase_create("bytes");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, bytes_do_not_depend_on_threads, 0, SIZES * VARIANTS);
    tcase_add_loop_test(tests, bytes_of_a_sequence_do_not_depend_on_others, 1, VARIANTS);
    tcase_add_loop_test(tests, chosen_rows_are_those_of_all, 0, CHOICES * VARIANTS);
    tcase_add_loop_test(tests, variants_agree, 0, 2 * VARIANTS);
    tcase_add_test(tests, masks_follow_the_position);
    tcase_add_loop_test(tests, labels_add_up, 0, VARIANTS);
    tcase_add_test(tests, any_number_of_labels);
    suite_add_tcase(suite, tests);
    return suite;
}
