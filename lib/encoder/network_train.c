/* Forward with dropout, losses, backward. */
#include "encoder/network_state.h"

#include <assert.h>
#include <string.h>

#include "layers/parameter_gradients.h"

/* One call of mlm__network_train. */
typedef struct step {
    mlm__network *network;
    const mlm__chunk *chunk;
    const real *parameters;
    const mlm__frozen *frozen;
    real *gradients;
    mlm__layer_tokens all, used; /* tokens of every layer but the last; of the last */
    double loss_scale, sentence_scale;
    mlm__sums *sums;
} step;

/* NULL: frozen. */
static real *gradient_at(const step *s, size_t offset)
{
    return mlm__is_frozen(s->frozen, offset) ? NULL
                                             : s->gradients + mlm__trained_place(s->frozen, offset);
}

static mlm__weight_gradients gradients_at(const step *s, mlm__affine at)
{
    return (mlm__weight_gradients){gradient_at(s, at.weight), gradient_at(s, at.bias)};
}

static mlm__rows layer_input(const mlm__network *network, size_t l)
{
    return l == 0 ? network->embedded : network->layers[l - 1].out;
}

static const mlm__layer_tokens *tokens_of(const step *s, size_t l)
{
    const size_t L = (size_t)s->network->layout->config.num_hidden_layers;
    return l + 1 < L ? &s->all : &s->used;
}

static mlm__attention attention_of(const step *s, size_t l)
{
    const mlm__network *network = s->network;
    const mlm__layer_tokens *tokens = tokens_of(s, l);
    const mlm__rows x = layer_input(network, l);
    return mlm__network_attention(network, s->parameters, s->chunk, tokens, l, &network->layers[l],
        x, tokens->rows ? network->used.x : x);
}

static mlm__feed_forward feed_forward_of(const step *s, size_t l)
{
    return mlm__network_feed_forward(s->network, s->parameters, tokens_of(s, l), l,
        &s->network->layers[l], s->network->layers[l].middle);
}

/* Hidden states of the used tokens. */
static const real *forward(const step *s)
{
    const mlm__network *network = s->network;
    const size_t L = (size_t)network->layout->config.num_hidden_layers;
    const mlm__embedding embedding =
        mlm__network_embedding(network, s->parameters, s->chunk, &s->all);
    mlm__embedding_forward(&network->compute, &embedding, network->embedded);
    for (size_t l = 0; l < L; l++) {
        const mlm__attention attention = attention_of(s, l);
        const mlm__feed_forward feed_forward = feed_forward_of(s, l);
        mlm__attention_forward(&network->compute, &attention, network->layers[l].middle);
        mlm__feed_forward_forward(&network->compute, &feed_forward, network->layers[l].out);
    }
    return layer_input(network, L).numbers;
}

/* ---- losses --------------------------------------------------------------------------- */

/* Losses of M labelled rows in head.rows and head.labels, and their gradient into dout. */
static void prediction_rows(const step *s, const real *hidden, size_t M)
{
    mlm__network *network = s->network;
    const mlm__compute *compute = &network->compute;
    const mlm__layout *layout = network->layout;
    const mlm__head_room *room = &network->head;
    const mlm__prediction_head head =
        mlm__network_prediction_head(network, s->parameters, room->rows, M);
    mlm__cross_entropy loss = mlm__network_cross_entropy(network, s->parameters, room->labels, M);
    loss.exponentials = room->exponentials;
    mlm__prediction_head_forward(compute, &head, hidden, room->z);
    mlm__cross_entropy_forward(compute, &loss, room->losses, room->correct);
    for (size_t m = 0; m < M; m++) {
        s->sums->loss += room->losses[m];
        s->sums->correct += room->correct[m];
    }
    s->sums->labels += (int64_t)M;
    mlm__cross_entropy_backward(
        compute, &loss, s->loss_scale, room->parts, room->dz, gradients_at(s, layout->decoder));
    mlm__prediction_head_backward(compute, &head, room->dz, room->dup, room->dx,
        network->backward.dout, gradients_at(s, layout->transform),
        gradients_at(s, layout->transform_norm));
}

static size_t labelled_tokens(const mlm__chunk *chunk)
{
    size_t count = 0;
    for (int32_t i = 0; chunk->labels && i < chunk->N; i++)
        count += chunk->labels[i] >= 0;
    return count;
}

