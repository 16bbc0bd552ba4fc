/*
 * compose.h - the handles of mlm.h put together: a training loop, evaluation,
 * fill-mask, padded arrays to a batch and back, losses of tokens masked
 * in turn.
 *
 * Everything here is static inline, calls nothing but mlm.h, keeps no state and
 * allocates nothing: what it does a caller can do as well, and may copy from here
 * and change.
 */
#ifndef MLM_COMPOSE_H
#define MLM_COMPOSE_H

#include <string.h>

#include "mlm/mlm.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- training ------------------------------------------------------------- */

/* What goes wrong in a training, and what mlm_train does about it. */
typedef enum mlm_trouble {
    MLM_BAD_UPDATE,  /* not finite: dropped, nothing changed; mlm_last_error says more */
    MLM_LOSS_ROSE,   /* twice, too far: it has diverged                                */
    MLM_WENT_BACK,   /* after a divergence: to a checkpoint, with half the rate        */
    MLM_BAD_EVALUATION /* a held-out loss that is not finite: it has diverged          */
} mlm_trouble;

/* What mlm_train works with. mlm_training_init zeroes all but accumulate. */
typedef struct mlm_training {
    mlm_trainer *trainer;
    mlm_corpus *corpus;
    mlm_masker *masker;
    int64_t steps;               /* updates in all, those before a resume included */
    int64_t accumulate;          /* batches to an update, at least one; 1 from init */

    /* Held-out text: none where eval_every is 0. */
    mlm_encoder *encoder;        /* the trainer's                                  */
    mlm_corpus *eval_corpus;     /* of a single epoch                              */
    mlm_masker *eval_masker;
    int64_t eval_every;          /* updates between two evaluations                */
    int32_t patience;            /* evaluations in a row without a loss lower by   */
                                 /* min_delta that end the training; 0: never      */
    int32_t reserved0;
    double min_delta;

    int64_t save_every;          /* updates; 0: only at the end                    */
    const char *directory;       /* the last checkpoint; NULL: none                */
    const char *best_directory;  /* that of the lowest held-out loss; NULL: none   */

    /* After each update and the evaluation that is due at it, and before it is saved: what
       is reported of a step is older than its checkpoint. evaluation is NULL where none was.
       Anything but MLM_CONTINUE saves and ends the training. NULL: none. */
    int (*report)(void *user, const mlm_metrics *update, const mlm_metrics *evaluation);
    void *user;

    /* When the training has diverged: at that many updates in a row that are not finite (0 and
       1: at the first), and at two losses in a row that are that many nats above loss_average,
       or sentence losses of 8 pairs or more that far above ln 2 (0: never). After the first of
       them nothing is saved by save_every. */
    int32_t max_bad_updates;
    int32_t go_back;             /* then: 0 ends it with MLM_ERR_NUMERIC; 1 goes back to a   */
                                 /* checkpoint with half the rate, until it has done so      */
                                 /* MLM_MOST_RETRIES times                                   */
    double max_loss_rise;
    const char *back_directory;  /* an older one to go back to, whose losses were seen to be */
                                 /* good; may change in saved. NULL: directory               */
    /* state is that of the trainer, after going back that of the checkpoint. NULL: none. */
    void (*trouble)(void *user, mlm_trouble what, const mlm_metrics *state);

    /* After each save to one of the directories. MLM_CONTINUE after one that failed, of which
       mlm_last_error says more: the training goes on without. NULL: it ends. */
    int (*saved)(void *user, const char *directory, mlm_status status);
} mlm_training;

enum { MLM_MOST_RETRIES = 5 };

static inline void mlm_training_init(mlm_training *training)
{
    memset(training, 0, sizeof *training);
    training->accumulate = 1;
}

/* The whole of a corpus of a single epoch from its beginning, each label weighing the
   same. Masks follow from the masker's seed and the place in the corpus, so every call
   sees the same. */
static inline mlm_status mlm_evaluate(mlm_encoder *encoder, mlm_corpus *corpus, mlm_masker *masker,
    mlm_metrics *total)
{
    mlm_batch batch, masked;
    mlm_status status = mlm_corpus_seek(corpus, 0);
    mlm_batch_init(&batch, sizeof batch);
    mlm_batch_init(&masked, sizeof masked);
    mlm_metrics_init(total, sizeof *total);
    while (status == MLM_OK && (status = mlm_corpus_next(corpus, &batch)) == MLM_OK) {
        status = mlm_masker_apply(masker, &batch, &masked);
        if (status == MLM_OK)
            status = mlm_encoder_evaluate(encoder, &masked, total);
    }
    return status == MLM_END ? MLM_OK : status;
}

