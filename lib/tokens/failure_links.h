/* Where WordPiece goes on in a trie when no longer token is possible, so that it never reads a byte
   of a word twice (LinMaxMatch: Song et al. 2021, "Fast WordPiece Tokenization"). */
#ifndef MLM_TOKENS_FAILURE_LINKS_H
#define MLM_TOKENS_FAILURE_LINKS_H

#include "tokens/trie.h"

/* For a node at which no token ends: the tokens that the longest match takes off the front of what
   leads to it, and the node of what is left. */
typedef struct mlm__failure_link {
    int32_t pieces; /* the last one's position in the pieces; -1: the word is unknown */
    int32_t node;
} mlm__failure_link;

typedef struct mlm__failure_piece {
    int32_t id;
    int32_t length;   /* bytes of the word */
    int32_t previous; /* the piece before it, or -1 */
} mlm__failure_piece;

typedef struct mlm__failure_links {
    mlm__failure_link *links; /* [trie->size] */
    mlm__failure_piece *pieces;
} mlm__failure_links;

/* continuing is the trie's node after "##", or MLM__TRIE_NONE. Time and memory are linear in the
   bytes of all tokens. */
mlm_status mlm__failure_links_create(
    mlm_runtime *runtime, const mlm__trie *trie, int32_t continuing, mlm__failure_links *out);
void mlm__failure_links_free(mlm_runtime *runtime, mlm__failure_links *links);

#endif
