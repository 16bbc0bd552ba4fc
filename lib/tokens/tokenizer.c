#include "tokens/tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/options.h"
#include "base/runtime.h"
#include "files/sha256.h"
#include "tokens/handle.h"
#include "tokens/scratch.h"

const char *const mlm__special_names[MLM__SPECIAL_COUNT] = {
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};

static const mlm_tokenizer_options option_defaults = {
    .struct_size = sizeof option_defaults,
    .profile = -1,
    .lowercase = -1,
    .strip_accents = -1,
    .handle_chinese_chars = -1,
    .clean_text = -1,
    .max_input_chars_per_word = -1,
    .split_special_tokens = 0,
};

void mlm_tokenizer_options_init(mlm_tokenizer_options *options, size_t size)
{
    mlm__struct_init(options, size, &option_defaults, sizeof option_defaults);
}

mlm_status mlm__tokenizer_options_read(
    const mlm_tokenizer_options *given, const char *function, mlm_tokenizer_options *out)
{
    MLM__TRY(mlm__struct_read(
        given, &option_defaults, sizeof option_defaults, "mlm_tokenizer_options", out));
    const struct {
        const char *name;
        int32_t value, low, high;
    } members[] = {
        {"profile", out->profile, -1, MLM_PROFILE_GOOGLE},
        {"lowercase", out->lowercase, -1, 1},
        {"strip_accents", out->strip_accents, -1, 1},
        {"handle_chinese_chars", out->handle_chinese_chars, -1, 1},
        {"clean_text", out->clean_text, -1, 1},
        {"max_input_chars_per_word", out->max_input_chars_per_word, -1, INT32_MAX},
        {"split_special_tokens", out->split_special_tokens, 0, 1},
    };
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        if (members[i].value < members[i].low || members[i].value > members[i].high)
            return mlm__error(MLM_ERR_ARGUMENT, "%s: %s is %d, not in [%d, %d]", function,
                members[i].name, members[i].value, members[i].low, members[i].high);
    }
    if (out->max_input_chars_per_word == 0)
        return mlm__error(
            MLM_ERR_ARGUMENT, "%s: max_input_chars_per_word is 0: no word would remain", function);
    return MLM_OK;
}

static void set_default(int32_t *option, int32_t value)
{
    if (*option == -1)
        *option = value;
}

void mlm__tokenizer_options_resolve(mlm_tokenizer_options *options)
{
    set_default(&options->profile, MLM_PROFILE_HF);
    set_default(&options->lowercase, 1);
    set_default(&options->strip_accents, options->lowercase);
    set_default(&options->handle_chinese_chars, 1);
    set_default(&options->clean_text, 1);
    set_default(&options->max_input_chars_per_word, options->profile == MLM_PROFILE_HF ? 100 : 200);
}

static const char *special_name(const mlm__tokenizer_parts *parts, size_t i)
{
    return parts->special[i].content ? parts->special[i].content : mlm__special_names[i];
}

/* The added tokens of parts and, unless only_listed, the five, which must have an id already. */
static mlm_status gather_added(
    mlm_tokenizer *tokenizer, const mlm__tokenizer_parts *parts, mlm__added_list *list)
{
    const mlm__vocabulary *vocabulary = &tokenizer->vocabulary;
    for (size_t a = 0; a < parts->added.count; a++)
        MLM__TRY(mlm__added_list_add(tokenizer->runtime, list, &parts->added.tokens[a]));
    for (size_t i = 0; i < MLM__SPECIAL_COUNT; i++) {
        mlm__added_token token = parts->special[i];
        token.content = special_name(parts, i);
        token.id = MLM__NEXT_ID;
        token.special = token.named = true;
        size_t length = strlen(token.content);
        if (mlm__trie_find(&vocabulary->trie, (const uint8_t *)token.content, length) < 0 &&
            mlm__token_table_find(&list->contents, token.content, length) < 0)
            return mlm__error(MLM_ERR_FORMAT, "special token %s is missing", token.content);
        if (!parts->only_listed)
            MLM__TRY(mlm__added_list_add(tokenizer->runtime, list, &token));
    }
    return mlm__added_list_number(list, &vocabulary->trie, vocabulary->model_count);
}

static mlm_status add_tokens(mlm_tokenizer *tokenizer, const mlm__tokenizer_parts *parts)
{
    mlm__vocabulary *vocabulary = &tokenizer->vocabulary;
    mlm__added_tokens *added = &tokenizer->added;
    mlm__added_list list = {0};
    mlm_status status = gather_added(tokenizer, parts, &list);
    if (status == MLM_OK)
        status = mlm__added_tokens_create(
            tokenizer->runtime, list.tokens, list.count, &tokenizer->normalizer, added);
    mlm__added_list_free(tokenizer->runtime, &list);
    if (status == MLM_OK)
        status = mlm__vocabulary_extend(tokenizer->runtime, vocabulary, added->count);
    for (size_t a = 0; a < added->count && status == MLM_OK; a++) {
        if ((size_t)added->tokens[a].id == vocabulary->V)
            vocabulary->tokens[vocabulary->V++] = added->tokens[a].content;
    }
    for (size_t i = 0; i < MLM__SPECIAL_COUNT && status == MLM_OK; i++)
        tokenizer->special[i] = mlm_tokenizer_id(tokenizer, special_name(parts, i));
    return status;
}

