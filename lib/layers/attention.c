#include "layers/attention.h"

#include <math.h>

#include "layers/linear.h"

/* Query rows whose scores are in scratch at a time; bounds it for long sequences. */
enum { QUERY_ROWS = 128 };

size_t mlm__attention_scratch(size_t T, size_t D)
{
    const size_t rows = T < QUERY_ROWS ? T : QUERY_ROWS;
    return (2 * rows + 1 + 3 * D) * T;
}

/* One head of one sequence. */
typedef struct head {
    size_t first, T, D; /* its rows in the chunk, its width */
    mlm__operand q, k, v;
    real scale;
} head;

static head head_of_piece(const mlm__attention *layer, size_t piece, size_t *a)
{
    const size_t b = piece / layer->A, H = layer->H;
    *a = piece % layer->A;
    head h;
    h.first = (size_t)(layer->offsets[b] - layer->offsets[0]);
    h.T = (size_t)(layer->offsets[b + 1] - layer->offsets[b]);
    h.D = H / layer->A;
    h.q = mlm__operand_from(mlm__plain_rows(layer->projected, 3 * H), h.first, *a * h.D);
    h.k = mlm__operand_from(h.q, 0, H);
    h.v = mlm__operand_from(h.k, 0, H);
    h.scale = (real)(1 / sqrt((double)h.D));
    return h;
}

/* Of one product of scores or of context over all sequences, as if they were equally long. */
static double product_size(const mlm__attention *layer)
{
    return (double)layer->N * (double)layer->N / (double)layer->B * (double)layer->H;
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
    for (size_t t0 = 0; t0 < T; t0 += QUERY_ROWS) {
        const size_t rows = T - t0 < QUERY_ROWS ? T - t0 : QUERY_ROWS;
        real *room = scores + rows * T;
        const mlm__rows out = mlm__rows_from(layer->context, (h.first + t0) * H + a * D);
        mlm__softmax_row *softmax = layer->softmax + (h.first + t0) * layer->A + a;
        mlm__multiply(work->compute, thread, rows, T, D, h.scale, mlm__operand_from(h.q, t0, 0),
            mlm__transpose(h.k), false, scores, T);
        for (size_t r = 0; r < rows; r++) {
            real *row = scores + r * T, maximum = kernels->maximum(T, row);
            const real sum = kernels->exp_sum(T, maximum, row);
            const real *multipliers = mlm__dropper_row(layer->probability_dropper, kernels,
                layer->head_site + (uint32_t)a, h.first + t0 + r, T, room);
            if (multipliers)
                kernels->product(T, multipliers, row);
            softmax[r * layer->A] = (mlm__softmax_row){maximum, 1 / sum};
        }
        mlm__multiply(work->compute, thread, rows, D, T, 1, mlm__plain(scores, T), h.v, false,
            out.numbers, H);
        for (size_t r = 0; r < rows; r++) {
            const mlm__rows row = mlm__rows_from(out, r * H);
            kernels->scale(D, softmax[r * layer->A].inverse_sum, row.numbers);
            mlm__rows_end(work->compute, row, D, row.numbers);
        }
    }
}

static mlm__residual residual_of(const mlm__attention *layer)
{
    return (mlm__residual){layer->N, layer->H, layer->eps, layer->output_dropper,
        layer->output_site, layer->norm, layer->kept};
}

void mlm__attention_forward(const mlm__compute *compute, const mlm__attention *layer, mlm__rows out)
{
    const size_t N = layer->N, H = layer->H;
    const mlm__residual residual = residual_of(layer);
    mlm__linear_forward(compute, layer->qkv, N, H, 3 * H, mlm__plain_rows(layer->x, H),
        layer->projected, NULL, NULL);
    mlm__compute_pieces(compute, 2 * product_size(layer), layer->B * layer->A, head_piece,
        &(forward_work){compute, layer});
    mlm__linear_forward(compute, layer->output, N, H, H, mlm__plain_rows(layer->context, H),
        (mlm__rows){.numbers = layer->kept.sum}, NULL, NULL);
    mlm__residual_forward(compute, &residual, layer->x.numbers, out);
}

