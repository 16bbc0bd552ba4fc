#include "tokens/merges.h"

#include <stdbool.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/runtime.h"
#include "tokens/vocabulary.h"

typedef struct pair {
    int32_t left, right;
    int64_t count;
    int32_t places; /* first node of the list of words where it may occur, or -1 */
    bool touched;   /* its count rose in the current merge */
} pair;

typedef struct node {
    uint32_t word;
    int32_t next;
} node;

/* A pair's count when it was put there: too high if the count fell since, never too low. */
typedef struct candidate {
    int64_t count;
    int32_t pair;
} candidate;

typedef struct merger {
    mlm_runtime *runtime;
    mlm__split_words *words;
    mlm__token_table *table;
    size_t pair_count, pair_capacity;
    pair *pairs;
    size_t slot_count; /* of the hash table of pairs */
    int32_t *slots;    /* pair + 1, or 0 */
    size_t node_count, node_capacity;
    node *nodes;
    int32_t free_node; /* first of the nodes that are free again, or -1 */
    size_t heap_count, heap_capacity;
    candidate *heap; /* heap[0] is the best */
    size_t touched_count, touched_capacity;
    int32_t *touched;
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
        m->pairs[m->pair_count++] = (pair){.left = left, .right = right, .places = -1};
        m->slots[slot] = (int32_t)m->pair_count;
    }
    *out = m->slots[slot] - 1;
    return MLM_OK;
}

static mlm_status add_place(merger *m, pair *p, uint32_t word)
{
    if (p->places >= 0 && m->nodes[p->places].word == word)
        return MLM_OK;
    int32_t place = m->free_node;
    if (place >= 0) {
        m->free_node = m->nodes[place].next;
    } else {
        if (m->node_count == INT32_MAX)
            return mlm__error(MLM_ERR_MEMORY, "too many distinct words");
        MLM__TRY(mlm__grow(
            m->runtime, &m->nodes, &m->node_capacity, m->node_count + 1, sizeof *m->nodes));
        place = (int32_t)m->node_count++;
    }
    m->nodes[place] = (node){word, p->places};
    p->places = place;
    return MLM_OK;
}

/* One place more or less where two tokens are neighbours in a word. */
static mlm_status change(merger *m, int32_t left, int32_t right, uint32_t word, int64_t count)
{
    int32_t index = -1;
    MLM__TRY(find_pair(m, left, right, &index));
    pair *p = &m->pairs[index];
    p->count += count;
    if (count < 0)
        return MLM_OK;
    if (!p->touched) {
        MLM__TRY(mlm__grow(m->runtime, &m->touched, &m->touched_capacity, m->touched_count + 1,
            sizeof *m->touched));
        m->touched[m->touched_count++] = index;
        p->touched = true;
    }
    return add_place(m, p, word);
}

static mlm_status push_touched(merger *m)
{
    for (size_t i = 0; i < m->touched_count; i++) {
        pair *p = &m->pairs[m->touched[i]];
        p->touched = false;
        if (p->count > 0)
            MLM__TRY(heap_push(m, (candidate){p->count, m->touched[i]}));
    }
    m->touched_count = 0;
    return MLM_OK;
}

static mlm_status count_pairs(merger *m)
{
    for (size_t w = 0; w < m->words->count; w++) {
        const mlm__split_word *word = &m->words->words[w];
        const int32_t *symbols = m->words->symbols + word->begin;
        for (uint32_t i = 1; i < word->length; i++)
            MLM__TRY(change(m, symbols[i - 1], symbols[i], (uint32_t)w, word->count));
    }
    return push_touched(m);
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
            MLM__TRY(change(m, symbols[end - 1], left, index, -count));
            MLM__TRY(change(m, symbols[end - 1], merged, index, count));
        }
        MLM__TRY(change(m, left, right, index, -count));
        if (i + 2 < word->length) {
            MLM__TRY(change(m, right, symbols[i + 2], index, -count));
            MLM__TRY(change(m, merged, symbols[i + 2], index, count));
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
    int32_t left = m->pairs[index].left, right = m->pairs[index].right, merged;
    int32_t place = m->pairs[index].places;
    MLM__TRY(merged_token(m, left, right, &merged));
    if (merged < 0)
        return MLM_OK;
    m->pairs[index].places = -1;
    while (place >= 0) {
        node n = m->nodes[place];
        m->nodes[place].next = m->free_node;
        m->free_node = place;
        MLM__TRY(merge_in_word(m, n.word, left, right, merged));
        place = n.next;
    }
    return push_touched(m);
}

static mlm_status merge_all(merger *m, size_t vocab_size, int64_t min_frequency)
{
    MLM__TRY(count_pairs(m));
    while (m->table->count < vocab_size && m->heap_count > 0) {
        candidate best = heap_pop(m);
        int64_t count = m->pairs[best.pair].count;
        if (best.count != count) {
            if (count > 0 && count < best.count)
                MLM__TRY(heap_push(m, (candidate){count, best.pair}));
            continue;
        }
        if (count < min_frequency)
            break;
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
    merger m = {.runtime = runtime, .words = words, .table = table, .free_node = -1};
    mlm_status status = merge_all(&m, vocab_size, min_frequency);
    mlm__free(runtime, m.touched);
    mlm__free(runtime, m.heap);
    mlm__free(runtime, m.nodes);
    mlm__free(runtime, m.slots);
    mlm__free(runtime, m.pairs);
    return status;
}
