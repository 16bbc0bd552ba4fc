#include <fenv.h>
#include <math.h>
#include <stdlib.h>

#include "encoder/encoder.h"
#include "encoder_fixture.h"
#include "encoder_tests.h"

enum { NH = FIXTURE_N * FIXTURE_H, BH = FIXTURE_B * FIXTURE_H };

static mlm_encoder *masked, *pre_training;

static void setup(void)
{
    masked = fixture_encoder(NULL, "masked");
    pre_training = fixture_encoder(NULL, "pre_training");
}

static void teardown(void)
{
    mlm_encoder_free(masked);
    mlm_encoder_free(pre_training);
}

START_TEST(states_of_every_layer_are_transformers)
{
    mlm_batch batch = fixture_batch();
    float hidden[NH], last[NH];
    for (int32_t layer = 0; layer <= FIXTURE_L; layer++) {
        assert_ok(mlm_encoder_forward(masked, &batch, layer, hidden));
        assert_close_f32(
            hidden, masked_hidden + layer * NH, NH, fixture_rtol, fixture_atol, "hidden");
    }
    assert_ok(mlm_encoder_forward(masked, &batch, -1, last));
    ck_assert_mem_eq(last, hidden, sizeof last);
    assert_ok(mlm_encoder_forward(pre_training, &batch, -1, hidden));
    assert_close_f32(hidden, pre_training_hidden, NH, fixture_rtol, fixture_atol, "hidden");
    mlm_encoder *bare = fixture_encoder(NULL, "bare");
    assert_ok(mlm_encoder_forward(bare, &batch, -1, hidden));
    assert_close_f32(hidden, bare_hidden, NH, fixture_rtol, fixture_atol, "hidden");
    mlm_encoder_free(bare);
}
END_TEST

START_TEST(types_are_zeros_when_absent)
{
    static const int32_t zeros[FIXTURE_N];
    mlm_batch batch = fixture_batch();
    float with[NH], without[NH];
    batch.token_type_ids = zeros;
    assert_ok(mlm_encoder_forward(masked, &batch, -1, with));
    batch.token_type_ids = NULL;
    assert_ok(mlm_encoder_forward(masked, &batch, -1, without));
    ck_assert_mem_eq(with, without, sizeof with);
}
END_TEST

START_TEST(logits_are_transformers)
{
    mlm_batch batch = fixture_batch();
    float logits[FIXTURE_ASKED * FIXTURE_V];
    assert_ok(mlm_encoder_logits(masked, &batch, fixture_positions, FIXTURE_ASKED, logits));
    assert_close_f32(
        logits, masked_logits, FIXTURE_ASKED * FIXTURE_V, fixture_rtol, fixture_atol, "logits");
}
END_TEST

START_TEST(predictions_are_transformers)
{
    mlm_batch batch = fixture_batch();
    int32_t ids[FIXTURE_ASKED * FIXTURE_K];
    float probabilities[FIXTURE_ASKED * FIXTURE_K];
    assert_ok(mlm_encoder_predict(
        masked, &batch, fixture_positions, FIXTURE_ASKED, FIXTURE_K, ids, probabilities));
    ck_assert_mem_eq(ids, masked_top_ids, sizeof ids);
    assert_close_f32(probabilities, masked_top_probabilities, FIXTURE_ASKED * FIXTURE_K, 1e-4, 1e-7,
        "probabilities");
}
END_TEST

