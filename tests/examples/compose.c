/* mlm/compose.h: padded arrays, the training loop's endings, fill-mask's room, tokens masked in turn;
   and examples/heldout.h: its fixed seeds. */
#include "../../examples/heldout.h"
#include "mlm/compose.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "support/ranks.h"
#include "support/support.h"

/* ---- padded arrays ---------------------------------------------------------- */

static const int32_t padded_ids[] = {5, 6, 7, 0, /**/ 0, 0, 8, 9, /**/ 1, 2, 3, 4};
static const int32_t padded_labels[] = {15, 16, 17, 0, /**/ 0, 0, 18, 19, /**/ 11, 12, 13, 14};
static const int32_t padded_mask[] = {1, 1, 1, 0, /**/ 0, 0, 1, 1, /**/ 1, 1, 1, 1};

START_TEST(padding_goes_and_comes_back)
{
    const int32_t ids[] = {5, 6, 7, 8, 9, 1, 2, 3, 4}, first[] = {0, 3, 5, 9};
    int32_t offsets[4], storage[24], i;
    float hidden[18], states[24];
    mlm_padded padded = {3, 4, padded_ids, padded_mask, NULL, padded_labels};
    mlm_batch batch;
    mlm_batch_init(&batch, sizeof batch);
    batch.token_type_ids = padded_mask; /* of an earlier batch */
    mlm_pack(&padded, offsets, storage, &batch);
    ck_assert_int_eq(batch.B, 3);
    ck_assert_ptr_null(batch.token_type_ids);
    ck_assert_mem_eq(batch.offsets, first, sizeof first);
    ck_assert_mem_eq(batch.input_ids, ids, sizeof ids);
    for (i = 0; i < 9; ++i) {
        ck_assert_int_eq(batch.labels[i], ids[i] + 10);
        hidden[2 * i] = (float)ids[i];
        hidden[2 * i + 1] = (float)-ids[i];
    }
    mlm_unpack(&padded, hidden, 2, states);
    for (i = 0; i < 12; ++i) {
        ck_assert_float_eq(states[2 * i], (float)padded_ids[i]);
        ck_assert_float_eq(states[2 * i + 1], (float)-padded_ids[i]);
    }
}
END_TEST

START_TEST(no_mask_is_no_padding)
{
    const int32_t first[] = {0, 4, 8, 12};
    int32_t offsets[4], storage[36];
    mlm_padded padded = {3, 4, padded_ids, NULL, padded_mask, NULL};
    mlm_batch batch;
    mlm_batch_init(&batch, sizeof batch);
    mlm_pack(&padded, offsets, storage, &batch);
    ck_assert_mem_eq(batch.offsets, first, sizeof first);
    ck_assert_mem_eq(batch.input_ids, padded_ids, sizeof padded_ids);
    ck_assert_mem_eq(batch.token_type_ids, padded_mask, sizeof padded_mask);
    ck_assert_ptr_null(batch.labels);
}
END_TEST

/* ---- a text, a model -------------------------------------------------------- */

static const char *const words[] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "c"};
enum { WORDS = sizeof words / sizeof *words, SENTENCES = 10 };

struct fixture {
    mlm_tokenizer *tokenizer;
    mlm_encoder *encoder;
    mlm_training training;
};

/* SENTENCES sentences, once. */
static int read_text(void *user, char *buffer, size_t capacity, size_t *length)
{
    int *done = user, i;
    if (*done)
        return MLM_CONTINUE;
    ck_assert_uint_ge(capacity, 6 * SENTENCES);
    for (i = 0; i < SENTENCES; ++i)
        memcpy(buffer + 6 * i, "a b c\n", 6);
    *length = 6 * SENTENCES;
    *done = 1;
    return MLM_CONTINUE;
}

static mlm_corpus *open_corpus_as(
    const mlm_tokenizer *tokenizer, int64_t epochs, int32_t packing, int32_t rank, int32_t ranks)
{
    mlm_corpus_options options;
    mlm_corpus *corpus;
    int done = 0;
    mlm_corpus_options_init(&options, sizeof options);
    options.B = 2;
    options.T = 8;
    options.packing = packing;
    options.epochs = epochs;
    options.rank = rank;
    options.ranks = ranks;
    assert_ok(mlm_corpus_read(NULL, tokenizer, read_text, &done, &options, &corpus));
    return corpus;
}

static mlm_corpus *open_corpus(const mlm_tokenizer *tokenizer, int64_t epochs)
{
    return open_corpus_as(tokenizer, epochs, MLM_PACK_ONE, 0, 1);
}

/* Five batches an epoch. The rate is 0, so that every loss of an evaluation is the same. */
static void open_fixture(struct fixture *fixture, int64_t epochs)
{
    mlm_encoder_config config;
    mlm_trainer_options options;
    mlm_training *training = &fixture->training;
    assert_ok(mlm_tokenizer_create(NULL, words, WORDS, NULL, &fixture->tokenizer));
    mlm_encoder_config_init(&config, sizeof config);
    config.vocab_size = WORDS;
    config.hidden_size = config.intermediate_size = 8;
    config.num_hidden_layers = config.num_attention_heads = 1;
    config.max_position_embeddings = 8;
    assert_ok(mlm_encoder_create(NULL, &config, NULL, &fixture->encoder));
    mlm_trainer_options_init(&options, sizeof options);
    options.lr_scheduler = MLM_LR_CONSTANT;
    options.learning_rate = 0;
    mlm_training_init(training);
    training->steps = 8;
    training->encoder = fixture->encoder;
    training->corpus = open_corpus(fixture->tokenizer, epochs);
    training->eval_corpus = open_corpus(fixture->tokenizer, 1);
    assert_ok(mlm_masker_create(NULL, fixture->tokenizer, NULL, &training->masker));
    assert_ok(mlm_masker_create(NULL, fixture->tokenizer, NULL, &training->eval_masker));
    assert_ok(mlm_trainer_create(NULL, fixture->encoder, &options, &training->trainer));
}

