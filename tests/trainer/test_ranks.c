/* Two ranks that train together. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "batches/corpus.h"
#include "support/ranks.h"
#include "support/support.h"
#include "trainer/collective.h"
#include "trainer/trainer.h"
#include "trainer_suites.h"
#include "training.h"

enum { RANKS = TEST_RANKS };

typedef struct rank_context {
    test_rank place;
    mlm_status status;
    mlm_metrics metrics;
    mlm_encoder *encoder;
    mlm_trainer *trainer;
    const char *directory;
    char message[256];
} rank_context;

static void open_ranks(test_exchange *shared, rank_context ranks[RANKS])
{
    test_exchange_open(shared);
    for (int32_t rank = 0; rank < RANKS; rank++) {
        ranks[rank] = (rank_context){.place = {shared, rank}};
        ranks[rank].encoder = training_encoder(NULL, 0.1);
        ranks[rank].trainer = training_trainer(NULL, ranks[rank].encoder);
        assert_ok(mlm_trainer_set_allreduce(
            ranks[rank].trainer, test_allreduce, &ranks[rank].place, rank, RANKS));
    }
}

static void close_ranks(test_exchange *shared, rank_context ranks[RANKS])
{
    for (int32_t rank = 0; rank < RANKS; rank++) {
        mlm_trainer_free(ranks[rank].trainer);
        mlm_encoder_free(ranks[rank].encoder);
    }
    test_exchange_close(shared);
}

static void run(rank_context ranks[RANKS], void *(*work)(void *))
{
    test_run_ranks(work, &ranks[0], &ranks[1]);
}

/* Four sequences a rank, and two updates. */
static void *two_updates(void *user)
{
    rank_context *context = user;
    for (int64_t update = 0; update < 2; update++) {
        training_batch memory;
        mlm_batch batch = training_batch_make(
            &memory, 8 * update + 4 * context->place.rank, 4, context->place.rank == 0);
        mlm_metrics_init(&context->metrics, sizeof context->metrics);
        context->status = mlm_trainer_accumulate(context->trainer, &batch);
        if (context->status == MLM_OK)
            context->status = mlm_trainer_update(context->trainer, &context->metrics);
        if (context->status != MLM_OK) {
            strncpy(context->message, mlm_last_error(), sizeof context->message - 1);
            break;
        }
    }
    return NULL;
}

START_TEST(two_ranks_are_one_with_both_batches)
{
    test_exchange shared;
    rank_context ranks[RANKS];
    open_ranks(&shared, ranks);
    run(ranks, two_updates);
    assert_ok(ranks[0].status);
    assert_ok(ranks[1].status);
    assert_same_parameters(ranks[0].encoder, ranks[1].encoder);
    ranks[1].metrics.seconds = ranks[0].metrics.seconds;
    ck_assert_mem_eq(&ranks[0].metrics, &ranks[1].metrics, sizeof(mlm_metrics));
    ck_assert_int_le(shared.longest, 1 << 24);

    mlm_encoder *encoder = training_encoder(NULL, 0.1);
    mlm_trainer *alone = training_trainer(NULL, encoder);
    mlm_metrics metrics;
    mlm_metrics_init(&metrics, sizeof metrics);
    for (int64_t update = 0; update < 2; update++) {
        for (int32_t rank = 0; rank < RANKS; rank++) {
            training_batch memory;
            mlm_batch batch = training_batch_make(&memory, 8 * update + 4 * rank, 4, rank == 0);
            assert_ok(mlm_trainer_accumulate(alone, &batch));
        }
        assert_ok(mlm_trainer_update(alone, &metrics));
    }
    ck_assert_int_eq(metrics.position, ranks[0].metrics.position);
    ck_assert_int_eq(metrics.sequences, ranks[0].metrics.sequences);
    ck_assert_int_eq(metrics.tokens, ranks[0].metrics.tokens);
    ck_assert_int_eq(metrics.labels, ranks[0].metrics.labels);
    ck_assert_double_eq_tol(metrics.loss, ranks[0].metrics.loss, 1e-6 * metrics.loss);
    ck_assert_double_eq_tol(metrics.sentence_loss, ranks[0].metrics.sentence_loss, 1e-6);
    ck_assert_double_eq_tol(
        metrics.grad_norm, ranks[0].metrics.grad_norm, 1e-6 * metrics.grad_norm);
    mlm_trainer_free(alone);
    mlm_encoder_free(encoder);
    close_ranks(&shared, ranks);
}
END_TEST

static void *update_only(void *user)
{
    rank_context *context = user;
    context->status = mlm_trainer_update(context->trainer, NULL);
    return NULL;
}