/* K = V sorts the whole vocabulary; each smaller K is its beginning. */
START_TEST(predictions_agree_with_logits)
{
    mlm_batch batch = fixture_batch();
    float logits[FIXTURE_V], probabilities[FIXTURE_V], some[FIXTURE_V];
    int32_t all[FIXTURE_V], ids[FIXTURE_V], position = 7;
    assert_ok(mlm_encoder_logits(masked, &batch, &position, 1, logits));
    assert_ok(mlm_encoder_predict(masked, &batch, &position, 1, FIXTURE_V, all, probabilities));
    double sum = 0, total = 0;
    for (int v = 0; v < FIXTURE_V; v++)
        sum += exp(logits[v]);
    for (int k = 0; k < FIXTURE_V; k++) {
        total += probabilities[k];
        ck_assert_double_eq_tol(probabilities[k], exp(logits[all[k]]) / sum, 1e-6);
        if (k > 0)
            ck_assert(logits[all[k]] < logits[all[k - 1]] ||
                      (logits[all[k]] == logits[all[k - 1]] && all[k] > all[k - 1]));
    }
    ck_assert_double_eq_tol(total, 1, 1e-5);
    for (size_t K = 1; K < FIXTURE_V; K++) {
        assert_ok(mlm_encoder_predict(masked, &batch, &position, 1, K, ids, some));
        ck_assert_mem_eq(ids, all, K * sizeof *ids);
        ck_assert_mem_eq(some, probabilities, K * sizeof *some);
    }
}
END_TEST

/* Equal embeddings and biases give equal logits. */
START_TEST(equal_tokens_come_by_id)
{
    float words[FIXTURE_V * FIXTURE_H], bias[FIXTURE_V];
    for (int v = 0; v < FIXTURE_V; v++) {
        bias[v] = 0;
        for (int h = 0; h < FIXTURE_H; h++)
            words[v * FIXTURE_H + h] = 0.1f * (float)h;
    }
    assert_ok(mlm_encoder_set_tensor(masked, 0, words, FIXTURE_V * FIXTURE_H));
    mlm_tensor tensor;
    mlm_tensor_init(&tensor, sizeof tensor);
    for (size_t i = 0; i < mlm_encoder_tensor_count(masked); i++) {
        assert_ok(mlm_encoder_get_tensor(masked, i, &tensor));
        if (strcmp(tensor.name, "cls.predictions.bias") == 0)
            assert_ok(mlm_encoder_set_tensor(masked, i, bias, FIXTURE_V));
    }
    mlm_batch batch = fixture_batch();
    int32_t ids[FIXTURE_V], position = 2;
    float probabilities[FIXTURE_V];
    assert_ok(mlm_encoder_predict(masked, &batch, &position, 1, FIXTURE_V, ids, probabilities));
    for (int k = 0; k < FIXTURE_V; k++) {
        ck_assert_int_eq(ids[k], k);
        ck_assert_float_eq_tol(probabilities[k], 1.0f / FIXTURE_V, 1e-7f);
    }
}
END_TEST

START_TEST(embeddings_are_transformers)
{
    mlm_batch batch = fixture_batch();
    float embeddings[BH];
    assert_ok(mlm_encoder_embed(masked, &batch, MLM_POOL_MEAN, 0, embeddings));
    assert_close_f32(embeddings, masked_mean, BH, fixture_rtol, fixture_atol, "mean");
    assert_ok(mlm_encoder_embed(masked, &batch, MLM_POOL_MEAN, 1, embeddings));
    assert_close_f32(embeddings, masked_unit_mean, BH, fixture_rtol, fixture_atol, "unit mean");
    assert_ok(mlm_encoder_embed(masked, &batch, MLM_POOL_MAX, 0, embeddings));
    assert_close_f32(embeddings, masked_max, BH, fixture_rtol, fixture_atol, "max");
    assert_ok(mlm_encoder_embed(masked, &batch, MLM_POOL_CLS, 0, embeddings));
    for (int b = 0; b < FIXTURE_B; b++)
        assert_close_f32(embeddings + b * FIXTURE_H,
            masked_hidden + FIXTURE_L * NH + fixture_offsets[b] * FIXTURE_H, FIXTURE_H,
            fixture_rtol, fixture_atol, "[CLS]");
    assert_error(mlm_encoder_embed(masked, &batch, MLM_POOL_BERT, 0, embeddings),
        MLM_ERR_UNSUPPORTED, "needs a model with a pooler");
    assert_ok(mlm_encoder_embed(pre_training, &batch, MLM_POOL_BERT, 0, embeddings));
    assert_close_f32(embeddings, pre_training_pooled, BH, fixture_rtol, fixture_atol, "pooled");
    assert_error(
        mlm_encoder_embed(masked, &batch, 4, 0, embeddings), MLM_ERR_ARGUMENT, "pooling is 4");
    assert_error(mlm_encoder_embed(masked, &batch, MLM_POOL_CLS, 2, embeddings), MLM_ERR_ARGUMENT,
        "normalize is 2");
}
END_TEST

