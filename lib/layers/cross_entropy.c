#include "layers/cross_entropy.h"

#include <math.h>
#include <string.h>

#include "layers/linear.h"
#include "layers/pack_operands.h"

/* The most groups: fixed, not one a thread, so that the order of the sum over them is. Each costs a
   part of dz [M,H] that is written and read again: so many only where a step is long enough to be
   shared by 64 threads. Widths are rounded up, so there are fewer: 60 for base's V = 30522. */
enum { GROUPS = 16, GROUPS_LARGE = 64, LARGE_H = 768 };
/* Of a block: logits of LOGIT_ROWS rows, 192 KB at most, and a part of the decoder are in the core's
   cache together. */
enum { BLOCK_WIDTH_MOST = 512, WIDTH_UNIT = MLM__PANEL };

/* Rows whose logits of a block are computed at a time, and are in the core's cache for what
   follows. */
enum { LOGIT_ROWS = 96 };

static size_t round_up(size_t x, size_t unit)
{
    return (x + unit - 1) / unit * unit;
}

mlm__vocabulary_cut mlm__vocabulary_cut_make(size_t V, size_t H)
{
    mlm__vocabulary_cut cut = {.V = V};
    const size_t most = H < LARGE_H ? GROUPS : GROUPS_LARGE;
    cut.group_width = round_up((V + most - 1) / most, WIDTH_UNIT);
    cut.groups = mlm__tiles_along(V, cut.group_width);
    cut.blocks_a_group = mlm__tiles_along(cut.group_width, BLOCK_WIDTH_MOST);
    cut.block_width =
        round_up((cut.group_width + cut.blocks_a_group - 1) / cut.blocks_a_group, WIDTH_UNIT);
    return cut;
}

size_t mlm__cross_entropy_scratch(mlm__vocabulary_cut cut)
{
    return LOGIT_ROWS * cut.block_width;
}

/* Tokens first .. first + width - 1; width is 0 where the last group ends early. */
typedef struct block {
    size_t index, first, width;
} block;

static block block_of(mlm__vocabulary_cut cut, size_t index)
{
    const size_t group = index / cut.blocks_a_group, b = index % cut.blocks_a_group;
    size_t first = group * cut.group_width + b * cut.block_width;
    size_t end = first + cut.block_width, group_end = (group + 1) * cut.group_width;
    end = end < group_end ? end : group_end;
    end = end < cut.V ? end : cut.V;
    return (block){index, first, end > first ? end - first : 0};
}

static size_t block_count(mlm__vocabulary_cut cut)
{
    return cut.groups * cut.blocks_a_group;
}

static double product_size(size_t M, size_t H, size_t V)
{
    return (double)M * (double)H * (double)V;
}

/* ---- forward ------------------------------------------------------------------------ */

typedef struct forward_work {
    const mlm__compute *compute;
    const mlm__cross_entropy *layer;
    double *losses;
    uint8_t *correct;
} forward_work;

static void find_label(
    const mlm__cross_entropy *layer, size_t m, block at, const real *logits, real maximum)
{
    const size_t label = (size_t)layer->labels[m];
    if (label < at.first || label >= at.first + at.width)
        return;
    const real logit = logits[label - at.first];
    size_t first = 0;
    if (logit == maximum)
        while (logits[first] != maximum)
            first++;
    layer->label_logits[m] = logit;
    layer->label_leads[m] = logit == maximum && at.first + first == label;
}

/* Logits of rows and one block, then exponentials in their place; kept: where those stay. */
static void block_rows(
    const forward_work *work, block at, mlm__row_range rows, mlm__rows kept, int32_t thread)
{
    const mlm__kernels *kernels = work->compute->kernels;
    const mlm__cross_entropy *layer = work->layer;
    const size_t H = layer->H, blocks = block_count(layer->cut);
    real *logits = mlm__rows_begin(kept, mlm__scratch_of(work->compute, thread));
    mlm__multiply(work->compute, thread, rows.count, at.width, H, 1,
        mlm__operand_from(mlm__plain_rows(layer->z, H), rows.first, 0),
        mlm__operand_from(mlm__forward_operand(layer->decoder, H), 0, at.first), false, logits,
        at.width);
    for (size_t r = 0; r < rows.count; r++) {
        const size_t m = rows.first + r;
        real *row = logits + r * at.width;
        const real maximum = kernels->maximum(at.width, row);
        find_label(layer, m, at, row, maximum);
        layer->maxima[m * blocks + at.index] = maximum;
        layer->sums[m * blocks + at.index] = kernels->exp_sum(at.width, maximum, row);
        mlm__rows_end(work->compute, mlm__rows_from(kept, r * at.width), at.width, row);
    }
}

