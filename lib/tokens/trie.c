#include "tokens/trie.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

/* What a node's parent is where there is none. */
enum { FREE = -1, NO_PARENT = -2 };

/* A node whose children are still to be placed: strings[begin, end) share depth bytes. */
typedef struct pending {
    size_t begin, end, depth;
    int32_t node;
} pending;

typedef struct builder {
    mlm_runtime *runtime;
    const mlm__trie_string *strings;
    mlm__trie_node *nodes;
    size_t capacity; /* of nodes */
    size_t first;    /* below it hardly any node is free */
    pending *stack;
    size_t stack_capacity, stack_count;
} builder;

static int compare(const void *left, const void *right)
{
    const mlm__trie_string *a = left, *b = right;
    size_t shorter = a->length < b->length ? a->length : b->length;
    int order = memcmp(a->bytes, b->bytes, shorter);
    if (order != 0)
        return order;
    if (a->length != b->length)
        return a->length < b->length ? -1 : 1;
    return a->id < b->id ? -1 : a->id > b->id;
}

/* Nodes up to size exist. */
static mlm_status reserve(builder *b, size_t size)
{
    size_t before = b->capacity;
    if (size > INT32_MAX)
        return mlm__error(MLM_ERR_MEMORY, "vocabulary: too many characters");
    if (size <= before)
        return MLM_OK;
    MLM__TRY(mlm__grow(b->runtime, &b->nodes, &b->capacity, size, sizeof *b->nodes));
    for (size_t i = before; i < b->capacity; i++)
        b->nodes[i] = (mlm__trie_node){0, FREE, -1};
    return MLM_OK;
}

/* A base at which the nodes of all the bytes are free. Where nearly every node looked at is taken,
   the search of later calls begins here, as in Darts. */
static mlm_status find_base(builder *b, const uint8_t *bytes, size_t count, size_t *base)
{
    size_t begin = bytes[0] + (size_t)MLM__TRIE_ROOT + 1, taken = 0;
    if (begin < b->first)
        begin = b->first;
    for (size_t node = begin;; node++) {
        MLM__TRY(reserve(b, node + 257));
        if (b->nodes[node].parent != FREE) {
            taken++;
            continue;
        }
        *base = node - bytes[0];
        size_t i = 1;
        while (i < count && b->nodes[*base + bytes[i]].parent == FREE)
            i++;
        if (i < count)
            continue;
        if (taken * 20 >= (node - begin) * 19)
            b->first = node;
        return MLM_OK;
    }
}

/* Places the children of one node and leaves them on the stack. */
static mlm_status expand(builder *b, pending parent)
{
    uint8_t bytes[256];
    size_t begins[257], count = 0;
    size_t i = parent.begin;
    if (b->strings[i].length == parent.depth)
        b->nodes[parent.node].id = b->strings[i].id;
    while (i < parent.end && b->strings[i].length == parent.depth)
        i++;
    for (; i < parent.end; i++) {
        uint8_t byte = b->strings[i].bytes[parent.depth];
        if (count == 0 || bytes[count - 1] != byte) {
            begins[count] = i;
            bytes[count++] = byte;
        }
    }
    if (count == 0)
        return MLM_OK;
    begins[count] = parent.end;
    size_t base;
    MLM__TRY(find_base(b, bytes, count, &base));
    MLM__TRY(mlm__grow(
        b->runtime, &b->stack, &b->stack_capacity, b->stack_count + count, sizeof *b->stack));
    b->nodes[parent.node].base = (int32_t)base;
    for (size_t c = 0; c < count; c++) {
        size_t node = base + bytes[c];
        b->nodes[node].parent = parent.node;
        b->stack[b->stack_count++] =
            (pending){begins[c], begins[c + 1], parent.depth + 1, (int32_t)node};
    }
    return MLM_OK;
}

static mlm_status build(builder *b, size_t count)
{
    MLM__TRY(reserve(b, 512));
    MLM__TRY(mlm__grow(b->runtime, &b->stack, &b->stack_capacity, 1, sizeof *b->stack));
    b->nodes[MLM__TRIE_ROOT].parent = NO_PARENT;
    if (count > 0)
        b->stack[b->stack_count++] = (pending){0, count, 0, MLM__TRIE_ROOT};
    while (b->stack_count > 0)
        MLM__TRY(expand(b, b->stack[--b->stack_count]));
    return MLM_OK;
}

mlm_status mlm__trie_create(mlm_runtime *runtime, mlm__trie_string *strings, size_t count,
    mlm__trie *out, int32_t *duplicate)
{
    *out = (mlm__trie){0};
    if (count > 0)
        qsort(strings, count, sizeof *strings, compare);
    for (size_t i = 1; duplicate && i < count; i++) {
        if (strings[i].length == strings[i - 1].length &&
            memcmp(strings[i].bytes, strings[i - 1].bytes, strings[i].length) == 0) {
            *duplicate = strings[i].id;
            return MLM_ERR_FORMAT;
        }
    }
    builder b = {.runtime = runtime, .strings = strings};
    mlm_status status = build(&b, count);
    mlm__free(runtime, b.stack);
    if (status != MLM_OK) {
        mlm__free(runtime, b.nodes);
        return status;
    }
    *out = (mlm__trie){b.nodes, b.capacity};
    return MLM_OK;
}

void mlm__trie_free(mlm_runtime *runtime, mlm__trie *trie)
{
    mlm__free(runtime, trie->nodes);
    *trie = (mlm__trie){0};
}

int32_t mlm__trie_find(const mlm__trie *trie, const uint8_t *bytes, size_t length)
{
    int32_t node = MLM__TRIE_ROOT;
    for (size_t i = 0; i < length && node != MLM__TRIE_NONE; i++)
        node = mlm__trie_step(trie, node, bytes[i]);
    return node == MLM__TRIE_NONE ? -1 : trie->nodes[node].id;
}