static void close_fixture(struct fixture *fixture)
{
    mlm_trainer_free(fixture->training.trainer);
    mlm_masker_free(fixture->training.eval_masker);
    mlm_masker_free(fixture->training.masker);
    mlm_corpus_free(fixture->training.eval_corpus);
    mlm_corpus_free(fixture->training.corpus);
    mlm_encoder_free(fixture->encoder);
    mlm_tokenizer_free(fixture->tokenizer);
}

/* ---- the training loop ------------------------------------------------------ */

struct seen {
    int64_t updates, evaluations, stop_at;
    double losses[8];
};

static int see(void *user, const mlm_metrics *update, const mlm_metrics *evaluation)
{
    struct seen *seen = user;
    ck_assert_int_eq(update->step, ++seen->updates);
    if (evaluation)
        seen->losses[seen->evaluations++] = evaluation->loss;
    return update->step == seen->stop_at ? 0 : MLM_CONTINUE;
}

static mlm_status train(struct fixture *fixture, struct seen *seen, mlm_metrics *last)
{
    memset(seen->losses, 0, sizeof seen->losses);
    seen->updates = seen->evaluations = 0;
    fixture->training.report = see;
    fixture->training.user = seen;
    return mlm_train(&fixture->training, last);
}

START_TEST(training_ends_with_its_steps)
{
    struct fixture fixture;
    struct seen seen = {0};
    mlm_metrics last;
    open_fixture(&fixture, 0);
    fixture.training.eval_every = 2;
    assert_ok(train(&fixture, &seen, &last));
    ck_assert_int_eq(last.step, 8);
    ck_assert_int_eq(seen.updates, 8);
    ck_assert_int_eq(seen.evaluations, 4);
    ck_assert_double_gt(seen.losses[0], 0.1);
    ck_assert_mem_eq(&seen.losses[0], &seen.losses[3], sizeof(double)); /* the same masks */
    assert_ok(mlm_train(&fixture.training, &last));
    ck_assert_int_eq(last.step, 8);
    close_fixture(&fixture);
}
END_TEST

START_TEST(training_ends_with_its_corpus)
{
    struct fixture fixture;
    struct seen seen = {0};
    mlm_metrics last;
    open_fixture(&fixture, 1);
    fixture.training.accumulate = 2;
    assert_status(train(&fixture, &seen, &last), MLM_END);
    ck_assert_int_eq(seen.updates, 3); /* of two, two and one batch */
    ck_assert_int_eq(last.sequences, 2);
    close_fixture(&fixture);
}
END_TEST

START_TEST(an_update_takes_a_batch_at_least)
{
    struct fixture fixture;
    struct seen seen = {0};
    mlm_metrics last;
    open_fixture(&fixture, 1);
    fixture.training.accumulate = 0;
    assert_status(train(&fixture, &seen, &last), MLM_END);
    ck_assert_int_eq(seen.updates, 5); /* as with 1 */
    close_fixture(&fixture);
}
END_TEST

START_TEST(training_ends_with_its_patience)
{
    struct fixture fixture;
    struct seen seen = {0};
    mlm_metrics last;
    const char *best = test_path(test_folder(), "best"), *model = test_path(best, "config.json");
    size_t size;
    open_fixture(&fixture, 0);
    fixture.training.eval_every = 1;
    fixture.training.patience = 3;
    fixture.training.best_directory = best;
    assert_status(train(&fixture, &seen, &last), MLM_END);
    ck_assert_int_eq(last.step, 4); /* the first is the best, and three are no better */
    free(test_read_file(model, &size));
    close_fixture(&fixture);
}
END_TEST

START_TEST(training_ends_when_told)
{
    struct fixture fixture;
    struct seen seen = {0};
    mlm_metrics last;
    const char *folder = test_path(test_folder(), "last");
    size_t size;
    open_fixture(&fixture, 0);
    seen.stop_at = 3;
    fixture.training.directory = folder;
    assert_status(train(&fixture, &seen, &last), MLM_STOPPED);
    ck_assert_int_eq(last.step, 3);
    free(test_read_file(test_path(folder, "trainer.json"), &size));
    close_fixture(&fixture);
}
END_TEST

START_TEST(training_ends_when_it_cannot_save)
{
    struct fixture fixture;
    struct seen seen = {0};
    mlm_metrics last;
    const char *file = test_path(test_folder(), "file");
    open_fixture(&fixture, 0);
    test_write_file(file, "", 0);
    fixture.training.directory = test_path(file, "model");
    fixture.training.save_every = 2;
    ck_assert_int_lt(train(&fixture, &seen, &last), MLM_OK);
    ck_assert_int_eq(last.step, 2);
    ck_assert_int_eq(seen.updates, 2);
    close_fixture(&fixture);
}
END_TEST

