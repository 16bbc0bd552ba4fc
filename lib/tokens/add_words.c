/* mlm_tokenizer_add_words: a tokenizer with more words at the end of its vocabulary. */
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "text/utf8.h"
#include "text/words.h"
#include "tokens/encode.h"
#include "tokens/scratch.h"
#include "tokens/token_table.h"

static const char function[] = "mlm_tokenizer_add_words";

static mlm_status refuse(const char *const *words, size_t index, const char *why)
{
    return mlm__error(
        MLM_ERR_ARGUMENT, "%s: words[%zu]: '%.100s' %s", function, index, words[index], why);
}

/* What a word is in the vocabulary, into room for MLM__NORMALIZED_GROWTH times its bytes. */
static mlm_status normalize_word(const mlm_tokenizer *tokenizer, const char *const *words,
    size_t index, mlm__normalized *room, mlm__word *out)
{
    const uint8_t *text = (const uint8_t *)words[index];
    const size_t length = strlen(words[index]);
    if (!mlm__utf8_valid(text, length))
        return refuse(words, index, "is not UTF-8");
    mlm__normalize(&tokenizer->normalizer, text, 0, length, room);
    mlm__word more;
    if (!mlm__word_next(&tokenizer->normalizer, room->bytes, room->length, 0, out))
        return refuse(words, index, "has no letter: it is no word");
    if (mlm__word_next(&tokenizer->normalizer, room->bytes, room->length, out->end, &more))
        return refuse(words, index, "is more than one word");
    const size_t most = (size_t)tokenizer->options.max_input_chars_per_word;
    const size_t size = out->end - out->begin;
    if (mlm__utf8_count(room->bytes + out->begin, size) > most || size > MLM__TOKEN_LENGTH)
        return refuse(words, index, "is longer than max_input_chars_per_word, or 4096 bytes");
    return MLM_OK;
}

/* Gathers what is new, normalised and without those that are tokens already. */
static mlm_status gather(
    const mlm_tokenizer *tokenizer, const char *const *words, size_t count, mlm__token_table *table)
{
    mlm_runtime *runtime = tokenizer->runtime;
    for (size_t i = 0; i < count; i++) {
        if (!words[i])
            return mlm__error(MLM_ERR_ARGUMENT, "%s: words[%zu] is NULL", function, i);
        if (mlm_tokenizer_id(tokenizer, words[i]) >= 0)
            continue;
        mlm__normalized room = {
            .bytes = mlm__alloc(runtime, strlen(words[i]) + 1, MLM__NORMALIZED_GROWTH)};
        if (!room.bytes)
            return MLM_ERR_MEMORY;
        mlm__word word;
        mlm_status status = normalize_word(tokenizer, words, i, &room, &word);
        if (status == MLM_OK) {
            const char *text = (const char *)room.bytes + word.begin;
            int32_t id;
            room.bytes[word.end] = 0;
            if (mlm_tokenizer_id(tokenizer, text) < 0)
                status = mlm__token_table_add(runtime, table, text, word.end - word.begin, &id);
        }
        mlm__free(runtime, room.bytes);
        MLM__TRY(status);
    }
    return MLM_OK;
}

/* All tokens so far become WordPiece's own, at their ids; added ones stay added ones too. */
static mlm_status build(
    const mlm_tokenizer *tokenizer, const mlm__token_table *table, mlm_tokenizer **out)
{
    const mlm__vocabulary *vocabulary = &tokenizer->vocabulary;
    const size_t count = vocabulary->V + table->count;
    const char **tokens = mlm__alloc(tokenizer->runtime, count, sizeof *tokens);
    if (!tokens)
        return MLM_ERR_MEMORY;
    memcpy(tokens, vocabulary->tokens, vocabulary->V * sizeof *tokens);
    for (size_t i = 0; i < table->count; i++)
        tokens[vocabulary->V + i] = mlm__token_table_text(table, (int32_t)i);
    mlm__tokenizer_parts parts = {
        .options = tokenizer->options,
        .tokens = tokens,
        .count = count,
        .added = {.count = tokenizer->added.count, .tokens = tokenizer->added.tokens},
        .only_listed = true,
    };
    for (size_t i = 0; i < MLM__SPECIAL_COUNT; i++)
        parts.special[i].content = vocabulary->tokens[tokenizer->special[i]];
    size_t which;
    mlm_status status = mlm__tokenizer_build(tokenizer->runtime, &parts, out, &which);
    mlm__free(tokenizer->runtime, (void *)tokens);
    return status < MLM_OK ? mlm__error_in(status, function) : MLM_OK;
}

/* An added token that is found within a new word cuts it before WordPiece sees it. */
static mlm_status check_reached(const mlm_tokenizer *tokenizer, size_t first_new)
{
    for (size_t id = first_new; id < tokenizer->vocabulary.V; id++) {
        const char *word = tokenizer->vocabulary.tokens[id];
        int32_t ids[2];
        mlm__sink sink = {.ids = ids, .capacity = 2, .limit = SIZE_MAX};
        mlm__scratch *scratch = mlm__scratch_take(tokenizer);
        if (!scratch)
            return MLM_ERR_MEMORY;
        mlm_status status = mlm__encode_growing(tokenizer, scratch, word, strlen(word), &sink);
        mlm__scratch_give_back(tokenizer, scratch);
        MLM__TRY(status);
        if (sink.count != 1 || ids[0] != (int32_t)id)
            return mlm__error(MLM_ERR_ARGUMENT,
                "%s: '%.100s' has an added token in it, which cuts it in a text", function, word);
    }
    return MLM_OK;
}

mlm_status mlm_tokenizer_add_words(
    const mlm_tokenizer *tokenizer, const char *const *words, size_t count, mlm_tokenizer **out)
{
    if (!out)
        return mlm__error(MLM_ERR_ARGUMENT, "%s: out is NULL", function);
    *out = NULL;
    if (!tokenizer || (!words && count))
        return mlm__error(
            MLM_ERR_ARGUMENT, "%s: %s is NULL", function, tokenizer ? "words" : "tokenizer");
    mlm__token_table table = {0};
    mlm_tokenizer *made = NULL;
    mlm_status status = gather(tokenizer, words, count, &table);
    if (status == MLM_OK)
        status = build(tokenizer, &table, &made);
    if (status == MLM_OK)
        status = check_reached(made, tokenizer->vocabulary.V);
    mlm__token_table_free(tokenizer->runtime, &table);
    if (status < MLM_OK)
        mlm_tokenizer_free(made);
    else
        *out = made;
    return status;
}
