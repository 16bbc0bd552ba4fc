/*
 * copies.h - the room that mlm_losses_in_turn works in.
 */
#ifndef COPIES_H
#define COPIES_H

#include "args.h"

#include "mlm/compose.h"

/* Tokens of all copies: a few times what the encoder computes at once. */
enum { COPIED_TOKENS = 1 << 14 };

/* For sequences of at most T tokens. */
static inline mlm_copies copies_open(int32_t T)
{
    mlm_copies copies;
    copies.capacity = T > COPIED_TOKENS ? T : COPIED_TOKENS;
    copies.count = copies.capacity / 3; /* a token between [CLS] and [SEP] */
    copies.offsets = allocate((size_t)copies.count + 1, sizeof *copies.offsets);
    copies.input_ids = allocate((size_t)copies.capacity, sizeof *copies.input_ids);
    copies.token_types = allocate((size_t)copies.capacity, sizeof *copies.token_types);
    copies.labels = allocate((size_t)copies.capacity, sizeof *copies.labels);
    return copies;
}

static inline void copies_free(mlm_copies *copies)
{
    free(copies->offsets);
    free(copies->input_ids);
    free(copies->token_types);
    free(copies->labels);
}

#endif /* COPIES_H */