/* What becomes of saves: all of them fail until the free_at-th, 0: from none on. */
struct saves {
    struct seen seen; /* first: report has it */
    const char *directory, *in_the_way;
    int64_t count, failed, free_at;
};

static int let_pass(void *user, const char *directory, mlm_status status)
{
    struct saves *saves = user;
    ck_assert_str_eq(directory, saves->directory);
    ++saves->count;
    if (status != MLM_OK) {
        ++saves->failed;
        ck_assert_ptr_nonnull(strstr(mlm_last_error(), "is in the way"));
    }
    if (saves->count + 1 == saves->free_at)
        ck_assert_int_eq(unlink(saves->in_the_way), 0);
    return MLM_CONTINUE;
}

/* At 2, 4 and 6 of 7 updates, and at the end. */
static mlm_status train_with_failing_saves(struct saves *saves, mlm_metrics *last)
{
    struct fixture fixture;
    const char *folder = test_folder();
    mlm_status status;
    saves->directory = test_path(folder, "model");
    saves->in_the_way = test_path(folder, "model.mlm-new");
    test_write_file(saves->in_the_way, "", 0);
    open_fixture(&fixture, 0);
    fixture.training.steps = 7;
    fixture.training.directory = saves->directory;
    fixture.training.save_every = 2;
    fixture.training.saved = let_pass;
    status = train(&fixture, &saves->seen, last);
    close_fixture(&fixture);
    return status;
}

START_TEST(training_goes_on_when_it_may_without_saving)
{
    struct saves saves = {.free_at = 3};
    mlm_metrics last;
    assert_ok(train_with_failing_saves(&saves, &last));
    ck_assert_int_eq(last.step, 7);
    ck_assert_int_eq(saves.count, 4);
    ck_assert_int_eq(saves.failed, 2);
    free(test_read_file(test_path(saves.directory, "trainer.json"), NULL));
    saves = (struct saves){.free_at = 0};
    assert_status(train_with_failing_saves(&saves, &last), MLM_ERR_IO); /* the last one counts */
    ck_assert_int_eq(last.step, 7);
    ck_assert_int_eq(saves.failed, 4);
}
END_TEST

static int is_older_than_its_checkpoint(
    void *user, const mlm_metrics *update, const mlm_metrics *evaluation)
{
    char step[32], *json = test_read_file(test_path(user, "trainer.json"), NULL);
    (void)evaluation;
    snprintf(step, sizeof step, "\"step\": %d,", (int)update->step - 1);
    ck_assert_ptr_nonnull(strstr(json, step));
    free(json);
    return MLM_CONTINUE;
}

/* Killed in between, a run would lack what was never reported. */
START_TEST(training_reports_before_it_saves)
{
    struct fixture fixture;
    mlm_metrics last;
    const char *folder = test_path(test_folder(), "model");
    open_fixture(&fixture, 0);
    assert_ok(mlm_trainer_save(fixture.training.trainer, folder));
    fixture.training.directory = folder;
    fixture.training.save_every = 1;
    fixture.training.report = is_older_than_its_checkpoint;
    fixture.training.user = (void *)folder;
    assert_ok(mlm_train(&fixture.training, &last));
    ck_assert_int_eq(last.step, 8);
    close_fixture(&fixture);
}
END_TEST

/* ---- trouble ---------------------------------------------------------------- */

/* What each sum of gradients becomes: NaN from the from-th update on, calls of them. */
struct spoiler {
    int64_t update, from, calls;
};

static int spoil(void *user, void *data, size_t count, int32_t dtype)
{
    struct spoiler *spoiler = user;
    if (dtype != MLM_F32)
        return MLM_CONTINUE;
    ++spoiler->update;
    if (spoiler->update >= spoiler->from && spoiler->calls > 0) {
        --spoiler->calls;
        ((float *)data)[count / 2] = (float)NAN;
    }
    return MLM_CONTINUE;
}

struct told {
    int bad, rose, back, held_out;
    mlm_metrics state;
    const char *directory; /* what is gone back to is saved in it; NULL: not looked at */
};

static void tell(void *user, mlm_trouble what, const mlm_metrics *state)
{
    struct told *told = user;
    told->bad += what == MLM_BAD_UPDATE;
    told->rose += what == MLM_LOSS_ROSE;
    told->back += what == MLM_WENT_BACK;
    told->held_out += what == MLM_BAD_EVALUATION;
    told->state = *state;
    if (what == MLM_WENT_BACK && told->directory) {
        size_t size;
        char *json = test_read_file(test_path(told->directory, "trainer.json"), &size);
        ck_assert_ptr_nonnull(strstr(json, "\"rate_factor\": 0.5"));
        ck_assert_ptr_nonnull(strstr(json, "\"step\": 0"));
        free(json);
    }
}

static void expect_trouble(struct fixture *fixture, struct spoiler *spoiler, struct told *told)
{
    memset(told, 0, sizeof *told);
    fixture->training.trouble = tell;
    fixture->training.user = told;
    assert_ok(mlm_trainer_set_allreduce(fixture->training.trainer, spoil, spoiler, 0, 1));
}

