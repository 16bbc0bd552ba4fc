/* What the heads say: mlm_encoder_logits, _predict and _sentence_logits. */
#include <string.h>

#include "base/error.h"
#include "base/fpmode.h"
#include "base/threads.h"
#include "encoder/chunks.h"
#include "kernels/kernels.h"

/* Rows of logits that exist at a time, beside those that the caller asked for. */
enum { BLOCK_ROWS = 64 };

/* Some of the asked positions: logits [count,V] of number places[i] in the caller's order. */
typedef struct logit_block {
    size_t count;
    size_t places[BLOCK_ROWS];
    int32_t rows[BLOCK_ROWS]; /* of the hidden states */
    float *logits;
} logit_block;

typedef void take_fn(void *context, mlm_runtime *runtime, const logit_block *block);

typedef struct asked {
    const int32_t *positions;
    size_t M;
    take_fn *take;
    void *context;
} asked;

static mlm_status take_block(
    mlm_encoder *encoder, const asked *what, const float *hidden, logit_block *block)
{
    MLM__TRY(mlm__network_logits(encoder->network, encoder->model->parameters, hidden, block->rows,
        block->count, block->logits));
    what->take(what->context, encoder->runtime, block);
    block->count = 0;
    return MLM_OK;
}

static bool is_in(const mlm__chunk *chunk, int32_t position)
{
    return position >= chunk->offsets[0] && position - chunk->offsets[0] < chunk->N;
}

/* The positions that lie in the chunk, which is computed only if there are any. */
static mlm_status chunk_logits(
    mlm_encoder *encoder, const mlm__chunk *chunk, const asked *what, logit_block *block)
{
    const int32_t first = chunk->offsets[0], *positions = what->positions;
    int32_t *row_of;
    float *hidden;
    MLM__TRY(mlm__chunks_row_of(encoder, chunk, &row_of));
    for (size_t m = 0; m < what->M; m++)
        if (is_in(chunk, positions[m]))
            row_of[positions[m] - first] = 1;
    MLM__TRY(mlm__chunks_forward_used(encoder, chunk, row_of, &hidden));
    for (size_t m = 0; m < what->M; m++) {
        if (!is_in(chunk, positions[m]))
            continue;
        block->places[block->count] = m;
        block->rows[block->count++] = row_of[positions[m] - first];
        if (block->count == BLOCK_ROWS)
            MLM__TRY(take_block(encoder, what, hidden, block));
    }
    return block->count ? take_block(encoder, what, hidden, block) : MLM_OK;
}

static mlm_status each_block(mlm_encoder *encoder, const mlm_batch *batch, const asked *what)
{
    size_t V = (size_t)encoder->model->layout->config.vocab_size;
    logit_block block = {.count = 0};
    block.logits = mlm__scratch_get(encoder->runtime, &encoder->logits,
        (what->M < BLOCK_ROWS ? what->M : BLOCK_ROWS) * V, sizeof *block.logits);
    if (!block.logits)
        return MLM_ERR_MEMORY;
    MLM__TRY(mlm__chunks_reserve(encoder, batch, 0));
    mlm__chunk chunk;
    for (int32_t b = 0; mlm__chunks_next(encoder, batch, &b, &chunk);)
        MLM__TRY(chunk_logits(encoder, &chunk, what, &block));
    return MLM_OK;
}

static mlm_status check_positions(
    const mlm_batch *batch, const int32_t *positions, size_t M, const char *call)
{
    int32_t N = batch->offsets[batch->B];
    if (M && !positions)
        return mlm__error(MLM_ERR_ARGUMENT, "%s: positions is NULL", call);
    for (size_t m = 0; m < M; m++)
        if (positions[m] < 0 || positions[m] >= N)
            return mlm__error(MLM_ERR_ARGUMENT, "%s: positions[%zu] is %d, the batch has %d tokens",
                call, m, positions[m], N);
    return MLM_OK;
}

typedef struct copying {
    size_t V;
    float *logits; /* [M,V] */
} copying;

static void copy_logits(void *context, mlm_runtime *runtime, const logit_block *block)
{
    (void)runtime;
    const copying *to = context;
    for (size_t i = 0; i < block->count; i++)
        memcpy(to->logits + block->places[i] * to->V, block->logits + i * to->V,
            to->V * sizeof *to->logits);
}

mlm_status mlm_encoder_logits(
    mlm_encoder *encoder, const mlm_batch *batch, const int32_t *positions, size_t M, float *logits)
{
    static const char call[] = "mlm_encoder_logits";
    if (!encoder)
        return mlm__error(MLM_ERR_ARGUMENT, "%s: encoder is NULL", call);
    mlm_batch read;
    MLM__TRY(mlm__encoder_read_batch(encoder, batch, false, &read));
    MLM__TRY(check_positions(&read, positions, M, call));
    if (M && !logits)
        return mlm__error(MLM_ERR_ARGUMENT, "%s: logits is NULL", call);
    copying to = {(size_t)encoder->model->layout->config.vocab_size, logits};
    asked what = {positions, M, copy_logits, &to};
    fenv_t mode;
    mlm__fp_enter(&mode);
    mlm_status status = each_block(encoder, &read, &what);
    mlm__fp_leave(&mode);
    return status;
}

/* Whether token a comes after token b: less likely, or as likely with the higher id. */
static bool comes_after(const float *logits, int32_t a, int32_t b)
{
    return logits[a] < logits[b] || (logits[a] == logits[b] && a > b);
}

