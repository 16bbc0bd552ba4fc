/* The workspace: one block of memory, cut into all arrays. */
#include "encoder/network_state.h"

#include <assert.h>

#include "base/memory.h"
#include "layers/linear.h"
#include "layers/parameter_gradients.h"

/* Hands out arrays of a block; of no block at all, to find its size. */
typedef struct arena {
    char *memory;
    size_t used;
} arena;

static size_t round_up(size_t bytes)
{
    return (bytes + MLM__ALIGNMENT - 1) / MLM__ALIGNMENT * MLM__ALIGNMENT;
}

static void *take(arena *from, size_t count, size_t size)
{
    const size_t at = from->used;
    from->used += round_up(count * size);
    return from->memory ? from->memory + at : NULL;
}

static real *take_real(arena *from, size_t count)
{
    return take(from, count, sizeof(real));
}

/* numbers: something else than products reads them. */
static mlm__rows take_rows(arena *from, const mlm__network *network, size_t count, bool numbers)
{
    mlm__rows rows = {0};
    const bool bf16 = network->compute.products->bf16;
    if (numbers || !bf16)
        rows.numbers = take_real(from, count);
    if (bf16)
        rows.bf16 = take(from, count, sizeof *rows.bf16);
    return rows;
}

/* Hidden states, whose numbers backward does not read: in bf16, each half of a layer writes its own
   over those that it was given. */
static mlm__rows take_states(arena *from, const mlm__network *network, size_t count, real *numbers)
{
    mlm__rows rows = take_rows(from, network, count, false);
    if (!rows.numbers)
        rows.numbers = numbers;
    return rows;
}

static mlm__residual_norm take_norm(arena *from, size_t rows, size_t H)
{
    mlm__residual_norm norm;
    norm.sum = take_real(from, rows * H);
    norm.moments = take(from, rows, sizeof(mlm__moments));
    return norm;
}

static mlm__layer_room take_layer(
    arena *from, const mlm__network *network, size_t N, real *states, bool training)
{
    const mlm_encoder_config *config = &network->layout->config;
    const size_t H = (size_t)config->hidden_size;
    mlm__layer_room room;
    room.queries = take_rows(from, network, N * H, false);
    room.keys_values = take_rows(from, network, N * 2 * H, false);
    room.context = take_rows(from, network, N * H, false);
    room.middle = take_states(from, network, N * H, states);
    room.up = take_real(from, N * (size_t)config->intermediate_size);
    room.out = training ? take_states(from, network, N * H, states) : (mlm__rows){0};
    room.softmax = take(from, N * (size_t)config->num_attention_heads, sizeof *room.softmax);
    room.attention_norm = take_norm(from, N, H);
    room.output_norm = take_norm(from, N, H);
    return room;
}

static void take_head(arena *from, mlm__network *network, size_t N, bool training)
{
    const size_t H = (size_t)network->layout->config.hidden_size;
    const size_t R = MLM__HEAD_ROWS, kept = N < R ? N : R;
    const size_t blocks = network->cut.groups * network->cut.blocks_a_group;
    mlm__head_room *head = &network->head;
    head->rows = take(from, R, sizeof(int32_t));
    head->labels = take(from, R, sizeof(int32_t));
    head->x = take_rows(from, network, R * H, false);
    head->up = take_real(from, R * H);
    head->z = take_rows(from, network, R * H, false);
    head->kept = take_norm(from, R, H);
    head->maxima = take_real(from, R * blocks);
    head->sums = take_real(from, R * blocks);
    head->label_logits = take_real(from, R);
    head->label_leads = take(from, R, 1);
    head->correct = take(from, R, 1);
    head->losses = take(from, R, sizeof(double));
    if (training) {
        head->exponentials = take_rows(from, network, kept * network->cut.V, false);
        head->parts = take_real(from, network->cut.groups * kept * H);
        head->dz = take_real(from, kept * H);
        head->dup = take_rows(from, network, kept * H, false);
        head->dx = take_real(from, kept * H);
    }
}

static void take_sentence(arena *from, mlm__network *network, size_t B)
{
    const size_t H = (size_t)network->layout->config.hidden_size;
    mlm__sentence_room *sentence = &network->sentence;
    sentence->x = take_real(from, B * H);
    sentence->pooled = take_real(from, B * H);
    sentence->logits = take_real(from, B * 2);
    sentence->dpooled = take_real(from, B * H);
    sentence->dx = take_real(from, B * H);
    sentence->losses = take(from, B, sizeof(double));
    sentence->correct = take(from, B, 1);
}

static void take_used(
    arena *from, mlm__network *network, size_t N, size_t B, real *states, bool training)
{
    const size_t H = (size_t)network->layout->config.hidden_size;
    mlm__used_room *used = &network->used;
    used->sequence = take(from, N, sizeof(int32_t));
    used->place = take(from, N, sizeof(int32_t));
    used->offsets = take(from, B + 1, sizeof(int32_t));
    if (training) {
        used->rows = take(from, N, sizeof(int32_t));
        used->row_of = take(from, N, sizeof(int32_t));
        used->x = take_states(from, network, N * H, states);
        used->dx = take_real(from, N * H);
    }
}

static void take_backward(arena *from, mlm__network *network, size_t N)
{
    const size_t H = (size_t)network->layout->config.hidden_size;
    const size_t I = (size_t)network->layout->config.intermediate_size;
    mlm__backward_room *room = &network->backward;
    room->dout = take_real(from, N * H);
    room->dmiddle = take_real(from, N * H);
    room->dx = take_real(from, N * H);
    room->attention_dproj = take_rows(from, network, N * H, false);
    room->output_dproj = take_rows(from, network, N * H, false);
    room->dcontext = take_rows(from, network, N * H, false);
    room->dqueries = take_rows(from, network, N * H, false);
    room->dkeys_values = take_rows(from, network, N * 2 * H, false);
    room->dup = take_rows(from, network, N * I, false);
}