START_TEST(sentence_logits_are_transformers)
{
    mlm_batch batch = fixture_batch();
    float logits[FIXTURE_B * 2];
    assert_ok(mlm_encoder_sentence_logits(pre_training, &batch, logits));
    assert_close_f32(logits, pre_training_sentence_logits, FIXTURE_B * 2, fixture_rtol,
        fixture_atol, "sentence logits");
    assert_error(mlm_encoder_sentence_logits(masked, &batch, logits), MLM_ERR_UNSUPPORTED,
        "no sentence head");
}
END_TEST

/* The chunks of a batch of such lengths: how many, the smallest and the largest. */
static int32_t chunks_of_lengths(const int32_t *lengths, int32_t B, int32_t *least, int32_t *most)
{
    int32_t *offsets = calloc((size_t)B + 1, sizeof *offsets), count = 0;
    ck_assert_ptr_nonnull(offsets);
    offsets[0] = 20;
    for (int32_t b = 0; b < B; b++)
        offsets[b + 1] = offsets[b] + lengths[b];
    *least = INT32_MAX;
    *most = 0;
    for (int32_t b = 0, end; b < B; b = end, count++) {
        end = mlm__network_chunk_end(masked->network, offsets, B, b);
        ck_assert(end > b && end <= B);
        const int32_t N = offsets[end] - offsets[b];
        *least = N < *least ? N : *least;
        *most = N > *most ? N : *most;
    }
    free(offsets);
    return count;
}

/* The limit of a chunk, found with sequences of one token. */
static int32_t chunk_limit(void)
{
    enum { B = 5000 };
    static int32_t ones[B];
    for (int32_t b = 0; b < B; b++)
        ones[b] = 1;
    for (int32_t tokens = 1;; tokens++) {
        int32_t least, most;
        if (chunks_of_lengths(ones, tokens, &least, &most) > 1)
            return tokens - 1;
    }
}

/* Chunks are as few as full ones would be, none is above the limit, and what full ones left over is
   not a small one of its own. */
START_TEST(chunks_are_of_like_size)
{
    enum { B = 300 };
    int32_t lengths[B], longest = 0, full = 0, N = 0, least, most;
    const int32_t limit = chunk_limit();
    uint64_t state = (uint64_t)_i + 1;
    for (int32_t b = 0; b < B; b++) {
        /* just below two full chunks; unequal ones; random ones */
        const int32_t kinds[] = {
            limit / 16 - (b >= 16 ? 4 : 0), 99, (int32_t)(test_random(&state) % 120) + 3};
        lengths[b] = kinds[_i % 3];
    }
    const int32_t counts[] = {32, 41, 90 + _i};
    const int32_t count = counts[_i % 3];
    for (int32_t b = 0; b < count; b++) {
        longest = lengths[b] > longest ? lengths[b] : longest;
        if (full == 0 || N + lengths[b] > limit) {
            full++;
            N = 0;
        }
        N += lengths[b];
    }
    ck_assert_int_ge(full, 2);
    ck_assert_int_eq(chunks_of_lengths(lengths, count, &least, &most), full);
    ck_assert_int_le(most, limit);
    ck_assert_int_le(most - least, 2 * longest);
}
END_TEST

/* Every sequence of a batch of several chunks has what it has in the fixture alone, to rounding.
   Positions run backwards, one a sequence and some of them twice. */
