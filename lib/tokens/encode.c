#include "tokens/encode.h"

#include "base/error.h"
#include "base/options.h"
#include "tokens/scratch.h"

static const mlm_encode_options option_defaults = {
    .struct_size = sizeof option_defaults,
    .add_special_tokens = 1,
    .max_length = 0,
};

void mlm_encode_options_init(mlm_encode_options *options, size_t size)
{
    mlm__struct_init(options, size, &option_defaults, sizeof option_defaults);
}

mlm_status mlm__encode_options_read(
    const mlm_encode_options *given, const char *function, size_t fixed, mlm_encode_options *out)
{
    MLM__TRY(mlm__struct_read(
        given, &option_defaults, sizeof option_defaults, "mlm_encode_options", out));
    if (out->add_special_tokens != 0 && out->add_special_tokens != 1)
        return mlm__error(MLM_ERR_ARGUMENT, "%s: add_special_tokens is %d, not 0 or 1", function,
            out->add_special_tokens);
    if (out->max_length < 0)
        return mlm__error(MLM_ERR_ARGUMENT, "%s: max_length is %d", function, out->max_length);
    if (out->add_special_tokens && out->max_length > 0 && (size_t)out->max_length < fixed)
        return mlm__error(MLM_ERR_ARGUMENT,
            "%s: max_length is %d, the special tokens alone are %zu", function, out->max_length,
            fixed);
    return MLM_OK;
}

mlm_status mlm__encode_check_length(const char *function, size_t length)
{
    /* Spans are 32 bit, and so are the tokens of a sequence. */
    if (length > INT32_MAX - 3)
        return mlm__error(MLM_ERR_SHAPE, "%s: text of %zu bytes; the most is %d", function, length,
            INT32_MAX - 3);
    return MLM_OK;
}

static size_t limit_of(const mlm_encode_options *options, size_t fixed)
{
    if (options->max_length == 0)
        return SIZE_MAX;
    return (size_t)options->max_length - (options->add_special_tokens ? fixed : 0);
}

static mlm_status check_capacity(const char *function, size_t need, size_t capacity, size_t *count)
{
    *count = need;
    if (need > capacity)
        return mlm__error(
            MLM_ERR_CAPACITY, "%s: %zu tokens, capacity is %zu", function, need, capacity);
    return MLM_OK;
}

mlm_status mlm_tokenizer_encode(const mlm_tokenizer *tokenizer, const char *text, size_t length,
    const mlm_encode_options *given, int32_t *ids, int32_t *spans, size_t capacity, size_t *count)
{
    static const char function[] = "mlm_tokenizer_encode";
    if (!tokenizer || (!text && length) || (!ids && capacity) || !count)
        return mlm__error(MLM_ERR_ARGUMENT, "%s: %s is NULL", function,
            !tokenizer         ? "tokenizer"
            : !text && length  ? "text"
            : !ids && capacity ? "ids"
                               : "count");
    *count = 0;
    mlm_encode_options options;
    MLM__TRY(mlm__encode_options_read(given, function, 2, &options));
    MLM__TRY(mlm__encode_check_length(function, length));
    mlm__scratch *scratch = mlm__scratch_take(tokenizer);
    if (!scratch)
        return MLM_ERR_MEMORY;
    mlm__sink sink = {.ids = ids, .spans = spans, .capacity = capacity, .limit = SIZE_MAX};
    if (options.add_special_tokens)
        mlm__sink_put(&sink, tokenizer->special[MLM_TOKEN_CLS], 0, 0);
    if (options.max_length > 0)
        sink.limit = sink.count + limit_of(&options, 2);
    mlm_status status = mlm__encode_growing(tokenizer, scratch, text, length, &sink);
    mlm__scratch_give_back(tokenizer, scratch);
    MLM__TRY(status);
    if (options.add_special_tokens)
        mlm__sink_put(&sink, tokenizer->special[MLM_TOKEN_SEP], 0, 0);
    return check_capacity(function, sink.count, capacity, count);
}

