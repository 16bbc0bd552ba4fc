#include "tokens/merges.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/runtime.h"
#include "tokens/vocabulary.h"

/* The words that a pair may be in are listed when its tokens first become neighbours: at the start,
   or in the merge that makes one of the two. Its count only falls from then on. */
typedef struct pair {
    int32_t left, right;
    int64_t count;
    size_t places; /* first of its words in merger.places; until they are listed: the last + 1 */
    uint32_t place_count; /* 0 when they are no longer needed */
} pair;

/* A pair's count when it was put there: too high if the count fell since, never too low. */
typedef struct candidate {
    int64_t count;
    int32_t pair;
} candidate;

/* A pair became neighbours in a word. */
typedef struct meeting {
    int32_t pair;
    uint32_t word;
} meeting;

typedef struct merger {
    mlm_runtime *runtime;
    mlm__split_words *words;
    mlm__token_table *table;
    int64_t min_count; /* of a pair that is merged */
    size_t pair_count, pair_capacity;
    pair *pairs;
    size_t slot_count; /* of the hash table of pairs */
    int32_t *slots;    /* pair + 1, or 0 */
    size_t place_count, place_capacity;
    uint32_t *places; /* words, in the order of the pairs */
    size_t heap_count, heap_capacity;
    candidate *heap;  /* heap[0] is the best */
    size_t old_pairs; /* pairs[old_pairs, pair_count) came up in the current merge */
    size_t meeting_count, meeting_capacity;
    meeting *meetings; /* in the current merge */
} merger;

static int compare_tokens(const mlm__token_table *table, int32_t left, int32_t right)
{
    const mlm__token_entry *a = &table->entries[left], *b = &table->entries[right];
    int order = memcmp(table->text + a->begin, table->text + b->begin,
        a->length < b->length ? a->length : b->length);
    return order != 0 ? order : a->length < b->length ? -1 : a->length > b->length;
}

static bool is_better(const merger *m, candidate a, candidate b)
{
    if (a.count != b.count)
        return a.count > b.count;
    const pair *p = &m->pairs[a.pair], *q = &m->pairs[b.pair];
    int order = compare_tokens(m->table, p->left, q->left);
    return order != 0 ? order < 0 : compare_tokens(m->table, p->right, q->right) < 0;
}

static mlm_status heap_push(merger *m, candidate c)
{
    MLM__TRY(
        mlm__grow(m->runtime, &m->heap, &m->heap_capacity, m->heap_count + 1, sizeof *m->heap));
    size_t i = m->heap_count++;
    for (; i > 0 && is_better(m, c, m->heap[(i - 1) / 2]); i = (i - 1) / 2)
        m->heap[i] = m->heap[(i - 1) / 2];
    m->heap[i] = c;
    return MLM_OK;
}

static candidate heap_pop(merger *m)
{
    candidate best = m->heap[0], last = m->heap[--m->heap_count];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child + 1 < m->heap_count && is_better(m, m->heap[child + 1], m->heap[child]))
            child++;
        if (child >= m->heap_count || !is_better(m, m->heap[child], last))
            break;
        m->heap[i] = m->heap[child];
        i = child;
    }
    m->heap[i] = last;
    return best;
}

static size_t pair_slot(const merger *m, int32_t left, int32_t right)
{
    uint64_t key = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    size_t mask = m->slot_count - 1, slot = (size_t)(key * 0x9E3779B97F4A7C15u >> 32) & mask;
    for (; m->slots[slot]; slot = (slot + 1) & mask) {
        const pair *p = &m->pairs[m->slots[slot] - 1];
        if (p->left == left && p->right == right)
            break;
    }
    return slot;
}

static mlm_status grow_slots(merger *m)
{
    size_t slot_count = m->slot_count ? 2 * m->slot_count : 1 << 14;
    int32_t *slots = mlm__alloc_zero(m->runtime, slot_count, sizeof *slots);
    if (!slots)
        return MLM_ERR_MEMORY;
    mlm__free(m->runtime, m->slots);
    m->slots = slots;
    m->slot_count = slot_count;
    for (size_t i = 0; i < m->pair_count; i++)
        slots[pair_slot(m, m->pairs[i].left, m->pairs[i].right)] = (int32_t)(i + 1);
    return MLM_OK;
}

