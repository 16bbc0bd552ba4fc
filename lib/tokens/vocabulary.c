#include "tokens/vocabulary.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "text/utf8.h"

static mlm_status check_tokens(const char *const *tokens, size_t V, size_t *size, size_t *which)
{
    *size = 0;
    for (size_t v = 0; v < V; v++) {
        size_t length = strlen(tokens[v]);
        *which = v;
        if (length > MLM__TOKEN_LENGTH)
            return mlm__error(MLM_ERR_FORMAT, "token of %zu bytes, at most %d are possible", length,
                MLM__TOKEN_LENGTH);
        if (!mlm__utf8_valid((const uint8_t *)tokens[v], length))
            return mlm__error(MLM_ERR_FORMAT, "token is not UTF-8");
        *size += length + 1;
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

mlm_status mlm__vocabulary_create(mlm_runtime *runtime, const char *const *tokens, size_t V,
    size_t model_count, mlm__vocabulary *out, size_t *which)
{
    *out = (mlm__vocabulary){.V = V, .model_count = model_count};
    size_t size;
    MLM__TRY(check_tokens(tokens, V, &size, which));
    out->tokens = mlm__alloc(runtime, V, sizeof *out->tokens);
    out->text = mlm__alloc(runtime, size, 1);
    mlm__trie_string *strings = mlm__alloc(runtime, V, sizeof *strings);
    mlm_status status = MLM_ERR_MEMORY;
    if (out->tokens && out->text && strings)
        status = fill(runtime, tokens, out, strings, which);
    mlm__free(runtime, strings);
    if (status != MLM_OK)
        mlm__vocabulary_free(runtime, out);
    return status;
}

void mlm__vocabulary_free(mlm_runtime *runtime, mlm__vocabulary *vocabulary)
{
    mlm__trie_free(runtime, &vocabulary->trie);
    mlm__free(runtime, vocabulary->text);
    mlm__free(runtime, vocabulary->tokens);
    *vocabulary = (mlm__vocabulary){0};
}
