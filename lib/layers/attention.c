#include "layers/attention.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "layers/linear.h"

/* Query rows whose scores are in scratch at a time, with their gradients 256 KB at T = 256: what a
   core's cache holds. All of a sequence of 128, so that its keys are packed once. */
enum { QUERY_ROWS = 128 };

size_t mlm__attention_scratch(size_t T, size_t D)
{
    const size_t rows = T < QUERY_ROWS ? T : QUERY_ROWS;
    return (2 * rows + 1 + 3 * D) * T;
}

/* One head of one sequence. */
typedef struct head {
    size_t first, T;             /* its tokens in the chunk */
    size_t first_query, queries; /* and of those asked for */
    size_t D;
    mlm__operand q, k, v;
    real scale;
} head;

static head head_of_piece(const mlm__attention *layer, size_t piece, size_t *a)
{
    const size_t b = piece / layer->A, H = layer->H;
    *a = piece % layer->A;
    head h;
    const int32_t *offsets = layer->offsets, *query_offsets = layer->query_offsets;
    h.first = (size_t)(offsets[b] - offsets[0]);
    h.T = (size_t)(offsets[b + 1] - offsets[b]);
    h.first_query = (size_t)(query_offsets[b] - query_offsets[0]);
    h.queries = (size_t)(query_offsets[b + 1] - query_offsets[b]);
    h.D = H / layer->A;
    h.q = mlm__operand_from(mlm__plain_rows(layer->queries, H), h.first_query, *a * h.D);
    h.k = mlm__operand_from(mlm__plain_rows(layer->keys_values, 2 * H), h.first, *a * h.D);
    h.v = mlm__operand_from(h.k, 0, H);
    h.scale = (real)(1 / sqrt((double)h.D));
    return h;
}

/* Of one product of scores or of context over all sequences, as if they were equally long. */
static double product_size(const mlm__attention *layer)
{
    return (double)layer->U * (double)layer->N / (double)layer->B * (double)layer->H;
}

/* ---- forward -------------------------------------------------------------------- */

typedef struct forward_work {
    const mlm__compute *compute;
    const mlm__attention *layer;
} forward_work;

/* The weights of V are exp(score - maximum); the division by their sum is done on the D numbers
   of the result instead of the T weights. */
static void head_piece(void *context, size_t piece, int32_t thread)
{
    const forward_work *work = context;
    const mlm__kernels *kernels = work->compute->kernels;
    const mlm__attention *layer = work->layer;
    size_t a;
    const head h = head_of_piece(layer, piece, &a);
    const size_t T = h.T, D = h.D, H = layer->H;
    real *scores = mlm__scratch_of(work->compute, thread);
    for (size_t q0 = 0; q0 < h.queries; q0 += QUERY_ROWS) {
        const size_t rows = mlm__least(QUERY_ROWS, h.queries - q0), first = h.first_query + q0;
        real *room = scores + rows * T;
        const mlm__rows out = mlm__rows_from(layer->context, first * H + a * D);
        real *numbers = mlm__rows_begin(out, room + T);
        const size_t stride = out.numbers ? H : D;
        mlm__softmax_row *softmax = layer->softmax + first * layer->A + a;
        mlm__multiply(work->compute, thread, rows, T, D, h.scale, mlm__operand_from(h.q, q0, 0),
            mlm__transpose(h.k), false, scores, T);
        for (size_t r = 0; r < rows; r++) {
            real *row = scores + r * T, maximum = kernels->maximum(T, row);
            const real sum = kernels->exp_sum(T, maximum, row);
            const real *multipliers = mlm__dropper_row(layer->probability_dropper, kernels,
                layer->head_site + (uint32_t)a, first + r, T, room);
            if (multipliers)
                kernels->product(T, multipliers, row);
            softmax[r * layer->A] = (mlm__softmax_row){maximum, 1 / sum};
        }
        mlm__multiply(work->compute, thread, rows, D, T, 1, mlm__plain(scores, T), h.v, false,
            numbers, stride);
        for (size_t r = 0; r < rows; r++) {
            kernels->scale(D, softmax[r * layer->A].inverse_sum, numbers + r * stride);
            mlm__rows_end(work->compute, mlm__rows_from(out, r * H), D, numbers + r * stride);
        }
    }
}

