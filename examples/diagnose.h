/*
 * diagnose.h - what a masked loss hides: which of its positions show a [MASK], and what it costs
 * that tokens masked together are predicted as if independent of each other.
 */
#ifndef DIAGNOSE_H
#define DIAGNOSE_H

#include "copies.h"
#include "heldout.h"

/* What a labelled position shows. */
enum { SHOWS_MASK, SHOWS_RANDOM, SHOWS_ORIGINAL, SHOWS };

static const char *const shown_names[SHOWS] = {"[MASK]", "random token", "original token"};

struct diagnosis {
    mlm_encoder *encoder;
    const mlm_tokenizer *tokenizer;
    struct heldout *heldout;
    int32_t *numbers; /* [capacity], of a batch's tokens */
    float *losses;    /* [capacity] */
    size_t capacity;
};

/* The next batch, its masked copy, and room for a number and a loss of each token. */
static inline int diagnosis_next(struct diagnosis *diagnosis, mlm_batch *batch, mlm_batch *masked)
{
    const mlm_status status = mlm_corpus_next(diagnosis->heldout->corpus, batch);
    size_t N;
    check(status);
    if (status == MLM_END)
        return 0;
    check(mlm_masker_apply(diagnosis->heldout->masker, batch, masked));
    masked->sentence_labels = NULL;
    N = (size_t)batch->offsets[batch->B];
    if (N > diagnosis->capacity) {
        free(diagnosis->numbers);
        free(diagnosis->losses);
        diagnosis->numbers = allocate(N, sizeof *diagnosis->numbers);
        diagnosis->losses = allocate(N, sizeof *diagnosis->losses);
        diagnosis->capacity = N;
    }
    return 1;
}

static inline void diagnosis_open(struct diagnosis *diagnosis, mlm_encoder *encoder,
    const mlm_tokenizer *tokenizer, struct heldout *heldout, mlm_batch *batch, mlm_batch *masked)
{
    memset(diagnosis, 0, sizeof *diagnosis);
    diagnosis->encoder = encoder;
    diagnosis->tokenizer = tokenizer;
    diagnosis->heldout = heldout;
    mlm_batch_init(batch, sizeof *batch);
    mlm_batch_init(masked, sizeof *masked);
    check(mlm_corpus_seek(heldout->corpus, 0));
}

static inline void diagnosis_close(struct diagnosis *diagnosis)
{
    free(diagnosis->numbers);
    free(diagnosis->losses);
}

/* The loss of a whole evaluation, separately by what its labelled positions show. A random token
   that happens to be [MASK] or the original one counts as what it is. */
static inline void diagnose_shown(
    mlm_encoder *encoder, const mlm_tokenizer *tokenizer, struct heldout *heldout)
{
    const int32_t mask = mlm_tokenizer_special(tokenizer, MLM_TOKEN_MASK);
    double sums[SHOWS] = {0};
    int64_t counts[SHOWS] = {0};
    struct diagnosis diagnosis;
    mlm_batch batch, masked;
    int shows;
    diagnosis_open(&diagnosis, encoder, tokenizer, heldout, &batch, &masked);
    while (diagnosis_next(&diagnosis, &batch, &masked)) {
        const float *loss = diagnosis.losses;
        int32_t n;
        check(mlm_encoder_losses(encoder, &masked, diagnosis.losses));
        for (n = 0; n < masked.offsets[masked.B]; ++n) {
            const int32_t id = masked.input_ids[n];
            if (masked.labels[n] < 0)
                continue;
            shows = id == mask               ? SHOWS_MASK
                    : id == masked.labels[n] ? SHOWS_ORIGINAL
                                             : SHOWS_RANDOM;
            sums[shows] += (double)*loss++;
            ++counts[shows];
        }
    }
    for (shows = 0; shows < SHOWS; ++shows)
        printf("where the position shows the %s: %.4f nats of %lld masked tokens\n",
            shown_names[shows], counts[shows] ? sums[shows] / (double)counts[shows] : 0,
            (long long)counts[shows]);
    diagnosis_close(&diagnosis);
}

static inline double diagnosis_sum(const struct diagnosis *diagnosis, int64_t M)
{
    double sum = 0;
    int64_t m;
    for (m = 0; m < M; ++m)
        sum += (double)diagnosis->losses[m];
    return sum;
}

/* Of the first sequences of the held-out corpus, in its fixed random order: the loss of the chosen
   tokens when all of them show [MASK] and are predicted at once, and when they are predicted from
   left to right, each revealed after it was asked for. The second is -log p of them all together,
   by the chain rule; the first is that only if they were independent given the others. */
static inline void diagnose_together(mlm_encoder *encoder, const mlm_tokenizer *tokenizer,
    struct heldout *heldout, int64_t T, int64_t sequences)
{
    const int32_t mask = mlm_tokenizer_special(tokenizer, MLM_TOKEN_MASK);
    mlm_copies copies = copies_open((int32_t)T);
    int64_t labels = 0, done = 0, M;
    double at_once = 0, in_turn = 0;
    struct diagnosis diagnosis;
    mlm_batch batch, masked;
    diagnosis_open(&diagnosis, encoder, tokenizer, heldout, &batch, &masked);
    while (done < sequences && diagnosis_next(&diagnosis, &batch, &masked)) {
        int32_t *numbers = diagnosis.numbers, b, n;
        if (masked.B > sequences - done)
            masked.B = (int32_t)(sequences - done);
        for (M = n = 0; n < masked.offsets[masked.B]; ++n) {
            M += masked.labels[n] >= 0;
            numbers[n] = masked.labels[n] >= 0 ? mask : masked.input_ids[n];
        }
        masked.input_ids = numbers;
        check(mlm_encoder_losses(encoder, &masked, diagnosis.losses));
        at_once += diagnosis_sum(&diagnosis, M);
        masked.input_ids = batch.input_ids;
        for (b = 0; b < masked.B; ++b)
            for (n = masked.offsets[b]; n < masked.offsets[b + 1]; ++n)
                numbers[n] = masked.offsets[b + 1];
        check(mlm_losses_in_turn(encoder, &masked, numbers, mask, &copies, diagnosis.losses));
        in_turn += diagnosis_sum(&diagnosis, M);
        labels += M;
        done += masked.B;
    }
    if (labels > 0) {
        at_once /= (double)labels;
        in_turn /= (double)labels;
    }
    printf("masked together: %.4f nats at once, %.4f one after the other; independence costs %.4f "
           "nats a token, of %lld in %lld sequences\n",
        at_once, in_turn, at_once - in_turn, (long long)labels, (long long)done);
    copies_free(&copies);
    diagnosis_close(&diagnosis);
}

#endif /* DIAGNOSE_H */
