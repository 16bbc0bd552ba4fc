#include "batches/census.h"

#include <fenv.h>
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/fpmode.h"
#include "base/memory.h"
#include "tokens/tokenizer.h"

enum { FIRST_SLOTS = 1 << 10 };

mlm_status mlm__census_init(mlm_runtime *runtime, int32_t V, mlm__census *census)
{
    *census = (mlm__census){.runtime = runtime, .V = V, .slots = FIRST_SLOTS};
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
    *census = (mlm__census){0};
}

/* MurmurHash3's finisher (Appleby): a bijection that spreads every bit over all. */
static uint64_t spread(uint64_t x)
{
    x = (x ^ x >> 33) * UINT64_C(0xFF51AFD7ED558CCD);
    x = (x ^ x >> 33) * UINT64_C(0xC4CEB9FE1A85EC53);
    return x ^ x >> 33;
}

/* Never 0. That two of n distinct lines fall together has a probability of about n^2 / 2^65. */
static uint64_t hash_line(const char *line, size_t length)
{
    uint64_t hash = length;
    for (size_t i = 0; i < length; i += sizeof hash) {
        uint64_t word = 0;
        memcpy(&word, line + i, length - i < sizeof word ? length - i : sizeof word);
        hash = spread(hash ^ word);
    }
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

mlm_status mlm__census_add(
    mlm__census *census, const char *line, size_t length, const int32_t *ids, size_t count)
{
    if (census->used >= census->slots / 4 * 3)
        MLM__TRY(widen(census));
    uint64_t hash = hash_line(line, length);
    uint64_t *slot = find(census->seen, census->slots, hash);
    if (*slot)
        census->duplicate_lines++;
    else
        census->used++;
    *slot = hash;
    for (size_t i = 0; i < count; i++)
        census->counts[ids[i]]++;
    return MLM_OK;
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