START_TEST(bad_updates_are_skipped)
{
    struct fixture fixture;
    struct spoiler spoiler = {0, 3, 4};
    struct told told;
    mlm_metrics last;
    open_fixture(&fixture, 0);
    expect_trouble(&fixture, &spoiler, &told);
    fixture.training.max_bad_updates = 5;
    assert_ok(mlm_train(&fixture.training, &last));
    ck_assert_int_eq(last.step, 8);
    ck_assert_int_eq(told.bad, 4);
    ck_assert_int_eq(told.state.bad_updates, 4);
    ck_assert_int_eq(told.state.step, 2);
    ck_assert_int_eq(spoiler.update, 12);
    ck_assert_int_eq(last.position, 2 * 12); /* dropped batches do not come again */
    close_fixture(&fixture);
}
END_TEST

/* 0, 1: the first bad update; 3: the third in a row. The checkpoint saved before stands. */
START_TEST(bad_updates_in_a_row_end_the_training)
{
    int32_t most;
    for (most = 0; most <= 3; most += most ? 2 : 1) {
        struct fixture fixture;
        struct spoiler spoiler = {0, 6, 100};
        struct told told;
        mlm_metrics last;
        const char *folder = test_path(test_folder(), most ? most > 1 ? "three" : "one" : "zero");
        char *json;
        size_t size;
        open_fixture(&fixture, 0);
        expect_trouble(&fixture, &spoiler, &told);
        fixture.training.max_bad_updates = most;
        fixture.training.directory = folder;
        fixture.training.save_every = 4;
        assert_status(mlm_train(&fixture.training, &last), MLM_ERR_NUMERIC);
        ck_assert_int_eq(last.step, 5);
        ck_assert_int_eq(told.bad, most ? most : 1);
        ck_assert_int_eq(told.back, 0);
        json = test_read_file(test_path(folder, "trainer.json"), &size);
        ck_assert_ptr_nonnull(strstr(json, "\"step\": 4"));
        free(json);
        close_fixture(&fixture);
    }
}
END_TEST

/* Spoils all that comes after the first saved step, some times over, and compares the end with a
   run at the lowered rate without any trouble. */
START_TEST(going_back_lowers_the_rate_and_goes_on)
{
    struct fixture fixture, calm;
    struct spoiler spoiler = {0, 6, 2 * 2};
    struct told told;
    mlm_metrics last, expected;
    const char *folder = test_path(test_folder(), "back"), *straight = test_path(folder, "../calm");
    size_t size, calm_size;
    char *model, *calm_model;
    open_fixture(&fixture, 0);
    expect_trouble(&fixture, &spoiler, &told);
    assert_ok(mlm_trainer_set_learning_rate(fixture.training.trainer, 1e-2));
    fixture.training.max_bad_updates = 2;
    fixture.training.go_back = 1;
    fixture.training.directory = folder;
    fixture.training.save_every = 4;
    assert_ok(mlm_train(&fixture.training, &last));
    ck_assert_int_eq(last.step, 8);
    ck_assert_int_eq(last.position, 2 * 8);
    ck_assert_int_eq(told.bad, 4);
    ck_assert_int_eq(told.back, 2);
    ck_assert_int_eq(told.state.step, 4);
    ck_assert_double_eq(last.rate_factor, 0.25);
    ck_assert_double_eq(last.learning_rate, 0.25e-2);

    open_fixture(&calm, 0);
    assert_ok(mlm_trainer_set_learning_rate(calm.training.trainer, 1e-2));
    calm.training.directory = straight;
    calm.training.steps = 4;
    assert_ok(mlm_train(&calm.training, &expected));
    assert_ok(mlm_trainer_go_back(calm.training.trainer, straight, 0.25));
    calm.training.steps = 8;
    assert_ok(mlm_train(&calm.training, &expected));
    ck_assert_double_eq(last.loss, expected.loss);
    model = test_read_file(test_path(folder, "model.safetensors"), &size);
    calm_model = test_read_file(test_path(straight, "model.safetensors"), &calm_size);
    ck_assert_uint_eq(size, calm_size);
    ck_assert_mem_eq(model, calm_model, size);
    free(model);
    free(calm_model);
    close_fixture(&calm);
    close_fixture(&fixture);
}
END_TEST

/* Past the newest checkpoint to an older one, which then is the newest. */
START_TEST(going_back_may_go_further)
{
    struct fixture fixture;
    struct spoiler spoiler = {0, 6, 1};
    struct told told;
    mlm_metrics last;
    const char *folder = test_folder();
    open_fixture(&fixture, 0);
    fixture.training.directory = test_path(folder, "newest");
    fixture.training.back_directory = test_path(folder, "older");
    assert_ok(mlm_trainer_save(fixture.training.trainer, fixture.training.back_directory));
    expect_trouble(&fixture, &spoiler, &told);
    told.directory = fixture.training.directory;
    fixture.training.go_back = 1;
    fixture.training.save_every = 4;
    assert_ok(mlm_train(&fixture.training, &last));
    ck_assert_int_eq(told.back, 1);
    ck_assert_int_eq(told.state.step, 0);
    ck_assert_int_eq(last.step, 8);
    ck_assert_int_eq(last.position, 2 * 8);
    close_fixture(&fixture);
}
END_TEST

/* A rank of two, whose gradients are no numbers at some updates. */
struct rank {
    test_rank place;
    struct fixture fixture;
    struct spoiler spoiler;
    struct told told;
    mlm_metrics last;
    mlm_status status;
};

