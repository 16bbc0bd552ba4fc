/*
 * accumulate_allreduce: two ranks train one model, two batches to an update. Here a rank
 * is a thread with an encoder and a trainer of its own; between machines only the body of
 * allreduce is another. Both end with the same parameters, byte for byte.
 */
#include "args.h"

#include <pthread.h>

enum { RANKS = 2, ACCUMULATE = 2, WIDTH = 64 };

struct group {
    pthread_barrier_t barrier;
    void *data[RANKS];
};

struct rank {
    struct group *group;
    int32_t rank;
    int64_t steps;
    const mlm_tokenizer *tokenizer;
    const char *const *paths;
    size_t path_count;
    mlm_encoder *encoder;
    mlm_metrics last;
};

static void add(void *sum, const void *data, size_t count, int32_t dtype)
{
    size_t i;
    if (dtype == MLM_F32)
        for (i = 0; i < count; ++i)
            ((float *)sum)[i] += ((const float *)data)[i];
    else if (dtype == MLM_F64)
        for (i = 0; i < count; ++i)
            ((double *)sum)[i] += ((const double *)data)[i];
    else
        for (i = 0; i < count; ++i)
            ((int64_t *)sum)[i] += ((const int64_t *)data)[i];
}

/* Rank 0 adds in the order of the ranks; the others copy, so that all have the same bytes. */
static int allreduce(void *user, void *data, size_t count, int32_t dtype)
{
    struct rank *rank = user;
    struct group *group = rank->group;
    int32_t r;
    group->data[rank->rank] = data;
    pthread_barrier_wait(&group->barrier);
    for (r = 1; r < RANKS && rank->rank == 0; ++r)
        add(data, group->data[r], count, dtype);
    pthread_barrier_wait(&group->barrier);
    if (rank->rank != 0)
        memcpy(data, group->data[0], count * (dtype == MLM_F32 ? 4 : 8));
    pthread_barrier_wait(&group->barrier);
    return MLM_CONTINUE;
}

static void open_encoder(struct rank *rank)
{
    mlm_encoder_config config;
    mlm_encoder_config_init(&config, sizeof config);
    config.vocab_size = mlm_tokenizer_vocab_size(rank->tokenizer);
    config.hidden_size = WIDTH;
    config.num_hidden_layers = 2;
    config.num_attention_heads = 2;
    config.intermediate_size = 4 * WIDTH;
    config.max_position_embeddings = 128;
    check(mlm_encoder_create(NULL, &config, NULL, &rank->encoder));
}

static void train(struct rank *rank, mlm_corpus *corpus, mlm_masker *masker, mlm_trainer *trainer)
{
    mlm_batch batch, masked;
    int64_t step;
    int i;
    mlm_batch_init(&batch, sizeof batch);
    mlm_batch_init(&masked, sizeof masked);
    mlm_metrics_init(&rank->last, sizeof rank->last);
    for (step = 0; step < rank->steps; ++step) {
        for (i = 0; i < ACCUMULATE; ++i) {
            check(mlm_corpus_next(corpus, &batch));
            check(mlm_masker_apply(masker, &batch, &masked));
            check(mlm_trainer_accumulate(trainer, &masked));
        }
        check(mlm_trainer_update(trainer, &rank->last));
    }
}

static void *run_rank(void *argument)
{
    struct rank *rank = argument;
    mlm_corpus_options reading;
    mlm_trainer_options training;
    mlm_corpus *corpus;
    mlm_masker *masker;
    mlm_trainer *trainer;
    mlm_corpus_options_init(&reading, sizeof reading);
    reading.B = 4;
    reading.rank = rank->rank;
    reading.ranks = RANKS;
    check(mlm_corpus_open(NULL, rank->tokenizer, rank->paths, rank->path_count, &reading, &corpus));
    check(mlm_masker_create(NULL, rank->tokenizer, NULL, &masker));
    open_encoder(rank); /* the same seed, the same initial values */
    mlm_trainer_options_init(&training, sizeof training);
    training.lr_scheduler = MLM_LR_CONSTANT;
    training.learning_rate = 1e-3;
    check(mlm_trainer_create(NULL, rank->encoder, &training, &trainer));
    check(mlm_trainer_set_allreduce(trainer, allreduce, rank, rank->rank, RANKS));
    train(rank, corpus, masker, trainer);
    mlm_trainer_free(trainer);
    mlm_masker_free(masker);
    mlm_corpus_free(corpus);
    return NULL;
}

/* Whether all parameters of two encoders are the same bytes. */
static int same_parameters(const mlm_encoder *a, const mlm_encoder *b)
{
    size_t i, count = mlm_encoder_tensor_count(a);
    for (i = 0; i < count; ++i) {
        mlm_tensor x, y;
        size_t size = sizeof(float);
        int32_t k;
        mlm_tensor_init(&x, sizeof x);
        mlm_tensor_init(&y, sizeof y);
        check(mlm_encoder_get_tensor(a, i, &x));
        check(mlm_encoder_get_tensor(b, i, &y));
        for (k = 0; k < x.ndim; ++k)
            size *= (size_t)x.shape[k];
        if (memcmp(x.data, y.data, size) != 0)
            return 0;
    }
    return 1;
}

static int run(const char *vocab, int64_t steps, const char *const *paths, size_t path_count)
{
    pthread_t threads[RANKS];
    struct rank ranks[RANKS];
    struct group group;
    mlm_tokenizer *tokenizer;
    int32_t r;
    int same;
    check(mlm_tokenizer_load(NULL, vocab, NULL, &tokenizer));
    memset(ranks, 0, sizeof ranks);
    pthread_barrier_init(&group.barrier, NULL, RANKS);
    for (r = 0; r < RANKS; ++r) {
        ranks[r].group = &group;
        ranks[r].rank = r;
        ranks[r].steps = steps;
        ranks[r].tokenizer = tokenizer;
        ranks[r].paths = paths;
        ranks[r].path_count = path_count;
        if (pthread_create(&threads[r], NULL, run_rank, &ranks[r]) != 0) {
            complain("cannot start a thread");
            exit(EXIT_FAILURE);
        }
    }
    for (r = 0; r < RANKS; ++r)
        pthread_join(threads[r], NULL);
    same = same_parameters(ranks[0].encoder, ranks[1].encoder);
    printf("step %lld  loss %.3f nats over %lld labels of %d ranks\n",
        (long long)ranks[0].last.step, ranks[0].last.loss, (long long)ranks[0].last.labels, RANKS);
    printf("parameters of the ranks: %s\n", same ? "the same bytes" : "different");
    for (r = 0; r < RANKS; ++r)
        mlm_encoder_free(ranks[r].encoder);
    pthread_barrier_destroy(&group.barrier);
    mlm_tokenizer_free(tokenizer);
    return same ? finish_output() : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    const char *vocab = NULL;
    int64_t steps = 20;
    const struct option options[] = {
        {OPTION_TEXT, "--vocab", "PATH", "vocab.txt, tokenizer.json or a directory with one",
            &vocab, 0, 0},
        {OPTION_WHOLE, "--steps", "N", "updates (default 20)", &steps, 1, 1e9},
    };
    const struct program program = {"accumulate_allreduce", "--vocab PATH [--steps N] TEXT...",
        "Trains a small model on two ranks and compares what each of them has.", options,
        COUNT(options), 1, SIZE_MAX};
    const size_t count = read_options(&program, argc, argv);
    if (!vocab)
        refuse("--vocab is missing");
    return run(vocab, steps, (const char *const *)argv, count);
}