/* ---- backward ------------------------------------------------------------------- */

typedef struct backward_work {
    const mlm__compute *compute;
    const mlm__attention *layer;
    const real *dcontext;
    mlm__rows dprojected;
} backward_work;

static void head_backward_piece(void *context, size_t piece, int32_t thread)
{
    const backward_work *work = context;
    const mlm__compute *compute = work->compute;
    const mlm__kernels *kernels = compute->kernels;
    const mlm__attention *layer = work->layer;
    size_t a;
    const head h = head_of_piece(layer, piece, &a);
    const size_t T = h.T, D = h.D, H = layer->H;
    const mlm__rows into = mlm__rows_from(work->dprojected, h.first * 3 * H + a * D);
    real *const scratch = mlm__scratch_of(compute, thread), *const p = scratch + 3 * D * T;
    const size_t stride = into.numbers ? 3 * H : 3 * D, step = into.numbers ? H : D;
    real *dq = mlm__rows_begin(into, scratch), *dk = dq + step, *dv = dk + step;
    for (size_t t0 = 0; t0 < T; t0 += QUERY_ROWS) {
        const size_t rows = T - t0 < QUERY_ROWS ? T - t0 : QUERY_ROWS;
        const size_t at = (h.first + t0) * H + a * D;
        const real *out = layer->context.numbers + at, *dout = work->dcontext + at;
        const mlm__operand q = mlm__operand_from(h.q, t0, 0);
        const mlm__softmax_row *softmax = layer->softmax + (h.first + t0) * layer->A + a;
        real *dp = p + rows * T, *room = dp + rows * T;
        mlm__multiply(compute, thread, rows, T, D, h.scale, q, mlm__transpose(h.k), false, p, T);
        mlm__multiply(
            compute, thread, rows, T, D, 1, mlm__plain(dout, H), mlm__transpose(h.v), false, dp, T);
        for (size_t r = 0; r < rows; r++) {
            const mlm__softmax_row saved = softmax[r * layer->A];
            const real *multipliers = mlm__dropper_row(layer->probability_dropper, kernels,
                layer->head_site + (uint32_t)a, h.first + t0 + r, T, room);
            kernels->exp_sum(T, saved.maximum, p + r * T);
            kernels->scale(T, saved.inverse_sum, p + r * T);
            kernels->softmax_backward(
                T, kernels->dot(D, out + r * H, dout + r * H), multipliers, p + r * T, dp + r * T);
        }
        mlm__multiply(compute, thread, T, D, rows, 1, mlm__transposed(p, T), mlm__plain(dout, H),
            t0 > 0, dv, stride);
        mlm__multiply(compute, thread, rows, D, T, h.scale, mlm__plain(dp, T), h.k, false,
            dq + t0 * stride, stride);
        mlm__multiply(
            compute, thread, T, D, rows, h.scale, mlm__transposed(dp, T), q, t0 > 0, dk, stride);
    }
    for (size_t i = 0; into.bf16 && i < 3 * T; i++)
        mlm__rows_end(compute, mlm__rows_from(into, i * H), D, dq + i / 3 * stride + i % 3 * step);
}

void mlm__attention_backward(const mlm__compute *compute, const mlm__attention *layer,
    const real *dout, mlm__rows dproj, real *dcontext, mlm__rows dprojected, real *dx)
{
    const size_t N = layer->N, H = layer->H;
    const mlm__residual residual = residual_of(layer);
    mlm__residual_backward(compute, &residual, dout, dx, dproj);
    mlm__linear_backward(compute, layer->output, N, H, H, mlm__plain_rows(dproj, H), false,
        (mlm__rows){.numbers = dcontext}, NULL, NULL);
    mlm__compute_pieces(compute, 5 * product_size(layer), layer->B * layer->A, head_backward_piece,
        &(backward_work){compute, layer, dcontext, dprojected});
    mlm__linear_backward(compute, layer->qkv, N, H, 3 * H, mlm__plain_rows(dprojected, 3 * H), true,
        (mlm__rows){.numbers = dx}, NULL, NULL);
}