/* Whichever of an update's collectives fails; and the batches still wait. */
START_TEST(a_failing_collective_changes_nothing)
{
    test_exchange shared;
    rank_context ranks[RANKS];
    open_ranks(&shared, ranks);
    run(ranks, two_updates);
    const int64_t each = shared.calls[0] / 2;
    close_ranks(&shared, ranks);
    mlm_encoder *untouched = training_encoder(NULL, 0.1);
    for (int64_t fail_at = 1; fail_at <= each; fail_at++) {
        open_ranks(&shared, ranks);
        shared.fail_at = fail_at;
        run(ranks, two_updates);
        for (int32_t rank = 0; rank < RANKS; rank++) {
            ck_assert_int_eq(ranks[rank].status, MLM_ERR_COMM);
            ck_assert_str_eq(ranks[rank].message, "the all-reduce callback returned 0");
            assert_same_parameters(ranks[rank].encoder, untouched);
            mlm_metrics metrics;
            mlm_metrics_init(&metrics, sizeof metrics);
            assert_ok(mlm_trainer_get_metrics(ranks[rank].trainer, &metrics));
            ck_assert_int_eq(metrics.step, 0);
        }
        run(ranks, update_only);
        assert_ok(ranks[0].status);
        assert_ok(ranks[1].status);
        assert_same_parameters(ranks[0].encoder, ranks[1].encoder);
        close_ranks(&shared, ranks);
    }
    mlm_encoder_free(untouched);
}
END_TEST

START_TEST(a_rank_that_fails_fails_them_all)
{
    test_exchange shared;
    rank_context ranks[RANKS];
    open_ranks(&shared, ranks);
    mlm_trainer_free(ranks[1].trainer);
    mlm_encoder_free(ranks[1].encoder);
    test_allocator allocator;
    mlm_runtime *runtime = test_allocator_runtime(&allocator, 1, 0);
    ranks[1].encoder = training_encoder(runtime, 0.1);
    ranks[1].trainer = training_trainer(runtime, ranks[1].encoder);
    assert_ok(
        mlm_trainer_set_allreduce(ranks[1].trainer, test_allreduce, &ranks[1].place, 1, RANKS));
    /* Two allocations copy the batch; the third is of the first forward. */
    allocator.fail_at = allocator.allocations + 3;
    run(ranks, two_updates);
    ck_assert_int_eq(ranks[0].status, MLM_ERR_MEMORY);
    ck_assert_str_eq(ranks[0].message, "mlm_trainer_update: rank 1 failed: MLM_ERR_MEMORY");
    ck_assert_int_eq(ranks[1].status, MLM_ERR_MEMORY);
    ck_assert_int_eq(shared.calls[0], shared.calls[1]);
    close_ranks(&shared, ranks);
    mlm_runtime_free(runtime);
}
END_TEST

/* An infinite sum of gradients, as a rank that has diverged brings it. */
static int diverge(void *user, void *data, size_t count, int32_t dtype)
{
    (void)user;
    if (dtype == MLM_F32)
        ((float *)data)[count / 2] = INFINITY;
    return MLM_CONTINUE;
}

START_TEST(a_gradient_that_is_no_number_changes_nothing)
{
    mlm_encoder *encoder = training_encoder(NULL, 0), *untouched = training_encoder(NULL, 0);
    mlm_trainer *trainer = training_trainer(NULL, encoder);
    assert_ok(mlm_trainer_set_learning_rate(trainer, 0.1));
    assert_ok(mlm_trainer_set_allreduce(trainer, diverge, NULL, 0, 1));
    mlm_metrics metrics;
    for (int32_t i = 1; i <= 2; i++) {
        assert_error(training_try_update(trainer, &metrics), MLM_ERR_NUMERIC, "norm is inf");
        assert_same_parameters(encoder, untouched);
        assert_ok(mlm_trainer_get_metrics(trainer, &metrics));
        ck_assert_int_eq(metrics.bad_updates, i);
    }
    assert_error(mlm_trainer_update(trainer, NULL), MLM_ERR_ARGUMENT, "nothing was accumulated");
    mlm_trainer_free(trainer);
    mlm_encoder_free(encoder);
    mlm_encoder_free(untouched);
}
END_TEST

/* user is the count of all numbers so far. */
static int count_numbers(void *user, void *data, size_t count, int32_t dtype)
{
    (void)data;
    *(size_t *)user += count;
    return dtype == MLM_F32 && count <= 1 << 24 ? MLM_CONTINUE : 0;
}

START_TEST(large_sums_go_in_pieces)
{
    enum { SIZE = 2 * (1 << 24) + 3 };
    static float numbers[SIZE];
    size_t seen = 0;
    mlm_trainer trainer = {.allreduce = count_numbers, .user = &seen, .ranks = 1};
    assert_ok(mlm__sum_over_ranks(&trainer, numbers, SIZE, MLM_F32));
    ck_assert_uint_eq(seen, SIZE);
}
END_TEST

