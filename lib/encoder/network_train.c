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
    mlm__droppers droppers;
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

static mlm__attention attention_of(const step *s, size_t l)
{
    return mlm__network_attention(s->network, s->parameters, s->chunk, &s->droppers, l,
        &s->network->layers[l], layer_input(s->network, l));
}

static mlm__feed_forward feed_forward_of(const step *s, size_t l)
{
    return mlm__network_feed_forward(s->network, s->parameters, s->chunk, &s->droppers, l,
        &s->network->layers[l], s->network->layers[l].middle);
}

static const real *forward(const step *s)
{
    const mlm__network *network = s->network;
    const size_t L = (size_t)network->layout->config.num_hidden_layers;
    const mlm__embedding embedding =
        mlm__network_embedding(network, s->parameters, s->chunk, &s->droppers);
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

/* Labelled rows in parts of equal size, at most MLM__HEAD_ROWS each. Returns their number. */
static size_t prediction_loss(const step *s, const real *hidden)
{
    const mlm__chunk *chunk = s->chunk;
    const mlm__head_room *room = &s->network->head;
    size_t labels = 0, M = 0;
    for (int32_t i = 0; chunk->labels && i < chunk->N; i++)
        labels += chunk->labels[i] >= 0;
    if (labels == 0)
        return 0;
    const size_t parts = (labels + MLM__HEAD_ROWS - 1) / MLM__HEAD_ROWS;
    const size_t part = (labels + parts - 1) / parts;
    for (int32_t i = 0; i < chunk->N; i++) {
        if (chunk->labels[i] < 0)
            continue;
        room->rows[M] = i;
        room->labels[M] = chunk->labels[i];
        if (++M == part) {
            prediction_rows(s, hidden, M);
            M = 0;
        }
    }
    if (M > 0)
        prediction_rows(s, hidden, M);
    return labels;
}

/* Returns the number of labelled sequences. */
static size_t sentence_loss(const step *s, const real *hidden)
{
    mlm__network *network = s->network;
    const mlm__layout *layout = network->layout;
    const mlm__sentence_room *room = &network->sentence;
    const int32_t *labels = s->chunk->sentence_labels;
    const size_t B = (size_t)s->chunk->B;
    size_t labelled = 0;
    for (size_t b = 0; layout->config.sentence_head && labels && b < B; b++)
        labelled += labels[b] >= 0;
    if (labelled == 0)
        return 0;
    const mlm__sentence_head head =
        mlm__network_sentence_head(network, s->parameters, B, s->chunk->offsets);
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
    return labelled;
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
    const size_t N = attention.N, H = attention.H, I = feed_forward.I;
    mlm__feed_forward_backward(
        compute, &feed_forward, room->dout, room->output_dproj, room->dup, room->dmiddle);
    mlm__attention_backward(compute, &attention, room->dmiddle, room->attention_dproj,
        room->dcontext, room->dprojected, room->dx);
    if ((int32_t)l < s->frozen->layers) {
        pass_down(room);
        return;
    }
    const mlm__weight_gradients query = gradients_at(s, at->qkv);
    /* A bias of the keys adds the same to all scores of a row, which softmax does not see. */
    const mlm__weight_gradients key = {query.weight + H * H, NULL};
    const mlm__weight_gradients value = {query.weight + 2 * H * H, query.bias + 2 * H};
    const mlm__operand activated = mlm__plain_rows(network->activated, I);
    const mlm__operand middle = mlm__plain_rows(kept->middle, H);
    const mlm__operand context = mlm__plain_rows(kept->context, H);
    const mlm__operand x = mlm__plain_rows(attention.x, H);
    const mlm__operand dprojected = mlm__plain_rows(room->dprojected, 3 * H);
    const mlm__linear_gradient linears[6] = {
        {N, I, H, activated, mlm__plain_rows(room->output_dproj, H), gradients_at(s, at->output)},
        {N, H, I, middle, mlm__plain_rows(room->dup, I), gradients_at(s, at->intermediate)},
        {N, H, H, x, dprojected, query},
        {N, H, H, x, mlm__operand_from(dprojected, 0, H), key},
        {N, H, H, x, mlm__operand_from(dprojected, 0, 2 * H), value},
        {N, H, H, context, mlm__plain_rows(room->attention_dproj, H),
            gradients_at(s, at->attention_output)},
    };
    const mlm__norm_gradient norms[2] = {
        {N, H, kept->output_norm.sum, kept->output_norm.moments, room->dout,
            gradients_at(s, at->output_norm)},
        {N, H, kept->attention_norm.sum, kept->attention_norm.moments, room->dmiddle,
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
        mlm__network_embedding(network, s->parameters, s->chunk, &s->droppers);
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
    const step s = {network, chunk, parameters, frozen, gradients,
        mlm__network_place(network, chunk, dropout), loss_scale, sentence_scale, sums};
    const size_t H = (size_t)network->layout->config.hidden_size;
    mlm__network_begin(network);
    const real *hidden = forward(&s);
    memset(network->backward.dout, 0, (size_t)chunk->N * H * sizeof(real));
    const size_t labels = prediction_loss(&s, hidden), sentences = sentence_loss(&s, hidden);
    if (labels + sentences > 0)
        backward(&s);
    mlm__network_end(network);
    sums->sequences += chunk->B;
    sums->tokens += chunk->N;
    return MLM_OK;
}