/* Tokens of the two parts when at most limit are to remain: one after the other goes off the end of
   the longer part, off the pair where both are as long. */
static void share(size_t limit, size_t *first, size_t *second)
{
    if (*first + *second <= limit)
        return;
    size_t half = limit / 2;
    if (*second <= half)
        *first = limit - *second;
    else if (*first <= limit - half)
        *second = limit - *first;
    else {
        *first = limit - half;
        *second = half;
    }
}

typedef struct pair_call {
    const mlm_tokenizer *tokenizer;
    const char *text, *pair;
    size_t length, pair_length;
    mlm_encode_options options;
    int32_t *ids, *token_type_ids;
    size_t capacity;
} pair_call;

/* Part A begins at ids[lead]; part B after A and, with special tokens, [SEP]. Both are encoded as
   far as they could be needed; when they are too long together, B moves to where A is cut. */
static mlm_status encode_pair(const pair_call *call, mlm__scratch *scratch, size_t *count)
{
    size_t special = call->options.add_special_tokens ? 1 : 0;
    size_t limit = limit_of(&call->options, 3);
    mlm__sink sink = {.ids = call->ids, .capacity = call->capacity, .count = special};
    sink.limit = limit > SIZE_MAX - special ? SIZE_MAX : limit + special;
    MLM__TRY(mlm__encode_growing(call->tokenizer, scratch, call->text, call->length, &sink));
    size_t first = sink.count - special;
    size_t begin = sink.count += special;
    sink.limit = limit > SIZE_MAX - begin ? SIZE_MAX : limit + begin;
    MLM__TRY(mlm__encode_growing(call->tokenizer, scratch, call->pair, call->pair_length, &sink));
    size_t second = sink.count - begin, kept = first;
    share(limit, &kept, &second);
    if (kept < first) {
        sink.count = kept + 2 * special;
        sink.limit = sink.count + second;
        begin = sink.count;
        MLM__TRY(
            mlm__encode_growing(call->tokenizer, scratch, call->pair, call->pair_length, &sink));
    }
    *count = begin + second + special;
    if (*count > call->capacity)
        return MLM_OK;
    if (special) {
        call->ids[0] = call->tokenizer->special[MLM_TOKEN_CLS];
        call->ids[begin - 1] = call->tokenizer->special[MLM_TOKEN_SEP];
        call->ids[*count - 1] = call->tokenizer->special[MLM_TOKEN_SEP];
    }
    for (size_t i = 0; i < *count && call->token_type_ids; i++)
        call->token_type_ids[i] = i >= begin;
    return MLM_OK;
}

mlm_status mlm_tokenizer_encode_pair(const mlm_tokenizer *tokenizer, const char *text,
    size_t length, const char *pair, size_t pair_length, const mlm_encode_options *given,
    int32_t *ids, int32_t *token_type_ids, size_t capacity, size_t *count)
{
    static const char function[] = "mlm_tokenizer_encode_pair";
    if (!tokenizer || (!text && length) || (!pair && pair_length) || (!ids && capacity) || !count)
        return mlm__error(MLM_ERR_ARGUMENT, "%s: %s is NULL", function,
            !tokenizer             ? "tokenizer"
            : !text && length      ? "text"
            : !pair && pair_length ? "pair"
            : !ids && capacity     ? "ids"
                                   : "count");
    *count = 0;
    pair_call call = {
        tokenizer, text, pair, length, pair_length, {0}, ids, token_type_ids, capacity};
    MLM__TRY(mlm__encode_options_read(given, function, 3, &call.options));
    MLM__TRY(mlm__encode_check_length(function, length));
    MLM__TRY(mlm__encode_check_length(function, pair_length));
    mlm__scratch *scratch = mlm__scratch_take(tokenizer);
    if (!scratch)
        return MLM_ERR_MEMORY;
    size_t need = 0;
    mlm_status status = encode_pair(&call, scratch, &need);
    mlm__scratch_give_back(tokenizer, scratch);
    MLM__TRY(status);
    return check_capacity(function, need, capacity, count);
}