/* One update from training->accumulate batches, or from what is left of the corpus.
   MLM_END: nothing was left. */
static inline mlm_status mlm_train_step(const mlm_training *training, mlm_metrics *update)
{
    mlm_batch batch, masked;
    mlm_status status = MLM_OK;
    int64_t count = 0;
    mlm_batch_init(&batch, sizeof batch);
    mlm_batch_init(&masked, sizeof masked);
    while ((count == 0 || count < training->accumulate)
           && (status = mlm_corpus_next(training->corpus, &batch)) == MLM_OK) {
        status = mlm_masker_apply(training->masker, &batch, &masked);
        if (status == MLM_OK)
            status = mlm_trainer_accumulate(training->trainer, &masked);
        if (status != MLM_OK)
            return status;
        ++count;
    }
    if (status < MLM_OK || count == 0)
        return status;
    return mlm_trainer_update(training->trainer, update);
}

static inline mlm_status mlm_train_tell(const mlm_training *training, mlm_trouble what,
    mlm_metrics *state)
{
    const mlm_status status = mlm_trainer_get_metrics(training->trainer, state);
    if (status == MLM_OK && training->trouble)
        training->trouble(training->user, what, state);
    return status;
}

/* One such loss alone may be chance: a batch has few labels. Who knows nothing has a sentence loss
   of ln 2; far above it are a few pairs by chance, and many where it has diverged. */
static inline int mlm_train_rose(const mlm_training *training, const mlm_metrics *update)
{
    const double ln2 = 0.69314718055994531, rise = training->max_loss_rise;
    const int many = update->sequences >= 8;
    return rise > 0 && (update->loss > update->loss_average + rise
                        || (many && update->sentence_loss > ln2 + rise));
}

static inline int mlm_train_is_finite(double number)
{
    return number - number == 0;
}

/* The next update that is finite; *update is the one before. MLM_ERR_NUMERIC: the training has
   diverged. */
static inline mlm_status mlm_train_update(const mlm_training *training, mlm_metrics *update)
{
    const int rose = mlm_train_rose(training, update);
    mlm_status status;
    while ((status = mlm_train_step(training, update)) == MLM_ERR_NUMERIC) {
        status = mlm_train_tell(training, MLM_BAD_UPDATE, update);
        if (status != MLM_OK)
            return status;
        if (update->bad_updates >= training->max_bad_updates)
            return MLM_ERR_NUMERIC;
    }
    if (status == MLM_OK && rose && mlm_train_rose(training, update)) {
        status = mlm_train_tell(training, MLM_LOSS_ROSE, update);
        return status == MLM_OK ? MLM_ERR_NUMERIC : status;
    }
    return status;
}

/* Whether the training goes on. */
static inline int mlm_train_save(const mlm_training *training, const char *directory,
    mlm_status *status)
{
    *status = mlm_trainer_save(training->trainer, directory);
    if (training->saved)
        return training->saved(training->user, directory, *status) == MLM_CONTINUE
            || *status == MLM_OK;
    return *status == MLM_OK;
}

/* After a divergence. What it goes back to is saved with its new rate at once, so that a restart
   goes on with it. MLM_ERR_NUMERIC: this is the end. */
static inline mlm_status mlm_train_go_back(const mlm_training *training, mlm_metrics *state)
{
    const double factor = 0.5, least = 1.0 / (1 << MLM_MOST_RETRIES);
    mlm_status status, outcome;
    if (!training->go_back || !training->directory || state->rate_factor <= least)
        return MLM_ERR_NUMERIC;
    status = mlm_trainer_go_back(training->trainer,
        training->back_directory ? training->back_directory : training->directory, factor);
    if (status == MLM_OK)
        status = mlm_trainer_get_metrics(training->trainer, state);
    if (status == MLM_OK)
        status = mlm_corpus_seek(training->corpus, state->position);
    if (status == MLM_OK && !mlm_train_save(training, training->directory, &outcome))
        status = outcome;
    return status == MLM_OK ? mlm_train_tell(training, MLM_WENT_BACK, state) : status;
}

/* Evaluates, tells the trainer, and saves the best. MLM_END: patience is at its end.
   MLM_ERR_NUMERIC: a held-out loss is not finite. */
