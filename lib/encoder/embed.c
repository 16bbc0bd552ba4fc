/* mlm_encoder_embed: one vector a sequence. */
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/fpmode.h"
#include "base/threads.h"
#include "encoder/chunks.h"

typedef struct pooling_work {
    const mlm__chunk *chunk;
    const float *hidden; /* [N,H]; NULL: embeddings are there already */
    float *embeddings;   /* [B,H] */
    int32_t pooling, normalize;
    size_t H;
} pooling_work;

/* y = sum over t of x[t] / T, in double: rounded once. x [T,H]; y [H] */
static void pool_mean(const float *x, size_t T, size_t H, float *y)
{
    enum { COLUMNS = 64 };
    for (size_t first = 0; first < H; first += COLUMNS) {
        size_t count = H - first < COLUMNS ? H - first : COLUMNS;
        double sums[COLUMNS] = {0};
        for (size_t t = 0; t < T; t++)
            for (size_t h = 0; h < count; h++)
                sums[h] += x[t * H + first + h];
        for (size_t h = 0; h < count; h++)
            y[first + h] = (float)(sums[h] / (double)T);
    }
}

/* y = max over t of x[t]. x [T,H]; y [H] */
static void pool_max(const float *x, size_t T, size_t H, float *y)
{
    memcpy(y, x, H * sizeof *y);
    for (size_t t = 1; t < T; t++)
        for (size_t h = 0; h < H; h++)
            if (x[t * H + h] > y[h])
                y[h] = x[t * H + h];
}

/* y / |y|; a vector of zeros stays. As torch.nn.functional.normalize. */
static void unit_length(float *y, size_t H)
{
    double sum = 0;
    for (size_t h = 0; h < H; h++)
        sum += (double)y[h] * y[h];
    if (sum > 0) {
        double factor = 1 / sqrt(sum);
        for (size_t h = 0; h < H; h++)
            y[h] = (float)(y[h] * factor);
    }
}

static void pool_sequence(void *context, size_t b, int32_t thread)
{
    (void)thread;
    const pooling_work *work = context;
    const int32_t *offsets = work->chunk->offsets;
    size_t H = work->H, T = (size_t)(offsets[b + 1] - offsets[b]);
    const size_t first = (size_t)(offsets[b] - offsets[0]) * H;
    float *y = work->embeddings + b * H;
    switch (work->pooling) {
    case MLM_POOL_MEAN:
        pool_mean(work->hidden + first, T, H, y);
        break;
    case MLM_POOL_MAX:
        pool_max(work->hidden + first, T, H, y);
        break;
    default: /* embed_firsts has written y */
        break;
    }
    if (work->normalize)
        unit_length(y, H);
}

/* Of the first tokens' states [B,H], MLM_POOL_CLS or MLM_POOL_BERT. */
static mlm_status embed_firsts(
    mlm_encoder *encoder, const mlm__chunk *chunk, int32_t pooling, float *embeddings)
{
    const size_t H = (size_t)encoder->model->layout->config.hidden_size;
    int32_t *row_of;
    float *hidden;
    MLM__TRY(mlm__chunks_forward_firsts(encoder, chunk, &row_of, &hidden));
    if (pooling == MLM_POOL_BERT)
        return mlm__network_pooled(
            encoder->network, encoder->model->parameters, chunk, hidden, row_of, embeddings);
    memcpy(embeddings, hidden, (size_t)chunk->B * H * sizeof *embeddings);
    return MLM_OK;
}

static mlm_status embed(mlm_encoder *encoder, const mlm_batch *batch, int32_t pooling,
    int32_t normalize, float *embeddings)
{
    size_t H = (size_t)encoder->model->layout->config.hidden_size;
    MLM__TRY(mlm__chunks_reserve(encoder, batch, 0));
    mlm__chunk chunk;
    for (int32_t b = 0; mlm__chunks_next(encoder, batch, &b, &chunk);) {
        float *hidden = NULL, *out = embeddings + (size_t)(b - chunk.B) * H;
        if (pooling == MLM_POOL_MEAN || pooling == MLM_POOL_MAX)
            MLM__TRY(mlm__chunks_forward(encoder, &chunk, &hidden));
        else
            MLM__TRY(embed_firsts(encoder, &chunk, pooling, out));
        pooling_work work = {&chunk, hidden, out, pooling, normalize, H};
        mlm__parallel(encoder->runtime, (size_t)chunk.B, pool_sequence, &work);
    }
    return MLM_OK;
}

mlm_status mlm_encoder_embed(mlm_encoder *encoder, const mlm_batch *batch, int32_t pooling,
    int32_t normalize, float *embeddings)
{
    if (!encoder)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_encoder_embed: encoder is NULL");
    if (pooling < MLM_POOL_MEAN || pooling > MLM_POOL_BERT)
        return mlm__error(
            MLM_ERR_ARGUMENT, "mlm_encoder_embed: pooling is %d, no MLM_POOL_...", pooling);
    if (normalize != 0 && normalize != 1)
        return mlm__error(
            MLM_ERR_ARGUMENT, "mlm_encoder_embed: normalize is %d, not 0 or 1", normalize);
    if (pooling == MLM_POOL_BERT && !encoder->model->layout->config.sentence_head)
        return mlm__error(MLM_ERR_UNSUPPORTED,
            "mlm_encoder_embed: MLM_POOL_BERT needs a model with a pooler (config: sentence_head)");
    mlm_batch read;
    MLM__TRY(mlm__encoder_read_batch(encoder, batch, false, &read));
    if (!embeddings && read.B)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_encoder_embed: embeddings is NULL");
    fenv_t mode;
    mlm__fp_enter(&mode);
    mlm_status status = embed(encoder, &read, pooling, normalize, embeddings);
    mlm__fp_leave(&mode);
    return status;
}
