#include "tokens/count_text.h"

#include <assert.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/threads.h"
#include "text/words.h"
#include "tokens/token_table.h"

/* Text is split into words in rounds: cut where words end into pieces of about PIECE bytes, which
   the threads split, each into its own part of a room. A word that occurs again soon is counted
   there; adding to the counts is for one thread, in the order of the text. A piece without spaces
   to cut at may be longer, but beyond LONGEST_PIECE it needs no room for found words: one thread
   counts them as it goes. */
enum { PIECE = 1 << 16, LONGEST_PIECE = 4 * PIECE, ROUND_PIECES = 8, RECENT = 1 << 13, AHEAD = 8 };

typedef struct found_word {
    uint32_t begin, length, hash; /* begin in the piece's bytes */
    uint32_t count;
} found_word;

/* Lines first to last - 1 of a block, or bytes begin to end - 1 of one line. */
typedef struct piece {
    size_t first, last;
    size_t begin, end; /* in line first, and in line last - 1 */
    size_t room;       /* where its part of the room begins, in bytes of text */
    size_t bytes;
    size_t count; /* words found */
} piece;

typedef struct counting {
    mlm_runtime *runtime;
    const mlm__normalizer *normalizer;
    const mlm__lines *lines;
    mlm__word_counts *counts;
    piece pieces[ROUND_PIECES];
    size_t piece_count;
    size_t room;       /* bytes of text that the arrays below have room for */
    uint8_t *bytes;    /* [MLM__NORMALIZED_GROWTH * room] normalised text */
    found_word *found; /* [room]: no character is more words than bytes */
    uint32_t *recent;  /* [threads, RECENT] by hash: number of a word in found + 1, or 0 */
} counting;

static bool same_word(const uint8_t *bytes, const found_word *a, const found_word *b)
{
    return a->hash == b->hash && a->length == b->length &&
           memcmp(bytes + a->begin, bytes + b->begin, a->length) == 0;
}

static void split_piece(void *context, size_t index, int32_t thread)
{
    counting *c = context;
    piece *p = &c->pieces[index];
    uint8_t *bytes = c->bytes + MLM__NORMALIZED_GROWTH * p->room;
    found_word *found = c->found + p->room;
    uint32_t *recent = c->recent + (size_t)thread * RECENT, used = 0;
    memset(recent, 0, RECENT * sizeof *recent);
    p->count = 0;
    for (size_t line = p->first; line < p->last; line++) {
        size_t begin = line == p->first ? p->begin : 0;
        size_t end = line == p->last - 1 ? p->end : c->lines->length[line];
        mlm__normalized text = {.bytes = bytes + used};
        mlm__normalize(c->normalizer, (const uint8_t *)c->lines->text[line], begin, end, &text);
        mlm__word at = {0, 0};
        while (mlm__word_next(c->normalizer, text.bytes, text.length, at.end, &at)) {
            uint32_t length = (uint32_t)(at.end - at.begin);
            found_word word = {used + (uint32_t)at.begin, length,
                mlm__hash_text(text.bytes + at.begin, length), 1};
            uint32_t *slot = &recent[word.hash % RECENT];
            if (*slot && same_word(bytes, &found[*slot - 1], &word)) {
                found[*slot - 1].count++;
                continue;
            }
            assert(p->count < p->bytes);
            found[p->count++] = word;
            *slot = (uint32_t)p->count;
        }
        used += (uint32_t)text.length;
    }
}

static mlm_status reserve(counting *c, size_t room)
{
    if (room <= c->room)
        return MLM_OK;
    mlm__free(c->runtime, c->bytes);
    mlm__free(c->runtime, c->found);
    c->room = 0;
    c->bytes = mlm__alloc(c->runtime, room, MLM__NORMALIZED_GROWTH);
    c->found = mlm__alloc(c->runtime, room, sizeof *c->found);
    if (!c->bytes || !c->found)
        return MLM_ERR_MEMORY;
    c->room = room;
    return MLM_OK;
}