static mlm_status set_flags(mlm_tokenizer *tokenizer)
{
    size_t V = tokenizer->vocabulary.V;
    tokenizer->flags = mlm__alloc_zero(tokenizer->runtime, V, 1);
    if (!tokenizer->flags)
        return MLM_ERR_MEMORY;
    for (size_t v = 0; v < tokenizer->vocabulary.model_count; v++) {
        const char *token = tokenizer->vocabulary.tokens[v];
        if (token[0] == '#' && token[1] == '#' && token[2] != 0)
            tokenizer->flags[v] |= MLM__TOKEN_CONTINUES;
    }
    for (size_t i = 0; i < MLM__SPECIAL_COUNT; i++)
        tokenizer->flags[tokenizer->special[i]] |= MLM__TOKEN_SPECIAL;
    for (size_t a = 0; a < tokenizer->added.count; a++) {
        if (tokenizer->added.tokens[a].special)
            tokenizer->flags[tokenizer->added.tokens[a].id] |=
                MLM__TOKEN_SPECIAL | MLM__TOKEN_ADDED_SPECIAL;
    }
    tokenizer->flags[tokenizer->special[MLM_TOKEN_UNK]] &= (uint8_t)~MLM__TOKEN_SPECIAL;
    return MLM_OK;
}

static mlm_status fill(mlm_tokenizer *tokenizer, const mlm__tokenizer_parts *parts, size_t *which)
{
    if (parts->count == 0)
        return mlm__error(MLM_ERR_FORMAT, "the vocabulary is empty");
    if (parts->count + parts->added.count > MLM__LAST_ADDED_ID)
        return mlm__error(MLM_ERR_FORMAT, "%zu tokens are too many", parts->count);
    mlm_tokenizer_options *options = &tokenizer->options;
    *options = parts->options;
    mlm__tokenizer_options_resolve(options);
    mlm__normalizer_init(&tokenizer->normalizer, options->profile, options->clean_text,
        options->handle_chinese_chars, options->strip_accents, options->lowercase);
    MLM__TRY(mlm__vocabulary_create(
        tokenizer->runtime, parts->tokens, parts->count, &tokenizer->vocabulary, which));
    *which = SIZE_MAX;
    MLM__TRY(add_tokens(tokenizer, parts));
    MLM__TRY(mlm__wordpiece_create(tokenizer->runtime, &tokenizer->vocabulary.trie,
        tokenizer->special[MLM_TOKEN_UNK], (size_t)options->max_input_chars_per_word,
        &tokenizer->wordpiece));
    return set_flags(tokenizer);
}

mlm_status mlm__tokenizer_build(
    mlm_runtime *runtime, const mlm__tokenizer_parts *parts, mlm_tokenizer **out, size_t *which)
{
    mlm_runtime *retained;
    *out = NULL;
    *which = SIZE_MAX;
    MLM__TRY(mlm__runtime_retain(runtime, &retained));
    mlm_tokenizer *tokenizer = mlm__alloc_zero(retained, 1, sizeof *tokenizer);
    if (!tokenizer) {
        mlm_runtime_free(retained);
        return MLM_ERR_MEMORY;
    }
    tokenizer->runtime = retained;
    atomic_init(&tokenizer->references, 1);
    for (size_t i = 0; i < MLM__IDLE_SCRATCH; i++)
        atomic_init(&tokenizer->idle[i], NULL);
    atomic_init(&tokenizer->scratch_made, 0);
    mlm_status status = fill(tokenizer, parts, which);
    if (status != MLM_OK) {
        mlm_tokenizer_free(tokenizer);
        return status;
    }
    *out = tokenizer;
    return MLM_OK;
}

mlm_status mlm_tokenizer_create(mlm_runtime *runtime, const char *const *tokens, size_t V,
    const mlm_tokenizer_options *options, mlm_tokenizer **out)
{
    if (!out)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_tokenizer_create: out is NULL");
    *out = NULL;
    if (!tokens)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_tokenizer_create: tokens is NULL");
    if (V > MLM__LAST_ADDED_ID)
        return mlm__error(
            MLM_ERR_ARGUMENT, "mlm_tokenizer_create: V is %zu, at most %d", V, MLM__LAST_ADDED_ID);
    for (size_t v = 0; v < V; v++) {
        if (!tokens[v])
            return mlm__error(MLM_ERR_ARGUMENT, "mlm_tokenizer_create: tokens[%zu] is NULL", v);
    }
    mlm__tokenizer_parts parts = {.tokens = tokens, .count = V};
    MLM__TRY(mlm__tokenizer_options_read(options, "mlm_tokenizer_create", &parts.options));
    size_t which;
    mlm_status status = mlm__tokenizer_build(runtime, &parts, out, &which);
    if (status == MLM_ERR_FORMAT) {
        char place[64] = "tokens";
        if (which != SIZE_MAX)
            snprintf(place, sizeof place, "tokens[%zu]", which);
        return mlm__error_in(status, place);
    }
    return status;
}

