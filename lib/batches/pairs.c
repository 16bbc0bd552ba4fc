#include "batches/pairs.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/runtime.h"

enum { TRIES = 10, PROGRESS_DOCUMENTS = 1024, SOME_PAIRS = 256, MOST_MARKS = 1 << 28 };

/* The sites of a document's random numbers; its k-th pair has one of its own. */
enum { SITE_LENGTH = 0, SITE_PAIRS = 1 };

typedef struct segment {
    int64_t begin, length;
} segment;

void mlm__pairs_init(mlm_runtime *runtime, const mlm_corpus_options *options, const char *directory,
    mlm__pairs *pairs)
{
    *pairs = (mlm__pairs){.runtime = runtime,
        .key = mlm__random_key_make(options->seed, MLM__RANDOM_PAIRS, 0),
        .short_seq_prob = options->short_seq_prob,
        .room = options->T - 3};
    mlm__records_init(runtime, sizeof(int64_t), directory, &pairs->sentences);
    mlm__records_init(runtime, sizeof(int64_t), directory, &pairs->documents);
    mlm__records_init(runtime, sizeof(mlm__pair), directory, &pairs->list);
}

static void clear_text(mlm__pairs *pairs)
{
    mlm__records_clear(&pairs->sentences);
    mlm__records_clear(&pairs->documents);
}

void mlm__pairs_clear(mlm__pairs *pairs)
{
    clear_text(pairs);
    mlm__records_clear(&pairs->list);
}

static mlm_status stop(const char *what)
{
    return mlm__error(MLM_STOPPED, "%s was stopped by the progress callback", what);
}

mlm_status mlm__pairs_add(mlm__pairs *pairs, size_t count, bool begins_document)
{
    if (pairs->sentences.count == UINT32_MAX)
        return mlm__error(
            MLM_ERR_SHAPE, "MLM_PACK_PAIRS: more than %lu sentences", (unsigned long)UINT32_MAX);
    if (begins_document)
        MLM__TRY(mlm__records_append(&pairs->documents, &pairs->sentences.count, 1));
    MLM__TRY(mlm__records_append(&pairs->sentences, &pairs->tokens, 1));
    pairs->tokens += (int64_t)count;
    return MLM_OK;
}

/* The first sentence of a document, the first token of a sentence; both also for the one behind
   the last. */
static mlm_status sentence_of(mlm__pairs *pairs, int64_t document, int64_t *sentence)
{
    *sentence = pairs->sentences.count;
    return document < pairs->documents.count
               ? mlm__records_read(&pairs->documents, document, 1, sentence)
               : MLM_OK;
}

static mlm_status token_of(mlm__pairs *pairs, int64_t sentence, int64_t *token)
{
    *token = pairs->tokens;
    return sentence < pairs->sentences.count
               ? mlm__records_read(&pairs->sentences, sentence, 1, token)
               : MLM_OK;
}

/* The tokens of the sentences [first,end). */
static mlm_status segment_of(mlm__pairs *pairs, int64_t first, int64_t end, segment *out)
{
    int64_t next;
    MLM__TRY(token_of(pairs, first, &out->begin));
    MLM__TRY(token_of(pairs, end, &next));
    out->length = next - out->begin;
    return MLM_OK;
}

/* *next is the end of the sentences from first on, at least one, that have length tokens or reach
   end. */
static mlm_status gather(
    mlm__pairs *pairs, int64_t first, int64_t end, int64_t length, int64_t *next)
{
    int64_t begin, token;
    MLM__TRY(token_of(pairs, first, &begin));
    *next = first + 1;
    while (*next < end) {
        MLM__TRY(token_of(pairs, *next, &token));
        if (token - begin >= length)
            break;
        ++*next;
    }
    return MLM_OK;
}

static int64_t draw_length(const mlm__pairs *pairs, int64_t document)
{
    mlm__random_stream stream = mlm__random_stream_make(pairs->key, document, SITE_LENGTH);
    if (mlm__random_double(&stream) >= pairs->short_seq_prob)
        return pairs->room;
    return 2 + (int64_t)mlm__random_below(&stream, (uint32_t)pairs->room - 1);
}

/* Sentences of length tokens from a random place on, if ten tries find one in another document. */
static mlm_status draw_segment(
    mlm__pairs *pairs, mlm__random_stream *stream, int64_t document, int64_t length, segment *out)
{
    int64_t other = document, first, end, next;
    for (int i = 0; i < TRIES && other == document; i++)
        other = mlm__random_below(stream, (uint32_t)pairs->documents.count);
    MLM__TRY(sentence_of(pairs, other, &first));
    MLM__TRY(sentence_of(pairs, other + 1, &end));
    first += (int64_t)mlm__random_below(stream, (uint32_t)(end - first));
    MLM__TRY(gather(pairs, first, end, length, &next));
    return segment_of(pairs, first, next, out);
}

/* Token by token from the longer, in a tie from b, at either end. */
static void truncate_segments(mlm__random_stream *stream, int64_t room, segment *a, segment *b)
{
    while (a->length + b->length > room) {
        segment *longer = a->length > b->length ? a : b;
        longer->begin += mlm__random_double(stream) < 0.5;
        longer->length--;
    }
}

