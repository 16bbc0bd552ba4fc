#include "tokens/word_counts.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/threads.h"
#include "text/words.h"
#include "tokens/token_table.h"

/* Text is split into words in rounds: cut where words end into pieces of about PIECE bytes, which
   the threads split, each into its own part of a room. Counting is for one thread. */
enum { PIECE = 1 << 15, ROUND_PIECES = 32 };

typedef struct found_word {
    uint32_t begin, length, hash; /* begin in the piece's bytes */
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
    found_word *found; /* [2 * room]: no character is more than one and a half words */
} counting;

static void split_piece(void *context, size_t index, int32_t thread)
{
    counting *c = context;
    piece *p = &c->pieces[index];
    (void)thread;
    uint8_t *bytes = c->bytes + MLM__NORMALIZED_GROWTH * p->room;
    found_word *found = c->found + 2 * p->room;
    size_t used = 0;
    p->count = 0;
    for (size_t line = p->first; line < p->last; line++) {
        size_t begin = line == p->first ? p->begin : 0;
        size_t end = line == p->last - 1 ? p->end : c->lines->length[line];
        mlm__normalized normalized = {.bytes = bytes + used};
        mlm__normalize(
            c->normalizer, (const uint8_t *)c->lines->text[line], begin, end, &normalized);
        mlm__word word = {0, 0};
        while (
            mlm__word_next(c->normalizer, normalized.bytes, normalized.length, word.end, &word)) {
            size_t length = word.end - word.begin;
            found[p->count++] = (found_word){(uint32_t)(used + word.begin), (uint32_t)length,
                mlm__hash_text(normalized.bytes + word.begin, length)};
        }
        used += normalized.length;
    }
}

static mlm_status grow_slots(mlm_runtime *runtime, mlm__word_counts *counts)
{
    size_t slot_count = counts->slot_count ? 2 * counts->slot_count : 1 << 12;
    uint32_t *slots = mlm__alloc_zero(runtime, slot_count, sizeof *slots);
    if (!slots)
        return MLM_ERR_MEMORY;
    for (size_t w = 0; w < counts->count; w++) {
        size_t slot = counts->words[w].hash & (slot_count - 1);
        while (slots[slot])
            slot = (slot + 1) & (slot_count - 1);
        slots[slot] = (uint32_t)(w + 1);
    }
    mlm__free(runtime, counts->slots);
    counts->slots = slots;
    counts->slot_count = slot_count;
    return MLM_OK;
}

static mlm_status count_word(
    mlm_runtime *runtime, mlm__word_counts *counts, const uint8_t *bytes, const found_word *found)
{
    size_t mask = counts->slot_count - 1, slot = found->hash & mask;
    for (; counts->slots[slot]; slot = (slot + 1) & mask) {
        mlm__counted_word *word = &counts->words[counts->slots[slot] - 1];
        if (word->hash == found->hash && word->length == found->length &&
            memcmp(counts->text + word->begin, bytes, found->length) == 0) {
            word->count++;
            return MLM_OK;
        }
    }
    if (counts->count == UINT32_MAX - 1)
        return mlm__error(MLM_ERR_MEMORY, "too many distinct words");
    MLM__TRY(mlm__grow(
        runtime, &counts->words, &counts->capacity, counts->count + 1, sizeof *counts->words));
    MLM__TRY(mlm__grow(
        runtime, &counts->text, &counts->text_capacity, counts->text_length + found->length, 1));
    memcpy(counts->text + counts->text_length, bytes, found->length);
    counts->words[counts->count++] =
        (mlm__counted_word){counts->text_length, found->length, found->hash, 1};
    counts->text_length += found->length;
    counts->slots[slot] = (uint32_t)counts->count;
    return 2 * counts->count > counts->slot_count ? grow_slots(runtime, counts) : MLM_OK;
}

static mlm_status finish_round(counting *c)
{
    size_t room = 0;
    for (size_t i = 0; i < c->piece_count; i++) {
        c->pieces[i].room = room;
        room += c->pieces[i].bytes;
    }
    if (room > c->room) {
        mlm__free(c->runtime, c->bytes);
        mlm__free(c->runtime, c->found);
        c->room = 0;
        c->bytes = mlm__alloc(c->runtime, room, MLM__NORMALIZED_GROWTH);
        c->found = mlm__alloc(c->runtime, room, 2 * sizeof *c->found);
        if (!c->bytes || !c->found)
            return MLM_ERR_MEMORY;
        c->room = room;
    }
    mlm__parallel(c->runtime, c->piece_count, split_piece, c);
    for (size_t i = 0; i < c->piece_count; i++) {
        const uint8_t *bytes = c->bytes + MLM__NORMALIZED_GROWTH * c->pieces[i].room;
        const found_word *found = c->found + 2 * c->pieces[i].room;
        for (size_t w = 0; w < c->pieces[i].count; w++)
            MLM__TRY(count_word(c->runtime, c->counts, bytes + found[w].begin, &found[w]));
    }
    c->piece_count = 0;
    return MLM_OK;
}

static mlm_status add_piece(
    counting *c, size_t first, size_t last, size_t begin, size_t end, size_t bytes)
{
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

mlm_status mlm__word_counts_read(mlm_runtime *runtime, const mlm__normalizer *normalizer,
    mlm__lines *lines, mlm__word_counts *counts)
{
    *counts = (mlm__word_counts){0};
    counting c = {.runtime = runtime, .normalizer = normalizer, .lines = lines, .counts = counts};
    mlm_status status = grow_slots(runtime, counts);
    while (status == MLM_OK && (status = mlm__lines_next(lines)) == MLM_OK)
        status = count_block(&c);
    mlm__free(runtime, c.bytes);
    mlm__free(runtime, c.found);
    if (status == MLM_END)
        return MLM_OK;
    mlm__word_counts_free(runtime, counts);
    return status;
}

void mlm__word_counts_free(mlm_runtime *runtime, mlm__word_counts *counts)
{
    mlm__free(runtime, counts->slots);
    mlm__free(runtime, counts->text);
    mlm__free(runtime, counts->words);
    *counts = (mlm__word_counts){0};
}
