/* The pieces in which the optimizer walks over the parameters. */
#ifndef MLM_TRAINER_PIECES_H
#define MLM_TRAINER_PIECES_H

#include <stdbool.h>

#include "encoder/layout.h"

/* Most numbers of a piece: a constant, so that neither the norm's sums nor the work's cut depend
   on the number of threads. With its gradient and moments a piece fits a second-level cache. */
enum { MLM__PIECE_SIZE = 1 << 15 };

typedef struct mlm__piece {
    size_t offset; /* in the layout */
    uint32_t count;
    bool decay;
    size_t place; /* of gradient and moments in theirs */
} mlm__piece;

typedef struct mlm__pieces {
    mlm__piece *piece;
    size_t count;
} mlm__pieces;

/* Every parameter of the layout that is not frozen, in its order, no piece over two parameters. */
mlm_status mlm__pieces_create(mlm_runtime *runtime, const mlm__layout *layout,
    const mlm__frozen *frozen, mlm__pieces *out);
void mlm__pieces_free(mlm_runtime *runtime, mlm__pieces *pieces);

#endif