static inline mlm_status mlm_train_evaluate(const mlm_training *training, mlm_metrics *evaluation)
{
    int32_t stale = 0;
    mlm_status outcome, status = mlm_evaluate(training->encoder, training->eval_corpus,
        training->eval_masker, evaluation);
    if (status == MLM_OK && !(mlm_train_is_finite(evaluation->loss)
                              && mlm_train_is_finite(evaluation->sentence_loss))) {
        status = mlm_train_tell(training, MLM_BAD_EVALUATION, evaluation);
        return status == MLM_OK ? MLM_ERR_NUMERIC : status;
    }
    if (status == MLM_OK)
        status = mlm_trainer_observe(training->trainer, evaluation->loss, training->min_delta,
            &stale);
    if (status == MLM_OK && stale == 0 && training->best_directory
        && !mlm_train_save(training, training->best_directory, &outcome))
        status = outcome;
    if (status == MLM_OK && training->patience > 0 && stale >= training->patience)
        status = MLM_END;
    return status;
}

/* Trains until *last has training->steps updates; a resumed trainer goes on where it was.
   MLM_OK: they are done. MLM_END: the corpus or the patience came to its end. MLM_STOPPED:
   report asked to stop. In these three cases the checkpoint is saved; an error if that fails,
   whatever saved says. After an error the one saved last stands;
   MLM_ERR_NUMERIC: the training has diverged. What is decided follows from batches, options
   and checkpoint alone: a run that is killed and resumed does the same. */
static inline mlm_status mlm_train(const mlm_training *training, mlm_metrics *last)
{
    mlm_metrics evaluation;
    int64_t saved = -1;
    mlm_status status, outcome, ending = MLM_OK;
    mlm_metrics_init(last, sizeof *last);
    status = mlm_trainer_get_metrics(training->trainer, last);
    if (training->eval_every > 0 && training->patience > 0 && last->stale >= training->patience)
        ending = MLM_END;
    while (status == MLM_OK && ending == MLM_OK && last->step < training->steps) {
        int due;
        ending = mlm_train_update(training, last);
        due = ending == MLM_OK && training->eval_every > 0
            && last->step % training->eval_every == 0;
        if (due)
            ending = mlm_train_evaluate(training, &evaluation);
        if (ending == MLM_ERR_NUMERIC) {
            ending = mlm_train_go_back(training, last);
            if (ending != MLM_OK)
                return ending;
            saved = last->step;
            continue;
        }
        if (ending != MLM_OK && !due)
            break;
        if (due && ending >= MLM_OK)
            status = mlm_trainer_get_metrics(training->trainer, last); /* stale has changed */
        if (ending >= MLM_OK && status == MLM_OK && training->report
            && training->report(training->user, last, due ? &evaluation : NULL) != MLM_CONTINUE)
            ending = MLM_STOPPED;
        if (ending == MLM_OK && status == MLM_OK && training->directory && training->save_every > 0
            && last->step % training->save_every == 0 && !mlm_train_rose(training, last)) {
            const int goes_on = mlm_train_save(training, training->directory, &outcome);
            if (outcome == MLM_OK)
                saved = last->step;
            else if (!goes_on)
                status = outcome;
        }
    }
    if (ending < MLM_OK && ending != MLM_STOPPED)
        return ending;
    if (status == MLM_OK && training->directory && saved != last->step)
        mlm_train_save(training, training->directory, &status);
    return status == MLM_OK ? ending : status;
}

/* ---- fill-mask ------------------------------------------------------------ */

/* Room for mlm_fill_mask, all of it the caller's, and what it found. */
typedef struct mlm_fill {
    int32_t *ids;         /* [capacity] tokens of the text, [CLS] and [SEP] included       */
    int32_t *positions;   /* [masks] places of the [MASK]s in ids                          */
    int32_t *candidates;  /* [masks,K] likeliest tokens of each, likeliest first           */
    float *probabilities; /* [masks,K]                                                     */
    size_t capacity;      /* of ids: length + 2 is always enough                           */
    size_t masks;         /* at most length / 6 are in a text                              */
    size_t K;
    size_t N, M;          /* found: tokens and [MASK]s                                     */
} mlm_fill;

/* The K likeliest tokens for each "[MASK]" in the text. M is 0 for a text without one,
   and always with MLM_PROFILE_GOOGLE, to which it is just text. MLM_ERR_CAPACITY leaves in N or M what it found; only of ids has mlm_last_error to tell. */
