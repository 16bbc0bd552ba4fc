#include "batches/batch.h"

#include <stddef.h>

#include "base/error.h"
#include "base/options.h"

static const mlm_batch batch_defaults = {.struct_size = sizeof(mlm_batch)};

void mlm_batch_init(mlm_batch *batch, size_t size)
{
    mlm__struct_init(batch, size, &batch_defaults, sizeof batch_defaults);
}

static mlm_status check_offsets(const mlm_batch *batch, int32_t T)
{
    const int32_t *offsets = batch->offsets;
    if (offsets[0] != 0)
        return mlm__error(MLM_ERR_ARGUMENT, "batch: offsets[0] is %d, not 0", offsets[0]);
    for (int32_t b = 0; b < batch->B; b++) {
        if (offsets[b + 1] < offsets[b])
            return mlm__error(MLM_ERR_ARGUMENT, "batch: offsets[%d] is %d, less than %d before it",
                b + 1, offsets[b + 1], offsets[b]);
        int32_t length = offsets[b + 1] - offsets[b];
        if (length == 0)
            return mlm__error(MLM_ERR_ARGUMENT, "batch: sequence %d is empty", b);
        if (T > 0 && length > T)
            return mlm__error(
                MLM_ERR_SHAPE, "batch: sequence %d has %d tokens, at most %d fit", b, length, T);
    }
    return MLM_OK;
}

static mlm_status check_ids(const mlm_batch *batch, int32_t V)
{
    int32_t N = batch->offsets[batch->B];
    for (int32_t n = 0; n < N; n++)
        if (batch->input_ids[n] < 0 || batch->input_ids[n] >= V)
            return mlm__error(MLM_ERR_ARGUMENT, "batch: input_ids[%d] is %d, vocabulary has %d", n,
                batch->input_ids[n], V);
    return MLM_OK;
}

static mlm_status check_types(const mlm_batch *batch, int32_t type_vocab_size)
{
    int32_t limit = type_vocab_size > 0 ? type_vocab_size : INT32_MAX;
    int32_t N = batch->offsets[batch->B];
    for (int32_t n = 0; n < N; n++)
        if (batch->token_type_ids[n] < 0 || batch->token_type_ids[n] >= limit)
            return mlm__error(MLM_ERR_ARGUMENT, "batch: token_type_ids[%d] is %d, not in [0,%d)", n,
                batch->token_type_ids[n], limit);
    return MLM_OK;
}

static mlm_status check_labels(const mlm_batch *batch, int32_t V)
{
    int32_t N = batch->offsets[batch->B];
    for (int32_t n = 0; n < N; n++) {
        int32_t label = batch->labels[n];
        if (label != MLM_NO_LABEL && (label < 0 || label >= V))
            return mlm__error(MLM_ERR_ARGUMENT,
                "batch: labels[%d] is %d, neither in a vocabulary of %d nor MLM_NO_LABEL", n, label,
                V);
    }
    return MLM_OK;
}

static mlm_status check_sentence_labels(const mlm_batch *batch)
{
    for (int32_t b = 0; b < batch->B; b++)
        if (batch->sentence_labels[b] != 0 && batch->sentence_labels[b] != 1)
            return mlm__error(MLM_ERR_ARGUMENT, "batch: sentence_labels[%d] is %d, not 0 or 1", b,
                batch->sentence_labels[b]);
    return MLM_OK;
}

mlm_status mlm__batch_read(
    const mlm_batch *given, const mlm__batch_limits *limits, mlm_batch *batch)
{
    static const int32_t no_offsets[1] = {0};
    if (!given)
        return mlm__error(MLM_ERR_ARGUMENT, "batch is NULL");
    MLM__TRY(mlm__struct_read(given, &batch_defaults, sizeof batch_defaults, "mlm_batch", batch));
    if (limits->drop_labels)
        batch->labels = NULL;
    if (batch->reserved0)
        return mlm__error(MLM_ERR_UNSUPPORTED, "batch: reserved0 is not NULL");
    if (batch->B < 0)
        return mlm__error(MLM_ERR_ARGUMENT, "batch: B is %d", batch->B);
    if (batch->position < 0 || batch->position > INT64_MAX - batch->B)
        return mlm__error(MLM_ERR_ARGUMENT, "batch: position is %lld", (long long)batch->position);
    if (batch->B == 0) {
        batch->offsets = no_offsets;
        return MLM_OK;
    }
    if (!batch->offsets)
        return mlm__error(MLM_ERR_ARGUMENT, "batch: offsets is NULL");
    if (!batch->input_ids)
        return mlm__error(MLM_ERR_ARGUMENT, "batch: input_ids is NULL");
    if (limits->need_labels && !batch->labels)
        return mlm__error(MLM_ERR_ARGUMENT, "batch: labels is NULL");
    MLM__TRY(check_offsets(batch, limits->T));
    MLM__TRY(check_ids(batch, limits->V));
    if (batch->token_type_ids)
        MLM__TRY(check_types(batch, limits->type_vocab_size));
    if (batch->labels)
        MLM__TRY(check_labels(batch, limits->V));
    if (batch->sentence_labels)
        MLM__TRY(check_sentence_labels(batch));
    return MLM_OK;
}