START_TEST(a_long_batch_is_cut_in_chunks)
{
    enum { B = 700 };
    long_batch *many = make_long(masked, B);
    size_t N = (size_t)many->batch.offsets[B], M = B + 100;
    float *hidden = malloc(N * FIXTURE_H * sizeof *hidden);
    float *embeddings = malloc((size_t)B * FIXTURE_H * sizeof *embeddings);
    float *cls = malloc((size_t)B * FIXTURE_H * sizeof *cls);
    float *pooled = malloc((size_t)B * FIXTURE_H * sizeof *pooled);
    float *sentences = malloc((size_t)B * 2 * sizeof *sentences);
    float *logits = malloc(M * FIXTURE_V * sizeof *logits);
    float *probabilities = malloc(M * FIXTURE_K * sizeof *probabilities);
    int32_t *ids = malloc(M * FIXTURE_K * sizeof *ids);
    int32_t *positions = malloc(M * sizeof *positions);
    /* A position of fixture sequence 0, 1, 2, and which of the fixture's asked ones it is. */
    static const int32_t place[FIXTURE_B] = {3, 0, 8}, asked[FIXTURE_B] = {0, 3, 1};
    for (size_t m = 0; m < M; m++) {
        size_t b = (B - 1 - m % B);
        positions[m] = many->offsets[b] + place[many->which[b]];
    }
    assert_ok(mlm_encoder_forward(masked, &many->batch, -1, hidden));
    assert_ok(mlm_encoder_embed(masked, &many->batch, MLM_POOL_MEAN, 0, embeddings));
    assert_ok(mlm_encoder_embed(masked, &many->batch, MLM_POOL_CLS, 0, cls));
    assert_ok(mlm_encoder_embed(pre_training, &many->batch, MLM_POOL_BERT, 0, pooled));
    assert_ok(mlm_encoder_sentence_logits(pre_training, &many->batch, sentences));
    assert_ok(mlm_encoder_logits(masked, &many->batch, positions, M, logits));
    assert_ok(
        mlm_encoder_predict(masked, &many->batch, positions, M, FIXTURE_K, ids, probabilities));
    for (size_t b = 0; b < B; b++) {
        int32_t s = many->which[b], T = fixture_offsets[s + 1] - fixture_offsets[s];
        const double *states = masked_hidden + FIXTURE_L * NH + fixture_offsets[s] * FIXTURE_H;
        assert_close_f32(hidden + many->offsets[b] * FIXTURE_H, states, (size_t)T * FIXTURE_H,
            fixture_rtol, fixture_atol, "hidden");
        assert_close_f32(embeddings + b * FIXTURE_H, masked_mean + s * FIXTURE_H, FIXTURE_H,
            fixture_rtol, fixture_atol, "mean");
        assert_close_f32(
            cls + b * FIXTURE_H, states, FIXTURE_H, fixture_rtol, fixture_atol, "[CLS]");
        assert_close_f32(pooled + b * FIXTURE_H, pre_training_pooled + s * FIXTURE_H, FIXTURE_H,
            fixture_rtol, fixture_atol, "pooled");
        assert_close_f32(sentences + 2 * b, pre_training_sentence_logits + 2 * s, 2, fixture_rtol,
            fixture_atol, "sentence logits");
    }
    for (size_t m = 0; m < M; m++) {
        int32_t a = asked[many->which[B - 1 - m % B]];
        assert_close_f32(logits + m * FIXTURE_V, masked_logits + a * FIXTURE_V, FIXTURE_V,
            fixture_rtol, fixture_atol, "logits");
        ck_assert_mem_eq(
            ids + m * FIXTURE_K, masked_top_ids + a * FIXTURE_K, FIXTURE_K * sizeof *ids);
    }
    free(hidden);
    free(cls);
    free(pooled);
    free(embeddings);
    free(sentences);
    free(logits);
    free(probabilities);
    free(ids);
    free(positions);
    free(many);
}
END_TEST