static mlm_status find_pair(merger *m, int32_t left, int32_t right, int32_t *out)
{
    if (2 * m->pair_count >= m->slot_count)
        MLM__TRY(grow_slots(m));
    size_t slot = pair_slot(m, left, right);
    if (!m->slots[slot]) {
        if (m->pair_count == INT32_MAX - 1)
            return mlm__error(MLM_ERR_MEMORY, "too many distinct pairs of tokens");
        MLM__TRY(mlm__grow(
            m->runtime, &m->pairs, &m->pair_capacity, m->pair_count + 1, sizeof *m->pairs));
        m->pairs[m->pair_count++] = (pair){.left = left, .right = right};
        m->slots[slot] = (int32_t)m->pair_count;
    }
    *out = m->slots[slot] - 1;
    return MLM_OK;
}

/* Moves the lists that are still needed to the front, which are in the order of the pairs. */
static void compact_places(merger *m)
{
    size_t used = 0;
    for (size_t i = 0; i < m->old_pairs; i++) {
        pair *p = &m->pairs[i];
        if (p->count < m->min_count)
            p->place_count = 0;
        memmove(m->places + used, m->places + p->places, p->place_count * sizeof *m->places);
        p->places = used;
        used += p->place_count;
    }
    m->place_count = used;
}

static mlm_status reserve_places(merger *m, size_t count)
{
    if (m->place_count + count <= m->place_capacity)
        return MLM_OK;
    compact_places(m);
    size_t need = m->place_count + count;
    if (need <= m->place_capacity - m->place_capacity / 8)
        return MLM_OK;
    if (need <= m->place_capacity) /* but soon again there is no room */
        need = m->place_capacity + 1;
    return mlm__grow(m->runtime, &m->places, &m->place_capacity, need, sizeof *m->places);
}

/* Makes the new pairs that occur often enough candidates, with empty lists that have room for
   place_count words. */
static mlm_status begin_lists(merger *m)
{
    size_t places = 0;
    for (size_t i = m->old_pairs; i < m->pair_count; i++)
        if (m->pairs[i].count >= m->min_count)
            places += m->pairs[i].place_count;
    MLM__TRY(reserve_places(m, places));
    for (size_t i = m->old_pairs; i < m->pair_count; i++) {
        pair *p = &m->pairs[i];
        p->places = m->place_count;
        if (p->count >= m->min_count) {
            m->place_count += p->place_count;
            MLM__TRY(heap_push(m, (candidate){p->count, (int32_t)i}));
        }
        p->place_count = 0;
    }
    return MLM_OK;
}

/* Counts a word, once, as one that the pair is in; whether it was counted now. */
static bool count_place(pair *p, size_t word)
{
    if (p->places == word + 1)
        return false;
    p->places = word + 1;
    p->place_count++;
    return true;
}

static void list_place(merger *m, int32_t index, uint32_t word)
{
    pair *p = &m->pairs[index];
    if (p->count < m->min_count)
        return; /* it has no list, and there may be none at all */
    uint32_t *list = m->places + p->places;
    if (p->place_count == 0 || list[p->place_count - 1] != word)
        list[p->place_count++] = word;
}

static mlm_status count_pairs(merger *m)
{
    const mlm__split_words *words = m->words;
    for (size_t w = 0; w < words->count; w++) {
        const int32_t *symbols = words->symbols + words->words[w].begin;
        for (uint32_t i = 1; i < words->words[w].length; i++) {
            int32_t index = -1;
            MLM__TRY(find_pair(m, symbols[i - 1], symbols[i], &index));
            m->pairs[index].count += words->words[w].count;
            count_place(&m->pairs[index], w);
        }
    }
    MLM__TRY(begin_lists(m));
    for (size_t w = 0; w < words->count; w++) {
        const int32_t *symbols = words->symbols + words->words[w].begin;
        for (uint32_t i = 1; i < words->words[w].length; i++)
            list_place(m, m->slots[pair_slot(m, symbols[i - 1], symbols[i])] - 1, (uint32_t)w);
    }
    m->old_pairs = m->pair_count;
    return MLM_OK;
}

/* One place more where two tokens are neighbours. */
static mlm_status meet(merger *m, int32_t left, int32_t right, uint32_t word, int64_t count)
{
    int32_t index = -1;
    MLM__TRY(find_pair(m, left, right, &index));
    assert((size_t)index >= m->old_pairs);
    m->pairs[index].count += count;
    if (!count_place(&m->pairs[index], word))
        return MLM_OK;
    MLM__TRY(mlm__grow(
        m->runtime, &m->meetings, &m->meeting_capacity, m->meeting_count + 1, sizeof *m->meetings));
    m->meetings[m->meeting_count++] = (meeting){index, word};
    return MLM_OK;
}

