/* What the model makes of labels: mlm_encoder_losses and mlm_encoder_evaluate. */
#include "base/error.h"
#include "base/fpmode.h"
#include "base/options.h"
#include "base/runtime.h"
#include "encoder/chunks.h"
#include "layers/sentence_head.h"

static const mlm_metrics metrics_defaults = {.struct_size = sizeof(mlm_metrics)};

void mlm_metrics_init(mlm_metrics *metrics, size_t size)
{
    mlm__struct_init(metrics, size, &metrics_defaults, sizeof metrics_defaults);
}

/* The labelled tokens of a chunk. */
typedef struct labelled {
    size_t M;
    int32_t *rows;    /* [M] of the hidden states */
    int32_t *labels;  /* [M] */
    double *losses;   /* [M] -log p(label) */
    uint8_t *correct; /* [M] */
} labelled;

/* What the heads use: labelled tokens, and with sentence labels the first of each sequence. hidden
   NULL: nothing. */
static mlm_status forward(mlm_encoder *encoder, const mlm__chunk *chunk,
    const int32_t *sentence_labels, int32_t **row_of, float **hidden)
{
    MLM__TRY(mlm__chunks_row_of(encoder, chunk, row_of));
    for (int32_t n = 0; n < chunk->N; n++)
        if (chunk->labels[n] >= 0)
            (*row_of)[n] = 1;
    if (sentence_labels)
        mlm__chunks_use_firsts(chunk, *row_of);
    return mlm__chunks_forward_used(encoder, chunk, *row_of, hidden);
}

static mlm_status find_labelled(
    mlm_encoder *encoder, const mlm__chunk *chunk, const int32_t *row_of, labelled *out)
{
    size_t M = 0;
    for (int32_t n = 0; n < chunk->N; n++)
        M += chunk->labels[n] >= 0;
    mlm_runtime *runtime = encoder->runtime;
    out->rows = mlm__scratch_get(runtime, &encoder->rows, M, sizeof *out->rows);
    out->labels = mlm__scratch_get(runtime, &encoder->labels, M, sizeof *out->labels);
    out->losses = mlm__scratch_get(runtime, &encoder->losses, M, sizeof *out->losses);
    out->correct = mlm__scratch_get(runtime, &encoder->correct, M, sizeof *out->correct);
    if (!out->rows || !out->labels || !out->losses || !out->correct)
        return MLM_ERR_MEMORY;
    out->M = 0;
    for (int32_t n = 0; n < chunk->N; n++)
        if (chunk->labels[n] >= 0) {
            out->rows[out->M] = row_of[n];
            out->labels[out->M++] = chunk->labels[n];
        }
    return MLM_OK;
}

/* The losses of a chunk's labels, in their order. */
static mlm_status label_losses(mlm_encoder *encoder, const mlm__chunk *chunk, const float *hidden,
    const int32_t *row_of, labelled *tokens)
{
    MLM__TRY(find_labelled(encoder, chunk, row_of, tokens));
    if (!tokens->M)
        return MLM_OK;
    return mlm__network_losses(encoder->network, encoder->model->parameters, hidden, tokens->rows,
        tokens->labels, tokens->M, tokens->losses, tokens->correct);
}

static mlm_status losses_of_batch(mlm_encoder *encoder, const mlm_batch *batch, float *losses)
{
    MLM__TRY(mlm__chunks_reserve(encoder, batch, 0));
    mlm__chunk chunk;
    for (int32_t b = 0; mlm__chunks_next(encoder, batch, &b, &chunk);) {
        labelled tokens;
        int32_t *row_of;
        float *hidden;
        MLM__TRY(forward(encoder, &chunk, NULL, &row_of, &hidden));
        MLM__TRY(label_losses(encoder, &chunk, hidden, row_of, &tokens));
        for (size_t m = 0; m < tokens.M; m++)
            *losses++ = (float)tokens.losses[m];
    }
    return MLM_OK;
}

static bool any_label(const mlm_batch *batch)
{
    for (int32_t n = 0; n < batch->offsets[batch->B]; n++)
        if (batch->labels[n] >= 0)
            return true;
    return false;
}

mlm_status mlm_encoder_losses(mlm_encoder *encoder, const mlm_batch *batch, float *losses)
{
    if (!encoder)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_encoder_losses: encoder is NULL");
    mlm_batch read;
    MLM__TRY(mlm__encoder_read_batch(encoder, batch, true, &read));
    if (!losses && any_label(&read))
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_encoder_losses: losses is NULL");
    fenv_t mode;
    mlm__fp_enter(&mode);
    mlm_status status = losses_of_batch(encoder, &read, losses);
    mlm__fp_leave(&mode);
    return status;
}

