/* The layers in their order, for inference; network_train.c has training. */
#include "encoder/network_state.h"

#include <assert.h>

/* Tokens of a chunk. With fewer, the gradients, to which every chunk adds, are read and written
   more often; with more, a large model's activations, 0.4 MB a token of base in bf16, need more
   memory. 32 sequences of 128 tokens are two chunks, or three. */
enum { CHUNK_SMALL = 2048, CHUNK_LARGE = 1536, SMALL_HIDDEN = 512 };

/* The end of a chunk from b on that is filled up to `most` tokens. */
static int32_t full_end(const int32_t *offsets, int32_t B, int32_t b, int32_t most)
{
    int32_t end = b + 1;
    while (end < B && offsets[end + 1] - offsets[b] <= most)
        end++;
    return end;
}

/* How many of those there are from b on; `enough` if there are more. */
static int32_t full_count(
    const int32_t *offsets, int32_t B, int32_t b, int32_t most, int32_t enough)
{
    int32_t count = 0;
    for (; b < B && count < enough; b = full_end(offsets, B, b, most))
        count++;
    return count;
}

int32_t mlm__network_chunk_most(const mlm__network *network)
{
    return network->layout->config.hidden_size <= SMALL_HIDDEN ? CHUNK_SMALL : CHUNK_LARGE;
}

/* As many chunks as there would be full ones, of which the last SHARING are of like size: a small one
   at the end would cost as much per weight as a large one. So each takes its share, and more while
   the others could not hold what is left. */
int32_t mlm__network_chunk_end(
    const mlm__network *network, const int32_t *offsets, int32_t B, int32_t b0)
{
    enum { SHARING = 4 }; /* four are about three quarters full at least */
    const int32_t most = mlm__network_chunk_most(network);
    const int32_t full = full_end(offsets, B, b0, most);
    const int32_t others = full_count(offsets, B, full, most, SHARING);
    if (others == SHARING)
        return full;
    const int32_t share = (offsets[B] - offsets[b0]) / (others + 1);
    int32_t end = b0 + 1;
    while (end < full && (offsets[end + 1] - offsets[b0] <= share ||
                             full_count(offsets, B, end, most, others + 1) > others))
        end++;
    return end;
}

void mlm__network_begin(const mlm__network *network)
{
    if (network->compute.products->begin)
        network->compute.products->begin();
}

void mlm__network_end(const mlm__network *network)
{
    if (network->compute.products->end)
        network->compute.products->end();
}

/* ---- arguments of the layers ------------------------------------------------------- */

mlm__layer_tokens mlm__network_place(
    mlm__network *network, const mlm__chunk *chunk, const mlm__dropout *dropout)
{
    assert(chunk->N <= network->N && chunk->B <= network->B);
    for (int32_t b = 0; b < chunk->B; b++) {
        const int32_t first = chunk->offsets[b] - chunk->offsets[0];
        const int32_t T = chunk->offsets[b + 1] - chunk->offsets[b];
        assert(T <= network->T);
        for (int32_t t = 0; t < T; t++) {
            network->sequence[first + t] = b;
            network->place[first + t] = t;
        }
    }
    const mlm__dropper none = {
        .position = chunk->position, .sequence = network->sequence, .place = network->place};
    mlm__layer_tokens all = {.U = (size_t)chunk->N,
        .offsets = chunk->offsets,
        .hidden_dropper = none,
        .attention_dropper = none};
    if (dropout) {
        all.hidden_dropper.key = all.attention_dropper.key =
            mlm__random_key_make(dropout->seed, MLM__RANDOM_DROPOUT, dropout->step);
        mlm__dropper_set(&all.hidden_dropper, dropout->hidden);
        mlm__dropper_set(&all.attention_dropper, dropout->attention);
    }
    return all;
}