static mlm__residual residual_of(const mlm__attention *layer)
{
    return (mlm__residual){layer->U, layer->H, layer->eps, layer->output_dropper,
        layer->output_site, layer->norm, layer->kept};
}

/* Where query_x is x, no row is written over before it is read. */
static void copy_queries(const mlm__attention *layer)
{
    const size_t H = layer->H;
    for (size_t u = 0; u < layer->U; u++) {
        const mlm__rows from = mlm__rows_from(layer->x, (size_t)layer->query_rows[u] * H);
        const mlm__rows to = mlm__rows_from(layer->query_x, u * H);
        if (from.numbers)
            memmove(to.numbers, from.numbers, H * sizeof *to.numbers);
        if (from.bf16)
            memmove(to.bf16, from.bf16, H * sizeof *to.bf16);
    }
}

void mlm__attention_forward(const mlm__compute *compute, const mlm__attention *layer, mlm__rows out)
{
    const size_t N = layer->N, U = layer->U, H = layer->H;
    const mlm__residual residual = residual_of(layer);
    assert(layer->query_rows || (U == N && layer->query_x.numbers == layer->x.numbers &&
                                    layer->query_x.bf16 == layer->x.bf16));
    mlm__linear_forward(compute, layer->key_value, N, H, 2 * H, mlm__plain_rows(layer->x, H),
        layer->keys_values, NULL, NULL);
    if (layer->query_rows)
        copy_queries(layer);
    mlm__linear_forward(compute, layer->query, U, H, H, mlm__plain_rows(layer->query_x, H),
        layer->queries, NULL, NULL);
    mlm__compute_pieces(compute, 2 * product_size(layer), layer->B * layer->A, head_piece,
        &(forward_work){compute, layer});
    mlm__linear_forward(compute, layer->output, U, H, H, mlm__plain_rows(layer->context, H),
        (mlm__rows){.numbers = layer->kept.sum}, NULL, NULL);
    mlm__residual_forward(compute, &residual, layer->query_x.numbers, out);
}

/* ---- backward ------------------------------------------------------------------- */

typedef struct backward_work {
    const mlm__compute *compute;
    const mlm__attention *layer;
    mlm__rows dcontext, dqueries, dkeys_values;
} backward_work;

/* The gradients of a head's queries, keys and values are computed in their places, or in scratch and
   then rounded. */