/* The sentence losses of a chunk, added to *sums. */
static mlm_status sentence_losses(mlm_encoder *encoder, const mlm__chunk *chunk,
    const float *hidden, const int32_t *row_of, mlm__sums *sums)
{
    size_t B = (size_t)chunk->B, H = (size_t)encoder->model->layout->config.hidden_size;
    mlm_runtime *runtime = encoder->runtime;
    float *pooled = mlm__scratch_get(runtime, &encoder->pooled, B * H, sizeof *pooled);
    float *logits = mlm__scratch_get(runtime, &encoder->logits, B * 2, sizeof *logits);
    double *losses = mlm__scratch_get(runtime, &encoder->losses, B, sizeof *losses);
    uint8_t *correct = mlm__scratch_get(runtime, &encoder->correct, B, sizeof *correct);
    if (!pooled || !logits || !losses || !correct)
        return MLM_ERR_MEMORY;
    const float *parameters = encoder->model->parameters;
    MLM__TRY(mlm__network_pooled(encoder->network, parameters, chunk, hidden, row_of, pooled));
    MLM__TRY(mlm__network_sentence_logits(encoder->network, parameters, pooled, chunk->B, logits));
    mlm__sentence_loss(B, chunk->sentence_labels, 1, logits, losses, correct);
    for (size_t b = 0; b < B; b++) {
        sums->sentence_loss += losses[b];
        sums->sentence_correct += correct[b];
    }
    sums->sentence_count += chunk->B;
    return MLM_OK;
}

static mlm_status evaluate_chunk(mlm_encoder *encoder, const mlm__chunk *chunk, mlm__sums *sums)
{
    labelled tokens;
    int32_t *row_of;
    float *hidden;
    MLM__TRY(forward(encoder, chunk, chunk->sentence_labels, &row_of, &hidden));
    MLM__TRY(label_losses(encoder, chunk, hidden, row_of, &tokens));
    sums->sequences += chunk->B;
    sums->tokens += chunk->N;
    sums->labels += (int64_t)tokens.M;
    for (size_t m = 0; m < tokens.M; m++) {
        sums->loss += tokens.losses[m];
        sums->correct += tokens.correct[m];
    }
    return chunk->sentence_labels ? sentence_losses(encoder, chunk, hidden, row_of, sums) : MLM_OK;
}

static mlm_status evaluate(mlm_encoder *encoder, const mlm_batch *batch, mlm__sums *sums)
{
    MLM__TRY(mlm__chunks_reserve(encoder, batch, 0));
    mlm__chunk chunk;
    for (int32_t b = 0; mlm__chunks_next(encoder, batch, &b, &chunk);)
        MLM__TRY(evaluate_chunk(encoder, &chunk, sums));
    return MLM_OK;
}

/* The mean of old_count row_of and count others, of which the sum is known. */
static double running_mean(double mean, int64_t old_count, double sum, int64_t count)
{
    return count ? (mean * (double)old_count + sum) / (double)(old_count + count) : mean;
}

/* A batch without sentence labels leaves the two sentence means as they are, but its sequences
   weigh in what comes after it: give all batches of a total sentence labels, or none. */
static void add_sums(const mlm__sums *sums, mlm_metrics *total)
{
    total->loss = running_mean(total->loss, total->labels, sums->loss, sums->labels);
    total->accuracy =
        running_mean(total->accuracy, total->labels, (double)sums->correct, sums->labels);
    total->sentence_loss = running_mean(
        total->sentence_loss, total->sequences, sums->sentence_loss, sums->sentence_count);
    total->sentence_accuracy = running_mean(total->sentence_accuracy, total->sequences,
        (double)sums->sentence_correct, sums->sentence_count);
    total->sequences += sums->sequences;
    total->tokens += sums->tokens;
    total->labels += sums->labels;
}

mlm_status mlm_encoder_evaluate(mlm_encoder *encoder, const mlm_batch *batch, mlm_metrics *total)
{
    if (!encoder)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_encoder_evaluate: encoder is NULL");
    if (!total)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_encoder_evaluate: total is NULL");
    mlm_batch read;
    mlm_metrics metrics;
    MLM__TRY(mlm__encoder_read_batch(encoder, batch, true, &read));
    MLM__TRY(mlm__struct_read(
        total, &metrics_defaults, sizeof metrics_defaults, "mlm_metrics", &metrics));
    mlm__sums sums = {0};
    fenv_t mode;
    mlm__fp_enter(&mode);
    double began = mlm__seconds();
    mlm_status status = evaluate(encoder, &read, &sums);
    if (status == MLM_OK)
        add_sums(&sums, &metrics);
    metrics.seconds += mlm__seconds() - began;
    mlm__fp_leave(&mode);
    MLM__TRY(status);
    return mlm__struct_write(total, &metrics, sizeof metrics, "mlm_metrics");
}