static inline mlm_status mlm_fill_mask(mlm_encoder *encoder, const mlm_tokenizer *tokenizer,
    const char *text, size_t length, mlm_fill *fill)
{
    const int32_t mask = mlm_tokenizer_special(tokenizer, MLM_TOKEN_MASK);
    int32_t offsets[2], i;
    mlm_batch batch;
    mlm_status status;
    fill->N = fill->M = 0;
    status = mlm_tokenizer_encode(tokenizer, text, length, NULL, fill->ids, NULL, fill->capacity,
        &fill->N);
    if (status != MLM_OK)
        return status;
    offsets[0] = 0;
    offsets[1] = (int32_t)fill->N;
    for (i = 0; i < offsets[1]; ++i)
        if (fill->ids[i] == mask) {
            if (fill->M < fill->masks)
                fill->positions[fill->M] = i;
            ++fill->M;
        }
    if (fill->M > fill->masks)
        return MLM_ERR_CAPACITY;
    if (fill->M == 0)
        return MLM_OK;
    mlm_batch_init(&batch, sizeof batch);
    batch.B = 1;
    batch.offsets = offsets;
    batch.input_ids = fill->ids;
    return mlm_encoder_predict(encoder, &batch, fill->positions, fill->M, fill->K,
        fill->candidates, fill->probabilities);
}

/* ---- padded arrays -------------------------------------------------------- */

/* Arrays as other libraries have them: [B,T], rows filled up with padding. */
typedef struct mlm_padded {
    int32_t B, T;
    const int32_t *input_ids;
    const int32_t *attention_mask; /* 0 is padding; NULL: none is          */
    const int32_t *token_type_ids; /* or NULL                              */
    const int32_t *labels;         /* or NULL                              */
} mlm_padded;

/* The numbers of one padded array that are no padding, in order; their count. */
static inline int32_t mlm_pack_array(const mlm_padded *padded, const int32_t *array, int32_t *packed)
{
    const size_t size = (size_t)padded->B * (size_t)padded->T;
    int32_t N = 0;
    size_t i;
    for (i = 0; i < size; ++i)
        if (!padded->attention_mask || padded->attention_mask[i])
            packed[N++] = array[i];
    return N;
}

/* A batch without the padding. Its arrays are offsets [B+1] and storage, [B*T] for each of
   the three arrays that padded has; its position is left as it is. B*T is below 2^31. */
static inline void mlm_pack(const mlm_padded *padded, int32_t *offsets, int32_t *storage,
    mlm_batch *batch)
{
    int32_t b, t, N = 0;
    for (b = 0; b < padded->B; ++b) {
        offsets[b] = N;
        for (t = 0; t < padded->T; ++t)
            N += !padded->attention_mask
                || padded->attention_mask[(size_t)b * (size_t)padded->T + (size_t)t];
    }
    offsets[padded->B] = N;
    batch->B = padded->B;
    batch->offsets = offsets;
    batch->input_ids = storage;
    storage += mlm_pack_array(padded, padded->input_ids, storage);
    batch->token_type_ids = batch->labels = NULL;
    if (padded->token_type_ids) {
        batch->token_type_ids = storage;
        storage += mlm_pack_array(padded, padded->token_type_ids, storage);
    }
    if (padded->labels) {
        batch->labels = storage;
        mlm_pack_array(padded, padded->labels, storage);
    }
}

/* Hidden states [N,H] of such a batch into states [B,T,H], where padding becomes 0. */
static inline void mlm_unpack(const mlm_padded *padded, const float *hidden, int32_t H,
    float *states)
{
    const size_t rows = (size_t)padded->B * (size_t)padded->T, width = (size_t)H;
    size_t i;
    for (i = 0; i < rows; ++i, states += width)
        if (!padded->attention_mask || padded->attention_mask[i]) {
            memcpy(states, hidden, width * sizeof *states);
            hidden += width;
        } else {
            memset(states, 0, width * sizeof *states);
        }
}

/* ---- one token after another ---------------------------------------------- */

/* Room for masked copies of sequences, all of it the caller's. Many copies at once keep all
   threads busy. */