/* One place less. */
static void part(merger *m, int32_t left, int32_t right, int64_t count)
{
    m->pairs[m->slots[pair_slot(m, left, right)] - 1].count -= count;
}

/* Merges left and right everywhere in a word; symbols are rewritten in place. */
static mlm_status merge_in_word(
    merger *m, uint32_t index, int32_t left, int32_t right, int32_t merged)
{
    mlm__split_word *word = &m->words->words[index];
    int32_t *symbols = m->words->symbols + word->begin;
    int64_t count = word->count;
    uint32_t end = 0;
    for (uint32_t i = 0; i < word->length; i++) {
        if (symbols[i] != left || i + 1 == word->length || symbols[i + 1] != right) {
            symbols[end++] = symbols[i];
            continue;
        }
        if (end > 0) {
            part(m, symbols[end - 1], left, count);
            MLM__TRY(meet(m, symbols[end - 1], merged, index, count));
        }
        if (i + 2 < word->length) {
            part(m, right, symbols[i + 2], count);
            MLM__TRY(meet(m, merged, symbols[i + 2], index, count));
        }
        symbols[end++] = merged;
        i++;
    }
    word->length = end;
    return MLM_OK;
}

/* The token of left and right together; -1 when it is too long. */
static mlm_status merged_token(merger *m, int32_t left, int32_t right, int32_t *merged)
{
    char text[MLM__TOKEN_LENGTH];
    const mlm__token_entry *a = &m->table->entries[left], *b = &m->table->entries[right];
    size_t length = a->length + b->length - 2;
    *merged = -1;
    if (length > sizeof text)
        return MLM_OK;
    memcpy(text, mlm__token_table_text(m->table, left), a->length);
    memcpy(text + a->length, mlm__token_table_text(m->table, right) + 2, b->length - 2);
    return mlm__token_table_add(m->runtime, m->table, text, length, merged);
}

static mlm_status merge_everywhere(merger *m, int32_t index)
{
    enum { AHEAD = 8 };
    pair p = m->pairs[index];
    int32_t merged;
    MLM__TRY(merged_token(m, p.left, p.right, &merged));
    if (merged < 0)
        return MLM_OK;
    const uint32_t *list = m->places + p.places;
    const mlm__split_word *words = m->words->words;
    for (size_t i = 0; i < p.place_count; i++) {
        if (i + 2 * AHEAD < p.place_count)
            __builtin_prefetch(&words[list[i + 2 * AHEAD]]);
        if (i + AHEAD < p.place_count)
            __builtin_prefetch(m->words->symbols + words[list[i + AHEAD]].begin);
        MLM__TRY(merge_in_word(m, list[i], p.left, p.right, merged));
    }
    m->pairs[index].count = 0;
    MLM__TRY(begin_lists(m));
    for (size_t i = 0; i < m->meeting_count; i++)
        list_place(m, m->meetings[i].pair, m->meetings[i].word);
    m->meeting_count = 0;
    m->old_pairs = m->pair_count;
    return MLM_OK;
}

static mlm_status merge_all(merger *m, size_t vocab_size)
{
    MLM__TRY(count_pairs(m));
    while (m->table->count < vocab_size && m->heap_count > 0) {
        candidate best = heap_pop(m);
        int64_t count = m->pairs[best.pair].count;
        if (best.count != count) {
            if (count >= m->min_count)
                MLM__TRY(heap_push(m, (candidate){count, best.pair}));
            continue;
        }
        MLM__TRY(merge_everywhere(m, best.pair));
        if (!mlm__progress(m->runtime, "learning the vocabulary", (int64_t)m->table->count,
                (int64_t)vocab_size))
            return mlm__error(
                MLM_STOPPED, "learning the vocabulary was stopped by the progress callback");
    }
    return MLM_OK;
}

mlm_status mlm__merge_pairs(mlm_runtime *runtime, mlm__split_words *words, size_t vocab_size,
    int64_t min_frequency, mlm__token_table *table)
{
    merger m = {.runtime = runtime,
        .words = words,
        .table = table,
        .min_count = min_frequency > 1 ? min_frequency : 1};
    mlm_status status = merge_all(&m, vocab_size);
    mlm__free(runtime, m.meetings);
    mlm__free(runtime, m.heap);
    mlm__free(runtime, m.places);
    mlm__free(runtime, m.slots);
    mlm__free(runtime, m.pairs);
    return status;
}