static int reduce_spoiled(void *user, void *data, size_t count, int32_t dtype)
{
    struct rank *rank = user;
    spoil(&rank->spoiler, data, count, dtype);
    return test_allreduce(&rank->place, data, count, dtype);
}

static void *train_rank(void *user)
{
    struct rank *rank = user;
    rank->status = mlm_train(&rank->fixture.training, &rank->last);
    return NULL;
}

/* What goes wrong on one rank is gone back from on all. */
START_TEST(ranks_go_back_together)
{
    const char *folder = test_path(test_folder(), "ranks");
    test_exchange exchange;
    struct rank ranks[TEST_RANKS];
    float *parameters[TEST_RANKS];
    size_t size;
    int32_t r;
    test_exchange_open(&exchange);
    memset(ranks, 0, sizeof ranks);
    for (r = 0; r < TEST_RANKS; ++r) {
        struct rank *rank = &ranks[r];
        mlm_training *training = &rank->fixture.training;
        open_fixture(&rank->fixture, 0);
        mlm_corpus_free(training->corpus);
        training->corpus = open_corpus_as(rank->fixture.tokenizer, 0, MLM_PACK_ONE, r, TEST_RANKS);
        rank->place.exchange = &exchange;
        rank->place.rank = r;
        rank->spoiler.from = 6;
        rank->spoiler.calls = r == 1 ? 2 : 0;
        training->trouble = tell;
        training->user = &rank->told;
        training->go_back = 1;
        training->directory = folder;
        training->save_every = 4;
        assert_ok(mlm_trainer_set_learning_rate(training->trainer, 1e-2));
        assert_ok(mlm_trainer_attach(training->trainer, NULL, training->corpus, NULL));
        assert_ok(
            mlm_trainer_set_allreduce(training->trainer, reduce_spoiled, rank, r, TEST_RANKS));
    }
    test_run_ranks(train_rank, &ranks[0], &ranks[1]);
    for (r = 0; r < TEST_RANKS; ++r) {
        assert_ok(ranks[r].status);
        ck_assert_int_eq(ranks[r].told.back, 2);
        ck_assert_int_eq(ranks[r].told.state.step, 4);
        ck_assert_int_eq(ranks[r].last.step, 8);
        ck_assert_int_eq(ranks[r].last.position, 2 * TEST_RANKS * 8);
        ck_assert_double_eq(ranks[r].last.learning_rate, 0.25e-2);
        ck_assert_double_eq(ranks[r].last.loss, ranks[0].last.loss);
    }
    for (r = 0; r < TEST_RANKS; ++r) {
        mlm_tensor tensor;
        mlm_tensor_init(&tensor, sizeof tensor);
        assert_ok(mlm_encoder_get_tensor(ranks[r].fixture.encoder, 0, &tensor));
        size = (size_t)(tensor.shape[0] * tensor.shape[1]) * sizeof(float);
        parameters[r] = (float *)malloc(size);
        memcpy(parameters[r], tensor.data, size);
        close_fixture(&ranks[r].fixture);
    }
    ck_assert_mem_eq(parameters[0], parameters[1], size);
    free(parameters[0]);
    free(parameters[1]);
    test_exchange_close(&exchange);
}
END_TEST

START_TEST(going_back_has_an_end)
{
    struct fixture fixture;
    struct spoiler spoiler = {0, 6, 100};
    struct told told;
    mlm_metrics last;
    open_fixture(&fixture, 0);
    expect_trouble(&fixture, &spoiler, &told);
    fixture.training.go_back = 1;
    fixture.training.directory = test_path(test_folder(), "back");
    fixture.training.save_every = 4;
    assert_status(mlm_train(&fixture.training, &last), MLM_ERR_NUMERIC);
    ck_assert_int_eq(told.back, MLM_MOST_RETRIES);
    ck_assert_int_eq(told.bad, MLM_MOST_RETRIES + 1);
    ck_assert_double_eq(last.rate_factor, 1.0 / 32);
    close_fixture(&fixture);
}
END_TEST

/* The decoder's bias of one token is raised by 50 in the middle of the training. */
static int raise_loss(void *user, const mlm_metrics *update, const mlm_metrics *evaluation)
{
    const struct fixture *fixture = user;
    size_t i;
    (void)evaluation;
    for (i = 0; update->step == 5 && i < mlm_encoder_tensor_count(fixture->encoder); ++i) {
        float bias[WORDS] = {0, 50};
        mlm_tensor tensor;
        mlm_tensor_init(&tensor, sizeof tensor);
        assert_ok(mlm_encoder_get_tensor(fixture->encoder, i, &tensor));
        if (strcmp(tensor.name, "cls.predictions.bias") == 0)
            assert_ok(mlm_encoder_set_tensor(fixture->encoder, i, bias, WORDS));
    }
    return MLM_CONTINUE;
}

