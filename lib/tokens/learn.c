#include "tokens/learn.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "text/utf8.h"
#include "tokens/merges.h"

enum { CODES = 0x110000 };

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

static int by_code(const void *left, const void *right)
{
    const letter *a = left, *b = right;
    return a->code < b->code ? -1 : a->code > b->code;
}

/* What code points become: counts at first, then the ids of the letter at the begin of a word and
   within one, -1 where there is none. */
typedef struct alphabet {
    int64_t *counts;          /* [CODES] */
    int32_t *first, *further; /* [CODES] */
} alphabet;

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

/* The limit most frequent letters become tokens, in the order of their code points. Among equally
   frequent ones the lower code points stay. */
static mlm_status choose_letters(mlm_runtime *runtime, const mlm__word_counts *counts, size_t limit,
    alphabet *a, mlm__token_table *table)
{
    size_t count = 0;
    count_letters(counts, a->counts);
    for (int32_t code = 0; code < CODES; code++)
        count += a->counts[code] > 0;
    letter *letters = mlm__alloc(runtime, count, sizeof *letters);
    if (!letters)
        return MLM_ERR_MEMORY;
    count = 0;
    for (int32_t code = 0; code < CODES; code++) {
        a->first[code] = a->further[code] = -1;
        if (a->counts[code] > 0)
            letters[count++] = (letter){code, a->counts[code]};
    }
    qsort(letters, count, sizeof *letters, by_count);
    if (count > limit)
        count = limit;
    qsort(letters, count, sizeof *letters, by_code);
    mlm_status status = MLM_OK;
    for (size_t i = 0; i < count && status == MLM_OK; i++)
        status = add_letter(runtime, table, "", letters[i].code, &a->first[letters[i].code]);
    mlm__free(runtime, letters);
    return status;
}

/* "##" forms of the letters that stand within a word, in the order of their code points. */
static mlm_status add_further_letters(
    mlm_runtime *runtime, const mlm__word_counts *counts, alphabet *a, mlm__token_table *table)
{
    memset(a->counts, 0, CODES * sizeof *a->counts);
    for (size_t w = 0; w < counts->count; w++) {
        const uint8_t *at = counts->text + counts->words[w].begin;
        const uint8_t *end = at + counts->words[w].length;
        size_t size = mlm__utf8_size(*at);
        for (at += size; at < end; at += size)
            a->counts[mlm__utf8_decode(at, end, &size)] = 1;
    }
    for (int32_t code = 0; code < CODES; code++) {
        if (a->counts[code] && a->first[code] >= 0)
            MLM__TRY(add_letter(runtime, table, "##", code, &a->further[code]));
    }
    return MLM_OK;
}

/* Letters that are not in the alphabet vanish, and those beside them become neighbours. */
static void split_words(const mlm__word_counts *counts, const alphabet *a, mlm__split_words *words)
{
    size_t used = 0;
    for (size_t w = 0; w < counts->count; w++) {
        const uint8_t *begin = counts->text + counts->words[w].begin;
        const uint8_t *end = begin + counts->words[w].length, *at = begin;
        size_t start = used;
        for (size_t size; at < end; at += size) {
            int32_t code = mlm__utf8_decode(at, end, &size);
            int32_t id = at == begin ? a->first[code] : a->further[code];
            if (id >= 0)
                words->symbols[used++] = id;
        }
        words->words[w] =
            (mlm__split_word){start, (uint32_t)(used - start), counts->words[w].count};
    }
}

static mlm_status learn(mlm_runtime *runtime, const mlm__word_counts *counts,
    const mlm_vocab_options *options, alphabet *a, mlm__split_words *words, mlm__token_table *table)
{
    for (int32_t i = 0; i < options->special_count; i++) {
        int32_t id;
        const char *token = options->special_tokens[i];
        MLM__TRY(mlm__token_table_add(runtime, table, token, strlen(token), &id));
        if (id != i)
            return mlm__error(MLM_ERR_ARGUMENT, "special_tokens[%d] is '%s' again", i, token);
    }
    MLM__TRY(choose_letters(runtime, counts, (size_t)options->limit_alphabet, a, table));
    MLM__TRY(add_further_letters(runtime, counts, a, table));
    split_words(counts, a, words);
    return mlm__merge_pairs(
        runtime, words, (size_t)options->vocab_size, options->min_frequency, table);
}

mlm_status mlm__learn(mlm_runtime *runtime, const mlm__word_counts *counts,
    const mlm_vocab_options *options, mlm__token_table *table)
{
    alphabet a = {
        .counts = mlm__alloc_zero(runtime, CODES, sizeof *a.counts),
        .first = mlm__alloc(runtime, CODES, sizeof *a.first),
        .further = mlm__alloc(runtime, CODES, sizeof *a.further),
    };
    mlm__split_words words = {
        .count = counts->count,
        .words = mlm__alloc(runtime, counts->count, sizeof *words.words),
        .symbols = mlm__alloc(runtime, counts->text_length, sizeof *words.symbols),
    };
    mlm_status status = MLM_ERR_MEMORY;
    if (a.counts && a.first && a.further && words.words && words.symbols)
        status = learn(runtime, counts, options, &a, &words, table);
    mlm__free(runtime, words.symbols);
    mlm__free(runtime, words.words);
    mlm__free(runtime, a.further);
    mlm__free(runtime, a.first);
    mlm__free(runtime, a.counts);
    return status;
}