static void block_piece(void *context, size_t piece, int32_t thread)
{
    const forward_work *work = context;
    const mlm__cross_entropy *layer = work->layer;
    const block at = block_of(layer->cut, piece);
    if (at.width == 0) {
        for (size_t m = 0; m < layer->M; m++) {
            layer->maxima[m * block_count(layer->cut) + at.index] = -INFINITY;
            layer->sums[m * block_count(layer->cut) + at.index] = 0;
        }
    } else {
        for (size_t m = 0; m < layer->M; m += LOGIT_ROWS)
            block_rows(work, at, (mlm__row_range){m, mlm__least(LOGIT_ROWS, layer->M - m)},
                mlm__rows_from(layer->exponentials, layer->M * at.first + m * at.width), thread);
    }
}

/* From the blocks' maxima and sums to the row's loss. maxima become exp(maximum - row's maximum)
   divided by the row's sum: what turns a block's exponentials into probabilities. */
static void combine_piece(void *context, size_t piece, int32_t thread)
{
    const forward_work *work = context;
    const mlm__kernels *kernels = work->compute->kernels;
    const mlm__cross_entropy *layer = work->layer;
    const size_t blocks = block_count(layer->cut);
    const mlm__row_range rows = mlm__range_of_piece(layer->M, piece);
    (void)thread;
    for (size_t m = rows.first; m < rows.first + rows.count; m++) {
        real *maxima = layer->maxima + m * blocks, *sums = layer->sums + m * blocks;
        const size_t label_block =
            (size_t)layer->labels[m] / layer->cut.group_width * layer->cut.blocks_a_group +
            (size_t)layer->labels[m] % layer->cut.group_width / layer->cut.block_width;
        const real maximum = kernels->maximum(blocks, maxima);
        bool leads = layer->label_leads[m] && maxima[label_block] == maximum;
        for (size_t b = 0; b < label_block; b++)
            leads = leads && maxima[b] < maximum;
        kernels->exp_sum(blocks, maximum, maxima);
        double sum = 0;
        for (size_t b = 0; b < blocks; b++)
            sum += (double)sums[b] * (double)maxima[b];
        kernels->scale(blocks, (real)(1 / sum), maxima);
        work->losses[m] = log(sum) + ((double)maximum - (double)layer->label_logits[m]);
        work->correct[m] = leads;
    }
}

void mlm__cross_entropy_forward(
    const mlm__compute *compute, const mlm__cross_entropy *layer, double *losses, uint8_t *correct)
{
    forward_work work = {compute, layer, losses, correct};
    mlm__compute_pieces(compute, product_size(layer->M, layer->H, layer->cut.V),
        block_count(layer->cut), block_piece, &work);
    mlm__compute_row_pieces(compute, layer->M * block_count(layer->cut), mlm__pieces_of(layer->M),
        combine_piece, &work);
}

/* ---- backward ----------------------------------------------------------------------- */

typedef struct backward_work {
    const mlm__compute *compute;
    const mlm__cross_entropy *layer;
    real scale;
    real *parts, *dz;
    mlm__operand z; /* packed where products pack */
    mlm__weight_gradients decoder;
} backward_work;

/* Exponentials of row m in one block to the gradients of its logits, which are added to sums: in the
   order of column_sums. */
static void row_gradients(
    const backward_work *work, block at, size_t m, mlm__rows row, real *room, real *sums)
{
    const mlm__kernels *kernels = work->compute->kernels;
    const mlm__cross_entropy *layer = work->layer;
    const real factor = layer->maxima[m * block_count(layer->cut) + at.index] * work->scale;
    const size_t label = (size_t)layer->labels[m];
    real *dlogits = mlm__rows_begin(row, room);
    if (row.bf16)
        work->compute->products->widen(at.width, factor, row.bf16, dlogits);
    else
        kernels->scale(at.width, factor, dlogits);
    if (label >= at.first && label < at.first + at.width)
        dlogits[label - at.first] -= work->scale;
    kernels->add(at.width, dlogits, sums);
    mlm__rows_end(work->compute, row, at.width, dlogits);
}