/* 0 also where the model has no head for them. */
static size_t labelled_sequences(const mlm__network *network, const mlm__chunk *chunk)
{
    size_t count = 0;
    const bool any = network->layout->config.sentence_head && chunk->sentence_labels;
    for (int32_t b = 0; any && b < chunk->B; b++)
        count += chunk->sentence_labels[b] >= 0;
    return count;
}

/* Finds the tokens whose hidden states a head reads: labelled ones, and with sentence labels the
   first of each sequence. Returns their number. */
static size_t find_used(const mlm__network *network, const mlm__chunk *chunk)
{
    const bool firsts = labelled_sequences(network, chunk) > 0;
    int32_t *row_of = network->used.row_of;
    for (int32_t i = 0; i < chunk->N; i++)
        row_of[i] = (chunk->labels && chunk->labels[i] >= 0) || (firsts && network->place[i] == 0);
    return mlm__number_rows((size_t)chunk->N, row_of, network->used.rows);
}

/* Labelled tokens in parts of equal size, at most MLM__HEAD_ROWS each. */
static void prediction_loss(const step *s, const real *hidden)
{
    const mlm__chunk *chunk = s->chunk;
    const mlm__head_room *room = &s->network->head;
    const size_t labels = labelled_tokens(chunk);
    if (labels == 0)
        return;
    const size_t parts = (labels + MLM__HEAD_ROWS - 1) / MLM__HEAD_ROWS;
    const size_t part = (labels + parts - 1) / parts;
    size_t M = 0;
    for (int32_t i = 0; i < chunk->N; i++) {
        if (chunk->labels[i] < 0)
            continue;
        room->rows[M] = s->network->used.row_of[i];
        room->labels[M] = chunk->labels[i];
        if (++M == part) {
            prediction_rows(s, hidden, M);
            M = 0;
        }
    }
    if (M > 0)
        prediction_rows(s, hidden, M);
}

static void sentence_loss(const step *s, const real *hidden)
{
    mlm__network *network = s->network;
    const mlm__layout *layout = network->layout;
    const mlm__sentence_room *room = &network->sentence;
    const int32_t *labels = s->chunk->sentence_labels;
    const size_t B = (size_t)s->chunk->B;
    const size_t labelled = labelled_sequences(network, s->chunk);
    if (labelled == 0)
        return;
    const mlm__sentence_head head = mlm__network_sentence_head(
        network, s->parameters, B, s->chunk->offsets, network->used.row_of);
    mlm__pooler_forward(&network->compute, &head, hidden, room->x, room->pooled);
    mlm__sentence_logits(&network->compute, &head, room->pooled, room->logits);
    mlm__sentence_loss(B, labels, s->sentence_scale, room->logits, room->losses, room->correct);
    for (size_t b = 0; b < B; b++) {
        s->sums->sentence_loss += room->losses[b];
        s->sums->sentence_correct += room->correct[b];
    }
    s->sums->sentence_count += (int64_t)labelled;
    mlm__sentence_head_backward(&network->compute, &head, room->x, room->pooled, room->logits,
        room->dpooled, room->dx, network->backward.dout, gradients_at(s, layout->pooler),
        gradients_at(s, layout->sentence));
}

/* ---- backward --------------------------------------------------------------------------- */

/* The gradient of a layer's input is that of the output below. */
static void pass_down(mlm__backward_room *room)
{
    real *dx = room->dx;
    room->dx = room->dout;
    room->dout = dx;
}