static size_t most(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t scratch_size(const mlm__network *network, size_t T)
{
    const mlm_encoder_config *config = &network->layout->config;
    const size_t H = (size_t)config->hidden_size;
    size_t size = most(H, mlm__attention_scratch(T, H / (size_t)config->num_attention_heads));
    size = most(size, mlm__cross_entropy_scratch(network->cut));
    size = most(size, mlm__linear_scratch());
    size = most(size, mlm__parameter_gradients_scratch());
    const size_t unit = MLM__ALIGNMENT / sizeof(real);
    return (size + unit - 1) / unit * unit;
}

/* For the inputs of a layer's linear maps over N rows: middle, context, x and in the last layer its
   used rows, each [N,H], and activated [N,I]; the heads' have fewer. */
static size_t packing_size(const mlm__network *network, size_t N)
{
    const mlm_encoder_config *config = &network->layout->config;
    const mlm__products *products = network->compute.products;
    return 4 * products->packed_size(N, (size_t)config->hidden_size) +
           products->packed_size(N, (size_t)config->intermediate_size);
}

static void take_all(
    arena *from, mlm__network *network, size_t N, size_t B, size_t T, bool training)
{
    const mlm_encoder_config *config = &network->layout->config;
    const size_t H = (size_t)config->hidden_size;
    network->compute.scratch_size = scratch_size(network, T);
    network->compute.scratch =
        take_real(from, (size_t)mlm__threads(network->runtime) * network->compute.scratch_size);
    network->compute.products_room_size = round_up(network->compute.products->room_size);
    network->compute.products_room =
        take(from, (size_t)mlm__threads(network->runtime), network->compute.products_room_size);
    network->compute.packing_room_size = training ? packing_size(network, N) : 0;
    network->compute.packing_room = take(from, network->compute.packing_room_size, 1);
    network->sequence = take(from, N, sizeof(int32_t));
    network->place = take(from, N, sizeof(int32_t));
    network->embedding_norm = take_norm(from, N, H);
    network->embedded = training ? take_rows(from, network, N * H, true) : (mlm__rows){0};
    network->hidden =
        network->compute.products->bf16 ? take(from, N * H, sizeof *network->hidden) : NULL;
    network->activated = take_rows(from, network, N * (size_t)config->intermediate_size, false);
    real *states = network->embedded.numbers;
    if (network->compute.products->bf16 && !training)
        states = take_real(from, N * H);
    for (int32_t l = 0; l < (training ? config->num_hidden_layers : 1); l++)
        network->layers[l] = take_layer(from, network, N, states, training);
    take_used(from, network, N, B, states, training);
    take_head(from, network, N, training);
    if (config->sentence_head)
        take_sentence(from, network, B);
    if (training)
        take_backward(from, network, N);
}

mlm_status mlm__network_create(mlm_runtime *runtime, const mlm__layout *layout,
    const mlm__products *products, const mlm__packed *packed, mlm__network **out)
{
    *out = NULL;
    mlm__network *network = mlm__alloc_zero(runtime, 1, sizeof *network);
    if (!network)
        return MLM_ERR_MEMORY;
    network->runtime = runtime;
    network->layout = layout;
    network->compute.runtime = runtime;
    network->compute.kernels = mlm__kernels_get();
    network->compute.products = products;
    network->packed = packed;
    network->cut = mlm__vocabulary_cut_make(
        (size_t)layout->config.vocab_size, (size_t)layout->config.hidden_size);
    network->layers = mlm__alloc_zero(
        runtime, (size_t)layout->config.num_hidden_layers + 1, sizeof *network->layers);
    if (!network->layers) {
        mlm__network_free(network);
        return MLM_ERR_MEMORY;
    }
    *out = network;
    return MLM_OK;
}

void mlm__network_free(mlm__network *network)
{
    if (!network)
        return;
    mlm__free(network->runtime, network->memory);
    mlm__free(network->runtime, network->layers);
    mlm__free(network->runtime, network);
}

static int32_t larger(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

/* By half at least, since all of the room is made anew, up to what there can be. */
static int32_t grown(int32_t had, int32_t need, int32_t most)
{
    if (need <= had)
        return had;
    const int32_t more = had + had / 2;
    return more > most ? most : larger(need, more);
}

mlm_status mlm__network_reserve(
    mlm__network *network, int32_t N, int32_t B, int32_t T, int32_t training)
{
    assert(N > 0 && B > 0 && T > 0);
    if (network->memory && N <= network->N && B <= network->B && T <= network->T &&
        training <= network->training)
        return MLM_OK;
    N = larger(N, network->N); /* nearly all of the room is for these: no more than asked for */
    B = grown(network->B, B, N);
    T = grown(network->T, T, network->layout->config.max_position_embeddings);
    training = larger(training, network->training);
    /* The old room goes first, so that there are never two. */
    mlm__free(network->runtime, network->memory);
    network->memory = NULL;
    network->N = network->B = network->T = network->training = 0;
    arena size = {0};
    take_all(&size, network, (size_t)N, (size_t)B, (size_t)T, training != 0);
    network->memory = mlm__alloc(network->runtime, size.used, 1);
    if (!network->memory)
        return MLM_ERR_MEMORY;
    take_all(&(arena){network->memory, 0}, network, (size_t)N, (size_t)B, (size_t)T, training != 0);
    network->N = N;
    network->B = B;
    network->T = T;
    network->training = training;
    return MLM_OK;
}
