/* mlm_encoder_add_tokens: a larger vocabulary, whose new tokens begin as the mean of their pieces. */
#include <string.h>

#include "base/error.h"
#include "base/fpmode.h"
#include "base/memory.h"
#include "encoder/config.h"
#include "encoder/encoder.h"

static const char function[] = "mlm_encoder_add_tokens";

static mlm_status check_pieces(
    const int32_t *offsets, const int32_t *pieces, int32_t count, int32_t V)
{
    if (offsets[0] != 0)
        return mlm__error(MLM_ERR_ARGUMENT, "%s: offsets[0] is %d, not 0", function, offsets[0]);
    for (int32_t i = 0; i < count; i++) {
        if (offsets[i + 1] <= offsets[i])
            return mlm__error(MLM_ERR_ARGUMENT, "%s: token %d has no pieces: offsets %d to %d",
                function, i, offsets[i], offsets[i + 1]);
        for (int32_t p = offsets[i]; p < offsets[i + 1]; p++)
            if (pieces[p] < 0 || pieces[p] >= V)
                return mlm__error(MLM_ERR_ARGUMENT, "%s: pieces[%d] is %d, not in [0, %d)",
                    function, p, pieces[p], V);
    }
    return MLM_OK;
}

/* rows [count,width] = mean of the old rows; summed in double, rounded once. */
static void add_rows(const float *old, size_t width, const int32_t *offsets, const int32_t *pieces,
    int32_t count, float *rows)
{
    for (int32_t i = 0; i < count; i++)
        for (size_t k = 0; k < width; k++) {
            double sum = 0;
            for (int32_t p = offsets[i]; p < offsets[i + 1]; p++)
                sum += (double)old[(size_t)pieces[p] * width + k];
            rows[(size_t)i * width + k] = (float)(sum / (offsets[i + 1] - offsets[i]));
        }
}

/* The layouts differ in the parameters that have a row a token, and in nothing else. */
static void fill(const mlm__model *old, const int32_t *offsets, const int32_t *pieces,
    int32_t count, mlm__model *grown)
{
    for (size_t i = 0; i < old->layout->count; i++) {
        const mlm__parameter *from = &old->layout->parameters[i];
        const mlm__parameter *to = &grown->layout->parameters[i];
        const float *values = old->parameters + from->offset;
        float *into = grown->parameters + to->offset;
        memcpy(into, values, from->count * sizeof *into);
        if (to->shape[0] != from->shape[0])
            add_rows(values, (size_t)from->shape[1], offsets, pieces, count, into + from->count);
    }
}

static mlm_status add_tokens(const mlm_encoder *encoder, const int32_t *offsets,
    const int32_t *pieces, int32_t count, mlm_encoder **out)
{
    const mlm__model *old = encoder->model;
    mlm_encoder_config config = old->layout->config, read;
    config.vocab_size += count;
    MLM__TRY(mlm__encoder_config_read(&config, &read));
    mlm__model *model;
    MLM__TRY(mlm__model_make(encoder->runtime, &read, &model));
    model->parameters =
        mlm__alloc_zero(encoder->runtime, model->layout->size, sizeof *model->parameters);
    if (!model->parameters) {
        mlm__model_free(model);
        return MLM_ERR_MEMORY;
    }
    fill(old, offsets, pieces, count, model);
    return mlm__encoder_make(encoder->runtime, model, mlm__packed_products(old->packed), out);
}

mlm_status mlm_encoder_add_tokens(const mlm_encoder *encoder, const int32_t *offsets,
    const int32_t *pieces, size_t count, mlm_encoder **out)
{
    if (!out)
        return mlm__error(MLM_ERR_ARGUMENT, "%s: out is NULL", function);
    *out = NULL;
    if (!encoder || !offsets || (!pieces && count))
        return mlm__error(MLM_ERR_ARGUMENT, "%s: %s is NULL", function,
            !encoder   ? "encoder"
            : !offsets ? "offsets"
                       : "pieces");
    const int32_t V = encoder->model->layout->config.vocab_size;
    if (count > (size_t)(INT32_MAX - V))
        return mlm__error(
            MLM_ERR_SHAPE, "%s: %zu tokens and the %d there are, are too many", function, count, V);
    MLM__TRY(check_pieces(offsets, pieces, (int32_t)count, V));
    fenv_t mode;
    mlm__fp_enter(&mode);
    mlm_status status = add_tokens(encoder, offsets, pieces, (int32_t)count, out);
    mlm__fp_leave(&mode);
    return status;
}