mlm_tokenizer *mlm__tokenizer_retain(mlm_tokenizer *tokenizer)
{
    atomic_fetch_add_explicit(&tokenizer->references, 1, memory_order_relaxed);
    return tokenizer;
}

void mlm_tokenizer_free(mlm_tokenizer *tokenizer)
{
    if (!tokenizer ||
        atomic_fetch_sub_explicit(&tokenizer->references, 1, memory_order_acq_rel) > 1)
        return;
    mlm_runtime *runtime = tokenizer->runtime;
    mlm__scratch_free_all(tokenizer);
    mlm__free(runtime, tokenizer->flags);
    mlm__added_tokens_free(runtime, &tokenizer->added);
    mlm__wordpiece_free(runtime, &tokenizer->wordpiece);
    mlm__vocabulary_free(runtime, &tokenizer->vocabulary);
    mlm__free(runtime, tokenizer);
    mlm_runtime_free(runtime);
}

int32_t mlm_tokenizer_vocab_size(const mlm_tokenizer *tokenizer)
{
    return tokenizer ? (int32_t)tokenizer->vocabulary.V : 0;
}

int32_t mlm_tokenizer_id(const mlm_tokenizer *tokenizer, const char *token)
{
    if (!tokenizer || !token)
        return -1;
    const mlm__added_token *added = mlm__added_tokens_find(&tokenizer->added, token);
    if (added)
        return added->id;
    return mlm__trie_find(&tokenizer->vocabulary.trie, (const uint8_t *)token, strlen(token));
}

int32_t mlm_tokenizer_special(const mlm_tokenizer *tokenizer, int32_t which)
{
    return tokenizer && which >= 0 && which < MLM__SPECIAL_COUNT ? tokenizer->special[which] : -1;
}

const char *mlm_tokenizer_token(const mlm_tokenizer *tokenizer, int32_t id)
{
    return tokenizer && id >= 0 && (size_t)id < tokenizer->vocabulary.V
               ? tokenizer->vocabulary.tokens[id]
               : NULL;
}

const uint8_t *mlm__tokenizer_flags(const mlm_tokenizer *tokenizer)
{
    return tokenizer->flags;
}

/* SHA-256 of all tokens, each ended by a line feed. */
static void hash_vocabulary(const mlm__vocabulary *vocabulary, char hex[65])
{
    mlm__sha256 sha;
    uint8_t digest[32];
    mlm__sha256_init(&sha);
    for (size_t v = 0; v < vocabulary->V; v++) {
        mlm__sha256_update(&sha, vocabulary->tokens[v], strlen(vocabulary->tokens[v]));
        mlm__sha256_update(&sha, "\n", 1);
    }
    mlm__sha256_final(&sha, digest);
    mlm__sha256_hex(digest, hex);
}

/* SHA-256 of what decides which tokens are cut out of a text, and of the five's ids. */
static void hash_added_tokens(const mlm_tokenizer *tokenizer, char hex[65])
{
    mlm__sha256 sha;
    uint8_t digest[32];
    char line[64];
    mlm__sha256_init(&sha);
    for (size_t a = 0; a < tokenizer->added.count; a++) {
        const mlm__added_token *token = &tokenizer->added.tokens[a];
        int size = snprintf(line, sizeof line, "%d %d%d%d%d%d\n", token->id, token->single_word,
            token->lstrip, token->rstrip, token->normalized, token->special);
        mlm__sha256_update(&sha, line, (size_t)size);
    }
    for (size_t i = 0; i < MLM__SPECIAL_COUNT; i++) {
        int size = snprintf(line, sizeof line, "%d\n", tokenizer->special[i]);
        mlm__sha256_update(&sha, line, (size_t)size);
    }
    mlm__sha256_final(&sha, digest);
    mlm__sha256_hex(digest, hex);
}

json_t *mlm__tokenizer_provenance(const mlm_tokenizer *tokenizer)
{
    const mlm_tokenizer_options *options = &tokenizer->options;
    char hex[65], added[65];
    hash_vocabulary(&tokenizer->vocabulary, hex);
    hash_added_tokens(tokenizer, added);
    json_t *object = json_pack("{s:s, s:s, s:I, s:s, s:b, s:b, s:b, s:b, s:i, s:b}", "vocabulary",
        hex, "added_tokens", added, "vocab_size", (json_int_t)tokenizer->vocabulary.V, "profile",
        options->profile == MLM_PROFILE_HF ? "hf" : "google", "lowercase", options->lowercase,
        "strip_accents", options->strip_accents, "handle_chinese_chars",
        options->handle_chinese_chars, "clean_text", options->clean_text,
        "max_input_chars_per_word", options->max_input_chars_per_word, "split_special_tokens",
        options->split_special_tokens);
    if (!object)
        mlm__error(MLM_ERR_MEMORY, "out of memory");
    return object;
}
