#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/threads.h"
#include "tokens/encode.h"
#include "tokens/scratch.h"

/* The texts of a batch are encoded in rounds of about ROUND bytes and at most ROUND_TEXTS texts: pieces of about PIECE bytes over
   the threads into a room of their own, which is then moved to its place. */
enum { ROUND = 1 << 20, PIECE = 1 << 14, ROUND_TEXTS = 1 << 14 };

typedef struct batch_call {
    const mlm_tokenizer *tokenizer;
    const char *const *texts;
    const size_t *lengths;
    int32_t B;
    mlm_encode_options options;
    mlm__scratch **scratch; /* [threads] */
    /* of one round */
    int32_t first, last;   /* texts */
    int32_t *piece_begins; /* [pieces + 1] */
    size_t pieces;
    int32_t *ids, *spans; /* the room; spans may be NULL */
    size_t room;          /* tokens that it holds */
    size_t *begins;       /* [last - first + 1] where each text's tokens begin in the room */
    size_t *counts;       /* [last - first] */
    size_t *needs;        /* [last - first] the block it needs, 0: it is encoded */
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
    size_t i = (size_t)(b - call->first), begin = call->begins[i];
    return (mlm__sink){.ids = call->ids + begin,
        .spans = call->spans ? call->spans + 2 * begin : NULL,
        .capacity = call->begins[i + 1] - begin};
}

static void encode_piece(void *context, size_t piece, int32_t thread)
{
    const batch_call *call = context;
    for (int32_t b = call->piece_begins[piece]; b < call->piece_begins[piece + 1]; b++) {
        size_t i = (size_t)(b - call->first);
        mlm__sink sink = room_of(call, b);
        call->needs[i] = encode_one(call, call->scratch[thread], b, &sink);
        call->counts[i] = sink.count;
    }
}

/* Chooses the texts of the round that begins at call->first. */
static void plan_round(batch_call *call)
{
    size_t bytes = 0;
    int32_t b = call->first;
    do {
        bytes += call->lengths[b];
        b++;
    } while (b < call->B && b - call->first < ROUND_TEXTS && bytes + call->lengths[b] <= ROUND);
    call->last = b;
}

/* Grows the room to what the round needs and cuts the round into pieces. */
static mlm_status prepare_round(batch_call *call, bool with_spans)
{
    mlm_runtime *runtime = call->tokenizer->runtime;
    size_t need = 0, bytes = 0;
    call->pieces = 0;
    for (int32_t b = call->first; b < call->last; b++) {
        call->begins[b - call->first] = need;
        need += most_tokens(call, b);
        if (bytes == 0)
            call->piece_begins[call->pieces++] = b;
        bytes += call->lengths[b] + 16;
        if (bytes >= PIECE)
            bytes = 0;
    }
    call->begins[call->last - call->first] = need;
    call->piece_begins[call->pieces] = call->last;
    if (need <= call->room)
        return MLM_OK;
    mlm__free(runtime, call->ids);
    mlm__free(runtime, call->spans);
    call->room = 0;
    call->ids = mlm__alloc(runtime, need, sizeof *call->ids);
    call->spans = with_spans ? mlm__alloc(runtime, need, 2 * sizeof *call->spans) : NULL;
    if (!call->ids || (with_spans && !call->spans))
        return MLM_ERR_MEMORY;
    call->room = need;
    return MLM_OK;
}

/* Appends the texts of a round to the result. */
static void collect_round(const batch_call *call, mlm__sink *result, int32_t *offsets)
{
    for (int32_t b = call->first; b < call->last; b++) {
        size_t i = (size_t)(b - call->first), count = call->counts[i], begin = call->begins[i];
        if (result->count + count <= result->capacity) {
            memcpy(result->ids + result->count, call->ids + begin, count * sizeof *call->ids);
            if (result->spans)
                memcpy(result->spans + 2 * result->count, call->spans + 2 * begin,
                    2 * count * sizeof *call->spans);
        }
        result->count += count;
        offsets[b + 1] = (int32_t)(result->count < INT32_MAX ? result->count : INT32_MAX);
    }
}

static mlm_status encode_rounds(batch_call *call, mlm__sink *result, int32_t *offsets)
{
    mlm_runtime *runtime = call->tokenizer->runtime;
    for (call->first = 0; call->first < call->B; call->first = call->last) {
        plan_round(call);
        MLM__TRY(prepare_round(call, result->spans != NULL));
        mlm__parallel(runtime, call->pieces, encode_piece, call);
        for (int32_t b = call->first; b < call->last; b++) {
            size_t i = (size_t)(b - call->first);
            if (call->needs[i] == 0)
                continue;
            mlm__sink sink = room_of(call, b);
            MLM__TRY(mlm__scratch_reserve(runtime, call->scratch[0], call->needs[i]));
            MLM__TRY(encode_one_growing(call, call->scratch[0], b, &sink));
            call->counts[i] = sink.count;
        }
        collect_round(call, result, offsets);
    }
    return MLM_OK;
}

/* On one thread, straight to the result. */
static mlm_status encode_in_turn(batch_call *call, mlm__sink *result, int32_t *offsets)
{
    for (int32_t b = 0; b < call->B; b++) {
        MLM__TRY(encode_one_growing(call, call->scratch[0], b, result));
        offsets[b + 1] = (int32_t)(result->count < INT32_MAX ? result->count : INT32_MAX);
    }
    return MLM_OK;
}

static mlm_status encode_batch(batch_call *call, mlm__sink *result, int32_t *offsets)
{
    mlm_runtime *runtime = call->tokenizer->runtime;
    size_t threads = (size_t)mlm__threads(runtime);
    bool alone = threads == 1 || call->B < 2;
    if (alone)
        threads = 1;
    size_t most = call->B < ROUND_TEXTS ? (size_t)call->B : ROUND_TEXTS;
    mlm_status status = MLM_ERR_MEMORY;
    call->scratch = mlm__alloc_zero(runtime, threads, sizeof *call->scratch);
    size_t taken = 0;
    while (call->scratch && taken < threads &&
           (call->scratch[taken] = mlm__scratch_take(call->tokenizer)) != NULL)
        taken++;
    if (taken == threads && alone) {
        status = encode_in_turn(call, result, offsets);
    } else if (taken == threads) {
        call->piece_begins = mlm__alloc(runtime, most + 1, sizeof *call->piece_begins);
        call->begins = mlm__alloc(runtime, most + 1, sizeof *call->begins);
        call->counts = mlm__alloc(runtime, most, sizeof *call->counts);
        call->needs = mlm__alloc(runtime, most, sizeof *call->needs);
        if (call->piece_begins && call->begins && call->counts && call->needs)
            status = encode_rounds(call, result, offsets);
    }
    mlm__free(runtime, call->needs);
    mlm__free(runtime, call->counts);
    mlm__free(runtime, call->begins);
    mlm__free(runtime, call->piece_begins);
    mlm__free(runtime, call->spans);
    mlm__free(runtime, call->ids);
    while (taken > 0)
        mlm__scratch_give_back(call->tokenizer, call->scratch[--taken]);
    mlm__free(runtime, call->scratch);
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
    batch_call call = {.tokenizer = tokenizer, .texts = texts, .lengths = lengths, .B = B};
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
