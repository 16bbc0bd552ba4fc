#include "tokens/learn.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "text/utf8.h"
#include "tokens/merges.h"

typedef struct letter {
    int32_t code;
    int64_t count;
} letter;

static int by_count(const void *left, const void *right)
{
    const letter *a = left, *b = right;
    if (a->count != b->count)
        return a->count > b->count ? -1 : 1;
    return a->code < b->code ? -1 : a->code > b->code;
}

/* The ids of a code point at the begin of a word and within one, -1 where there is none. */
typedef struct letter_ids {
    int32_t first, further;
} letter_ids;

/* One more than the highest code point. */
static size_t count_codes(const mlm__word_counts *counts)
{
    int32_t highest = 0;
    const uint8_t *at = counts->text, *end = at + counts->text_length;
    for (size_t size; at < end; at += size) {
        int32_t code = mlm__utf8_decode(at, end, &size);
        highest = code > highest ? code : highest;
    }
    return (size_t)highest + 1;
}

static void count_letters(const mlm__word_counts *counts, int64_t *letters)
{
    for (size_t w = 0; w < counts->count; w++) {
        const uint8_t *at = counts->text + counts->words[w].begin;
        const uint8_t *end = at + counts->words[w].length;
        for (size_t size; at < end; at += size)
            letters[mlm__utf8_decode(at, end, &size)] += counts->words[w].count;
    }
}

static mlm_status add_letter(
    mlm_runtime *runtime, mlm__token_table *table, const char *prefix, int32_t code, int32_t *id)
{
    char text[8];
    size_t length = strlen(prefix);
    memcpy(text, prefix, length);
    length += mlm__utf8_encode(code, (uint8_t *)text + length);
    return mlm__token_table_add(runtime, table, text, length, id);
}

static bool is_token(const mlm__token_table *table, int32_t code)
{
    char text[4];
    size_t length = mlm__utf8_encode(code, (uint8_t *)text);
    return mlm__token_table_find(table, text, length) >= 0;
}

/* All but the limit most frequent letters get a count of 0, if they are not special tokens. Among
   equally frequent ones the lower code points stay. */
static mlm_status limit_letters(mlm_runtime *runtime, const mlm__token_table *table,
    int64_t *letters, size_t codes, size_t limit)
{
    size_t count = 0;
    for (size_t code = 0; code < codes; code++)
        count += letters[code] > 0;
    if (count <= limit)
        return MLM_OK;
    letter *sorted = mlm__alloc(runtime, count, sizeof *sorted);
    if (!sorted)
        return MLM_ERR_MEMORY;
    count = 0;
    for (size_t code = 0; code < codes; code++)
        if (letters[code] > 0)
            sorted[count++] = (letter){(int32_t)code, letters[code]};
    qsort(sorted, count, sizeof *sorted, by_count);
    for (size_t i = limit; i < count; i++)
        if (!is_token(table, sorted[i].code))
            letters[sorted[i].code] = 0;
    mlm__free(runtime, sorted);
    return MLM_OK;
}

/* The letters become tokens in the order of their code points, then the "##" forms of those that
   stand within a word. */
static mlm_status add_letters(mlm_runtime *runtime, const mlm__word_counts *counts,
    const int64_t *letters, size_t codes, letter_ids *ids, mlm__token_table *table)
{
    for (size_t code = 0; code < codes; code++) {
        ids[code] = (letter_ids){-1, -1};
        if (letters[code] > 0)
            MLM__TRY(add_letter(runtime, table, "", (int32_t)code, &ids[code].first));
    }
    for (size_t w = 0; w < counts->count; w++) {
        const uint8_t *at = counts->text + counts->words[w].begin;
        const uint8_t *end = at + counts->words[w].length;
        size_t size = mlm__utf8_size(*at);
        for (at += size; at < end; at += size)
            ids[mlm__utf8_decode(at, end, &size)].further = 0;
    }
    for (size_t code = 0; code < codes; code++) {
        letter_ids *id = &ids[code];
        if (id->first < 0)
            id->further = -1;
        else if (id->further == 0)
            MLM__TRY(add_letter(runtime, table, "##", (int32_t)code, &id->further));
    }
    return MLM_OK;
}

static mlm_status choose_letters(mlm_runtime *runtime, const mlm__word_counts *counts, size_t limit,
    size_t codes, letter_ids *ids, mlm__token_table *table)
{
    int64_t *letters = mlm__alloc_zero(runtime, codes, sizeof *letters);
    if (!letters)
        return MLM_ERR_MEMORY;
    count_letters(counts, letters);
    mlm_status status = limit_letters(runtime, table, letters, codes, limit);
    if (status == MLM_OK)
        status = add_letters(runtime, counts, letters, codes, ids, table);
    mlm__free(runtime, letters);
    return status;
}

/* Letters that are not in the alphabet vanish, and those beside them become neighbours. */
static mlm_status split_words(mlm_runtime *runtime, const mlm__word_counts *counts,
    const letter_ids *ids, mlm__split_words *words)
{
    size_t used = 0;
    words->words = mlm__alloc(runtime, counts->count, sizeof *words->words);
    words->symbols = mlm__alloc(runtime, counts->text_length, sizeof *words->symbols);
    if (!words->words || !words->symbols)
        return MLM_ERR_MEMORY;
    for (size_t w = 0; w < counts->count; w++) {
        const uint8_t *begin = counts->text + counts->words[w].begin;
        const uint8_t *end = begin + counts->words[w].length, *at = begin;
        size_t start = used;
        for (size_t size; at < end; at += size) {
            const letter_ids *letter_id = &ids[mlm__utf8_decode(at, end, &size)];
            int32_t id = at == begin ? letter_id->first : letter_id->further;
            if (id >= 0)
                words->symbols[used++] = id;
        }
        words->words[w] =
            (mlm__split_word){start, (uint32_t)(used - start), counts->words[w].count};
    }
    words->count = counts->count;
    return MLM_OK;
}

static mlm_status add_special_tokens(
    mlm_runtime *runtime, const mlm_vocab_options *options, mlm__token_table *table)
{
    for (int32_t i = 0; i < options->special_count; i++) {
        int32_t id;
        const char *token = options->special_tokens[i];
        MLM__TRY(mlm__token_table_add(runtime, table, token, strlen(token), &id));
        if (id != i)
            return mlm__error(MLM_ERR_ARGUMENT, "special_tokens[%d] is '%s' again", i, token);
    }
    return MLM_OK;
}

mlm_status mlm__learn(mlm_runtime *runtime, mlm__word_counts *counts,
    const mlm_vocab_options *options, mlm__token_table *table)
{
    MLM__TRY(add_special_tokens(runtime, options, table));
    mlm__split_words words = {0};
    size_t codes = count_codes(counts);
    letter_ids *ids = mlm__alloc(runtime, codes, sizeof *ids);
    mlm_status status =
        ids ? choose_letters(runtime, counts, (size_t)options->limit_alphabet, codes, ids, table)
            : MLM_ERR_MEMORY;
    if (status == MLM_OK)
        status = split_words(runtime, counts, ids, &words);
    mlm__free(runtime, ids);
    mlm__word_counts_free(runtime, counts);
    if (status == MLM_OK)
        status = mlm__merge_pairs(
            runtime, &words, (size_t)options->vocab_size, options->min_frequency, table);
    mlm__free(runtime, words.symbols);
    mlm__free(runtime, words.words);
    return status;
}
