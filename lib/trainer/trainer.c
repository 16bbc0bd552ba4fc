/* The trainer's handle: what it is made of, and what it is told between updates. */
#include "trainer/trainer.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/fpmode.h"
#include "base/memory.h"
#include "base/options.h"
#include "base/runtime.h"
#include "encoder/layout.h"
#include "trainer/trainer_options.h"

mlm_status mlm__trainer_new(mlm_runtime *runtime, mlm_encoder *encoder,
    const mlm_trainer_options *options, mlm_trainer **out)
{
    *out = NULL;
    const mlm__layout *layout = encoder->model->layout;
    if (options->freeze_layers > layout->config.num_hidden_layers)
        return mlm__error(MLM_ERR_ARGUMENT,
            "mlm_trainer_options: freeze_layers is %d, the encoder has %d layers",
            options->freeze_layers, layout->config.num_hidden_layers);
    mlm_runtime *owner;
    MLM__TRY(mlm__runtime_retain(runtime, &owner));
    mlm_trainer *trainer = mlm__alloc_zero(owner, 1, sizeof *trainer);
    if (!trainer) {
        mlm_runtime_free(owner);
        return MLM_ERR_MEMORY;
    }
    trainer->runtime = owner;
    trainer->encoder = mlm__encoder_retain(encoder);
    trainer->options = *options;
    trainer->state.learning_rate = -1;
    trainer->state.rate_factor = 1;
    trainer->metrics.struct_size = sizeof trainer->metrics;
    trainer->ranks = 1;
    const mlm__frozen frozen =
        mlm__layout_freeze(layout, options->freeze_embeddings, options->freeze_layers);
    trainer->frozen = frozen;
    trainer->trained_size = layout->size - (frozen.end - frozen.begin);

    mlm_status status = mlm__pieces_create(owner, layout, &frozen, &trainer->pieces);
    if (status == MLM_OK) {
        trainer->gradients = mlm__alloc_zero(owner, trainer->trained_size, sizeof(float));
        trainer->exp_avg = mlm__alloc_zero(owner, trainer->trained_size, sizeof(float));
        trainer->exp_avg_sq = mlm__alloc_zero(owner, trainer->trained_size, sizeof(float));
        trainer->sums = mlm__alloc(owner, trainer->pieces.count, sizeof *trainer->sums);
        if (!trainer->gradients || !trainer->exp_avg || !trainer->exp_avg_sq || !trainer->sums)
            status = MLM_ERR_MEMORY;
    }
    if (status < MLM_OK) {
        mlm_trainer_free(trainer);
        return status;
    }
    *out = trainer;
    return MLM_OK;
}

mlm_status mlm_trainer_create(mlm_runtime *runtime, mlm_encoder *encoder,
    const mlm_trainer_options *options, mlm_trainer **out)
{
    if (!out)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_trainer_create: out is NULL");
    *out = NULL;
    if (!encoder)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_trainer_create: encoder is NULL");
    mlm_trainer_options checked;
    MLM__TRY(mlm__trainer_options_read(options, &checked));
    return mlm__trainer_new(runtime, encoder, &checked, out);
}

void mlm_trainer_free(mlm_trainer *trainer)
{
    if (!trainer)
        return;
    mlm_runtime *runtime = trainer->runtime;
    mlm_tokenizer_free(trainer->tokenizer);
    mlm_corpus_free(trainer->corpus);
    mlm_masker_free(trainer->masker);
    mlm_encoder_free(trainer->encoder);
    mlm__free(runtime, trainer->resumed_provenance);
    mlm__free(runtime, trainer->rank_numbers);
    mlm__free(runtime, trainer->numbers);
    mlm__free(runtime, trainer->waiting);
    mlm__free(runtime, trainer->sums);
    mlm__free(runtime, trainer->exp_avg_sq);
    mlm__free(runtime, trainer->exp_avg);
    mlm__free(runtime, trainer->gradients);
    mlm__pieces_free(runtime, &trainer->pieces);
    mlm__free(runtime, trainer);
    mlm_runtime_free(runtime);
}

/* Room was made before. */
static size_t keep(mlm_trainer *trainer, const int32_t *array, size_t count)
{
    if (!array)
        return MLM__ABSENT;
    size_t place = trainer->number_count;
    if (count)
        memcpy(trainer->numbers + place, array, count * sizeof *array);
    trainer->number_count += count;
    return place;
}

static mlm_status accumulate(mlm_trainer *trainer, const mlm_batch *given)
{
    mlm_batch batch;
    MLM__TRY(mlm__encoder_read_batch(trainer->encoder, given, true, &batch));
    const size_t B = (size_t)batch.B, N = (size_t)batch.offsets[B];
    MLM__TRY(mlm__grow(trainer->runtime, &trainer->waiting, &trainer->waiting_capacity,
        trainer->waiting_count + 1, sizeof *trainer->waiting));
    MLM__TRY(mlm__grow(trainer->runtime, &trainer->numbers, &trainer->number_capacity,
        trainer->number_count + B + 1 + 3 * N + B, sizeof *trainer->numbers));
    trainer->waiting[trainer->waiting_count++] = (mlm__waiting){
        .B = batch.B,
        .position = batch.position,
        .offsets = keep(trainer, batch.offsets, B + 1),
        .input_ids = keep(trainer, batch.input_ids, N),
        .token_type_ids = keep(trainer, batch.token_type_ids, N),
        .labels = keep(trainer, batch.labels, N),
        .sentence_labels = keep(trainer, batch.sentence_labels, B),
    };
    trainer->has_gradient = false;
    return MLM_OK;
}

