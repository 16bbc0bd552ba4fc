#include "batches/selection.h"

#include <math.h>
#include <stdbool.h>

#include "tokens/tokenizer.h"

/* All that may be chosen. A piece that continues a word joins the group before it, unless
   something that may not be chosen lies between. Returns the number of groups; *eligible is that
   of their tokens. */
static int32_t find_groups(const int32_t *ids, int32_t count, const uint8_t *flags,
    bool whole_words, mlm__group *groups, int32_t *eligible)
{
    int32_t found = 0;
    *eligible = 0;
    for (int32_t i = 0; i < count; i++) {
        if (flags[ids[i]] & MLM__TOKEN_SPECIAL)
            continue;
        ++*eligible;
        mlm__group *last = found > 0 ? &groups[found - 1] : NULL;
        if (whole_words && flags[ids[i]] & MLM__TOKEN_CONTINUES && last &&
            last->first + last->length == i)
            last->length++;
        else
            groups[found++] = (mlm__group){i, 1};
    }
    return found;
}

/* Keeps each group with probability p by itself, in order; returns how many. */
static int32_t thin_out(
    double p, mlm__random_key key, int64_t position, mlm__group *groups, int32_t count)
{
    int32_t kept = 0;
    for (int32_t g = 0; g < count; g++) {
        mlm__random_stream stream =
            mlm__random_stream_make(key, position, mlm__site_select(groups[g].first));
        if (mlm__random_double(&stream) < p)
            groups[kept++] = groups[g];
    }
    return kept;
}

static void swap(mlm__group *a, mlm__group *b)
{
    mlm__group was = *a;
    *a = *b;
    *b = was;
}

/* Goes through the groups in random order (Fisher and Yates) and takes each that fits into what is
   left of budget tokens, to the front; returns how many. */
static int32_t take(
    int32_t budget, mlm__random_key key, int64_t position, mlm__group *groups, int32_t count)
{
    mlm__random_stream stream = mlm__random_stream_make(key, position, MLM__SITE_ORDER);
    int32_t taken = 0;
    for (int32_t g = 0; g < count && budget > 0; g++) {
        swap(&groups[g], &groups[g + (int32_t)mlm__random_below(&stream, (uint32_t)(count - g))]);
        if (groups[g].length > budget)
            continue;
        budget -= groups[g].length;
        swap(&groups[taken++], &groups[g]);
    }
    return taken;
}

/* For a sequence whose words are all longer than its share: one of them, if limit allows. */
static int32_t take_one(int32_t limit, mlm__group *groups, int32_t count)
{
    for (int32_t g = 0; g < count; g++)
        if (groups[g].length <= limit) {
            swap(&groups[0], &groups[g]);
            return 1;
        }
    return 0;
}

int32_t mlm__select(const mlm_masker_options *options, mlm__random_key key, int64_t position,
    const int32_t *ids, int32_t count, const uint8_t *flags, mlm__group *groups)
{
    double p = options->mlm_probability;
    int32_t limit = options->max_predictions > 0 ? options->max_predictions : INT32_MAX;
    int32_t eligible;
    int32_t found = find_groups(
        ids, count, flags, options->strategy == MLM_MASK_WHOLE_WORDS, groups, &eligible);
    if (p == 0)
        return 0;
    if (options->selection == MLM_SELECT_EACH) {
        found = thin_out(p, key, position, groups, found);
        return take(limit, key, position, groups, found);
    }
    /* The default rounding mode is half to even, as Python's round(). */
    double share = fmax(nearbyint(p * eligible), 1);
    int32_t taken = take(share < limit ? (int32_t)share : limit, key, position, groups, found);
    return taken > 0 ? taken : take_one(limit, groups, found);
}
