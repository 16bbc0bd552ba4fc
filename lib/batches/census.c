#include "batches/census.h"

#include <fenv.h>
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/fpmode.h"
#include "base/memory.h"
#include "base/runtime.h"
#include "files/xxh64.h"
#include "tokens/tokenizer.h"

enum { FIRST_SLOTS = 1 << 10, SOME_HASHES = 1 << 12 };

mlm_status mlm__census_init(
    mlm_runtime *runtime, int32_t V, const char *directory, size_t most_slots, mlm__census *census)
{
    *census =
        (mlm__census){.runtime = runtime, .V = V, .slots = FIRST_SLOTS, .most_slots = most_slots};
    mlm__records_init(runtime, sizeof *census->seen, directory, &census->waiting);
    census->counts = mlm__alloc_zero(runtime, (size_t)V, sizeof *census->counts);
    census->seen = mlm__alloc_zero(runtime, census->slots, sizeof *census->seen);
    if (census->counts && census->seen)
        return MLM_OK;
    mlm__census_clear(census);
    return MLM_ERR_MEMORY;
}

void mlm__census_clear(mlm__census *census)
{
    mlm__free(census->runtime, census->counts);
    mlm__free(census->runtime, census->seen);
    mlm__records_clear(&census->waiting);
    *census = (mlm__census){0};
}

uint64_t mlm__census_hash(const char *line, size_t length)
{
    mlm__xxh64 xxh;
    mlm__xxh64_init(&xxh);
    mlm__xxh64_update(&xxh, line, length);
    uint64_t hash = mlm__xxh64_digest(&xxh);
    return hash ? hash : 1;
}

/* The slot that has hash, or the free one where it belongs. slots is a power of two. */
static uint64_t *find(uint64_t *seen, size_t slots, uint64_t hash)
{
    size_t i = (size_t)hash & (slots - 1);
    while (seen[i] && seen[i] != hash)
        i = (i + 1) & (slots - 1);
    return &seen[i];
}

static mlm_status widen(mlm__census *census)
{
    size_t slots = 2 * census->slots;
    uint64_t *seen = mlm__alloc_zero(census->runtime, slots, sizeof *seen);
    if (!seen)
        return MLM_ERR_MEMORY;
    for (size_t i = 0; i < census->slots; i++)
        if (census->seen[i])
            *find(seen, slots, census->seen[i]) = census->seen[i];
    mlm__free(census->runtime, census->seen);
    census->seen = seen;
    census->slots = slots;
    return MLM_OK;
}

static bool is_full(const mlm__census *census)
{
    return census->used >= census->slots / 4 * 3;
}

mlm_status mlm__census_add_line(mlm__census *census, uint64_t hash)
{
    if (is_full(census) && census->slots < census->most_slots)
        MLM__TRY(widen(census));
    uint64_t *slot = find(census->seen, census->slots, hash);
    if (*slot)
        census->duplicate_lines++;
    else if (is_full(census))
        return mlm__records_append(&census->waiting, &hash, 1);
    else
        census->used++;
    *slot = hash;
    return MLM_OK;
}

void mlm__census_add_tokens(mlm__census *census, const int32_t *ids, size_t count)
{
    for (size_t i = 0; i < count; i++)
        census->counts[ids[i]]++;
}

/* Counts the duplicates among those that wait and are in [low,high]; *fit is false if they are too
   many for the table. */
static mlm_status count_range(
    mlm__census *census, uint64_t low, uint64_t high, bool *fit, int64_t *duplicates)
{
    uint64_t hashes[SOME_HASHES];
    int64_t waiting = census->waiting.count;
    *fit = true;
    *duplicates = 0;
    memset(census->seen, 0, census->slots * sizeof *census->seen);
    census->used = 0;
    for (int64_t begin = 0; begin < waiting; begin += SOME_HASHES) {
        size_t count = waiting - begin < SOME_HASHES ? (size_t)(waiting - begin) : SOME_HASHES;
        MLM__TRY(mlm__records_read(&census->waiting, begin, count, hashes));
        for (size_t i = 0; i < count; i++) {
            if (hashes[i] < low || hashes[i] > high)
                continue;
            uint64_t *slot = find(census->seen, census->slots, hashes[i]);
            *duplicates += *slot != 0;
            census->used += *slot == 0;
            *slot = hashes[i];
            if (is_full(census)) {
                *fit = false;
                return MLM_OK;
            }
        }
        if (!mlm__progress(census->runtime, "counting duplicate lines", 0, 0))
            return mlm__error(
                MLM_STOPPED, "counting duplicate lines was stopped by the progress callback");
    }
    return MLM_OK;
}

/* A range of hashes after the other, each with about half a table of them. */
mlm_status mlm__census_finish(mlm__census *census)
{
    if (census->waiting.count == 0)
        return MLM_OK;
    MLM__TRY(mlm__records_finish(&census->waiting));
    uint64_t passes = 2 * (uint64_t)census->waiting.count / census->slots + 1;
    const uint64_t usual = UINT64_MAX / passes;
    uint64_t low = 0, span = usual;
    for (;;) {
        uint64_t high = span < UINT64_MAX - low ? low + span : UINT64_MAX;
        bool fit;
        int64_t duplicates;
        MLM__TRY(count_range(census, low, high, &fit, &duplicates));
        if (!fit) {
            span /= 2;
            continue;
        }
        census->duplicate_lines += duplicates;
        if (high == UINT64_MAX)
            return MLM_OK;
        low = high + 1;
        span = span < usual / 2 ? 2 * span + 1 : usual;
    }
}

double mlm__census_entropy(const mlm__census *census, const uint8_t *flags)
{
    fenv_t saved;
    mlm__fp_enter(&saved);
    double total = 0, sum = 0; /* of the counts c, and of c log c */
    for (int32_t v = 0; v < census->V; v++) {
        double count = (double)census->counts[v];
        if (count > 0 && !(flags[v] & MLM__TOKEN_SPECIAL)) {
            total += count;
            sum += count * log(count);
        }
    }
    double entropy = total > 0 ? log(total) - sum / total : 0;
    mlm__fp_leave(&saved);
    return entropy;
}