static void head_backward_piece(void *context, size_t piece, int32_t thread)
{
    const backward_work *work = context;
    const mlm__compute *compute = work->compute;
    const mlm__kernels *kernels = compute->kernels;
    const mlm__attention *layer = work->layer;
    size_t a;
    const head h = head_of_piece(layer, piece, &a);
    const size_t T = h.T, D = h.D, H = layer->H;
    const mlm__rows into_q = mlm__rows_from(work->dqueries, h.first_query * H + a * D);
    const mlm__rows into_k = mlm__rows_from(work->dkeys_values, h.first * 2 * H + a * D);
    const mlm__rows into_v = mlm__rows_from(into_k, H);
    real *const scratch = mlm__scratch_of(compute, thread), *const p = scratch + 3 * D * T;
    real *dq = mlm__rows_begin(into_q, scratch), *dk = mlm__rows_begin(into_k, scratch + D * T);
    real *dv = mlm__rows_begin(into_v, scratch + 2 * D * T);
    const size_t q_stride = into_q.numbers ? H : D, stride = into_k.numbers ? 2 * H : D;
    if (h.queries == 0)
        for (size_t t = 0; t < T; t++) {
            memset(dk + t * stride, 0, D * sizeof *dk);
            memset(dv + t * stride, 0, D * sizeof *dv);
        }
    for (size_t q0 = 0; q0 < h.queries; q0 += QUERY_ROWS) {
        const size_t rows = mlm__least(QUERY_ROWS, h.queries - q0), first = h.first_query + q0;
        const mlm__operand dout =
            mlm__operand_from(mlm__plain_rows(work->dcontext, H), first, a * D);
        const mlm__operand q = mlm__operand_from(h.q, q0, 0);
        const mlm__softmax_row *softmax = layer->softmax + first * layer->A + a;
        real *dp = p + rows * T, *room = dp + rows * T;
        mlm__multiply(compute, thread, rows, T, D, h.scale, q, mlm__transpose(h.k), false, p, T);
        mlm__multiply(compute, thread, rows, T, D, 1, dout, mlm__transpose(h.v), false, dp, T);
        for (size_t r = 0; r < rows; r++) {
            const mlm__softmax_row saved = softmax[r * layer->A];
            const real *multipliers = mlm__dropper_row(layer->probability_dropper, kernels,
                layer->head_site + (uint32_t)a, first + r, T, room);
            kernels->exp_sum(T, saved.maximum, p + r * T);
            kernels->scale(T, saved.inverse_sum, p + r * T);
            kernels->softmax_backward(T, multipliers, p + r * T, dp + r * T);
        }
        mlm__multiply(
            compute, thread, T, D, rows, 1, mlm__transposed(p, T), dout, q0 > 0, dv, stride);
        mlm__multiply(compute, thread, rows, D, T, h.scale, mlm__plain(dp, T), h.k, false,
            dq + q0 * q_stride, q_stride);
        mlm__multiply(
            compute, thread, T, D, rows, h.scale, mlm__transposed(dp, T), q, q0 > 0, dk, stride);
    }
    for (size_t i = 0; into_q.bf16 && i < h.queries; i++)
        mlm__rows_end(compute, mlm__rows_from(into_q, i * H), D, dq + i * q_stride);
    for (size_t t = 0; into_k.bf16 && t < T; t++) {
        mlm__rows_end(compute, mlm__rows_from(into_k, t * 2 * H), D, dk + t * stride);
        mlm__rows_end(compute, mlm__rows_from(into_v, t * 2 * H), D, dv + t * stride);
    }
}

typedef struct add_work {
    const mlm__compute *compute;
    const mlm__attention *layer;
    const real *dquery_x;
    real *dx;
} add_work;

static void add_queries_piece(void *context, size_t piece, int32_t thread)
{
    const add_work *work = context;
    const size_t H = work->layer->H;
    const mlm__row_range rows = mlm__range_of_piece(work->layer->U, piece);
    (void)thread;
    for (size_t u = rows.first; u < rows.first + rows.count; u++)
        work->compute->kernels->add(
            H, work->dquery_x + u * H, work->dx + (size_t)work->layer->query_rows[u] * H);
}

void mlm__attention_backward(const mlm__compute *compute, const mlm__attention *layer,
    const real *dout, mlm__rows dproj, mlm__rows dcontext, mlm__rows dqueries,
    mlm__rows dkeys_values, real *dquery_x, real *dx)
{
    const size_t N = layer->N, U = layer->U, H = layer->H;
    const mlm__residual residual = residual_of(layer);
    const bool apart = layer->query_rows != NULL;
    assert(apart ? dquery_x != dx : dquery_x == dx);
    mlm__residual_backward(compute, &residual, dout, dquery_x, dproj);
    mlm__linear_backward(
        compute, layer->output, U, H, H, mlm__plain_rows(dproj, H), false, dcontext, NULL, NULL);
    mlm__compute_pieces(compute, 5 * product_size(layer), layer->B * layer->A, head_backward_piece,
        &(backward_work){compute, layer, dcontext, dqueries, dkeys_values});
    mlm__linear_backward(compute, layer->query, U, H, H, mlm__plain_rows(dqueries, H), true,
        (mlm__rows){.numbers = dquery_x}, NULL, NULL);
    mlm__linear_backward(compute, layer->key_value, N, H, 2 * H,
        mlm__plain_rows(dkeys_values, 2 * H), !apart, (mlm__rows){.numbers = dx}, NULL, NULL);
    if (apart)
        mlm__compute_row_pieces(compute, U * H, mlm__pieces_of(U), add_queries_piece,
            &(add_work){compute, layer, dquery_x, dx});
}
