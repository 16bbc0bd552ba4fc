#include "tokens/special_tokens.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "mlm/mlm.h"
#include "text/unicode_tables.h"
#include "text/utf8.h"

static bool has_flag(int32_t code, uint32_t flag)
{
    return code != MLM__UTF8_INVALID && mlm__character_of(code)->flags[MLM_PROFILE_HF] & flag;
}

static int32_t code_before(const uint8_t *text, size_t at, size_t *size)
{
    const uint8_t *start = mlm__utf8_previous(text, text + at);
    return mlm__utf8_decode(start, text + at, size);
}

/* Builds the trie of those tokens that are (not) normalised. Of equal ones the lowest number is kept,
   and special ones have the lower numbers, as tokenizers looks for these first. room holds their normalised contents,
   strings one entry for each. */
static mlm_status create_trie(mlm_runtime *runtime, const mlm__added_tokens *added, bool normalized,
    const mlm__normalizer *normalizer, uint8_t *room, mlm__trie_string *strings, mlm__trie *out,
    bool *any)
{
    size_t count = 0;
    for (size_t i = 0; i < added->count; i++) {
        const mlm__added_token *token = &added->tokens[i];
        const uint8_t *bytes = (const uint8_t *)token->content;
        size_t length = strlen(token->content);
        if (token->normalized != normalized)
            continue;
        if (normalized) {
            mlm__normalized result = {.bytes = room};
            mlm__normalize(normalizer, bytes, 0, length, &result);
            bytes = room;
            length = result.length;
            room += length;
        }
        if (length > 0)
            strings[count++] =
                (mlm__trie_string){bytes, length, (int32_t)(token->special ? i : added->count + i)};
    }
    *any = count > 0;
    return mlm__trie_create(runtime, strings, count, out, NULL);
}

mlm_status mlm__added_tokens_create(mlm_runtime *runtime, const mlm__added_token *tokens,
    size_t count, const mlm__normalizer *normalizer, mlm__added_tokens *out)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += strlen(tokens[i].content) + 1;
    *out = (mlm__added_tokens){.count = count};
    out->tokens = mlm__alloc(runtime, count, sizeof *out->tokens);
    out->text = mlm__alloc(runtime, size, 1);
    uint8_t *room = mlm__alloc(runtime, size, MLM__NORMALIZED_GROWTH);
    mlm__trie_string *strings = mlm__alloc(runtime, count, sizeof *strings);
    mlm_status status = MLM_ERR_MEMORY;
    if (out->tokens && out->text && room && strings) {
        char *end = out->text;
        for (size_t i = 0; i < count; i++) {
            size_t length = strlen(tokens[i].content);
            out->tokens[i] = tokens[i];
            out->tokens[i].content = memcpy(end, tokens[i].content, length + 1);
            end += length + 1;
        }
        status = create_trie(
            runtime, out, false, normalizer, room, strings, &out->exact, &out->has_exact);
        if (status == MLM_OK)
            status = create_trie(runtime, out, true, normalizer, room, strings, &out->normalized,
                &out->has_normalized);
    }
    mlm__free(runtime, strings);
    mlm__free(runtime, room);
    if (status != MLM_OK)
        mlm__added_tokens_free(runtime, out);
    return status;
}

void mlm__added_tokens_free(mlm_runtime *runtime, mlm__added_tokens *added)
{
    mlm__trie_free(runtime, &added->normalized);
    mlm__trie_free(runtime, &added->exact);
    mlm__free(runtime, added->text);
    mlm__free(runtime, added->tokens);
    *added = (mlm__added_tokens){0};
}

const mlm__added_token *mlm__added_tokens_find(const mlm__added_tokens *added, const char *content)
{
    for (size_t i = 0; i < added->count; i++) {
        if (strcmp(added->tokens[i].content, content) == 0)
            return &added->tokens[i];
    }
    return NULL;
}

/* The longest token at text[at, length); 0 where there is none. */
static size_t match_at(
    const mlm__trie *trie, const uint8_t *text, size_t length, size_t at, int32_t *token)
{
    size_t longest = 0;
    int32_t node = MLM__TRIE_ROOT;
    for (size_t i = at; i < length; i++) {
        node = mlm__trie_step(trie, node, text[i]);
        if (node == MLM__TRIE_NONE)
            break;
        if (trie->nodes[node].id >= 0) {
            *token = trie->nodes[node].id;
            longest = i + 1 - at;
        }
    }
    return longest;
}

static bool stands_alone(const uint8_t *text, size_t length, size_t begin, size_t end)
{
    size_t size;
    return !(begin > 0 && has_flag(code_before(text, begin, &size), MLM__CHAR_WORD)) &&
           !(end < length &&
               has_flag(mlm__utf8_decode(text + end, text + length, &size), MLM__CHAR_WORD));
}

/* Where the white space that begins at a place ends. Going through it once is enough for all tokens
   that are found in it. */
static size_t end_of_space(mlm__added_search *search, size_t begin)
{
    size_t end = begin, size;
    if (begin >= search->run_begin && begin < search->run_end)
        return search->run_end;
    while (end < search->length &&
           has_flag(mlm__utf8_decode(search->text + end, search->text + search->length, &size),
               MLM__CHAR_BREAK))
        end += size;
    search->run_begin = begin;
    search->run_end = end;
    return end;
}

bool mlm__added_search_next(mlm__added_search *search, mlm__added_match *match)
{
    const uint8_t *text = search->text;
    size_t size;
    while (search->at < search->length) {
        int32_t index = -1;
        size_t begin = search->at;
        size_t end = begin + match_at(search->trie, text, search->length, begin, &index);
        if (index < 0) {
            search->at++;
            continue;
        }
        search->at = end;
        const mlm__added_token *token =
            &search->added->tokens[(size_t)index % search->added->count];
        if ((search->skip_special && token->special) ||
            (token->single_word && !stands_alone(text, search->length, begin, end)))
            continue;
        while (token->lstrip && begin > search->taken &&
               has_flag(code_before(text, begin, &size), MLM__CHAR_BREAK))
            begin -= size;
        if (token->lstrip && begin < search->taken)
            begin = search->taken;
        if (token->rstrip)
            end = end_of_space(search, end);
        search->taken = end;
        /* tokenizers drops one that has nothing left, as the token before it took it all. */
        if (begin >= end)
            continue;
        *match = (mlm__added_match){begin, end, token->id};
        return true;
    }
    return false;
}