typedef struct mlm_copies {
    int32_t *offsets;     /* [count+1]                                                     */
    int32_t *input_ids;   /* [capacity]                                                    */
    int32_t *token_types; /* [capacity]; may be NULL where a batch has no types            */
    int32_t *labels;      /* [capacity]                                                    */
    int32_t count;        /* copies, at least 1                                            */
    int32_t capacity;     /* tokens of all copies, at least those of the longest sequence  */
} mlm_copies;

/* One copy of tokens begin to end-1 of a batch from *N on, for the label at place. The labelled
   tokens from there to until-1 show mask; those before and after show their labels. */
static inline void mlm_copy_masked(const mlm_batch *batch, int32_t begin, int32_t end,
    int32_t place, int32_t until, int32_t mask, int32_t *N, mlm_copies *copies)
{
    int32_t n;
    for (n = begin; n < end; ++n, ++*N) {
        const int32_t label = batch->labels[n];
        copies->input_ids[*N] = label < 0 ? batch->input_ids[n]
            : n >= place && n < until     ? mask
                                          : label;
        copies->labels[*N] = n == place ? label : MLM_NO_LABEL;
        if (batch->token_type_ids)
            copies->token_types[*N] = batch->token_type_ids[n];
    }
}

/* -log p of each label of a batch in turn, in the order of the labels; losses [M]. Label n is
   asked for when the labelled tokens n to until[n]-1 of its sequence show mask and all others
   what they truly are. until [N] is read where labels are, and is n + 1 to mask n alone.
   MLM_ERR_CAPACITY, of which mlm_last_error knows nothing: a sequence is longer than capacity. */
static inline mlm_status mlm_losses_in_turn(mlm_encoder *encoder, const mlm_batch *batch,
    const int32_t *until, int32_t mask, mlm_copies *copies, float *losses)
{
    int32_t b, n, N = 0;
    mlm_batch copied;
    mlm_status status = MLM_OK;
    mlm_batch_init(&copied, sizeof copied);
    copied.offsets = copies->offsets;
    copied.input_ids = copies->input_ids;
    copied.token_type_ids = batch->token_type_ids ? copies->token_types : NULL;
    copied.labels = copies->labels;
    copies->offsets[0] = 0;
    for (b = 0; b < batch->B; ++b)
        if (batch->offsets[b + 1] - batch->offsets[b] > copies->capacity)
            return MLM_ERR_CAPACITY;
    for (b = 0; b < batch->B && status == MLM_OK; ++b) {
        const int32_t begin = batch->offsets[b], end = batch->offsets[b + 1];
        for (n = begin; n < end && status == MLM_OK; ++n) {
            if (batch->labels[n] < 0)
                continue;
            if (copied.B == copies->count || end - begin > copies->capacity - N) {
                status = mlm_encoder_losses(encoder, &copied, losses);
                losses += copied.B;
                copied.B = N = 0;
            }
            mlm_copy_masked(batch, begin, end, n, until[n], mask, &N, copies);
            copies->offsets[++copied.B] = N;
        }
    }
    return status == MLM_OK && copied.B > 0 ? mlm_encoder_losses(encoder, &copied, losses) : status;
}

/* What the pseudo-log-likelihood of a batch's sequences asks for: labels [N] for every token but
   [CLS], [SEP], [PAD] and [MASK], and until [N]. Each token is masked alone (Salazar et al. 2020)
   or, within_word 1, together with the pieces to its right of the same word (Kauf and Ivanova
   2023). The sum of mlm_losses_in_turn over a sequence is its negative. */
static inline void mlm_ask_each_token(const mlm_tokenizer *tokenizer, const mlm_batch *batch,
    int within_word, int32_t *labels, int32_t *until)
{
    int32_t b, n, which;
    for (b = 0; b < batch->B; ++b)
        for (n = batch->offsets[b + 1]; n-- > batch->offsets[b];) {
            const int32_t id = batch->input_ids[n];
            const char *next = within_word && n + 1 < batch->offsets[b + 1]
                ? mlm_tokenizer_token(tokenizer, batch->input_ids[n + 1]) : NULL;
            labels[n] = id;
            for (which = MLM_TOKEN_PAD; which <= MLM_TOKEN_MASK; ++which)
                if (which != MLM_TOKEN_UNK && id == mlm_tokenizer_special(tokenizer, which))
                    labels[n] = MLM_NO_LABEL;
            until[n] = next && strncmp(next, "##", 2) == 0 && next[2] ? until[n + 1] : n + 1;
        }
}

#ifdef __cplusplus
}
#endif

#endif /* MLM_COMPOSE_H */