START_TEST(threads_do_not_change_bytes)
{
    enum { B = 900, M = 200 };
    mlm_runtime *three = threads_runtime(3);
    mlm_encoder *parallel = fixture_encoder(three, "masked");
    long_batch *many = make_long(masked, B);
    size_t N = (size_t)many->batch.offsets[B], size = N * FIXTURE_H * sizeof(float);
    float *a = malloc(size), *b = malloc(size);
    assert_ok(mlm_encoder_forward(masked, &many->batch, -1, a));
    assert_ok(mlm_encoder_forward(parallel, &many->batch, -1, b));
    ck_assert_mem_eq(a, b, size);
    assert_ok(mlm_encoder_embed(masked, &many->batch, MLM_POOL_MEAN, 1, a));
    assert_ok(mlm_encoder_embed(parallel, &many->batch, MLM_POOL_MEAN, 1, b));
    ck_assert_mem_eq(a, b, (size_t)B * FIXTURE_H * sizeof(float));
    assert_ok(mlm_encoder_losses(masked, &many->batch, a));
    assert_ok(mlm_encoder_losses(parallel, &many->batch, b));
    ck_assert_mem_eq(a, b, many->label_count * sizeof(float));
    int32_t positions[M], ids_a[2 * M], ids_b[2 * M];
    for (int32_t m = 0; m < M; m++)
        positions[m] = m * 13;
    assert_ok(mlm_encoder_predict(masked, &many->batch, positions, M, 2, ids_a, a));
    assert_ok(mlm_encoder_predict(parallel, &many->batch, positions, M, 2, ids_b, b));
    ck_assert_mem_eq(ids_a, ids_b, sizeof ids_a);
    ck_assert_mem_eq(a, b, 2 * M * sizeof(float));
    free(a);
    free(b);
    free(many);
    mlm_encoder_free(parallel);
    mlm_runtime_free(three);
}
END_TEST

START_TEST(the_rounding_mode_does_not_change_bytes)
{
    mlm_batch batch = fixture_batch();
    mlm_encoder_config config = small_config();
    float nearest[NH], upward[NH], losses[2][FIXTURE_M];
    mlm_encoder *made[2];
    mlm_metrics totals[2];
    for (int i = 0; i < 2; i++) {
        fesetround(i ? FE_UPWARD : FE_TONEAREST);
        mlm_metrics_init(&totals[i], sizeof totals[i]);
        mlm_status forward = mlm_encoder_forward(masked, &batch, -1, i ? upward : nearest);
        mlm_status loss = mlm_encoder_losses(masked, &batch, losses[i]);
        mlm_status evaluate = mlm_encoder_evaluate(masked, &batch, &totals[i]);
        mlm_status create = mlm_encoder_create(NULL, &config, NULL, &made[i]);
        int mode = fegetround();
        fesetround(FE_TONEAREST);
        ck_assert_int_eq(mode, i ? FE_UPWARD : FE_TONEAREST);
        assert_ok(forward);
        assert_ok(loss);
        assert_ok(evaluate);
        assert_ok(create);
    }
    ck_assert_mem_eq(nearest, upward, sizeof nearest);
    ck_assert_mem_eq(losses[0], losses[1], sizeof losses[0]);
    ck_assert_double_eq(totals[0].loss, totals[1].loss);
    size_t count;
    float *a = all_parameters(made[0], &count), *b = all_parameters(made[1], &count);
    ck_assert_mem_eq(a, b, count * sizeof *a);
    free(a);
    free(b);
    mlm_encoder_free(made[0]);
    mlm_encoder_free(made[1]);
}
END_TEST

START_TEST(nothing_asked_is_no_error)
{
    mlm_batch none;
    mlm_batch_init(&none, sizeof none);
    assert_ok(mlm_encoder_forward(masked, &none, -1, NULL));
    assert_ok(mlm_encoder_embed(masked, &none, MLM_POOL_MEAN, 1, NULL));
    assert_ok(mlm_encoder_logits(masked, &none, NULL, 0, NULL));
    assert_ok(mlm_encoder_predict(masked, &none, NULL, 0, 1, NULL, NULL));
    assert_ok(mlm_encoder_losses(masked, &none, NULL));
    assert_ok(mlm_encoder_sentence_logits(pre_training, &none, NULL));
    mlm_batch batch = fixture_batch();
    assert_ok(mlm_encoder_logits(masked, &batch, NULL, 0, NULL));
    assert_ok(mlm_encoder_predict(masked, &batch, NULL, 0, 1, NULL, NULL));
}
END_TEST