size_t mlm__number_rows(size_t N, int32_t *row_of, int32_t *rows)
{
    size_t U = 0;
    for (size_t i = 0; i < N; i++)
        if (row_of[i]) {
            rows[U] = (int32_t)i;
            row_of[i] = (int32_t)U++;
        }
    return U;
}

mlm__layer_tokens mlm__network_used(mlm__network *network, const mlm__chunk *chunk,
    const mlm__layer_tokens *all, const int32_t *rows, size_t U)
{
    const mlm__used_room *room = &network->used;
    assert(U > 0 && U <= all->U);
    if (U == all->U)
        return *all;
    int32_t b = 0;
    for (size_t u = 0; u < U; u++) {
        room->sequence[u] = network->sequence[rows[u]];
        room->place[u] = network->place[rows[u]];
        for (; b <= room->sequence[u]; b++)
            room->offsets[b] = (int32_t)u;
    }
    for (; b <= chunk->B; b++)
        room->offsets[b] = (int32_t)U;
    mlm__layer_tokens used = {U, rows, room->offsets, all->hidden_dropper, all->attention_dropper};
    used.hidden_dropper.sequence = used.attention_dropper.sequence = room->sequence;
    used.hidden_dropper.place = used.attention_dropper.place = room->place;
    return used;
}

mlm__embedding mlm__network_embedding(const mlm__network *network, const real *parameters,
    const mlm__chunk *chunk, const mlm__layer_tokens *all)
{
    const mlm__layout *layout = network->layout;
    const mlm_encoder_config *config = &layout->config;
    return (mlm__embedding){.N = (size_t)chunk->N,
        .H = (size_t)config->hidden_size,
        .types = (size_t)config->type_vocab_size,
        .pad_token_id = config->pad_token_id,
        .eps = config->layer_norm_eps,
        .dropper = &all->hidden_dropper,
        .input_ids = chunk->input_ids,
        .token_type_ids = chunk->token_type_ids,
        .place = network->place,
        .word = parameters + layout->word_embeddings,
        .position = parameters + layout->position_embeddings,
        .type = parameters + layout->token_type_embeddings,
        .norm = mlm__packed_weights(network->packed, parameters, layout->embeddings_norm),
        .kept = network->embedding_norm};
}

mlm__attention mlm__network_attention(const mlm__network *network, const real *parameters,
    const mlm__chunk *chunk, const mlm__layer_tokens *tokens, size_t l, const mlm__layer_room *room,
    mlm__rows x, mlm__rows query_x)
{
    const mlm_encoder_config *config = &network->layout->config;
    const mlm__layer_layout *at = &network->layout->layers[l];
    const size_t A = (size_t)config->num_attention_heads;
    return (mlm__attention){.B = (size_t)chunk->B,
        .N = (size_t)chunk->N,
        .U = tokens->U,
        .H = (size_t)config->hidden_size,
        .A = A,
        .eps = config->layer_norm_eps,
        .offsets = chunk->offsets,
        .query_offsets = tokens->offsets,
        .query_rows = tokens->rows,
        .probability_dropper = &tokens->attention_dropper,
        .head_site = mlm__site_heads(l, A),
        .output_dropper = &tokens->hidden_dropper,
        .output_site = mlm__site_attention_output(l, A),
        .query = mlm__packed_weights(network->packed, parameters, at->query),
        .key_value = mlm__packed_weights(network->packed, parameters, at->key_value),
        .output = mlm__packed_weights(network->packed, parameters, at->attention_output),
        .norm = mlm__packed_weights(network->packed, parameters, at->attention_norm),
        .x = x,
        .query_x = query_x,
        .queries = room->queries,
        .keys_values = room->keys_values,
        .softmax = room->softmax,
        .context = room->context,
        .kept = room->attention_norm};
}

