/*
 * fill_mask_threads: eight threads, one model. Each thread has a handle of its own on
 * the same parameters (mlm_encoder_share), and all use the same tokenizer. The shares
 * run without a runtime of the program's, so each computes on the thread that calls it.
 */
#include "args.h"

#include <pthread.h>

#include "mlm/compose.h"

enum { THREADS = 8, TEXT_MAX = 512, MASKS_MAX = 16 };

/* The first [MASK] of texts[i] becomes answers[i]; every eighth text is one thread's. */
struct work {
    const mlm_tokenizer *tokenizer;
    mlm_encoder *encoder; /* this thread's */
    char **texts;
    const char **answers;
    size_t first, count;
    mlm_status status;
    char message[256]; /* errors are kept by thread: this one's, for the thread that prints */
};

static mlm_status fill_one(const struct work *work, size_t i)
{
    int32_t ids[TEXT_MAX], positions[MASKS_MAX], candidates[MASKS_MAX];
    float probabilities[MASKS_MAX];
    mlm_fill fill;
    mlm_status status;
    memset(&fill, 0, sizeof fill);
    fill.ids = ids;
    fill.positions = positions;
    fill.candidates = candidates;
    fill.probabilities = probabilities;
    fill.capacity = TEXT_MAX;
    fill.masks = MASKS_MAX;
    fill.K = 1;
    status = mlm_fill_mask(
        work->encoder, work->tokenizer, work->texts[i], strlen(work->texts[i]), &fill);
    work->answers[i] = status == MLM_OK && fill.M > 0
                           ? mlm_tokenizer_token(work->tokenizer, candidates[0])
                           : "(no [MASK])";
    return status;
}

static void *fill_all(void *argument)
{
    struct work *work = argument;
    size_t i;
    for (i = work->first; i < work->count && work->status == MLM_OK; i += THREADS)
        work->status = fill_one(work, i);
    snprintf(work->message, sizeof work->message, "%s", mlm_last_error());
    return NULL;
}

static int fill_mask(const char *model, char **texts, size_t count)
{
    pthread_t threads[THREADS];
    struct work work[THREADS];
    const char **answers = allocate(count, sizeof *answers);
    mlm_tokenizer *tokenizer;
    mlm_encoder *encoder;
    size_t i;
    check(mlm_tokenizer_load(NULL, model, NULL, &tokenizer));
    check(mlm_encoder_load(NULL, model, NULL, &encoder));
    memset(work, 0, sizeof work);
    for (i = 0; i < THREADS; ++i) {
        work[i].tokenizer = tokenizer;
        work[i].texts = texts;
        work[i].answers = answers;
        work[i].first = i;
        work[i].count = count;
        check(mlm_encoder_share(encoder, NULL, &work[i].encoder));
        if (pthread_create(&threads[i], NULL, fill_all, &work[i]) != 0) {
            complain("cannot start a thread");
            exit(EXIT_FAILURE);
        }
    }
    for (i = 0; i < THREADS; ++i) {
        pthread_join(threads[i], NULL);
        mlm_encoder_free(work[i].encoder);
        if (work[i].status != MLM_OK) {
            complain("%s", work[i].message);
            exit(EXIT_FAILURE);
        }
    }
    for (i = 0; i < count; ++i)
        printf("%s  ->  %s\n", texts[i], answers[i]);
    free(answers);
    mlm_encoder_free(encoder);
    mlm_tokenizer_free(tokenizer);
    return finish_output();
}

int main(int argc, char **argv)
{
    const char *model = NULL;
    const struct option options[] = {
        {OPTION_TEXT, "--model", "DIR", "the model and its tokenizer", &model, 0, 0},
    };
    const struct program program = {"fill_mask_threads", "--model DIR TEXT...",
        "Prints the likeliest token for the first [MASK] of each TEXT, eight at a time.", options,
        COUNT(options), 1, SIZE_MAX};
    const size_t count = read_options(&program, argc, argv);
    if (!model)
        refuse("--model is missing");
    return fill_mask(model, argv, count);
}
