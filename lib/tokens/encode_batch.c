#include <stdbool.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/threads.h"
#include "tokens/encode.h"
#include "tokens/scratch.h"

/* The texts of a batch are encoded in rounds of about PIECES pieces a thread and at most ROUND_TEXTS
   texts: pieces of about PIECE bytes over the threads into a room of their own, which is then moved
   to its place. The room stays with the tokenizer, so it is kept small. */
enum { PIECE = 1 << 14, PIECES = 8, ROUND_TEXTS = 1 << 10 };

typedef struct batch_call {
    const mlm_tokenizer *tokenizer;
    const char *const *texts;
    const size_t *lengths;
    int32_t B;
    mlm_encode_options options;
    bool with_spans;
    mlm__batch_room *room;
    int32_t first, last; /* texts of the round */
    size_t pieces;
} batch_call;

/* Most tokens that a text can have. */
static size_t most_tokens(const batch_call *call, int32_t b)
{
    size_t most = call->lengths[b] + 2;
    size_t limit = (size_t)call->options.max_length;
    return limit > 0 && limit < most ? limit : most;
}

/* One text with its special tokens, appended to sink. Returns as mlm__encode_text. */
static size_t encode_one(const batch_call *call, mlm__scratch *scratch, int32_t b, mlm__sink *sink)
{
    const mlm_tokenizer *tokenizer = call->tokenizer;
    size_t special = call->options.add_special_tokens ? 1 : 0;
    size_t begin = sink->count;
    sink->limit = SIZE_MAX;
    if (call->options.max_length > 0)
        sink->limit = begin + (size_t)call->options.max_length - special;
    if (special)
        mlm__sink_put(sink, tokenizer->special[MLM_TOKEN_CLS], 0, 0);
    size_t need = mlm__encode_text(tokenizer, scratch, call->texts[b], call->lengths[b], sink);
    if (need > 0) {
        sink->count = begin;
        return need;
    }
    if (special)
        mlm__sink_put(sink, tokenizer->special[MLM_TOKEN_SEP], 0, 0);
    return 0;
}

static mlm_status encode_one_growing(
    const batch_call *call, mlm__scratch *scratch, int32_t b, mlm__sink *sink)
{
    size_t need;
    while ((need = encode_one(call, scratch, b, sink)) > 0)
        MLM__TRY(mlm__scratch_reserve(call->tokenizer->runtime, scratch, need));
    return MLM_OK;
}

static mlm__sink room_of(const batch_call *call, int32_t b)
{
    const mlm__batch_room *room = call->room;
    size_t i = (size_t)(b - call->first), begin = room->begins[i];
    return (mlm__sink){.ids = room->ids + begin,
        .spans = call->with_spans ? room->spans + 2 * begin : NULL,
        .capacity = room->begins[i + 1] - begin};
}

static void encode_piece(void *context, size_t piece, int32_t thread)
{
    const batch_call *call = context;
    mlm__batch_room *room = call->room;
    for (int32_t b = room->piece_begins[piece]; b < room->piece_begins[piece + 1]; b++) {
        size_t i = (size_t)(b - call->first);
        mlm__sink sink = room_of(call, b);
        room->needs[i] = encode_one(call, room->scratch[thread], b, &sink);
        room->counts[i] = sink.count;
    }
}

/* Chooses the texts of the round that begins at call->first. */
static void plan_round(batch_call *call)
{
    size_t bytes = 0, most = (size_t)mlm__threads(call->tokenizer->runtime) * PIECES * PIECE;
    int32_t b = call->first;
    do {
        bytes += call->lengths[b];
        b++;
    } while (b < call->B && b - call->first < ROUND_TEXTS && bytes + call->lengths[b] <= most);
    call->last = b;
}

static mlm_status reserve_tokens(
    mlm_runtime *runtime, int32_t **array, size_t *tokens, size_t need, size_t numbers_per_token)
{
    if (need <= *tokens)
        return MLM_OK;
    mlm__free(runtime, *array);
    *tokens = 0;
    *array = mlm__alloc(runtime, need, numbers_per_token * sizeof **array);
    if (!*array)
        return MLM_ERR_MEMORY;
    *tokens = need;
    return MLM_OK;
}