mlm__feed_forward mlm__network_feed_forward(const mlm__network *network, const real *parameters,
    const mlm__layer_tokens *tokens, size_t l, const mlm__layer_room *room, mlm__rows x)
{
    const mlm_encoder_config *config = &network->layout->config;
    const mlm__layer_layout *at = &network->layout->layers[l];
    return (mlm__feed_forward){.N = tokens->U,
        .H = (size_t)config->hidden_size,
        .I = (size_t)config->intermediate_size,
        .act = config->hidden_act,
        .eps = config->layer_norm_eps,
        .dropper = &tokens->hidden_dropper,
        .site = mlm__site_feed_forward(l, (size_t)config->num_attention_heads),
        .intermediate = mlm__packed_weights(network->packed, parameters, at->intermediate),
        .output = mlm__packed_weights(network->packed, parameters, at->output),
        .norm = mlm__packed_weights(network->packed, parameters, at->output_norm),
        .x = x,
        .up = room->up,
        .activated = network->activated,
        .kept = room->output_norm};
}

mlm__prediction_head mlm__network_prediction_head(
    const mlm__network *network, const real *parameters, const int32_t *rows, size_t M)
{
    const mlm__layout *layout = network->layout;
    const mlm__head_room *head = &network->head;
    return (mlm__prediction_head){.M = M,
        .H = (size_t)layout->config.hidden_size,
        .act = layout->config.hidden_act,
        .eps = layout->config.layer_norm_eps,
        .rows = rows,
        .transform = mlm__packed_weights(network->packed, parameters, layout->transform),
        .norm = mlm__packed_weights(network->packed, parameters, layout->transform_norm),
        .x = head->x,
        .up = head->up,
        .kept = head->kept};
}

mlm__cross_entropy mlm__network_cross_entropy(
    const mlm__network *network, const real *parameters, const int32_t *labels, size_t M)
{
    const mlm__head_room *head = &network->head;
    return (mlm__cross_entropy){.M = M,
        .H = (size_t)network->layout->config.hidden_size,
        .cut = network->cut,
        .decoder = mlm__packed_weights(network->packed, parameters, network->layout->decoder),
        .z = head->z,
        .labels = labels,
        .maxima = head->maxima,
        .sums = head->sums,
        .label_logits = head->label_logits,
        .label_leads = head->label_leads};
}

mlm__sentence_head mlm__network_sentence_head(const mlm__network *network, const real *parameters,
    size_t B, const int32_t *offsets, const int32_t *row_of)
{
    const mlm__layout *layout = network->layout;
    return (mlm__sentence_head){.B = B,
        .H = (size_t)layout->config.hidden_size,
        .offsets = offsets,
        .row_of = row_of,
        .pooler = mlm__packed_weights(network->packed, parameters, layout->pooler),
        .classifier = mlm__packed_weights(network->packed, parameters, layout->sentence)};
}

/* ---- inference ---------------------------------------------------------------------- */

/* `layer` layers, the last of them for the tokens of `last`. Each writes its states over those that
   it reads. */
static void forward(mlm__network *network, const real *parameters, const mlm__chunk *chunk,
    const mlm__layer_tokens *all, const mlm__layer_tokens *last, int32_t layer, real *hidden)
{
    const mlm__compute *compute = &network->compute;
    const mlm__layer_room *room = &network->layers[0];
    const mlm__rows states = {hidden, network->hidden};
    const mlm__embedding embedding = mlm__network_embedding(network, parameters, chunk, all);
    mlm__network_begin(network);
    mlm__embedding_forward(compute, &embedding, states);
    for (size_t l = 0; l < (size_t)layer; l++) {
        const mlm__layer_tokens *tokens = l + 1 < (size_t)layer ? all : last;
        const mlm__attention attention =
            mlm__network_attention(network, parameters, chunk, tokens, l, room, states, states);
        mlm__attention_forward(compute, &attention, room->middle);
        const mlm__feed_forward feed_forward =
            mlm__network_feed_forward(network, parameters, tokens, l, room, room->middle);
        mlm__feed_forward_forward(compute, &feed_forward, states);
    }
    mlm__network_end(network);
}