static void block_gradients(
    const backward_work *work, block at, real *part, bool first, int32_t thread)
{
    const mlm__cross_entropy *layer = work->layer;
    const size_t M = layer->M, H = layer->H;
    const mlm__rows dlogits = mlm__rows_from(layer->exponentials, M * at.first);
    const mlm__operand left = mlm__plain_rows(dlogits, at.width);
    real *sums = mlm__scratch_of(work->compute, thread), *room = sums + at.width;
    for (size_t m = 0; m < M; m += MLM__SUM_ROWS) {
        memset(sums, 0, at.width * sizeof *sums);
        for (size_t i = m; i < M && i < m + MLM__SUM_ROWS; i++)
            row_gradients(work, at, i, mlm__rows_from(dlogits, i * at.width), room, sums);
        work->compute->kernels->add(at.width, sums, work->decoder.bias + at.first);
    }
    if (work->decoder.weight)
        mlm__multiply(work->compute, thread, at.width, H, M, 1, mlm__transpose(left), work->z, true,
            work->decoder.weight + at.first * H, H);
    mlm__multiply(work->compute, thread, M, H, at.width, 1, left,
        mlm__operand_from(mlm__backward_operand(layer->decoder, H, layer->cut.V), at.first, 0),
        !first, part, H);
}

static void group_backward_piece(void *context, size_t piece, int32_t thread)
{
    const backward_work *work = context;
    const mlm__cross_entropy *layer = work->layer;
    real *part = work->parts + piece * layer->M * layer->H;
    for (size_t b = 0; b < layer->cut.blocks_a_group; b++) {
        const block at = block_of(layer->cut, piece * layer->cut.blocks_a_group + b);
        if (at.width > 0)
            block_gradients(work, at, part, b == 0, thread);
    }
}

static void sum_parts_piece(void *context, size_t piece, int32_t thread)
{
    const backward_work *work = context;
    const mlm__cross_entropy *layer = work->layer;
    const mlm__row_range rows = mlm__range_of_piece(layer->M, piece);
    const size_t at = rows.first * layer->H, count = rows.count * layer->H;
    (void)thread;
    memcpy(work->dz + at, work->parts + at, count * sizeof(real));
    for (size_t g = 1; g < layer->cut.groups; g++)
        work->compute->kernels->add(
            count, work->parts + g * layer->M * layer->H + at, work->dz + at);
}

void mlm__cross_entropy_backward(const mlm__compute *compute, const mlm__cross_entropy *layer,
    double scale, real *parts, real *dz, mlm__weight_gradients decoder)
{
    mlm__pack_list list = {.count = 0};
    mlm__operand z = mlm__plain_rows(layer->z, layer->H);
    if (decoder.weight)
        z = mlm__pack_list_add(&list, compute, z, layer->M, layer->H);
    mlm__pack_operands(compute->runtime, compute->products, list.tasks, list.count);
    backward_work work = {compute, layer, (real)scale, parts, dz, z, decoder};
    mlm__compute_pieces(compute, 2 * product_size(layer->M, layer->H, layer->cut.V),
        layer->cut.groups, group_backward_piece, &work);
    mlm__compute_row_pieces(compute, layer->cut.groups * layer->M * layer->H,
        mlm__pieces_of(layer->M), sum_parts_piece, &work);
}

/* ---- logits -------------------------------------------------------------------------- */

typedef struct logits_work {
    const mlm__compute *compute;
    mlm__weights decoder;
    size_t M, H;
    mlm__vocabulary_cut cut;
    mlm__rows z;
    real *logits;
} logits_work;

static void logits_piece(void *context, size_t piece, int32_t thread)
{
    const logits_work *work = context;
    const size_t H = work->H;
    const block at = block_of(work->cut, piece);
    if (at.width > 0)
        mlm__multiply(work->compute, thread, work->M, at.width, H, 1, mlm__plain_rows(work->z, H),
            mlm__operand_from(mlm__forward_operand(work->decoder, H), 0, at.first), false,
            work->logits + at.first, work->cut.V);
}

void mlm__decoder_logits(const mlm__compute *compute, mlm__weights decoder, size_t M, size_t H,
    mlm__vocabulary_cut cut, mlm__rows z, real *logits)
{
    logits_work work = {compute, decoder, M, H, cut, z, logits};
    mlm__compute_pieces(compute, product_size(M, H, cut.V), block_count(cut), logits_piece, &work);
}
