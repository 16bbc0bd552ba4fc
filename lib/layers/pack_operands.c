#include "layers/pack_operands.h"

#include <assert.h>

/* Rows of a panel that a piece packs: some microseconds of it; even, as pack asks for. */
enum { PIECE_ROWS = 1024 };

typedef struct pack_work {
    const mlm__products *products;
    const mlm__pack_task *tasks;
} pack_work;

static size_t pieces_of(const mlm__pack_task *task)
{
    return mlm__tiles_along(task->n, MLM__PANEL) * mlm__tiles_along(task->k, PIECE_ROWS);
}

static void pack_piece(void *context, size_t piece, int32_t thread)
{
    const pack_work *work = context;
    const mlm__pack_task *task = work->tasks;
    (void)thread;
    for (; piece >= pieces_of(task); task++)
        piece -= pieces_of(task);
    const size_t pieces = mlm__tiles_along(task->k, PIECE_ROWS), k0 = piece % pieces * PIECE_ROWS;
    work->products->pack(task->b, task->k, task->n, piece / pieces, k0,
        mlm__least(k0 + PIECE_ROWS, task->k), task->to);
}

void mlm__pack_operands(
    mlm_runtime *runtime, const mlm__products *products, const mlm__pack_task *tasks, size_t count)
{
    pack_work work = {products, tasks};
    size_t pieces = 0, numbers = 0;
    for (size_t i = 0; i < count; i++) {
        pieces += pieces_of(&tasks[i]);
        numbers += tasks[i].k * tasks[i].n;
    }
    mlm__compute_row_pieces(
        &(mlm__compute){.runtime = runtime}, numbers, pieces, pack_piece, &work);
}

mlm__operand mlm__pack_list_add(
    mlm__pack_list *list, const mlm__compute *compute, mlm__operand b, size_t k, size_t n)
{
    const size_t size = compute->products->packed_size(k, n);
    if (size == 0)
        return b;
    char *to = compute->packing_room + list->used;
    list->used += size;
    assert(list->count < MLM__PACK_MOST && list->used <= compute->packing_room_size);
    list->tasks[list->count++] = (mlm__pack_task){b, k, n, to};
    return mlm__packed_whole(to, k);
}
