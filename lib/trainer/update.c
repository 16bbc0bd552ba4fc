/* One update: count, forward and backward, sum over ranks, clip, AdamW. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/fpmode.h"
#include "base/options.h"
#include "base/runtime.h"
#include "base/threads.h"
#include "batches/corpus.h"
#include "encoder/network.h"
#include "trainer/adamw.h"
#include "trainer/collective.h"
#include "trainer/gradient_norm.h"
#include "trainer/schedule.h"
#include "trainer/trainer.h"

/* What the losses are divided by, over all ranks. */
typedef struct divisors {
    int64_t batches, labels, sentences;
} divisors;

static const int32_t *array_of(const mlm_trainer *trainer, size_t place)
{
    return place == MLM__ABSENT ? NULL : trainer->numbers + place;
}

static mlm_batch batch_of(const mlm_trainer *trainer, const mlm__waiting *waiting)
{
    return (mlm_batch){
        .struct_size = sizeof(mlm_batch),
        .B = waiting->B,
        .position = waiting->position,
        .offsets = array_of(trainer, waiting->offsets),
        .input_ids = array_of(trainer, waiting->input_ids),
        .token_type_ids = array_of(trainer, waiting->token_type_ids),
        .labels = array_of(trainer, waiting->labels),
        .sentence_labels = array_of(trainer, waiting->sentence_labels),
    };
}

static int64_t count_set(const int32_t *labels, int32_t count)
{
    int64_t set = 0;
    for (int32_t i = 0; labels && i < count; i++)
        set += labels[i] >= 0;
    return set;
}

static mlm_status count_divisors(mlm_trainer *trainer, divisors *out)
{
    int64_t counts[3] = {(int64_t)trainer->waiting_count, 0, 0};
    for (size_t i = 0; i < trainer->waiting_count; i++) {
        mlm_batch batch = batch_of(trainer, &trainer->waiting[i]);
        counts[1] += count_set(batch.labels, batch.offsets[batch.B]);
        counts[2] += count_set(batch.sentence_labels, batch.B);
    }
    MLM__TRY(mlm__sum_over_ranks(trainer, counts, 3, MLM_I64));
    *out = (divisors){.batches = counts[0], .labels = counts[1], .sentences = counts[2]};
    return MLM_OK;
}

static void clear_piece(void *context, size_t index, int32_t thread)
{
    (void)thread;
    const mlm_trainer *trainer = context;
    const mlm__piece *piece = &trainer->pieces.piece[index];
    memset(trainer->gradients + piece->place, 0, piece->count * sizeof(float));
}

static double or_config(double probability, double config)
{
    return probability < 0 ? config : probability;
}

static mlm_status train_waiting(mlm_trainer *trainer, const divisors *by, mlm__sums *sums)
{
    const mlm_encoder_config *config = &trainer->encoder->model->layout->config;
    const mlm_trainer_options *options = &trainer->options;
    const mlm__dropout dropout = {
        .hidden = or_config(options->hidden_dropout_prob, config->hidden_dropout_prob),
        .attention =
            or_config(options->attention_probs_dropout_prob, config->attention_probs_dropout_prob),
        .seed = options->seed,
        .step = trainer->state.step,
    };
    const double loss_scale = by->labels ? 1.0 / (double)by->labels : 0;
    const double sentence_scale = by->sentences ? 1.0 / (double)by->sentences : 0;
    mlm__parallel(trainer->runtime, trainer->pieces.count, clear_piece, trainer);
    for (size_t i = 0; i < trainer->waiting_count; i++) {
        mlm_batch batch = batch_of(trainer, &trainer->waiting[i]);
        MLM__TRY(mlm__encoder_train(trainer->encoder, &batch, &dropout, loss_scale, sentence_scale,
            &trainer->frozen, trainer->gradients, sums));
    }
    return MLM_OK;
}

static mlm_status sum_results(mlm_trainer *trainer, mlm__sums *sums)
{
    int64_t counts[6] = {sums->sequences, sums->tokens, sums->labels, sums->correct,
        sums->sentence_count, sums->sentence_correct};
    double losses[2] = {sums->loss, sums->sentence_loss};
    MLM__TRY(mlm__sum_over_ranks(trainer, counts, 6, MLM_I64));
    MLM__TRY(mlm__sum_over_ranks(trainer, losses, 2, MLM_F64));
    MLM__TRY(mlm__sum_over_ranks(trainer, trainer->gradients, trainer->trained_size, MLM_F32));
    *sums = (mlm__sums){
        .sequences = counts[0],
        .tokens = counts[1],
        .labels = counts[2],
        .correct = counts[3],
        .sentence_count = counts[4],
        .sentence_correct = counts[5],
        .loss = losses[0],
        .sentence_loss = losses[1],
    };
    return MLM_OK;
}

/* Of all ranks alike, whether or not a corpus is attached on this one. */
static mlm_status next_position(mlm_trainer *trainer, int64_t *position)
{
    *position = trainer->state.position;
    if (trainer->corpus)
        *position = mlm__corpus_position(trainer->corpus);
    for (size_t i = 0; !trainer->corpus && i < trainer->waiting_count; i++) {
        int64_t end = trainer->waiting[i].position + trainer->waiting[i].B;
        if (end > *position)
            *position = end;
    }
    return mlm__most_of_ranks(trainer, position);
}

static double mean(double sum, int64_t count)
{
    return count ? sum / (double)count : 0;
}

