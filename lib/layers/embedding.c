#include "layers/embedding.h"

#include "layers/parameter_gradients.h"

/* Columns of the tables that a piece of backward owns: two cache lines, as a neighbouring line is
   often fetched with one, and 24 pieces for H = 768. */
enum { TABLE_COLUMNS = 32 };

typedef struct forward_work {
    const mlm__compute *compute;
    const mlm__embedding *layer;
    mlm__rows out;
} forward_work;

static size_t type_of(const mlm__embedding *layer, size_t i)
{
    return layer->token_type_ids ? (size_t)layer->token_type_ids[i] : 0;
}

static void forward_piece(void *context, size_t piece, int32_t thread)
{
    const forward_work *work = context;
    const mlm__kernels *kernels = work->compute->kernels;
    const mlm__embedding *layer = work->layer;
    const size_t H = layer->H;
    const mlm__row_range rows = mlm__range_of_piece(layer->N, piece);
    real *room = mlm__scratch_of(work->compute, thread);
    for (size_t i = rows.first; i < rows.first + rows.count; i++) {
        real *sum = layer->kept.sum + i * H, *out = work->out.numbers + i * H;
        kernels->residual(H, layer->word + (size_t)layer->input_ids[i] * H, NULL,
            layer->type + type_of(layer, i) * H, sum);
        kernels->add(H, layer->position + (size_t)layer->place[i] * H, sum);
        layer->kept.moments[i] = kernels->layer_norm(
            H, sum, layer->norm.weight, layer->norm.bias, (real)layer->eps, out);
        const real *multipliers =
            mlm__dropper_row(layer->dropper, kernels, MLM__SITE_EMBEDDINGS, i, H, room);
        if (multipliers)
            kernels->product(H, multipliers, out);
        mlm__rows_end(work->compute, mlm__rows_from(work->out, i * H), H, out);
    }
}

void mlm__embedding_forward(const mlm__compute *compute, const mlm__embedding *layer, mlm__rows out)
{
    forward_work work = {compute, layer, out};
    mlm__compute_row_pieces(
        compute, layer->N * layer->H, mlm__pieces_of(layer->N), forward_piece, &work);
}

typedef struct backward_work {
    const mlm__compute *compute;
    const mlm__embedding *layer;
    real *dout, *dsum;
    const mlm__embedding_gradients *into;
} backward_work;

static void norm_backward_piece(void *context, size_t piece, int32_t thread)
{
    const backward_work *work = context;
    const mlm__kernels *kernels = work->compute->kernels;
    const mlm__embedding *layer = work->layer;
    const size_t H = layer->H;
    const mlm__row_range rows = mlm__range_of_piece(layer->N, piece);
    real *room = mlm__scratch_of(work->compute, thread);
    for (size_t i = rows.first; i < rows.first + rows.count; i++) {
        real *dout = work->dout + i * H;
        const real *multipliers =
            mlm__dropper_row(layer->dropper, kernels, MLM__SITE_EMBEDDINGS, i, H, room);
        if (multipliers)
            kernels->product(H, multipliers, dout);
        kernels->layer_norm_backward(H, layer->kept.sum + i * H, layer->kept.moments[i],
            layer->norm.weight, dout, work->dsum + i * H);
    }
}

/* A type's row gets a large part of all tokens: summed in groups, as in column_sums. */
static void add_type_rows(const backward_work *work, size_t column, size_t width, size_t type)
{
    const mlm__kernels *kernels = work->compute->kernels;
    const mlm__embedding *layer = work->layer;
    const size_t H = layer->H;
    for (size_t first = 0; first < layer->N; first += MLM__SUM_ROWS) {
        const size_t end = first + MLM__SUM_ROWS < layer->N ? first + MLM__SUM_ROWS : layer->N;
        real part[TABLE_COLUMNS] = {0};
        for (size_t i = first; i < end; i++)
            if (type_of(layer, i) == type)
                kernels->add(width, work->dsum + i * H + column, part);
        kernels->add(width, part, work->into->type + type * H + column);
    }
}

/* Tokens in order; other pieces have other columns. */
static void table_piece(void *context, size_t piece, int32_t thread)
{
    const backward_work *work = context;
    const mlm__kernels *kernels = work->compute->kernels;
    const mlm__embedding *layer = work->layer;
    const size_t H = layer->H, column = piece * TABLE_COLUMNS;
    const size_t width = H - column < TABLE_COLUMNS ? H - column : TABLE_COLUMNS;
    (void)thread;
    for (size_t i = 0; i < layer->N; i++) {
        const real *dsum = work->dsum + i * H + column;
        const size_t id = (size_t)layer->input_ids[i], place = (size_t)layer->place[i];
        if (layer->input_ids[i] != layer->pad_token_id)
            kernels->add(width, dsum, work->into->word + id * H + column);
        kernels->add(width, dsum, work->into->position + place * H + column);
    }
    for (size_t type = 0; type < layer->types; type++)
        add_type_rows(work, column, width, type);
}

void mlm__embedding_backward(const mlm__compute *compute, const mlm__embedding *layer, real *dout,
    real *dsum, const mlm__embedding_gradients *into)
{
    backward_work work = {compute, layer, dout, dsum, into};
    const mlm__norm_gradient norm = {
        layer->N, layer->H, layer->kept.sum, layer->kept.moments, dout, into->norm};
    mlm__compute_row_pieces(
        compute, layer->N * layer->H, mlm__pieces_of(layer->N), norm_backward_piece, &work);
    mlm__parameter_gradients(compute, NULL, 0, &norm, 1);
    mlm__compute_row_pieces(compute, layer->N * layer->H,
        (layer->H + TABLE_COLUMNS - 1) / TABLE_COLUMNS, table_piece, &work);
}