static mlm_status finish_round(counting *c)
{
    size_t room = 0;
    for (size_t i = 0; i < c->piece_count; i++) {
        c->pieces[i].room = room;
        room += c->pieces[i].bytes;
    }
    if (room == 0) { /* lines of nothing */
        c->piece_count = 0;
        return MLM_OK;
    }
    MLM__TRY(reserve(c, room));
    mlm__parallel(c->runtime, c->piece_count, split_piece, c);
    for (size_t i = 0; i < c->piece_count; i++) {
        const uint8_t *bytes = c->bytes + MLM__NORMALIZED_GROWTH * c->pieces[i].room;
        const found_word *found = c->found + c->pieces[i].room;
        for (size_t w = 0; w < c->pieces[i].count; w++) {
            if (w + AHEAD < c->pieces[i].count)
                mlm__word_counts_prefetch(c->counts, found[w + AHEAD].hash);
            MLM__TRY(mlm__word_counts_add(c->runtime, c->counts, bytes + found[w].begin,
                found[w].length, found[w].hash, found[w].count));
        }
    }
    c->piece_count = 0;
    return MLM_OK;
}

static mlm_status count_long_piece(counting *c, size_t line, size_t begin, size_t end)
{
    mlm__word at = {0, 0};
    mlm_status status = MLM_OK;
    mlm__normalized text = {.bytes = mlm__alloc(c->runtime, end - begin, MLM__NORMALIZED_GROWTH)};
    if (!text.bytes)
        return MLM_ERR_MEMORY;
    mlm__normalize(c->normalizer, (const uint8_t *)c->lines->text[line], begin, end, &text);
    while (
        status == MLM_OK && mlm__word_next(c->normalizer, text.bytes, text.length, at.end, &at)) {
        const uint8_t *word = text.bytes + at.begin;
        size_t length = at.end - at.begin;
        status = length > UINT32_MAX ? mlm__error(MLM_ERR_FORMAT, "a word of %zu bytes", length)
                                     : mlm__word_counts_add(c->runtime, c->counts, word,
                                           (uint32_t)length, mlm__hash_text(word, length), 1);
    }
    mlm__free(c->runtime, text.bytes);
    return status;
}

static mlm_status add_piece(
    counting *c, size_t first, size_t last, size_t begin, size_t end, size_t bytes)
{
    if (bytes > LONGEST_PIECE) {
        MLM__TRY(finish_round(c));
        return count_long_piece(c, first, begin, end);
    }
    c->pieces[c->piece_count++] =
        (piece){.first = first, .last = last, .begin = begin, .end = end, .bytes = bytes};
    return c->piece_count == ROUND_PIECES ? finish_round(c) : MLM_OK;
}

static mlm_status cut_line(counting *c, size_t line)
{
    const char *text = c->lines->text[line];
    size_t length = c->lines->length[line];
    for (size_t begin = 0, end; begin < length; begin = end) {
        const char *space = length - begin > PIECE
                                ? memchr(text + begin + PIECE, ' ', length - begin - PIECE)
                                : NULL;
        end = space ? (size_t)(space - text) + 1 : length;
        MLM__TRY(add_piece(c, line, line + 1, begin, end, end - begin));
    }
    return MLM_OK;
}

static mlm_status count_block(counting *c)
{
    const mlm__lines *lines = c->lines;
    size_t first = 0, bytes = 0;
    for (size_t i = 0; i < lines->count; i++) {
        bool longer = lines->length[i] > PIECE;
        if (!longer)
            bytes += lines->length[i];
        size_t last = longer ? i : i + 1;
        if (last > first && (longer || bytes >= PIECE || last == lines->count)) {
            MLM__TRY(add_piece(c, first, last, 0, lines->length[last - 1], bytes));
            first = last;
            bytes = 0;
        }
        if (longer) {
            MLM__TRY(cut_line(c, i));
            first = i + 1;
        }
    }
    return finish_round(c);
}

mlm_status mlm__count_text(mlm_runtime *runtime, const mlm__normalizer *normalizer,
    mlm__lines *lines, size_t max_words, mlm__word_counts *counts)
{
    counting c = {.runtime = runtime, .normalizer = normalizer, .lines = lines, .counts = counts};
    c.recent = mlm__alloc(runtime, (size_t)mlm__threads(runtime), RECENT * sizeof *c.recent);
    mlm_status status = c.recent ? MLM_OK : MLM_ERR_MEMORY;
    *counts = (mlm__word_counts){0};
    while (status == MLM_OK && (status = mlm__lines_next(lines)) == MLM_OK) {
        status = count_block(&c);
        if (max_words > 0 && counts->count > max_words)
            mlm__word_counts_keep(counts, max_words - max_words / 4);
    }
    mlm__free(runtime, c.recent);
    mlm__free(runtime, c.bytes);
    mlm__free(runtime, c.found);
    if (status == MLM_END)
        return MLM_OK;
    mlm__word_counts_free(runtime, counts);
    return status;
}