/* Cuts the round into pieces and gives each text its place. */
static mlm_status prepare_round(batch_call *call)
{
    mlm_runtime *runtime = call->tokenizer->runtime;
    mlm__batch_room *room = call->room;
    size_t need = 0, bytes = 0;
    call->pieces = 0;
    for (int32_t b = call->first; b < call->last; b++) {
        room->begins[b - call->first] = need;
        need += most_tokens(call, b);
        if (bytes == 0)
            room->piece_begins[call->pieces++] = b;
        bytes += call->lengths[b] + 16;
        if (bytes >= PIECE)
            bytes = 0;
    }
    room->begins[call->last - call->first] = need;
    room->piece_begins[call->pieces] = call->last;
    MLM__TRY(reserve_tokens(runtime, &room->ids, &room->tokens, need, 1));
    if (call->with_spans)
        MLM__TRY(reserve_tokens(runtime, &room->spans, &room->span_tokens, need, 2));
    return MLM_OK;
}

/* Encodes the texts of the round that need larger blocks, now that memory can be got. */
static mlm_status encode_left_over(const batch_call *call)
{
    mlm__batch_room *room = call->room;
    for (int32_t b = call->first; b < call->last; b++) {
        size_t i = (size_t)(b - call->first);
        if (room->needs[i] == 0)
            continue;
        mlm__sink sink = room_of(call, b);
        MLM__TRY(encode_one_growing(call, room->scratch[0], b, &sink));
        room->counts[i] = sink.count;
    }
    return MLM_OK;
}

static void put_offset(const mlm__sink *result, int32_t *offset)
{
    *offset = (int32_t)(result->count < INT32_MAX ? result->count : INT32_MAX);
}

/* Appends the texts of a round to the result. */
static void collect_round(const batch_call *call, mlm__sink *result, int32_t *offsets)
{
    for (int32_t b = call->first; b < call->last; b++) {
        mlm__sink sink = room_of(call, b);
        size_t count = call->room->counts[b - call->first];
        if (result->count + count <= result->capacity) {
            memcpy(result->ids + result->count, sink.ids, count * sizeof *sink.ids);
            if (result->spans)
                memcpy(
                    result->spans + 2 * result->count, sink.spans, 2 * count * sizeof *sink.spans);
        }
        result->count += count;
        put_offset(result, &offsets[b + 1]);
    }
}

static mlm_status encode_rounds(batch_call *call, mlm__sink *result, int32_t *offsets)
{
    for (call->first = 0; call->first < call->B; call->first = call->last) {
        plan_round(call);
        MLM__TRY(prepare_round(call));
        mlm__parallel(call->tokenizer->runtime, call->pieces, encode_piece, call);
        MLM__TRY(encode_left_over(call));
        collect_round(call, result, offsets);
    }
    return MLM_OK;
}

/* On one thread, straight to the result. */
static mlm_status encode_in_turn(
    const batch_call *call, mlm__scratch *scratch, mlm__sink *result, int32_t *offsets)
{
    for (int32_t b = 0; b < call->B; b++) {
        MLM__TRY(encode_one_growing(call, scratch, b, result));
        put_offset(result, &offsets[b + 1]);
    }
    return MLM_OK;
}

/* Makes the room fit for so many threads and texts of a round. */
static mlm_status reserve_room(
    mlm_runtime *runtime, mlm__batch_room *room, size_t threads, size_t texts)
{
    if (threads > room->threads) {
        mlm__free(runtime, room->scratch);
        room->threads = 0;
        room->scratch = mlm__alloc(runtime, threads, sizeof *room->scratch);
        if (!room->scratch)
            return MLM_ERR_MEMORY;
        room->threads = threads;
    }
    if (texts <= room->texts)
        return MLM_OK;
    mlm__free(runtime, room->piece_begins);
    mlm__free(runtime, room->begins);
    mlm__free(runtime, room->counts);
    mlm__free(runtime, room->needs);
    room->texts = 0;
    room->piece_begins = mlm__alloc(runtime, texts + 1, sizeof *room->piece_begins);
    room->begins = mlm__alloc(runtime, texts + 1, sizeof *room->begins);
    room->counts = mlm__alloc(runtime, texts, sizeof *room->counts);
    room->needs = mlm__alloc(runtime, texts, sizeof *room->needs);
    if (!room->piece_begins || !room->begins || !room->counts || !room->needs)
        return MLM_ERR_MEMORY;
    room->texts = texts;
    return MLM_OK;
}

