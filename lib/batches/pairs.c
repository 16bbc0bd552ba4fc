#include "batches/pairs.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/runtime.h"

enum { TRIES = 10, PROGRESS_DOCUMENTS = 1024, PROGRESS_PAIRS = 1 << 16 };

/* The sites of a document's random numbers; its k-th pair has one of its own. */
enum { SITE_LENGTH = 0, SITE_PAIRS = 1 };

typedef struct segment {
    int64_t begin, length;
} segment;

void mlm__pairs_init(mlm_runtime *runtime, const mlm_corpus_options *options, mlm__pairs *pairs)
{
    *pairs = (mlm__pairs){.runtime = runtime,
        .key = mlm__random_key_make(options->seed, MLM__RANDOM_PAIRS, 0),
        .short_seq_prob = options->short_seq_prob,
        .room = options->T - 3};
}

static void clear_text(mlm__pairs *pairs)
{
    mlm__free(pairs->runtime, pairs->sentences);
    mlm__free(pairs->runtime, pairs->documents);
    pairs->sentences = pairs->documents = NULL;
}

void mlm__pairs_clear(mlm__pairs *pairs)
{
    clear_text(pairs);
    mlm__free(pairs->runtime, pairs->list);
    *pairs = (mlm__pairs){0};
}

static mlm_status stop(const char *what)
{
    return mlm__error(MLM_STOPPED, "%s was stopped by the progress callback", what);
}

static mlm_status append(
    mlm_runtime *runtime, int64_t **list, size_t *capacity, size_t *count, int64_t value)
{
    if (*count == *capacity)
        MLM__TRY(mlm__grow(runtime, list, capacity, *count + 1, sizeof **list));
    (*list)[(*count)++] = value;
    return MLM_OK;
}

mlm_status mlm__pairs_add(mlm__pairs *pairs, size_t count, bool begins_document)
{
    if (pairs->sentence_count == UINT32_MAX)
        return mlm__error(
            MLM_ERR_SHAPE, "MLM_PACK_PAIRS: more than %lu sentences", (unsigned long)UINT32_MAX);
    if (begins_document)
        MLM__TRY(append(pairs->runtime, &pairs->documents, &pairs->document_capacity,
            &pairs->document_count, (int64_t)pairs->sentence_count));
    MLM__TRY(append(pairs->runtime, &pairs->sentences, &pairs->sentence_capacity,
        &pairs->sentence_count, pairs->tokens));
    pairs->tokens += (int64_t)count;
    return MLM_OK;
}

/* The place behind the last sentence of a document, the first token of a sentence; both also for
   the one behind the last. */
static int64_t document_end(const mlm__pairs *pairs, size_t document)
{
    return document + 1 < pairs->document_count ? pairs->documents[document + 1]
                                                : (int64_t)pairs->sentence_count;
}

static int64_t token_of(const mlm__pairs *pairs, int64_t sentence)
{
    return sentence < (int64_t)pairs->sentence_count ? pairs->sentences[sentence] : pairs->tokens;
}

static segment segment_of(const mlm__pairs *pairs, int64_t first, int64_t end)
{
    int64_t begin = token_of(pairs, first);
    return (segment){begin, token_of(pairs, end) - begin};
}

/* The end of the sentences from first on, at least one, that have length tokens or reach end. */
static int64_t gather(const mlm__pairs *pairs, int64_t first, int64_t end, int64_t length)
{
    int64_t next = first + 1;
    while (next < end && segment_of(pairs, first, next).length < length)
        next++;
    return next;
}

static int64_t draw_length(const mlm__pairs *pairs, size_t document)
{
    mlm__random_stream stream = mlm__random_stream_make(pairs->key, (int64_t)document, SITE_LENGTH);
    if (mlm__random_double(&stream) >= pairs->short_seq_prob)
        return pairs->room;
    return 2 + (int64_t)mlm__random_below(&stream, (uint32_t)pairs->room - 1);
}