/* Lets heap[i] sink in a heap of count ids whose root comes last. */
static void sink(const float *logits, int32_t *heap, size_t count, size_t i)
{
    int32_t id = heap[i];
    for (size_t child; (child = 2 * i + 1) < count; i = child) {
        if (child + 1 < count && comes_after(logits, heap[child + 1], heap[child]))
            child++;
        if (!comes_after(logits, heap[child], id))
            break;
        heap[i] = heap[child];
    }
    heap[i] = id;
}

/* ids [K]: the likeliest of V tokens in their order. A heap of the K best so far, its root the one
   to give way; then sorted in place. */
static void top(const float *logits, size_t V, size_t K, int32_t *ids)
{
    for (size_t i = 0; i < K; i++)
        ids[i] = (int32_t)i;
    for (size_t i = K / 2; i-- > 0;)
        sink(logits, ids, K, i);
    for (size_t v = K; v < V; v++)
        if (comes_after(logits, ids[0], (int32_t)v)) {
            ids[0] = (int32_t)v;
            sink(logits, ids, K, 0);
        }
    for (size_t count = K; count-- > 1;) {
        int32_t last = ids[0];
        ids[0] = ids[count];
        ids[count] = last;
        sink(logits, ids, count, 0);
    }
}

typedef struct prediction {
    const mlm__kernels *kernels;
    const logit_block *block;
    size_t V, K;
    int32_t *ids;         /* [M,K] */
    float *probabilities; /* [M,K] */
} prediction;

/* p = exp(x - max x) / sum of them, for the K largest x. */
static void predict_row(void *context, size_t i, int32_t thread)
{
    (void)thread;
    const prediction *to = context;
    float *row = to->block->logits + i * to->V;
    size_t place = to->block->places[i] * to->K;
    top(row, to->V, to->K, to->ids + place);
    float sum = to->kernels->exp_sum(to->V, to->kernels->maximum(to->V, row), row);
    for (size_t k = 0; k < to->K; k++)
        to->probabilities[place + k] = row[to->ids[place + k]] / sum;
}

static void predict_block(void *context, mlm_runtime *runtime, const logit_block *block)
{
    prediction *to = context;
    to->block = block;
    mlm__parallel(runtime, block->count, predict_row, to);
}

mlm_status mlm_encoder_predict(mlm_encoder *encoder, const mlm_batch *batch,
    const int32_t *positions, size_t M, size_t K, int32_t *ids, float *probabilities)
{
    static const char call[] = "mlm_encoder_predict";
    if (!encoder)
        return mlm__error(MLM_ERR_ARGUMENT, "%s: encoder is NULL", call);
    size_t V = (size_t)encoder->model->layout->config.vocab_size;
    if (K < 1 || K > V)
        return mlm__error(MLM_ERR_ARGUMENT, "%s: K is %zu, not in 1 to %zu", call, K, V);
    mlm_batch read;
    MLM__TRY(mlm__encoder_read_batch(encoder, batch, false, &read));
    MLM__TRY(check_positions(&read, positions, M, call));
    if (M && !ids)
        return mlm__error(MLM_ERR_ARGUMENT, "%s: ids is NULL", call);
    if (M && !probabilities)
        return mlm__error(MLM_ERR_ARGUMENT, "%s: probabilities is NULL", call);
    prediction to = {mlm__kernels_get(), NULL, V, K, ids, probabilities};
    asked what = {positions, M, predict_block, &to};
    fenv_t mode;
    mlm__fp_enter(&mode);
    mlm_status status = each_block(encoder, &read, &what);
    mlm__fp_leave(&mode);
    return status;
}

static mlm_status sentence_logits(mlm_encoder *encoder, const mlm_batch *batch, float *logits)
{
    size_t H = (size_t)encoder->model->layout->config.hidden_size;
    mlm__chunk chunk;
    MLM__TRY(mlm__chunks_reserve(encoder, batch, 0));
    for (int32_t b = 0; mlm__chunks_next(encoder, batch, &b, &chunk);) {
        float *hidden, *pooled = mlm__scratch_get(
                           encoder->runtime, &encoder->pooled, (size_t)chunk.B * H, sizeof *pooled);
        int32_t *row_of;
        if (!pooled)
            return MLM_ERR_MEMORY;
        MLM__TRY(mlm__chunks_forward_firsts(encoder, &chunk, &row_of, &hidden));
        MLM__TRY(mlm__network_pooled(
            encoder->network, encoder->model->parameters, &chunk, hidden, row_of, pooled));
        MLM__TRY(mlm__network_sentence_logits(encoder->network, encoder->model->parameters, pooled,
            chunk.B, logits + 2 * (size_t)(b - chunk.B)));
    }
    return MLM_OK;
}

mlm_status mlm_encoder_sentence_logits(mlm_encoder *encoder, const mlm_batch *batch, float *logits)
{
    static const char call[] = "mlm_encoder_sentence_logits";
    if (!encoder)
        return mlm__error(MLM_ERR_ARGUMENT, "%s: encoder is NULL", call);
    if (!encoder->model->layout->config.sentence_head)
        return mlm__error(MLM_ERR_UNSUPPORTED,
            "%s: the model has no sentence head (config: sentence_head)", call);
    mlm_batch read;
    MLM__TRY(mlm__encoder_read_batch(encoder, batch, false, &read));
    if (!logits && read.B)
        return mlm__error(MLM_ERR_ARGUMENT, "%s: logits is NULL", call);
    fenv_t mode;
    mlm__fp_enter(&mode);
    mlm_status status = sentence_logits(encoder, &read, logits);
    mlm__fp_leave(&mode);
    return status;
}
