/* A set of byte strings with their numbers, for walking along a text: a double array (Aoe 1989).
   A step is one addition and one comparison. */
#ifndef MLM_TOKENS_TRIE_H
#define MLM_TOKENS_TRIE_H

#include <stddef.h>
#include <stdint.h>

#include "mlm/mlm.h"

typedef struct mlm__trie_node {
    int32_t base;   /* the child for byte b is base + b, */
    int32_t parent; /* if that node's parent is this one; negative where there is none */
    int32_t id;     /* of the string that ends here, or -1 */
} mlm__trie_node;

typedef struct mlm__trie {
    mlm__trie_node *nodes;
    size_t size;
} mlm__trie;

enum { MLM__TRIE_ROOT = 1, MLM__TRIE_NONE = 0 };

typedef struct mlm__trie_string {
    const uint8_t *bytes;
    size_t length;
    int32_t id;
} mlm__trie_string;

/* Sorts strings by their bytes, equal ones by id. Where two are equal: MLM_ERR_FORMAT without a
   message and the greater id of the first such pair in *duplicate; the lowest id is taken when
   duplicate is NULL. */
mlm_status mlm__trie_create(mlm_runtime *runtime, mlm__trie_string *strings, size_t count,
    mlm__trie *out, int32_t *duplicate);
void mlm__trie_free(mlm_runtime *runtime, mlm__trie *trie);

/* The node that follows node for a byte, or MLM__TRIE_NONE, which nothing follows. */
static inline int32_t mlm__trie_step(const mlm__trie *trie, int32_t node, uint8_t byte)
{
    int32_t next = trie->nodes[node].base + byte;
    return trie->nodes[next].parent == node ? next : MLM__TRIE_NONE;
}

/* The id of a whole string, or -1. */
int32_t mlm__trie_find(const mlm__trie *trie, const uint8_t *bytes, size_t length);

#endif
