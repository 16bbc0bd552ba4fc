#include "tokens/wordpiece.h"

#include <stdbool.h>

#include "text/utf8.h"

mlm_status mlm__wordpiece_create(mlm_runtime *runtime, const mlm__trie *trie, int32_t unknown,
    size_t max_characters, mlm__wordpiece *out)
{
    int32_t node = mlm__trie_step(trie, MLM__TRIE_ROOT, '#');
    *out = (mlm__wordpiece){
        .trie = trie,
        .continuing = mlm__trie_step(trie, node, '#'),
        .unknown = unknown,
        .max_characters = max_characters,
    };
    return mlm__failure_links_create(runtime, trie, out->continuing, &out->failure);
}

void mlm__wordpiece_free(mlm_runtime *runtime, mlm__wordpiece *wordpiece)
{
    mlm__failure_links_free(runtime, &wordpiece->failure);
}

/* Bytes that are read again after a piece rather than looked up in the failure links: a short way back
   is faster than another place of memory. */
enum { READ_AGAIN = 8 };

/* What a word was split into so far. */
typedef struct splitting {
    const mlm__wordpiece *wordpiece;
    size_t end; /* of the last piece */
    size_t count, capacity;
    mlm__piece *pieces;
} splitting;

static void put(splitting *s, size_t index, int32_t id, size_t end)
{
    if (index < s->capacity)
        s->pieces[index] = (mlm__piece){id, (uint32_t)end};
}

/* Takes the longest tokens off bytes [end, at), which lead to *node, and moves that to where the rest
   of them leads; false: there are none, and the word is unknown. */
static bool leave(splitting *s, int32_t *node, size_t at)
{
    const mlm__wordpiece *wordpiece = s->wordpiece;
    const int32_t id = wordpiece->trie->nodes[*node].id;
    if (s->end == at)
        return false;
    if (id >= 0) {
        put(s, s->count++, id, at);
        *node = wordpiece->continuing;
        s->end = at;
        return true;
    }
    const mlm__failure_link link = wordpiece->failure.links[*node];
    const mlm__failure_piece *pieces = wordpiece->failure.pieces;
    size_t more = 0;
    for (int32_t p = link.pieces; p >= 0; p = pieces[p].previous) {
        more++;
        s->end += (size_t)pieces[p].length;
    }
    size_t index = s->count += more, end = s->end;
    for (int32_t p = link.pieces; p >= 0; p = pieces[p].previous) {
        put(s, --index, pieces[p].id, end);
        end -= (size_t)pieces[p].length;
    }
    *node = link.node;
    return more > 0;
}

/* Splits all that is left of a word, of which bytes [end, at) lead to node, by failure links. */
static bool split_rest(splitting *s, int32_t node, const uint8_t *word, size_t size, size_t at)
{
    while (at < size) {
        int32_t next = mlm__trie_step(s->wordpiece->trie, node, word[at]);
        if (next != MLM__TRIE_NONE) {
            node = next;
            at++;
        } else if (!leave(s, &node, at)) {
            return false;
        }
    }
    while (s->end < size) {
        if (!leave(s, &node, size))
            return false;
    }
    return true;
}

static bool split(splitting *s, const uint8_t *word, size_t size)
{
    const mlm__trie *trie = s->wordpiece->trie;
    while (s->end < size) {
        int32_t node = s->end == 0 ? MLM__TRIE_ROOT : s->wordpiece->continuing, next;
        mlm__piece longest = {-1, 0};
        size_t at = s->end;
        for (; at < size; at++) {
            next = mlm__trie_step(trie, node, word[at]);
            if (next == MLM__TRIE_NONE)
                break;
            node = next;
            if (trie->nodes[node].id >= 0)
                longest = (mlm__piece){trie->nodes[node].id, (uint32_t)(at + 1)};
        }
        if (longest.id < 0)
            return false;
        if (at - longest.end > READ_AGAIN)
            return split_rest(s, node, word, size, at);
        put(s, s->count++, longest.id, longest.end);
        s->end = longest.end;
    }
    return true;
}

size_t mlm__wordpiece_split(const mlm__wordpiece *wordpiece, const uint8_t *word, size_t size,
    mlm__piece *pieces, size_t capacity)
{
    splitting s = {wordpiece, 0, 0, capacity, pieces};
    if ((size <= wordpiece->max_characters ||
            mlm__utf8_count(word, size) <= wordpiece->max_characters) &&
        split(&s, word, size))
        return s.count;
    put(&s, 0, wordpiece->unknown, size);
    return 1;
}
