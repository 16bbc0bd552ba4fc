/* Which tokens of a sequence are to be predicted. */
#ifndef MLM_BATCHES_SELECTION_H
#define MLM_BATCHES_SELECTION_H

#include "base/random.h"
#include "mlm/mlm.h"

/* What is chosen or left as one: a token, or a word of several pieces. */
typedef struct mlm__group {
    int32_t first, length; /* tokens first to first + length - 1 */
} mlm__group;

/* The sites of the random numbers of a sequence; the i-th token has two of its own. */
enum { MLM__SITE_ORDER = 0 };
static inline uint32_t mlm__site_select(int32_t i)
{
    return 1 + 2 * (uint32_t)i;
}
static inline uint32_t mlm__site_replace(int32_t i)
{
    return 2 + 2 * (uint32_t)i;
}

/* Puts the chosen groups of the sequence ids [count] first in groups [count], in no particular
   order, and returns their number. flags [V] are mlm__tokenizer_flags. A pure function of the
   options, key, position and ids. */
int32_t mlm__select(const mlm_masker_options *options, mlm__random_key key, int64_t position,
    const int32_t *ids, int32_t count, const uint8_t *flags, mlm__group *groups);

#endif