static void *update_alone(void *user)
{
    rank_context *context = user;
    training_batch memory;
    mlm_batch batch = training_batch_make(&memory, 0, 4, true);
    context->status = MLM_OK;
    if (context->place.rank == 0)
        context->status = mlm_trainer_accumulate(context->trainer, &batch);
    if (context->status == MLM_OK)
        context->status = mlm_trainer_update(context->trainer, NULL);
    return NULL;
}

START_TEST(a_rank_may_have_nothing_left)
{
    test_exchange shared;
    rank_context ranks[RANKS];
    open_ranks(&shared, ranks);
    run(ranks, update_alone);
    assert_ok(ranks[0].status);
    assert_ok(ranks[1].status);
    assert_same_parameters(ranks[0].encoder, ranks[1].encoder);
    close_ranks(&shared, ranks);
}
END_TEST

static int read_once(void *user, char *buffer, size_t capacity, size_t *length)
{
    const char **rest = user;
    (void)capacity;
    *length = strlen(*rest);
    memcpy(buffer, *rest, *length);
    *rest += *length;
    return MLM_CONTINUE;
}

/* One whose position is 40. */
static mlm_corpus *open_corpus(mlm_tokenizer **tokenizer)
{
    static const char *const tokens[] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a"};
    const char *text = "a\n";
    mlm_corpus *corpus;
    mlm_corpus_options options;
    mlm_corpus_options_init(&options, sizeof options);
    options.B = 8;
    assert_ok(mlm_tokenizer_create(NULL, tokens, 6, NULL, tokenizer));
    assert_ok(mlm_corpus_read(NULL, *tokenizer, read_once, &text, &options, &corpus));
    assert_ok(mlm_corpus_seek(corpus, 40));
    return corpus;
}

/* The rank that saves knows where its corpus is; the others learn it. */
START_TEST(a_corpus_may_be_attached_on_one_rank)
{
    test_exchange shared;
    rank_context ranks[RANKS];
    mlm_tokenizer *tokenizer;
    mlm_corpus *corpus = open_corpus(&tokenizer);
    open_ranks(&shared, ranks);
    assert_ok(mlm_trainer_attach(ranks[0].trainer, tokenizer, corpus, NULL));
    run(ranks, two_updates);
    for (int32_t rank = 0; rank < RANKS; rank++) {
        assert_ok(ranks[rank].status);
        ck_assert_int_eq(ranks[rank].metrics.position, 40);
    }
    close_ranks(&shared, ranks);
    mlm_corpus_free(corpus);
    mlm_tokenizer_free(tokenizer);
}
END_TEST

static void *save(void *user)
{
    rank_context *context = user;
    context->status = mlm_trainer_save(context->trainer, context->directory);
    strncpy(context->message, mlm_last_error(), sizeof context->message - 1);
    return NULL;
}

START_TEST(rank_0_saves_for_all)
{
    test_exchange shared;
    rank_context ranks[RANKS];
    open_ranks(&shared, ranks);
    const char *folder = test_folder();
    ranks[0].directory = test_path(folder, "checkpoint");
    ranks[1].directory = test_path(folder, "of no use");
    run(ranks, save);
    assert_ok(ranks[0].status);
    assert_ok(ranks[1].status);
    free(test_read_file(test_path(folder, "checkpoint/trainer.json"), &(size_t){0}));
    mlm_trainer *none;
    assert_status(mlm_trainer_resume(NULL, ranks[1].encoder, ranks[1].directory, NULL, &none),
        MLM_ERR_NOT_FOUND);

    ranks[0].directory = test_path(folder, "no/such/folder");
    run(ranks, save);
    ck_assert_int_lt(ranks[0].status, 0);
    ck_assert_int_eq(ranks[1].status, ranks[0].status);
    ck_assert_ptr_nonnull(strstr(ranks[1].message, "rank 0 failed"));
    close_ranks(&shared, ranks);
}
END_TEST

static void *go_back(void *user)
{
    rank_context *context = user;
    context->status = mlm_trainer_go_back(context->trainer, context->directory, 0.5);
    strncpy(context->message, mlm_last_error(), sizeof context->message - 1);
    return NULL;
}

static void assert_step(rank_context *context, int64_t step, double rate_factor)
{
    mlm_metrics_init(&context->metrics, sizeof context->metrics);
    assert_ok(mlm_trainer_get_metrics(context->trainer, &context->metrics));
    ck_assert_int_eq(context->metrics.step, step);
    ck_assert_double_eq(context->metrics.rate_factor, rate_factor);
}

