#include "layers/packing.h"

/* Rows of a panel that a piece packs: some microseconds of it; even, as pack asks for. */
enum { PIECE_ROWS = 1024 };

typedef struct pack_work {
    const mlm__products *products;
    const mlm__packing *packings;
} pack_work;

static size_t pieces_of(const mlm__packing *p)
{
    return mlm__tiles_along(p->n, MLM__PANEL) * mlm__tiles_along(p->k, PIECE_ROWS);
}

static void pack_piece(void *context, size_t piece, int32_t thread)
{
    const pack_work *work = context;
    const mlm__packing *p = work->packings;
    (void)thread;
    for (; piece >= pieces_of(p); p++)
        piece -= pieces_of(p);
    const size_t pieces = mlm__tiles_along(p->k, PIECE_ROWS), k0 = piece % pieces * PIECE_ROWS;
    work->products->pack(
        p->b, p->k, p->n, piece / pieces, k0, mlm__least(k0 + PIECE_ROWS, p->k), p->to);
}

void mlm__pack(const mlm__compute *compute, const mlm__packing *packings, size_t count)
{
    pack_work work = {compute->products, packings};
    size_t pieces = 0, numbers = 0;
    for (size_t i = 0; i < count; i++) {
        pieces += pieces_of(&packings[i]);
        numbers += packings[i].k * packings[i].n;
    }
    mlm__compute_row_pieces(compute, numbers, pieces, pack_piece, &work);
}
