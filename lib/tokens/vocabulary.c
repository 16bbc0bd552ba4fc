#include "tokens/vocabulary.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "text/utf8.h"

mlm_status mlm__token_check(const char *token)
{
    size_t length = strlen(token);
    if (length > MLM__TOKEN_LENGTH)
        return mlm__error(MLM_ERR_FORMAT, "token of %zu bytes, at most %d are possible", length,
            MLM__TOKEN_LENGTH);
    if (!mlm__utf8_valid((const uint8_t *)token, length))
        return mlm__error(MLM_ERR_FORMAT, "token is not UTF-8");
    return MLM_OK;
}

static mlm_status check_tokens(const char *const *tokens, size_t V, size_t *size, size_t *which)
{
    *size = 0;
    for (size_t v = 0; v < V; v++) {
        *which = v;
        MLM__TRY(mlm__token_check(tokens[v]));
        /* It would be two in vocab.txt, and shift the ids of all that follow. */
        if (strchr(tokens[v], '\n'))
            return mlm__error(MLM_ERR_FORMAT, "token with a line feed");
        *size += strlen(tokens[v]) + 1;
    }
    return MLM_OK;
}

static mlm_status fill(mlm_runtime *runtime, const char *const *tokens, mlm__vocabulary *vocabulary,
    mlm__trie_string *strings, size_t *which)
{
    char *end = vocabulary->text;
    for (size_t v = 0; v < vocabulary->V; v++) {
        size_t length = strlen(tokens[v]);
        memcpy(end, tokens[v], length + 1);
        vocabulary->tokens[v] = end;
        strings[v] = (mlm__trie_string){(const uint8_t *)end, length, (int32_t)v};
        end += length + 1;
    }
    int32_t duplicate = -1;
    mlm_status status =
        mlm__trie_create(runtime, strings, vocabulary->model_count, &vocabulary->trie, &duplicate);
    if (duplicate >= 0) {
        *which = (size_t)duplicate;
        return mlm__error(MLM_ERR_FORMAT, "duplicate token '%s'", tokens[duplicate]);
    }
    return status;
}

mlm_status mlm__vocabulary_create(mlm_runtime *runtime, const char *const *tokens, size_t count,
    mlm__vocabulary *out, size_t *which)
{
    *out = (mlm__vocabulary){.V = count, .model_count = count};
    size_t size;
    MLM__TRY(check_tokens(tokens, count, &size, which));
    out->tokens = mlm__alloc(runtime, count, sizeof *out->tokens);
    out->text = mlm__alloc(runtime, size, 1);
    mlm__trie_string *strings = mlm__alloc(runtime, count, sizeof *strings);
    mlm_status status = MLM_ERR_MEMORY;
    if (out->tokens && out->text && strings)
        status = fill(runtime, tokens, out, strings, which);
    mlm__free(runtime, strings);
    if (status != MLM_OK)
        mlm__vocabulary_free(runtime, out);
    return status;
}

mlm_status mlm__vocabulary_extend(mlm_runtime *runtime, mlm__vocabulary *vocabulary, size_t count)
{
    const char **tokens = mlm__alloc(runtime, vocabulary->V + count, sizeof *tokens);
    if (!tokens)
        return MLM_ERR_MEMORY;
    memcpy(tokens, vocabulary->tokens, vocabulary->V * sizeof *tokens);
    mlm__free(runtime, vocabulary->tokens);
    vocabulary->tokens = tokens;
    return MLM_OK;
}

void mlm__vocabulary_free(mlm_runtime *runtime, mlm__vocabulary *vocabulary)
{
    mlm__trie_free(runtime, &vocabulary->trie);
    mlm__free(runtime, vocabulary->text);
    mlm__free(runtime, vocabulary->tokens);
    *vocabulary = (mlm__vocabulary){0};
}