/* All or none: a rank whose disk fails, or that names no directory, keeps the others where they are. */
START_TEST(ranks_go_back_together)
{
    test_exchange shared;
    rank_context ranks[RANKS];
    open_ranks(&shared, ranks);
    const char *folder = test_folder();
    ranks[0].directory = ranks[1].directory = test_path(folder, "checkpoint");
    run(ranks, save);
    mlm_tokenizer *tokenizer;
    mlm_corpus *corpus = open_corpus(&tokenizer);
    assert_ok(mlm_trainer_attach(ranks[0].trainer, tokenizer, corpus, NULL));
    run(ranks, two_updates);
    mlm_encoder *then = training_encoder(NULL, 0.1), *now = training_encoder(NULL, 0.1);
    assert_ok(mlm_encoder_save(ranks[0].encoder, test_path(folder, "now"), MLM_F32));
    mlm_encoder_free(now);
    assert_ok(mlm_encoder_load(NULL, test_path(folder, "now"), NULL, &now));
    assert_other_parameters(then, now);

    for (int32_t i = 0; i < 2 * RANKS; i++) {
        const int32_t failing = i % RANKS;
        const bool named = i < RANKS;
        ranks[failing].directory = named ? test_path(folder, "none") : NULL;
        run(ranks, go_back);
        ranks[failing].directory = ranks[!failing].directory;
        for (int32_t rank = 0; rank < RANKS; rank++) {
            assert_status(ranks[rank].status, named ? MLM_ERR_NOT_FOUND : MLM_ERR_ARGUMENT);
            assert_same_parameters(ranks[rank].encoder, now);
            assert_step(&ranks[rank], 2, 1);
        }
        ck_assert_int_eq(mlm__corpus_position(corpus), 40);
        ck_assert_ptr_nonnull(strstr(ranks[failing].message, named ? "none" : "is NULL"));
        ck_assert_ptr_nonnull(strstr(ranks[!failing].message, "go_back: rank"));
    }
    run(ranks, go_back);
    for (int32_t rank = 0; rank < RANKS; rank++) {
        assert_ok(ranks[rank].status);
        assert_same_parameters(ranks[rank].encoder, then);
        assert_step(&ranks[rank], 0, 0.5);
    }
    ck_assert_int_eq(mlm__corpus_position(corpus), 0);
    run(ranks, two_updates);
    assert_ok(ranks[0].status);
    assert_same_parameters(ranks[0].encoder, ranks[1].encoder);
    mlm_encoder_free(then);
    mlm_encoder_free(now);
    close_ranks(&shared, ranks);
    mlm_corpus_free(corpus);
    mlm_tokenizer_free(tokenizer);
}
END_TEST

START_TEST(ranks_that_cannot_be_are_refused)
{
    mlm_encoder *encoder = training_encoder(NULL, 0);
    mlm_trainer *trainer = training_trainer(NULL, encoder);
    assert_status(mlm_trainer_set_allreduce(NULL, NULL, NULL, 0, 1), MLM_ERR_ARGUMENT);
    assert_error(mlm_trainer_set_allreduce(trainer, test_allreduce, NULL, 2, 2), MLM_ERR_ARGUMENT,
        "rank is 2 of 2");
    assert_error(mlm_trainer_set_allreduce(trainer, NULL, NULL, 0, 2), MLM_ERR_ARGUMENT,
        "allreduce is NULL");
    assert_status(mlm_trainer_set_allreduce(trainer, test_allreduce, NULL, 0, 0), MLM_ERR_ARGUMENT);
    assert_ok(mlm_trainer_set_allreduce(trainer, NULL, NULL, 0, 1));
    training_updates(trainer, 1);
    mlm_trainer_free(trainer);
    mlm_encoder_free(encoder);
}
END_TEST

Suite *ranks_suite(void)
{
    Suite *suite = suite_create("ranks");
    TCase *tests = tcase_create("ranks");
    tcase_add_test(tests, two_ranks_are_one_with_both_batches);
    tcase_add_test(tests, a_failing_collective_changes_nothing);
    tcase_add_test(tests, a_rank_that_fails_fails_them_all);
    tcase_add_test(tests, a_gradient_that_is_no_number_changes_nothing);
    tcase_add_test(tests, large_sums_go_in_pieces);
    tcase_add_test(tests, a_rank_may_have_nothing_left);
    tcase_add_test(tests, a_corpus_may_be_attached_on_one_rank);
    tcase_add_test(tests, rank_0_saves_for_all);
    tcase_add_test(tests, ranks_go_back_together);
    tcase_add_test(tests, ranks_that_cannot_be_are_refused);
    suite_add_tcase(suite, tests);
    return suite;
}
