/* The tokens of a vocabulary and their ids, both ways. */
#ifndef MLM_TOKENS_VOCABULARY_H
#define MLM_TOKENS_VOCABULARY_H

#include "tokens/trie.h"

typedef struct mlm__vocabulary {
    size_t V, model_count; /* the tokens from model_count on are added ones, not in the trie */
    const char **tokens;   /* [V] */
    char *text;            /* of the first model_count, each ended by a zero byte */
    mlm__trie trie;
} mlm__vocabulary;

enum { MLM__TOKEN_LENGTH = 4096 }; /* bytes; no longer token is taken */

/* Copies WordPiece's own tokens; the position is the id. MLM_ERR_FORMAT: "duplicate token 'the'", or
   one that cannot be, with its position in *which, so that the caller can say where that is. */
mlm_status mlm__vocabulary_create(mlm_runtime *runtime, const char *const *tokens, size_t count,
    mlm__vocabulary *out, size_t *which);

/* Room for count tokens behind those; the caller puts strings that last there, and counts V up. */
mlm_status mlm__vocabulary_extend(mlm_runtime *runtime, mlm__vocabulary *vocabulary, size_t count);

/* MLM_ERR_FORMAT: a token that is too long or not UTF-8. */
mlm_status mlm__token_check(const char *token);
void mlm__vocabulary_free(mlm_runtime *runtime, mlm__vocabulary *vocabulary);

#endif