static mlm_status encode_on_threads(
    batch_call *call, mlm__scratch *scratch, size_t threads, mlm__sink *result, int32_t *offsets)
{
    size_t texts = call->B < ROUND_TEXTS ? (size_t)call->B : ROUND_TEXTS, taken = 1;
    mlm__batch_room *room = call->room = &scratch->room;
    MLM__TRY(reserve_room(call->tokenizer->runtime, room, threads, texts));
    room->scratch[0] = scratch;
    while (taken < threads && (room->scratch[taken] = mlm__scratch_take(call->tokenizer)))
        taken++;
    mlm_status status = taken == threads ? encode_rounds(call, result, offsets) : MLM_ERR_MEMORY;
    while (taken > 1)
        mlm__scratch_give_back(call->tokenizer, room->scratch[--taken]);
    return status;
}

static mlm_status encode_batch(batch_call *call, mlm__sink *result, int32_t *offsets)
{
    size_t threads = (size_t)mlm__threads(call->tokenizer->runtime);
    mlm__scratch *scratch = mlm__scratch_take(call->tokenizer);
    if (!scratch)
        return MLM_ERR_MEMORY;
    mlm_status status = threads == 1 || call->B < 2
                            ? encode_in_turn(call, scratch, result, offsets)
                            : encode_on_threads(call, scratch, threads, result, offsets);
    mlm__scratch_give_back(call->tokenizer, scratch);
    return status;
}

static mlm_status check_batch(const batch_call *call, const char *function)
{
    for (int32_t b = 0; b < call->B; b++) {
        if (!call->texts[b] && call->lengths[b])
            return mlm__error(MLM_ERR_ARGUMENT, "%s: texts[%d] is NULL", function, b);
        MLM__TRY(mlm__encode_check_length(function, call->lengths[b]));
    }
    return MLM_OK;
}

mlm_status mlm_tokenizer_encode_batch(const mlm_tokenizer *tokenizer, const char *const *texts,
    const size_t *lengths, int32_t B, const mlm_encode_options *given, int32_t *offsets,
    int32_t *ids, int32_t *spans, size_t capacity, size_t *count)
{
    static const char function[] = "mlm_tokenizer_encode_batch";
    const char *missing = !tokenizer          ? "tokenizer"
                          : !texts && B > 0   ? "texts"
                          : !lengths && B > 0 ? "lengths"
                          : !offsets          ? "offsets"
                          : !ids && capacity  ? "ids"
                          : !count            ? "count"
                                              : NULL;
    if (missing)
        return mlm__error(MLM_ERR_ARGUMENT, "%s: %s is NULL", function, missing);
    if (B < 0)
        return mlm__error(MLM_ERR_ARGUMENT, "%s: B is %d", function, B);
    *count = 0;
    batch_call call = {.tokenizer = tokenizer,
        .texts = texts,
        .lengths = lengths,
        .B = B,
        .with_spans = spans != NULL};
    MLM__TRY(mlm__encode_options_read(given, function, 2, &call.options));
    MLM__TRY(check_batch(&call, function));
    mlm__sink result = {.ids = ids, .spans = spans, .capacity = capacity};
    offsets[0] = 0;
    MLM__TRY(encode_batch(&call, &result, offsets));
    *count = result.count;
    if (result.count > INT32_MAX)
        return mlm__error(MLM_ERR_SHAPE, "%s: %zu tokens in one batch", function, result.count);
    if (result.count > capacity)
        return mlm__error(
            MLM_ERR_CAPACITY, "%s: %zu tokens, capacity is %zu", function, result.count, capacity);
    return MLM_OK;
}
