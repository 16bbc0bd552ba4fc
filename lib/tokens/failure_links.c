#include "tokens/failure_links.h"

#include <stdbool.h>

#include "base/error.h"
#include "base/memory.h"
#include "tokens/vocabulary.h"

typedef struct builder {
    mlm_runtime *runtime;
    const mlm__trie *trie;
    int32_t continuing;
    int32_t *depth; /* [trie->size] bytes of a word that lead to the node */
    int32_t *next;  /* [trie->size] the next node of the same depth, or NONE */
    int32_t first[MLM__TOKEN_LENGTH + 1]; /* of each depth */
    mlm__failure_links out;
    size_t piece_count, piece_capacity;
} builder;

/* Whether words or their continuations begin at a node. */
static bool is_start(const builder *b, int32_t node)
{
    return node == MLM__TRIE_ROOT || node == b->continuing;
}

static void set_depths(builder *b)
{
    const mlm__trie_node *nodes = b->trie->nodes;
    for (int32_t i = 0; (size_t)i < b->trie->size; i++) {
        int32_t node = i, depth = 0;
        if (nodes[i].parent < 0)
            continue;
        for (; !is_start(b, node) && b->depth[node] == 0; node = nodes[node].parent)
            depth++;
        depth += b->depth[node];
        for (node = i; !is_start(b, node) && b->depth[node] == 0; node = nodes[node].parent) {
            b->next[node] = b->first[depth];
            b->first[depth] = node;
            b->depth[node] = depth--;
        }
    }
}

static mlm_status add_pieces(builder *b, size_t count)
{
    MLM__TRY(mlm__grow(b->runtime, &b->out.pieces, &b->piece_capacity, b->piece_count + count,
        sizeof *b->out.pieces));
    b->piece_count += count;
    return MLM_OK;
}

/* The pieces of link->pieces, then those that leaving a node gives. */
static mlm_status append(builder *b, mlm__failure_link *link, int32_t node)
{
    const int32_t id = b->trie->nodes[node].id;
    const mlm__failure_link *left = &b->out.links[node];
    if (id >= 0) {
        MLM__TRY(add_pieces(b, 1));
        int32_t last = (int32_t)b->piece_count - 1;
        b->out.pieces[last] = (mlm__failure_piece){id, b->depth[node], link->pieces};
        *link = (mlm__failure_link){last, b->continuing};
        return MLM_OK;
    }
    if (link->pieces < 0) {
        *link = *left;
        return MLM_OK;
    }
    size_t count = 0;
    for (int32_t p = left->pieces; p >= 0; p = b->out.pieces[p].previous)
        count++;
    MLM__TRY(add_pieces(b, count));
    int32_t last = (int32_t)b->piece_count - 1, to = last;
    for (int32_t p = left->pieces; p >= 0; p = b->out.pieces[p].previous, to--) {
        b->out.pieces[to] = b->out.pieces[p];
        b->out.pieces[to].previous = to - 1;
    }
    b->out.pieces[to + 1].previous = link->pieces;
    *link = (mlm__failure_link){last, left->node};
    return MLM_OK;
}

/* Leaving a node fails where nothing of the word was taken, or nothing can be. */
static bool can_leave(const builder *b, int32_t node)
{
    return !is_start(b, node) && (b->trie->nodes[node].id >= 0 || b->out.links[node].pieces >= 0);
}

/* As the parent's, and on from there until the node's own byte can follow. */
static mlm_status link_node(builder *b, int32_t node)
{
    const mlm__trie_node *nodes = b->trie->nodes;
    const int32_t parent = nodes[node].parent;
    const uint8_t byte = (uint8_t)(node - nodes[parent].base);
    const size_t before = b->piece_count;
    mlm__failure_link link = {-1, parent};
    while (can_leave(b, link.node)) {
        MLM__TRY(append(b, &link, link.node));
        int32_t next = mlm__trie_step(b->trie, link.node, byte);
        if (next != MLM__TRIE_NONE) {
            b->out.links[node] = (mlm__failure_link){link.pieces, next};
            return MLM_OK;
        }
    }
    b->piece_count = before;
    return MLM_OK;
}

static mlm_status build(builder *b)
{
    const size_t size = b->trie->size;
    b->depth = mlm__alloc_zero(b->runtime, size, sizeof *b->depth);
    b->next = mlm__alloc_zero(b->runtime, size, sizeof *b->next);
    b->out.links = mlm__alloc(b->runtime, size, sizeof *b->out.links);
    if (!b->depth || !b->next || !b->out.links)
        return MLM_ERR_MEMORY;
    for (size_t i = 0; i < size; i++)
        b->out.links[i] = (mlm__failure_link){-1, MLM__TRIE_NONE};
    set_depths(b);
    for (size_t depth = 1; depth <= MLM__TOKEN_LENGTH; depth++) {
        for (int32_t node = b->first[depth]; node != MLM__TRIE_NONE; node = b->next[node]) {
            if (b->trie->nodes[node].id < 0)
                MLM__TRY(link_node(b, node));
        }
    }
    return MLM_OK;
}

mlm_status mlm__failure_links_create(
    mlm_runtime *runtime, const mlm__trie *trie, int32_t continuing, mlm__failure_links *out)
{
    builder b = {.runtime = runtime, .trie = trie, .continuing = continuing};
    mlm_status status = build(&b);
    mlm__free(runtime, b.depth);
    mlm__free(runtime, b.next);
    if (status != MLM_OK)
        mlm__failure_links_free(runtime, &b.out);
    *out = b.out;
    return status;
}

void mlm__failure_links_free(mlm_runtime *runtime, mlm__failure_links *links)
{
    mlm__free(runtime, links->links);
    mlm__free(runtime, links->pieces);
    *links = (mlm__failure_links){0};
}