static void layer_backward(const step *s, size_t l)
{
    mlm__network *network = s->network;
    const mlm__compute *compute = &network->compute;
    const mlm__layer_layout *at = &network->layout->layers[l];
    const mlm__layer_room *kept = &network->layers[l];
    mlm__backward_room *room = &network->backward;
    const mlm__attention attention = attention_of(s, l);
    const mlm__feed_forward feed_forward = feed_forward_of(s, l);
    const size_t N = attention.N, U = attention.U, H = attention.H, I = feed_forward.I;
    mlm__feed_forward_backward(
        compute, &feed_forward, room->dout, room->output_dproj, room->dup, room->dmiddle);
    mlm__attention_backward(compute, &attention, room->dmiddle, room->attention_dproj,
        room->dcontext, room->dqueries, room->dkeys_values,
        attention.query_rows ? network->used.dx : room->dx, room->dx);
    if ((int32_t)l < s->frozen->layers) {
        pass_down(room);
        return;
    }
    const mlm__weight_gradients key_value = gradients_at(s, at->key_value);
    /* A bias of the keys adds the same to all scores of a row, which softmax does not see. */
    const mlm__weight_gradients key = {key_value.weight, NULL};
    const mlm__weight_gradients value = {key_value.weight + H * H, key_value.bias + H};
    const mlm__operand activated = mlm__plain_rows(network->activated, I);
    const mlm__operand middle = mlm__plain_rows(kept->middle, H);
    const mlm__operand context = mlm__plain_rows(kept->context, H);
    const mlm__operand x = mlm__plain_rows(attention.x, H);
    const mlm__operand query_x = mlm__plain_rows(attention.query_x, H);
    const mlm__operand dkeys_values = mlm__plain_rows(room->dkeys_values, 2 * H);
    const mlm__linear_gradient linears[6] = {
        {U, I, H, activated, mlm__plain_rows(room->output_dproj, H), gradients_at(s, at->output)},
        {U, H, I, middle, mlm__plain_rows(room->dup, I), gradients_at(s, at->intermediate)},
        {U, H, H, query_x, mlm__plain_rows(room->dqueries, H), gradients_at(s, at->query)},
        {N, H, H, x, dkeys_values, key},
        {N, H, H, x, mlm__operand_from(dkeys_values, 0, H), value},
        {U, H, H, context, mlm__plain_rows(room->attention_dproj, H),
            gradients_at(s, at->attention_output)},
    };
    const mlm__norm_gradient norms[2] = {
        {U, H, kept->output_norm.sum, kept->output_norm.moments, room->dout,
            gradients_at(s, at->output_norm)},
        {U, H, kept->attention_norm.sum, kept->attention_norm.moments, room->dmiddle,
            gradients_at(s, at->attention_norm)},
    };
    mlm__parameter_gradients(compute, linears, 6, norms, 2);
    pass_down(room);
}

static void backward(const step *s)
{
    mlm__network *network = s->network;
    const mlm__layout *layout = network->layout;
    const size_t lowest = s->frozen->embeddings ? (size_t)s->frozen->layers : 0;
    for (size_t l = (size_t)layout->config.num_hidden_layers; l-- > lowest;)
        layer_backward(s, l);
    if (s->frozen->embeddings)
        return;
    const mlm__embedding embedding =
        mlm__network_embedding(network, s->parameters, s->chunk, &s->all);
    const mlm__embedding_gradients into = {.word = gradient_at(s, layout->word_embeddings),
        .position = gradient_at(s, layout->position_embeddings),
        .type = gradient_at(s, layout->token_type_embeddings),
        .norm = gradients_at(s, layout->embeddings_norm)};
    mlm__embedding_backward(
        &network->compute, &embedding, network->backward.dout, network->backward.dx, &into);
}

mlm_status mlm__network_train(mlm__network *network, const real *parameters,
    const mlm__chunk *chunk, const mlm__dropout *dropout, double loss_scale, double sentence_scale,
    const mlm__frozen *frozen, real *gradients, mlm__sums *sums)
{
    assert(network->training);
    step s = {.network = network,
        .chunk = chunk,
        .parameters = parameters,
        .frozen = frozen,
        .gradients = gradients,
        .all = mlm__network_place(network, chunk, dropout),
        .loss_scale = loss_scale,
        .sentence_scale = sentence_scale,
        .sums = sums};
    const size_t U = find_used(network, chunk);
    if (U > 0) {
        const size_t H = (size_t)network->layout->config.hidden_size;
        s.used = mlm__network_used(network, chunk, &s.all, network->used.rows, U);
        mlm__network_begin(network);
        const real *hidden = forward(&s);
        memset(network->backward.dout, 0, U * H * sizeof(real));
        prediction_loss(&s, hidden);
        sentence_loss(&s, hidden);
        backward(&s);
        mlm__network_end(network);
    }
    sums->sequences += chunk->B;
    sums->tokens += chunk->N;
    return MLM_OK;
}