void mlm__trainer_drop_waiting(mlm_trainer *trainer)
{
    trainer->waiting_count = 0;
    trainer->number_count = 0;
}

mlm_status mlm_trainer_accumulate(mlm_trainer *trainer, const mlm_batch *batch)
{
    if (!trainer)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_trainer_accumulate: trainer is NULL");
    fenv_t mode;
    mlm__fp_enter(&mode);
    double start = mlm__seconds();
    mlm_status status = accumulate(trainer, batch);
    trainer->seconds += mlm__seconds() - start;
    mlm__fp_leave(&mode);
    return status;
}

mlm_status mlm_trainer_set_learning_rate(mlm_trainer *trainer, double learning_rate)
{
    if (!trainer)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_trainer_set_learning_rate: trainer is NULL");
    if (learning_rate != -1 && !(learning_rate >= 0 && isfinite(learning_rate)))
        return mlm__error(MLM_ERR_ARGUMENT,
            "mlm_trainer_set_learning_rate: learning_rate is %g, not -1 or a number of 0 or more",
            learning_rate);
    trainer->state.learning_rate = learning_rate;
    return MLM_OK;
}

static void observe(mlm__run_state *state, double loss, double min_delta)
{
    if (!state->observed || loss < state->lowest - min_delta) {
        state->observed = 1;
        state->lowest = loss;
        state->stale = 0;
    } else if (state->stale < INT32_MAX) {
        state->stale++;
    }
}

mlm_status mlm_trainer_observe(mlm_trainer *trainer, double loss, double min_delta, int32_t *stale)
{
    if (!trainer)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_trainer_observe: trainer is NULL");
    if (!stale)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_trainer_observe: stale is NULL");
    if (!isfinite(loss))
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_trainer_observe: loss is %g", loss);
    if (!(min_delta >= 0 && isfinite(min_delta)))
        return mlm__error(MLM_ERR_ARGUMENT,
            "mlm_trainer_observe: min_delta is %g, not a number of 0 or more", min_delta);
    fenv_t mode;
    mlm__fp_enter(&mode);
    observe(&trainer->state, loss, min_delta);
    mlm__fp_leave(&mode);
    *stale = trainer->state.stale;
    return MLM_OK;
}

mlm_status mlm_trainer_get_metrics(const mlm_trainer *trainer, mlm_metrics *out)
{
    if (!trainer)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_trainer_get_metrics: trainer is NULL");
    if (!out)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_trainer_get_metrics: out is NULL");
    mlm_metrics metrics = trainer->metrics;
    metrics.loss_average = trainer->state.loss_average;
    metrics.lowest_loss = trainer->state.lowest;
    metrics.rate_factor = trainer->state.rate_factor;
    metrics.stale = trainer->state.stale;
    metrics.bad_updates = trainer->state.bad_updates;
    return mlm__struct_write(out, &metrics, sizeof metrics, "mlm_metrics");
}

mlm_status mlm_trainer_get_gradient(const mlm_trainer *trainer, size_t index, mlm_tensor *out)
{
    if (!trainer)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_trainer_get_gradient: trainer is NULL");
    if (!out)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_trainer_get_gradient: out is NULL");
    if (!trainer->has_gradient)
        return mlm__error(MLM_ERR_ARGUMENT,
            "mlm_trainer_get_gradient: no update since the last mlm_trainer_accumulate");
    size_t count = mlm_encoder_tensor_count(trainer->encoder);
    if (index >= count)
        return mlm__error(MLM_ERR_ARGUMENT,
            "mlm_trainer_get_gradient: index is %zu, there are %zu tensors", index, count);
    mlm_tensor tensor = {.struct_size = sizeof tensor};
    MLM__TRY(mlm_encoder_get_tensor(trainer->encoder, index, &tensor));
    const mlm__model *model = trainer->encoder->model;
    const size_t offset = model->layout->parameters[index].offset;
    tensor.data = mlm__is_frozen(&trainer->frozen, offset)
                      ? NULL
                      : trainer->gradients + mlm__trained_place(&trainer->frozen, offset);
    return mlm__struct_write(out, &tensor, sizeof tensor, "mlm_tensor");
}

mlm_status mlm_trainer_set_allreduce(
    mlm_trainer *trainer, mlm_allreduce_fn allreduce, void *user, int32_t rank, int32_t ranks)
{
    if (!trainer)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_trainer_set_allreduce: trainer is NULL");
    if (ranks < 1 || rank < 0 || rank >= ranks)
        return mlm__error(
            MLM_ERR_ARGUMENT, "mlm_trainer_set_allreduce: rank is %d of %d", rank, ranks);
    if (!allreduce && ranks != 1)
        return mlm__error(
            MLM_ERR_ARGUMENT, "mlm_trainer_set_allreduce: allreduce is NULL with %d ranks", ranks);
    int64_t *numbers = mlm__alloc(trainer->runtime, (size_t)ranks, sizeof *numbers);
    if (!numbers)
        return MLM_ERR_MEMORY;
    mlm__free(trainer->runtime, trainer->rank_numbers);
    trainer->rank_numbers = numbers;
    trainer->allreduce = allreduce;
    trainer->user = user;
    trainer->rank = rank;
    trainer->ranks = ranks;
    return MLM_OK;
}