START_TEST(bad_arguments_are_named)
{
    mlm_batch batch = fixture_batch();
    float out[NH];
    int32_t ids[FIXTURE_V], positions[2] = {3, FIXTURE_N};
    assert_status(mlm_encoder_forward(NULL, &batch, -1, out), MLM_ERR_ARGUMENT);
    assert_status(mlm_encoder_forward(masked, NULL, -1, out), MLM_ERR_ARGUMENT);
    assert_error(mlm_encoder_forward(masked, &batch, -1, NULL), MLM_ERR_ARGUMENT,
        "mlm_encoder_forward: hidden is NULL");
    assert_error(mlm_encoder_forward(masked, &batch, 3, out), MLM_ERR_ARGUMENT,
        "layer is 3, not in -1 to 2");
    assert_error(mlm_encoder_logits(masked, &batch, positions, 2, out), MLM_ERR_ARGUMENT,
        "mlm_encoder_logits: positions[1] is 15, the batch has 15 tokens");
    positions[0] = -1;
    assert_error(mlm_encoder_predict(masked, &batch, positions, 1, 1, ids, out), MLM_ERR_ARGUMENT,
        "mlm_encoder_predict: positions[0] is -1");
    assert_error(mlm_encoder_predict(masked, &batch, positions, 1, 0, ids, out), MLM_ERR_ARGUMENT,
        "K is 0, not in 1 to 40");
    assert_error(mlm_encoder_predict(masked, &batch, positions, 1, FIXTURE_V + 1, ids, out),
        MLM_ERR_ARGUMENT, "K is 41");
    assert_error(
        mlm_encoder_logits(masked, &batch, NULL, 1, out), MLM_ERR_ARGUMENT, "positions is NULL");
    int32_t wrong[FIXTURE_N];
    memcpy(wrong, fixture_ids, sizeof wrong);
    wrong[9] = FIXTURE_V;
    batch.input_ids = wrong;
    assert_error(
        mlm_encoder_forward(masked, &batch, -1, out), MLM_ERR_ARGUMENT, "input_ids[9] is 40");
    batch = fixture_batch();
    memcpy(wrong, fixture_types, sizeof wrong);
    wrong[14] = 2;
    batch.token_type_ids = wrong;
    assert_error(
        mlm_encoder_embed(masked, &batch, 0, 0, out), MLM_ERR_ARGUMENT, "token_type_ids[14] is 2");
    batch = fixture_batch();
    memcpy(wrong, fixture_labels, sizeof wrong);
    wrong[2] = -1;
    batch.labels = wrong;
    assert_error(mlm_encoder_losses(masked, &batch, out), MLM_ERR_ARGUMENT, "labels[2] is -1");
    batch.labels = NULL;
    assert_error(mlm_encoder_losses(masked, &batch, out), MLM_ERR_ARGUMENT, "labels is NULL");
    int32_t ends[2] = {0, FIXTURE_T + 1};
    batch.B = 1;
    batch.offsets = ends;
    assert_error(mlm_encoder_forward(masked, &batch, -1, out), MLM_ERR_SHAPE,
        "sequence 0 has 13 tokens, at most 12 fit");
}
END_TEST

Suite *compute_suite(void)
{
    Suite *suite = suite_create("compute");
    TCase *tests = tcase_create("compute");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, states_of_every_layer_are_transformers);
    tcase_add_test(tests, types_are_zeros_when_absent);
    tcase_add_test(tests, logits_are_transformers);
    tcase_add_test(tests, predictions_are_transformers);
    tcase_add_test(tests, predictions_agree_with_logits);
    tcase_add_test(tests, equal_tokens_come_by_id);
    tcase_add_test(tests, embeddings_are_transformers);
    tcase_add_test(tests, sentence_logits_are_transformers);
    tcase_add_loop_test(tests, chunks_are_of_like_size, 0, 9);
    tcase_add_test(tests, a_long_batch_is_cut_in_chunks);
    tcase_add_test(tests, threads_do_not_change_bytes);
    tcase_add_test(tests, the_rounding_mode_does_not_change_bytes);
    tcase_add_test(tests, nothing_asked_is_no_error);
    tcase_add_test(tests, bad_arguments_are_named);
    suite_add_tcase(suite, tests);
    return suite;
}