/* Sentences of length tokens from a random place on, if ten tries find one in another document. */
static segment draw_segment(
    const mlm__pairs *pairs, mlm__random_stream *stream, size_t document, int64_t length)
{
    size_t other = document;
    for (int i = 0; i < TRIES && other == document; i++)
        other = mlm__random_below(stream, (uint32_t)pairs->document_count);
    int64_t first = pairs->documents[other], end = document_end(pairs, other);
    int64_t begin = first + (int64_t)mlm__random_below(stream, (uint32_t)(end - first));
    return segment_of(pairs, begin, gather(pairs, begin, end, length));
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
static mlm_status cut_pair(mlm__pairs *pairs, mlm__random_stream stream, size_t document,
    int64_t first, int64_t end, int64_t length, int64_t *next)
{
    int64_t a_end = first + 1;
    if (end - first > 1)
        a_end += (int64_t)mlm__random_below(&stream, (uint32_t)(end - first - 1));
    bool random = end - first == 1 || mlm__random_double(&stream) < 0.5;
    segment a = segment_of(pairs, first, a_end);
    segment b = random ? draw_segment(pairs, &stream, document, length - a.length)
                       : segment_of(pairs, a_end, end);
    truncate_segments(&stream, pairs->room, &a, &b);
    if (pairs->count == pairs->capacity)
        MLM__TRY(mlm__grow(
            pairs->runtime, &pairs->list, &pairs->capacity, pairs->count + 1, sizeof *pairs->list));
    int32_t b_length = (int32_t)b.length;
    pairs->list[pairs->count++] =
        (mlm__pair){a.begin, b.begin, (int32_t)a.length, random ? -b_length : b_length};
    *next = random ? a_end : end;
    return MLM_OK;
}

static mlm_status cut_document(mlm__pairs *pairs, size_t document)
{
    int64_t length = draw_length(pairs, document), end = document_end(pairs, document);
    int64_t next = pairs->documents[document];
    for (uint32_t k = 0; next < end; k++)
        MLM__TRY(
            cut_pair(pairs, mlm__random_stream_make(pairs->key, (int64_t)document, SITE_PAIRS + k),
                document, next, gather(pairs, next, end, length), length, &next));
    return MLM_OK;
}

/* Returns how many of them were not marked before. */
static int64_t mark(uint8_t *marks, int64_t begin, int64_t length)
{
    int64_t fresh = 0;
    for (int64_t i = begin; i < begin + length; i++) {
        const uint8_t bit = (uint8_t)(1 << i % 8);
        fresh += !(marks[i / 8] & bit);
        marks[i / 8] |= bit;
    }
    return fresh;
}

static mlm_status count_unused(mlm__pairs *pairs)
{
    uint8_t *marks = mlm__alloc_zero(pairs->runtime, (size_t)(pairs->tokens / 8 + 1), 1);
    if (!marks)
        return MLM_ERR_MEMORY;
    pairs->unused = pairs->tokens;
    bool stopped = false;
    for (size_t i = 0; i < pairs->count && !stopped; i++) {
        const mlm__pair *pair = &pairs->list[i];
        pairs->unused -= mark(marks, pair->a, pair->a_length);
        pairs->unused -=
            mark(marks, pair->b, pair->b_length < 0 ? -pair->b_length : pair->b_length);
        if (i % PROGRESS_PAIRS == 0 || i + 1 == pairs->count)
            stopped = !mlm__progress(
                pairs->runtime, "counting tokens of pairs", (int64_t)i + 1, (int64_t)pairs->count);
    }
    mlm__free(pairs->runtime, marks);
    return stopped ? stop("counting tokens of pairs") : MLM_OK;
}

mlm_status mlm__pairs_cut(mlm__pairs *pairs)
{
    size_t count = pairs->document_count;
    for (size_t d = 0; d < count; d++) {
        MLM__TRY(cut_document(pairs, d));
        if ((d % PROGRESS_DOCUMENTS == 0 || d + 1 == count) &&
            !mlm__progress(pairs->runtime, "cutting pairs", (int64_t)d + 1, (int64_t)count))
            return stop("cutting pairs");
    }
    if (count == 1)
        mlm__log(pairs->runtime, MLM_LOG_WARNING,
            "MLM_PACK_PAIRS: one document: segments that do not follow are from it too");
    else if (pairs->sentence_count == count)
        mlm__log(pairs->runtime, MLM_LOG_WARNING,
            "MLM_PACK_PAIRS: no document has two sentences: no segment follows another");
    clear_text(pairs);
    return count_unused(pairs);
}
