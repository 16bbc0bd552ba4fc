#include "tokens/word_counts.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"

static void fill_slots(mlm__word_counts *counts)
{
    size_t mask = counts->slot_count - 1;
    for (size_t w = 0; w < counts->count; w++) {
        size_t slot = counts->words[w].hash & mask;
        while (counts->slots[slot])
            slot = (slot + 1) & mask;
        counts->slots[slot] = (uint32_t)(w + 1);
    }
}

static mlm_status grow_slots(mlm_runtime *runtime, mlm__word_counts *counts)
{
    size_t slot_count = counts->slot_count ? 2 * counts->slot_count : 1 << 12;
    uint32_t *slots = mlm__alloc_zero(runtime, slot_count, sizeof *slots);
    if (!slots)
        return MLM_ERR_MEMORY;
    mlm__free(runtime, counts->slots);
    counts->slots = slots;
    counts->slot_count = slot_count;
    fill_slots(counts);
    return MLM_OK;
}

mlm_status mlm__word_counts_add(mlm_runtime *runtime, mlm__word_counts *counts,
    const uint8_t *bytes, uint32_t length, uint32_t hash, int64_t times)
{
    if (2 * counts->count >= counts->slot_count)
        MLM__TRY(grow_slots(runtime, counts));
    size_t mask = counts->slot_count - 1, slot = hash & mask;
    for (; counts->slots[slot]; slot = (slot + 1) & mask) {
        mlm__counted_word *word = &counts->words[counts->slots[slot] - 1];
        if (word->hash == hash && word->length == length &&
            memcmp(counts->text + word->begin, bytes, length) == 0) {
            word->count += times;
            return MLM_OK;
        }
    }
    if (counts->count == UINT32_MAX - 1)
        return mlm__error(MLM_ERR_MEMORY, "too many distinct words");
    MLM__TRY(mlm__grow(
        runtime, &counts->words, &counts->capacity, counts->count + 1, sizeof *counts->words));
    MLM__TRY(
        mlm__grow(runtime, &counts->text, &counts->text_capacity, counts->text_length + length, 1));
    memcpy(counts->text + counts->text_length, bytes, length);
    counts->words[counts->count++] = (mlm__counted_word){counts->text_length, length, hash, times};
    counts->text_length += length;
    counts->slots[slot] = (uint32_t)counts->count;
    return MLM_OK;
}

/* The count of the word with number *rank, from the rarest, found digit by digit; *rank becomes its
   number among those of the same count. */
static int64_t count_of_rank(const mlm__word_counts *counts, size_t *rank)
{
    uint64_t known = 0;
    for (int32_t shift = 56; shift >= 0; shift -= 8) {
        size_t words[256] = {0};
        uint64_t digit = 0;
        for (size_t w = 0; w < counts->count; w++) {
            uint64_t count = (uint64_t)counts->words[w].count;
            if ((count ^ known) >> shift >> 8 == 0)
                words[count >> shift & 255]++;
        }
        for (; *rank >= words[digit]; digit++)
            *rank -= words[digit];
        known |= digit << shift;
    }
    return (int64_t)known;
}

void mlm__word_counts_keep(mlm__word_counts *counts, size_t most)
{
    if (counts->count <= most)
        return;
    size_t rank = counts->count - most, kept = 0, length = 0;
    int64_t least = count_of_rank(counts, &rank);
    for (size_t w = 0; w < counts->count; w++) {
        mlm__counted_word word = counts->words[w];
        if (word.count < least || (word.count == least && rank > 0)) {
            rank -= word.count == least;
            continue;
        }
        memmove(counts->text + length, counts->text + word.begin, word.length);
        word.begin = length;
        length += word.length;
        counts->words[kept++] = word;
    }
    counts->count = kept;
    counts->text_length = length;
    memset(counts->slots, 0, counts->slot_count * sizeof *counts->slots);
    fill_slots(counts);
}

void mlm__word_counts_free(mlm_runtime *runtime, mlm__word_counts *counts)
{
    mlm__free(runtime, counts->slots);
    mlm__free(runtime, counts->text);
    mlm__free(runtime, counts->words);
    *counts = (mlm__word_counts){0};
}
