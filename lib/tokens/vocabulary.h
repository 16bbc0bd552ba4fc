/* The tokens of a vocabulary and their ids, both ways. */
#ifndef MLM_TOKENS_VOCABULARY_H
#define MLM_TOKENS_VOCABULARY_H

#include "tokens/trie.h"

typedef struct mlm__vocabulary {
    size_t V, model_count;
    char **tokens; /* [V] into text, each ended by a zero byte */
    char *text;
    mlm__trie trie;
} mlm__vocabulary;

enum { MLM__TOKEN_LENGTH = 4096 }; /* bytes; no longer token is taken */

/* Copies V tokens; the position is the id. The first model_count are WordPiece's own, and in the
   trie; those after were added. MLM_ERR_FORMAT: "duplicate token 'the'", or one that is too long or
   no UTF-8, with its position in *which, so that the caller can say where that is. */
mlm_status mlm__vocabulary_create(mlm_runtime *runtime, const char *const *tokens, size_t V,
    size_t model_count, mlm__vocabulary *out, size_t *which);
void mlm__vocabulary_free(mlm_runtime *runtime, mlm__vocabulary *vocabulary);

#endif