static double next_rate(const mlm_trainer *trainer)
{
    const mlm__run_state *state = &trainer->state;
    const double rate = state->learning_rate >= 0
                            ? state->learning_rate
                            : mlm__schedule_rate(&trainer->options, state->step);
    return state->rate_factor * rate;
}

/* A second moment takes squares of what is left after clipping, as floats. */
static const double most_norm = 1e19;

static mlm_status check_finite(const mlm_metrics *metrics, double gradient_scale)
{
    if (!isfinite(metrics->loss))
        return mlm__error(MLM_ERR_NUMERIC, "mlm_trainer_update: the loss is %g", metrics->loss);
    if (!isfinite(metrics->sentence_loss))
        return mlm__error(
            MLM_ERR_NUMERIC, "mlm_trainer_update: the sentence loss is %g", metrics->sentence_loss);
    if (!isfinite(metrics->grad_norm))
        return mlm__error(
            MLM_ERR_NUMERIC, "mlm_trainer_update: the gradient's norm is %g", metrics->grad_norm);
    if (gradient_scale * metrics->grad_norm > most_norm)
        return mlm__error(MLM_ERR_NUMERIC,
            "mlm_trainer_update: the gradient's norm is %g, too large to be squared",
            metrics->grad_norm);
    return MLM_OK;
}

/* A mean at first, then an exponential average. Updates without a label say nothing. */
static void average_loss(mlm__run_state *state, const mlm_metrics *metrics)
{
    enum { UPDATES = 100 };
    if (metrics->labels == 0)
        return;
    if (state->loss_average == 0)
        state->loss_average = metrics->loss;
    const double weight = 1.0 / (double)(metrics->step < UPDATES ? metrics->step : UPDATES);
    state->loss_average += weight * (metrics->loss - state->loss_average);
}

/* From here on every rank has the same numbers, and nothing can fail but for them. */
static mlm_status apply(mlm_trainer *trainer, const mlm__sums *sums, int64_t position)
{
    const mlm_trainer_options *options = &trainer->options;
    mlm__run_state *state = &trainer->state;
    mlm_metrics metrics = {
        .struct_size = sizeof metrics,
        .step = state->step + 1,
        .position = position,
        .sequences = sums->sequences,
        .tokens = sums->tokens,
        .labels = sums->labels,
        .loss = mean(sums->loss, sums->labels),
        .accuracy = mean((double)sums->correct, sums->labels),
        .sentence_loss = mean(sums->sentence_loss, sums->sentence_count),
        .sentence_accuracy = mean((double)sums->sentence_correct, sums->sentence_count),
        .learning_rate = next_rate(trainer),
        .grad_norm = mlm__gradient_norm(
            trainer->runtime, &trainer->pieces, trainer->gradients, trainer->sums),
    };
    const double gradient_scale = mlm__clip_coefficient(metrics.grad_norm, options->max_grad_norm);
    mlm__trainer_drop_waiting(trainer);
    /* Batches that are dropped do not come again, here or after a resume. */
    state->position = trainer->metrics.position = position;
    const mlm_status status = check_finite(&metrics, gradient_scale);
    if (status < MLM_OK) {
        state->bad_updates += state->bad_updates < INT32_MAX;
        return status;
    }
    const mlm__adamw adamw = {
        .learning_rate = metrics.learning_rate,
        .weight_decay = options->weight_decay,
        .beta1 = options->adam_beta1,
        .beta2 = options->adam_beta2,
        .epsilon = options->adam_epsilon,
        .gradient_scale = gradient_scale,
        .bias_correction = options->adam_bias_correction,
        .step = metrics.step,
    };
    mlm__adamw_update(trainer->runtime, &trainer->pieces, &adamw, trainer->gradients,
        trainer->exp_avg, trainer->exp_avg_sq, trainer->encoder->model->parameters);
    mlm__model_changed(trainer->encoder->model);
    state->step = metrics.step;
    state->bad_updates = 0;
    average_loss(state, &metrics);
    trainer->metrics = metrics;
    trainer->has_gradient = true;
    return MLM_OK;
}

static mlm_status update(mlm_trainer *trainer)
{
    divisors by;
    MLM__TRY(count_divisors(trainer, &by));
    if (by.batches == 0)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_trainer_update: nothing was accumulated");
    trainer->has_gradient = false;
    mlm__sums sums = {0};
    MLM__TRY(mlm__agree(trainer, train_waiting(trainer, &by, &sums), "mlm_trainer_update"));
    MLM__TRY(sum_results(trainer, &sums));
    assert(sums.labels == by.labels && sums.sentence_count == by.sentences);
    int64_t position;
    MLM__TRY(next_position(trainer, &position));
    return apply(trainer, &sums, position);
}

mlm_status mlm_trainer_update(mlm_trainer *trainer, mlm_metrics *out)
{
    if (!trainer)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_trainer_update: trainer is NULL");
    if (out)
        MLM__TRY(mlm__struct_check(out, "mlm_metrics"));
    fenv_t mode;
    mlm__fp_enter(&mode);
    double start = mlm__seconds();
    mlm_status status = update(trainer);
    trainer->seconds += mlm__seconds() - start;
    mlm__fp_leave(&mode);
    MLM__TRY(status);
    trainer->metrics.seconds = trainer->seconds;
    trainer->seconds = 0;
    return out ? mlm_trainer_get_metrics(trainer, out) : MLM_OK;
}
