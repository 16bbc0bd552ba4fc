#include "base/error.h"
#include "encoder/chunks.h"

mlm_status mlm__encoder_train(mlm_encoder *encoder, const mlm_batch *batch,
    const mlm__dropout *dropout, double loss_scale, double sentence_scale,
    const mlm__frozen *frozen, float *gradients, mlm__sums *sums)
{
    MLM__TRY(mlm__chunks_reserve(encoder, batch, 1));
    mlm__chunk chunk;
    for (int32_t b = 0; mlm__chunks_next(encoder, batch, &b, &chunk);)
        MLM__TRY(mlm__network_train(encoder->network, encoder->model->parameters, &chunk, dropout,
            loss_scale, sentence_scale, frozen, gradients, sums));
    return MLM_OK;
}
