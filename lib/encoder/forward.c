/* mlm_encoder_forward: hidden states of all tokens. */
#include "base/error.h"
#include "base/fpmode.h"
#include "encoder/chunks.h"

static mlm_status forward(
    mlm_encoder *encoder, const mlm_batch *batch, int32_t layer, float *hidden)
{
    size_t H = (size_t)encoder->model->layout->config.hidden_size;
    MLM__TRY(mlm__chunks_reserve(encoder, batch, 0));
    mlm__chunk chunk;
    for (int32_t b = 0; mlm__chunks_next(encoder, batch, &b, &chunk);)
        MLM__TRY(mlm__network_forward(encoder->network, encoder->model->parameters, &chunk, layer,
            hidden + (size_t)chunk.offsets[0] * H));
    return MLM_OK;
}

mlm_status mlm_encoder_forward(
    mlm_encoder *encoder, const mlm_batch *batch, int32_t layer, float *hidden)
{
    if (!encoder)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_encoder_forward: encoder is NULL");
    int32_t L = encoder->model->layout->config.num_hidden_layers;
    if (layer < -1 || layer > L)
        return mlm__error(
            MLM_ERR_ARGUMENT, "mlm_encoder_forward: layer is %d, not in -1 to %d", layer, L);
    mlm_batch read;
    MLM__TRY(mlm__encoder_read_batch(encoder, batch, false, &read));
    if (!hidden && read.B)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_encoder_forward: hidden is NULL");
    fenv_t mode;
    mlm__fp_enter(&mode);
    mlm_status status = forward(encoder, &read, layer < 0 ? L : layer, hidden);
    mlm__fp_leave(&mode);
    return status;
}