START_TEST(a_loss_that_rises_ends_the_training)
{
    static const double bounds[] = {0, 100, 10};
    const char *folder = test_path(test_folder(), "model");
    size_t i;
    for (i = 0; i < 3; ++i) {
        struct fixture fixture;
        mlm_metrics last;
        open_fixture(&fixture, 0);
        fixture.training.report = raise_loss;
        fixture.training.user = &fixture;
        fixture.training.max_loss_rise = bounds[i];
        fixture.training.directory = folder;
        fixture.training.save_every = 3;
        if (i < 2) {
            assert_ok(mlm_train(&fixture.training, &last));
            ck_assert_double_gt(last.loss, 40);
        } else {
            assert_status(mlm_train(&fixture.training, &last), MLM_ERR_NUMERIC);
            char *json = test_read_file(test_path(folder, "trainer.json"), NULL);
            ck_assert_ptr_nonnull(strstr(json, "\"step\": 3")); /* 6 is suspect */
            free(json);
            ck_assert_int_eq(last.step, 7); /* 6 alone might be chance */
            ck_assert_double_gt(last.loss, last.loss_average + 10);
        }
        close_fixture(&fixture);
    }
}
END_TEST

/* Two losses far above what they were; so many pairs far above guessing. */
START_TEST(losses_that_rise)
{
    static const struct {
        double loss, sentence_loss;
        int64_t sequences;
        int rose;
    } updates[] = {{4.9, 3.6, 8, 0}, {5.1, 0.1, 8, 1}, {5.1, 0.1, 1, 1}, {1, 3.7, 8, 1},
        {1, 3.7, 7, 0}, {1, 3.7, 1000, 1}};
    size_t i;
    for (i = 0; i < sizeof updates / sizeof *updates; ++i) {
        mlm_training training;
        mlm_metrics update;
        mlm_training_init(&training);
        mlm_metrics_init(&update, sizeof update);
        update.loss_average = 2;
        update.loss = updates[i].loss;
        update.sentence_loss = updates[i].sentence_loss;
        update.sequences = updates[i].sequences;
        ck_assert_int_eq(mlm_train_rose(&training, &update), 0);
        training.max_loss_rise = 3;
        ck_assert_int_eq(mlm_train_rose(&training, &update), updates[i].rose);
    }
}
END_TEST

/* The masked loss, and the sentence loss alone. */
START_TEST(a_held_out_loss_that_is_no_number_is_a_divergence)
{
    static const char *const spoiled[] = {
        "bert.embeddings.word_embeddings.weight", "cls.seq_relationship.bias"};
    size_t i, k;
    for (i = 0; i < 2; ++i) {
        struct fixture fixture;
        struct told told;
        mlm_metrics evaluation;
        float numbers[WORDS * 8];
        mlm_encoder_config config;
        mlm_encoder *encoder;
        const char *best = test_path(test_folder(), "best");
        open_fixture(&fixture, 0);
        mlm_encoder_config_init(&config, sizeof config);
        assert_ok(mlm_encoder_get_config(fixture.encoder, &config));
        config.sentence_head = 1;
        assert_ok(mlm_encoder_create(NULL, &config, NULL, &encoder));
        fixture.training.encoder = encoder;
        mlm_corpus_free(fixture.training.eval_corpus);
        fixture.training.eval_corpus = open_corpus_as(fixture.tokenizer, 1, MLM_PACK_PAIRS, 0, 1);
        for (k = 0; k < WORDS * 8; ++k)
            numbers[k] = (float)NAN;
        for (k = 0; k < mlm_encoder_tensor_count(encoder); ++k) {
            mlm_tensor tensor;
            mlm_tensor_init(&tensor, sizeof tensor);
            assert_ok(mlm_encoder_get_tensor(encoder, k, &tensor));
            if (strcmp(tensor.name, spoiled[i]) == 0)
                assert_ok(mlm_encoder_set_tensor(encoder, k, numbers, i ? 2 : WORDS * 8));
        }
        fixture.training.best_directory = best;
        memset(&told, 0, sizeof told);
        fixture.training.trouble = tell;
        fixture.training.user = &told;
        assert_ok(mlm_evaluate(
            encoder, fixture.training.eval_corpus, fixture.training.eval_masker, &evaluation));
        ck_assert(i == 0 ? !isfinite(evaluation.loss)
                         : isfinite(evaluation.loss) && !isfinite(evaluation.sentence_loss));
        assert_status(mlm_train_evaluate(&fixture.training, &evaluation), MLM_ERR_NUMERIC);
        ck_assert_int_eq(told.held_out, 1);
        ck_assert_int_ne(access(best, F_OK), 0);
        mlm_encoder_free(encoder);
        close_fixture(&fixture);
    }
}
END_TEST

/* Patience that is at its end stays so, in a training that starts again too. */
START_TEST(patience_survives_a_restart)
{
    struct fixture fixture;
    struct seen seen = {0};
    mlm_metrics last;
    mlm_trainer *resumed;
    const char *folder = test_path(test_folder(), "last");
    open_fixture(&fixture, 0);
    fixture.training.eval_every = 1;
    fixture.training.patience = 3;
    fixture.training.directory = folder;
    seen.stop_at = 3;
    assert_status(train(&fixture, &seen, &last), MLM_STOPPED);
    ck_assert_int_eq(last.stale, 2);
    assert_ok(mlm_trainer_resume(NULL, fixture.encoder, folder, NULL, &resumed));
    mlm_trainer_free(fixture.training.trainer);
    fixture.training.trainer = resumed;
    fixture.training.report = NULL;
    assert_status(mlm_train(&fixture.training, &last), MLM_END);
    ck_assert_int_eq(last.step, 4);
    ck_assert_int_eq(last.stale, 3);
    assert_status(mlm_train(&fixture.training, &last), MLM_END);
    ck_assert_int_eq(last.step, 4);
    close_fixture(&fixture);
}
END_TEST

