#include "encoder/chunks.h"

#include <string.h>

#include "base/error.h"

bool mlm__chunks_next(
    const mlm_encoder *encoder, const mlm_batch *batch, int32_t *b, mlm__chunk *chunk)
{
    int32_t begin = *b;
    if (begin >= batch->B)
        return false;
    int32_t end = mlm__network_chunk_end(encoder->network, batch->offsets, batch->B, begin);
    int32_t first = batch->offsets[begin];
    *chunk = (mlm__chunk){
        .B = end - begin,
        .N = batch->offsets[end] - first,
        .position = batch->position + begin,
        .offsets = batch->offsets + begin,
        .input_ids = batch->input_ids + first,
        .token_type_ids = batch->token_type_ids ? batch->token_type_ids + first : NULL,
        .labels = batch->labels ? batch->labels + first : NULL,
        .sentence_labels = batch->sentence_labels ? batch->sentence_labels + begin : NULL,
    };
    *b = end;
    return true;
}

mlm_status mlm__chunks_reserve(mlm_encoder *encoder, const mlm_batch *batch, int32_t training)
{
    int32_t N = 0, B = 0, T = 0;
    mlm__chunk chunk;
    for (int32_t b = 0; mlm__chunks_next(encoder, batch, &b, &chunk);) {
        N = chunk.N > N ? chunk.N : N;
        B = chunk.B > B ? chunk.B : B;
    }
    /* Another batch is cut into chunks of other sizes: room for full ones serves each. */
    const int32_t most = mlm__network_chunk_most(encoder->network);
    if (B < batch->B && N < most)
        N = most;
    for (int32_t b = 0; b < batch->B; b++) {
        int32_t length = batch->offsets[b + 1] - batch->offsets[b];
        T = length > T ? length : T;
    }
    if (batch->B == 0)
        return MLM_OK;
    MLM__TRY(mlm__network_reserve(encoder->network, N, B, T, training));
    return mlm__model_pack(encoder->model, encoder->runtime, training != 0);
}

static float *hidden_room(mlm_encoder *encoder, const mlm__chunk *chunk)
{
    const size_t H = (size_t)encoder->model->layout->config.hidden_size;
    return mlm__scratch_get(
        encoder->runtime, &encoder->hidden, (size_t)chunk->N * H, sizeof(float));
}

mlm_status mlm__chunks_forward(mlm_encoder *encoder, const mlm__chunk *chunk, float **hidden)
{
    const int32_t L = encoder->model->layout->config.num_hidden_layers;
    *hidden = hidden_room(encoder, chunk);
    if (!*hidden)
        return MLM_ERR_MEMORY;
    return mlm__network_forward(encoder->network, encoder->model->parameters, chunk, L, *hidden);
}

mlm_status mlm__chunks_row_of(mlm_encoder *encoder, const mlm__chunk *chunk, int32_t **row_of)
{
    const size_t N = (size_t)chunk->N;
    *row_of = mlm__scratch_get(encoder->runtime, &encoder->row_of, N, sizeof **row_of);
    if (!*row_of)
        return MLM_ERR_MEMORY;
    memset(*row_of, 0, N * sizeof **row_of);
    return MLM_OK;
}

void mlm__chunks_use_firsts(const mlm__chunk *chunk, int32_t *row_of)
{
    for (int32_t b = 0; b < chunk->B; b++)
        row_of[chunk->offsets[b] - chunk->offsets[0]] = 1;
}

mlm_status mlm__chunks_forward_used(
    mlm_encoder *encoder, const mlm__chunk *chunk, int32_t *row_of, float **hidden)
{
    const size_t N = (size_t)chunk->N;
    int32_t *rows = mlm__scratch_get(encoder->runtime, &encoder->used_rows, N, sizeof *rows);
    float *room = hidden_room(encoder, chunk);
    *hidden = NULL;
    if (!rows || !room)
        return MLM_ERR_MEMORY;
    const size_t U = mlm__number_rows(N, row_of, rows);
    if (U == 0)
        return MLM_OK;
    *hidden = room;
    return mlm__network_forward_used(
        encoder->network, encoder->model->parameters, chunk, rows, U, room);
}

mlm_status mlm__chunks_forward_firsts(
    mlm_encoder *encoder, const mlm__chunk *chunk, int32_t **row_of, float **hidden)
{
    MLM__TRY(mlm__chunks_row_of(encoder, chunk, row_of));
    mlm__chunks_use_firsts(chunk, *row_of);
    return mlm__chunks_forward_used(encoder, chunk, *row_of, hidden);
}
