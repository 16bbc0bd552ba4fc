/* Added tokens as they are put together from a tokenizer's files. */
#ifndef MLM_TOKENS_ADDED_LIST_H
#define MLM_TOKENS_ADDED_LIST_H

#include "tokens/special_tokens.h"
#include "tokens/token_table.h"

typedef struct mlm__added_list {
    size_t count, capacity;
    mlm__added_token *tokens;
    mlm__token_table contents; /* its numbers are positions in tokens */
} mlm__added_list;

enum {
    MLM__NEXT_ID = -1,                  /* the token comes behind all that have an id */
    MLM__LAST_ADDED_ID = INT32_MAX / 2, /* no greater one is taken from a file */
};

/* Appends a token; the content is not copied. Empty ones are passed over, and of equal ones the
   first counts, as in tokenizers, but that it takes an id from the second and becomes special when
   that is named. MLM_ERR_FORMAT: equal ones with different ids, too long, no UTF-8. */
mlm_status mlm__added_list_add(
    mlm_runtime *runtime, mlm__added_list *list, const mlm__added_token *token);

/* Sorts by id and gives each token the id of WordPiece's equal one, else the next one from count on,
   as tokenizers does. MLM_ERR_FORMAT: its file has another. */
mlm_status mlm__added_list_number(mlm__added_list *list, const mlm__trie *vocabulary, size_t count);
void mlm__added_list_free(mlm_runtime *runtime, mlm__added_list *list);

#endif
