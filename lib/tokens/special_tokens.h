/* Tokens that are looked for in the text itself and cut out before it is split into words: [MASK]
   and what was added to a tokenizer later. Does what AddedVocabulary of tokenizers does. */
#ifndef MLM_TOKENS_SPECIAL_TOKENS_H
#define MLM_TOKENS_SPECIAL_TOKENS_H

#include "text/normalize.h"
#include "tokens/trie.h"

typedef struct mlm__added_token {
    const char *content;
    int32_t id;
    bool single_word;    /* not within a word: no \w before and after */
    bool lstrip, rstrip; /* takes the white space before, after */
    bool normalized;     /* is looked for in the normalised text, normalised itself */
    bool special;
    bool named; /* a file says what it is for, which makes an equal token special too */
} mlm__added_token;

typedef struct mlm__added_tokens {
    size_t count;
    mlm__added_token *tokens;    /* [count] */
    char *text;                  /* their contents */
    mlm__trie exact, normalized; /* ids are positions in tokens, of those not special plus count */
    bool has_exact, has_normalized;
} mlm__added_tokens;

/* Copies count tokens, of different contents. */
mlm_status mlm__added_tokens_create(mlm_runtime *runtime, const mlm__added_token *tokens,
    size_t count, const mlm__normalizer *normalizer, mlm__added_tokens *out);
void mlm__added_tokens_free(mlm_runtime *runtime, mlm__added_tokens *added);

/* The token with this content, or NULL. */
const mlm__added_token *mlm__added_tokens_find(const mlm__added_tokens *added, const char *content);

/* Looks for tokens along a text, leftmost first and of these the longest. */
typedef struct mlm__added_search {
    const mlm__added_tokens *added;
    const mlm__trie *trie; /* added->exact or added->normalized */
    bool skip_special;
    const uint8_t *text;
    size_t length;
    size_t at;                 /* where it looks next */
    size_t taken;              /* where the last match ends */
    size_t run_begin, run_end; /* white space that it went through last */
} mlm__added_search;

typedef struct mlm__added_match {
    size_t begin, end; /* with the white space that the token takes */
    int32_t id;
} mlm__added_match;

bool mlm__added_search_next(mlm__added_search *search, mlm__added_match *match);

#endif