/* ---- fill-mask -------------------------------------------------------------- */

START_TEST(fill_mask_says_what_it_needs)
{
    struct fixture fixture;
    const char *text = "a [MASK] [MASK]";
    int32_t ids[8], positions[2], candidates[4];
    float probabilities[4];
    mlm_fill fill = {ids, positions, candidates, probabilities, 8, 1, 2, 0, 0};
    open_fixture(&fixture, 0);
    assert_status(mlm_fill_mask(fixture.encoder, fixture.tokenizer, text, strlen(text), &fill),
        MLM_ERR_CAPACITY);
    ck_assert_uint_eq(fill.M, 2);
    fill.masks = fill.M;
    assert_ok(mlm_fill_mask(fixture.encoder, fixture.tokenizer, text, strlen(text), &fill));
    ck_assert_uint_eq(fill.N, 5);
    ck_assert_int_eq(positions[0], 2);
    ck_assert_int_eq(positions[1], 3);
    ck_assert_float_ge(probabilities[2], probabilities[3]);
    fill.capacity = 4;
    assert_status(mlm_fill_mask(fixture.encoder, fixture.tokenizer, text, strlen(text), &fill),
        MLM_ERR_CAPACITY);
    ck_assert_uint_eq(fill.N, 5);
    fill.capacity = 8;
    assert_ok(mlm_fill_mask(fixture.encoder, fixture.tokenizer, "a", 1, &fill));
    ck_assert_uint_eq(fill.M, 0);
    close_fixture(&fixture);
}
END_TEST

/* ---- one token after another ------------------------------------------------ */

static const char *const pieces[] = {
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "##b", "##"};
static const int32_t tokens[] = {2, 5, 6, 6, 7, 1, 3, /**/ 2, 4, 5, 3};
static const int32_t starts[] = {0, 7, 11};
enum { TOKENS = sizeof tokens / sizeof *tokens };

static mlm_batch batch_of_tokens(void)
{
    mlm_batch batch;
    mlm_batch_init(&batch, sizeof batch);
    batch.B = 2;
    batch.offsets = starts;
    batch.input_ids = tokens;
    return batch;
}

START_TEST(each_token_is_asked_with_the_rest_of_its_word)
{
    const int32_t asked[] = {-100, 5, 6, 6, 7, 1, -100, /**/ -100, -100, 5, -100};
    const int32_t words_end[] = {1, 4, 4, 4, 5, 6, 7, /**/ 8, 9, 10, 11};
    mlm_batch batch = batch_of_tokens();
    int32_t labels[TOKENS], until[TOKENS], n;
    mlm_tokenizer *tokenizer;
    assert_ok(mlm_tokenizer_create(NULL, pieces, WORDS, NULL, &tokenizer));
    mlm_ask_each_token(tokenizer, &batch, 1, labels, until);
    ck_assert_mem_eq(labels, asked, sizeof asked);
    ck_assert_mem_eq(until, words_end, sizeof words_end);
    mlm_ask_each_token(tokenizer, &batch, 0, labels, until);
    ck_assert_mem_eq(labels, asked, sizeof asked);
    for (n = 0; n < TOKENS; ++n)
        ck_assert_int_eq(until[n], n + 1);
    mlm_tokenizer_free(tokenizer);
}
END_TEST

/* The loss of one label of a sequence, its other tokens as shown. */
static float loss_of(mlm_encoder *encoder, const int32_t *shown, const int32_t *types, int32_t T,
    int32_t place, int32_t label)
{
    int32_t offsets[2] = {0, T}, labels[TOKENS], n;
    float loss = -1;
    mlm_batch batch;
    mlm_batch_init(&batch, sizeof batch);
    for (n = 0; n < T; ++n)
        labels[n] = n == place ? label : MLM_NO_LABEL;
    batch.B = 1;
    batch.offsets = offsets;
    batch.input_ids = shown;
    batch.token_type_ids = types;
    batch.labels = labels;
    assert_ok(mlm_encoder_losses(encoder, &batch, &loss));
    return loss;
}

/* Labels differ from what the inputs show: a label of 6 at 1 and of 5 at 3, 4 and 9. */
START_TEST(losses_in_turn_reveal_what_came_before)
{
    const int32_t labels[] = {-100, 6, -100, 5, 5, -100, -100, /**/ -100, -100, 5, -100};
    const int32_t until[] = {0, 4, 0, 7, 5, 0, 0, /**/ 0, 0, 11, 0};
    const int32_t types[] = {0, 0, 0, 1, 1, 1, 1, /**/ 0, 0, 1, 1};
    const int32_t first[] = {2, 4, 6, 4, 5, 1, 3}, second[] = {2, 6, 6, 4, 4, 1, 3};
    const int32_t third[] = {2, 6, 6, 5, 4, 1, 3}, fourth[] = {2, 4, 4, 3};
    int32_t offsets[5], ids[32], copied_types[32], copied_labels[32], count;
    mlm_copies copies = {offsets, ids, copied_types, copied_labels, 4, 32};
    mlm_batch batch = batch_of_tokens();
    struct fixture fixture;
    float losses[4], expected[4];
    open_fixture(&fixture, 0);
    batch.labels = labels;
    batch.token_type_ids = types;
    expected[0] = loss_of(fixture.encoder, first, types, 7, 1, 6);
    expected[1] = loss_of(fixture.encoder, second, types, 7, 3, 5);
    expected[2] = loss_of(fixture.encoder, third, types, 7, 4, 5);
    expected[3] = loss_of(fixture.encoder, fourth, types + 7, 4, 2, 5);
    for (count = 1; count <= 4; ++count) {
        int m;
        copies.count = count;
        copies.capacity = 7 * count;
        memset(losses, 0, sizeof losses);
        assert_ok(mlm_losses_in_turn(fixture.encoder, &batch, until, 4, &copies, losses));
        for (m = 0; m < 4; ++m)
            ck_assert_float_eq_tol(losses[m], expected[m], 1e-6F);
    }
    copies.capacity = 6;
    assert_status(
        mlm_losses_in_turn(fixture.encoder, &batch, until, 4, &copies, losses), MLM_ERR_CAPACITY);
    /* Also where it is the second that is too long nothing is written. */
    batch.offsets = (const int32_t[]){0, 4, 11};
    copies.count = 1;
    losses[0] = -1;
    assert_status(
        mlm_losses_in_turn(fixture.encoder, &batch, until, 4, &copies, losses), MLM_ERR_CAPACITY);
    ck_assert_float_eq(losses[0], -1);
    close_fixture(&fixture);
}
END_TEST