mlm_status mlm__network_forward(mlm__network *network, const real *parameters,
    const mlm__chunk *chunk, int32_t layer, real *hidden)
{
    const mlm__layer_tokens all = mlm__network_place(network, chunk, NULL);
    forward(network, parameters, chunk, &all, &all, layer, hidden);
    return MLM_OK;
}

mlm_status mlm__network_forward_used(mlm__network *network, const real *parameters,
    const mlm__chunk *chunk, const int32_t *rows, size_t U, real *hidden)
{
    const mlm__layer_tokens all = mlm__network_place(network, chunk, NULL);
    const mlm__layer_tokens used = mlm__network_used(network, chunk, &all, rows, U);
    const int32_t L = network->layout->config.num_hidden_layers;
    forward(network, parameters, chunk, &all, &used, L, hidden);
    return MLM_OK;
}

static size_t head_rows(size_t M, size_t first)
{
    return M - first < MLM__HEAD_ROWS ? M - first : MLM__HEAD_ROWS;
}

mlm_status mlm__network_logits(mlm__network *network, const real *parameters, const real *hidden,
    const int32_t *rows, size_t M, real *logits)
{
    const mlm__compute *compute = &network->compute;
    const size_t H = (size_t)network->layout->config.hidden_size;
    assert(network->memory);
    mlm__network_begin(network);
    for (size_t first = 0; first < M; first += MLM__HEAD_ROWS) {
        const size_t count = head_rows(M, first);
        const mlm__prediction_head head =
            mlm__network_prediction_head(network, parameters, rows + first, count);
        mlm__prediction_head_forward(compute, &head, hidden, network->head.z);
        mlm__decoder_logits(compute,
            mlm__packed_weights(network->packed, parameters, network->layout->decoder), count, H,
            network->cut, network->head.z, logits + first * network->cut.V);
    }
    mlm__network_end(network);
    return MLM_OK;
}

mlm_status mlm__network_losses(mlm__network *network, const real *parameters, const real *hidden,
    const int32_t *rows, const int32_t *labels, size_t M, double *losses, uint8_t *correct)
{
    const mlm__compute *compute = &network->compute;
    assert(network->memory);
    mlm__network_begin(network);
    for (size_t first = 0; first < M; first += MLM__HEAD_ROWS) {
        const size_t count = head_rows(M, first);
        const mlm__prediction_head head =
            mlm__network_prediction_head(network, parameters, rows + first, count);
        mlm__prediction_head_forward(compute, &head, hidden, network->head.z);
        const mlm__cross_entropy loss =
            mlm__network_cross_entropy(network, parameters, labels + first, count);
        mlm__cross_entropy_forward(
            compute, &loss, losses + first, correct ? correct + first : network->head.correct);
    }
    mlm__network_end(network);
    return MLM_OK;
}

mlm_status mlm__network_pooled(mlm__network *network, const real *parameters,
    const mlm__chunk *chunk, const real *hidden, const int32_t *row_of, real *pooled)
{
    assert(network->layout->config.sentence_head && chunk->B <= network->B);
    mlm__network_begin(network);
    const mlm__sentence_head head =
        mlm__network_sentence_head(network, parameters, (size_t)chunk->B, chunk->offsets, row_of);
    mlm__pooler_forward(&network->compute, &head, hidden, network->sentence.x, pooled);
    mlm__network_end(network);
    return MLM_OK;
}

mlm_status mlm__network_sentence_logits(
    mlm__network *network, const real *parameters, const real *pooled, int32_t B, real *logits)
{
    assert(network->layout->config.sentence_head);
    mlm__network_begin(network);
    const mlm__sentence_head head =
        mlm__network_sentence_head(network, parameters, (size_t)B, NULL, NULL);
    mlm__sentence_logits(&network->compute, &head, pooled, logits);
    mlm__network_end(network);
    return MLM_OK;
}
