/* Greedy longest-match WordPiece, in linear time. */
#ifndef MLM_TOKENS_WORDPIECE_H
#define MLM_TOKENS_WORDPIECE_H

#include "tokens/failure_links.h"
#include "tokens/vocabulary.h"

typedef struct mlm__wordpiece {
    const mlm__trie *trie; /* of the vocabulary */
    mlm__failure_links failure;
    int32_t continuing;    /* the node after "##", or MLM__TRIE_NONE */
    int32_t unknown;       /* the id of [UNK] */
    size_t max_characters; /* of a word; longer ones are [UNK] */
} mlm__wordpiece;

typedef struct mlm__piece {
    int32_t id;
    uint32_t end; /* its last byte + 1, counted from the word's first byte */
} mlm__piece;

mlm_status mlm__wordpiece_create(mlm_runtime *runtime, const mlm__trie *trie, int32_t unknown,
    size_t max_characters, mlm__wordpiece *out);
void mlm__wordpiece_free(mlm_runtime *runtime, mlm__wordpiece *wordpiece);

/* The pieces of a word of size > 0 bytes of valid UTF-8: the longest token at its begin, then the
   longest "##" token at each end, or a single [UNK] when somewhere there is none. The word does not
   begin with "##": punctuation marks are words of their own. Writes as many as capacity has room for
   and returns how many there are, at most the word's characters. */
size_t mlm__wordpiece_split(const mlm__wordpiece *wordpiece, const uint8_t *word, size_t size,
    mlm__piece *pieces, size_t capacity);

#endif
