#include "tokens/added_list.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "tokens/vocabulary.h"

mlm_status mlm__added_list_add(
    mlm_runtime *runtime, mlm__added_list *list, const mlm__added_token *token)
{
    size_t length = strlen(token->content);
    int32_t index;
    if (length == 0)
        return MLM_OK;
    MLM__TRY(mlm__token_check(token->content));
    MLM__TRY(
        mlm__grow(runtime, &list->tokens, &list->capacity, list->count + 1, sizeof *list->tokens));
    MLM__TRY(mlm__token_table_add(runtime, &list->contents, token->content, length, &index));
    if ((size_t)index == list->count) {
        list->tokens[list->count++] = *token;
        return MLM_OK;
    }
    list->tokens[index].named |= token->named;
    list->tokens[index].special |= token->named;
    int32_t *id = &list->tokens[index].id;
    if (*id == MLM__NEXT_ID)
        *id = token->id;
    if (token->id != MLM__NEXT_ID && token->id != *id)
        return mlm__error(MLM_ERR_FORMAT, "added token '%s' has the ids %d and %d", token->content,
            *id, token->id);
    return MLM_OK;
}

static int by_id(const void *left, const void *right)
{
    const mlm__added_token *a = left, *b = right;
    return a->id < b->id ? -1 : a->id > b->id;
}

mlm_status mlm__added_list_number(mlm__added_list *list, const mlm__trie *vocabulary, size_t count)
{
    for (size_t a = 0; a < list->count; a++) {
        if (list->tokens[a].id == MLM__NEXT_ID)
            list->tokens[a].id = MLM__LAST_ADDED_ID + 1 + (int32_t)a;
    }
    if (list->count > 0)
        qsort(list->tokens, list->count, sizeof *list->tokens, by_id);
    for (size_t a = 0; a < list->count; a++) {
        mlm__added_token *token = &list->tokens[a];
        int32_t id =
            mlm__trie_find(vocabulary, (const uint8_t *)token->content, strlen(token->content));
        if (id < 0)
            id = (int32_t)count++;
        if (token->id <= MLM__LAST_ADDED_ID && token->id != id)
            return mlm__error(MLM_ERR_FORMAT, "added token '%s' has id %d, where tokenizers has %d",
                token->content, token->id, id);
        token->id = id;
    }
    if (list->count > 0)
        qsort(list->tokens, list->count, sizeof *list->tokens, by_id);
    return MLM_OK;
}

void mlm__added_list_free(mlm_runtime *runtime, mlm__added_list *list)
{
    mlm__token_table_free(runtime, &list->contents);
    mlm__free(runtime, list->tokens);
    *list = (mlm__added_list){0};
}