/* ---- held-out text ----------------------------------------------------------- */

/* Whatever seed the training has, evaluation draws the masks of seed 0. */
START_TEST(held_out_masks_have_a_fixed_seed)
{
    const char *path = test_path(test_folder(), "text.txt");
    struct fixture fixture;
    struct heldout heldout;
    mlm_masker_options options;
    mlm_masker *masker;
    mlm_batch batch, masked, expected;
    int32_t N;
    char text[400];
    size_t i;
    for (i = 0; i < sizeof text; ++i)
        text[i] = " \n"[i % 16 == 15];
    for (i = 0; i < sizeof text; i += 2)
        text[i] = "abc"[i * i % 7 % 3];
    test_write_file(path, text, sizeof text);
    open_fixture(&fixture, 0);
    mlm_masker_options_init(&options, sizeof options);
    assert_ok(mlm_masker_create(NULL, fixture.tokenizer, &options, &masker));
    options.seed = 7;
    assert_ok(heldout_open(NULL, fixture.tokenizer, &path, 1, 64, 0, &options, &heldout));
    mlm_batch_init(&batch, sizeof batch);
    mlm_batch_init(&masked, sizeof masked);
    mlm_batch_init(&expected, sizeof expected);
    assert_ok(mlm_corpus_next(heldout.corpus, &batch));
    assert_ok(mlm_masker_apply(heldout.masker, &batch, &masked));
    assert_ok(mlm_masker_apply(masker, &batch, &expected));
    N = batch.offsets[batch.B];
    ck_assert_int_gt(N, 100);
    ck_assert_mem_eq(masked.labels, expected.labels, (size_t)N * sizeof *masked.labels);
    ck_assert_mem_eq(masked.input_ids, expected.input_ids, (size_t)N * sizeof *masked.input_ids);
    mlm_masker_free(masker);
    heldout_close(&heldout);
    close_fixture(&fixture);
}
END_TEST

static Suite *compose_suite(void)
{
    Suite *suite = suite_create("compose");
    TCase *padded = tcase_create("padded"), *training = tcase_create("training");
    TCase *fill = tcase_create("fill_mask");
    TCase *turn = tcase_create("in_turn"), *trouble = tcase_create("trouble");
    tcase_add_test(padded, padding_goes_and_comes_back);
    tcase_add_test(padded, no_mask_is_no_padding);
    tcase_add_test(training, training_ends_with_its_steps);
    tcase_add_test(training, training_ends_with_its_corpus);
    tcase_add_test(training, an_update_takes_a_batch_at_least);
    tcase_add_test(training, training_ends_with_its_patience);
    tcase_add_test(training, training_ends_when_told);
    tcase_add_test(training, training_ends_when_it_cannot_save);
    tcase_add_test(training, training_goes_on_when_it_may_without_saving);
    tcase_add_test(training, training_reports_before_it_saves);
    tcase_add_test(training, patience_survives_a_restart);
    tcase_add_test(trouble, bad_updates_are_skipped);
    tcase_add_test(trouble, bad_updates_in_a_row_end_the_training);
    tcase_add_test(trouble, going_back_lowers_the_rate_and_goes_on);
    tcase_add_test(trouble, going_back_may_go_further);
    tcase_add_test(trouble, ranks_go_back_together);
    tcase_add_test(trouble, going_back_has_an_end);
    tcase_add_test(trouble, a_loss_that_rises_ends_the_training);
    tcase_add_test(trouble, losses_that_rise);
    tcase_add_test(trouble, a_held_out_loss_that_is_no_number_is_a_divergence);
    tcase_add_test(fill, fill_mask_says_what_it_needs);
    suite_add_tcase(suite, padded);
    suite_add_tcase(suite, training);
    suite_add_tcase(suite, trouble);
    tcase_add_test(turn, each_token_is_asked_with_the_rest_of_its_word);
    tcase_add_test(turn, losses_in_turn_reveal_what_came_before);
    tcase_add_test(turn, held_out_masks_have_a_fixed_seed);
    suite_add_tcase(suite, fill);
    suite_add_tcase(suite, turn);
    return suite;
}

TEST_MAIN(compose_suite)