/* One pair from the sentences [first,end) of a document; *next is the first it leaves over. */
static mlm_status cut_pair(mlm__pairs *pairs, mlm__random_stream stream, int64_t document,
    int64_t first, int64_t end, int64_t length, int64_t *next)
{
    int64_t a_end = first + 1;
    if (end - first > 1)
        a_end += (int64_t)mlm__random_below(&stream, (uint32_t)(end - first - 1));
    bool random = end - first == 1 || mlm__random_double(&stream) < 0.5;
    segment a, b;
    MLM__TRY(segment_of(pairs, first, a_end, &a));
    MLM__TRY(random ? draw_segment(pairs, &stream, document, length - a.length, &b)
                    : segment_of(pairs, a_end, end, &b));
    truncate_segments(&stream, pairs->room, &a, &b);
    int32_t b_length = (int32_t)b.length;
    mlm__pair pair = {a.begin, b.begin, (int32_t)a.length, random ? -b_length : b_length};
    *next = random ? a_end : end;
    return mlm__records_append(&pairs->list, &pair, 1);
}

static mlm_status cut_document(mlm__pairs *pairs, int64_t document)
{
    int64_t length = draw_length(pairs, document), next, end, last;
    MLM__TRY(sentence_of(pairs, document, &next));
    MLM__TRY(sentence_of(pairs, document + 1, &end));
    for (uint32_t k = 0; next < end; k++) {
        mlm__random_stream stream = mlm__random_stream_make(pairs->key, document, SITE_PAIRS + k);
        MLM__TRY(gather(pairs, next, end, length, &last));
        MLM__TRY(cut_pair(pairs, stream, document, next, last, length, &next));
    }
    return MLM_OK;
}

/* A bit for each token of [begin,end). */
typedef struct token_marks {
    int64_t begin, end, room;
    uint8_t *bits;
} token_marks;

/* Returns how many of them were not marked before. */
static int64_t mark(token_marks *marks, int64_t begin, int64_t length)
{
    int64_t end = begin + length, fresh = 0;
    if (begin < marks->begin)
        begin = marks->begin;
    if (end > marks->end)
        end = marks->end;
    for (int64_t token = begin; token < end; token++) {
        int64_t i = token - marks->begin;
        const uint8_t bit = (uint8_t)(1 << i % 8);
        fresh += !(marks->bits[i / 8] & bit);
        marks->bits[i / 8] |= bit;
    }
    return fresh;
}

static mlm_status count_used(mlm__pairs *pairs, token_marks *marks)
{
    mlm__pair some[SOME_PAIRS];
    int64_t count = pairs->list.count;
    for (int64_t begin = 0; begin < count; begin += SOME_PAIRS) {
        size_t size = count - begin < SOME_PAIRS ? (size_t)(count - begin) : SOME_PAIRS;
        MLM__TRY(mlm__records_read(&pairs->list, begin, size, some));
        for (size_t i = 0; i < size; i++) {
            int32_t b_length = some[i].b_length < 0 ? -some[i].b_length : some[i].b_length;
            pairs->unused -= mark(marks, some[i].a, some[i].a_length);
            pairs->unused -= mark(marks, some[i].b, b_length);
        }
        int64_t pass = marks->begin / marks->room, passes = (pairs->tokens - 1) / marks->room + 1;
        if (!mlm__progress(pairs->runtime, "counting tokens of pairs",
                pass * count + begin + (int64_t)size, passes * count))
            return stop("counting tokens of pairs");
    }
    return MLM_OK;
}

/* As many tokens at a time as there are bits for. */
static mlm_status count_unused(mlm__pairs *pairs)
{
    token_marks marks = {.room = pairs->tokens < MOST_MARKS ? pairs->tokens : MOST_MARKS};
    size_t bytes = (size_t)(marks.room / 8 + 1);
    marks.bits = mlm__alloc(pairs->runtime, bytes, 1);
    if (!marks.bits)
        return MLM_ERR_MEMORY;
    mlm_status status = MLM_OK;
    pairs->unused = pairs->tokens;
    for (; marks.end < pairs->tokens && status == MLM_OK; marks.begin = marks.end) {
        int64_t rest = pairs->tokens - marks.begin;
        marks.end = marks.begin + (rest < marks.room ? rest : marks.room);
        memset(marks.bits, 0, bytes);
        status = count_used(pairs, &marks);
    }
    mlm__free(pairs->runtime, marks.bits);
    return status;
}

mlm_status mlm__pairs_cut(mlm__pairs *pairs)
{
    int64_t count = pairs->documents.count;
    MLM__TRY(mlm__records_finish(&pairs->sentences));
    MLM__TRY(mlm__records_finish(&pairs->documents));
    for (int64_t d = 0; d < count; d++) {
        MLM__TRY(cut_document(pairs, d));
        if ((d % PROGRESS_DOCUMENTS == 0 || d + 1 == count) &&
            !mlm__progress(pairs->runtime, "cutting pairs", d + 1, count))
            return stop("cutting pairs");
    }
    if (count == 1)
        mlm__log(pairs->runtime, MLM_LOG_WARNING,
            "MLM_PACK_PAIRS: one document: segments that do not follow are from it too");
    else if (pairs->sentences.count == count)
        mlm__log(pairs->runtime, MLM_LOG_WARNING,
            "MLM_PACK_PAIRS: no document has two sentences: no segment follows another");
    clear_text(pairs);
    MLM__TRY(mlm__records_finish(&pairs->list));
    return count_unused(pairs);
}
