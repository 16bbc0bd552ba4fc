#include "layers/sentence_head.h"

#include <math.h>
#include <string.h>

#include "layers/linear.h"
#include "layers/parameter_gradients.h"

static size_t first_row(const mlm__sentence_head *layer, size_t b)
{
    return (size_t)layer->row_of[layer->offsets[b] - layer->offsets[0]];
}

void mlm__pooler_forward(const mlm__compute *compute, const mlm__sentence_head *layer,
    const real *hidden, real *x, real *pooled)
{
    const size_t B = layer->B, H = layer->H;
    for (size_t b = 0; b < B; b++)
        memcpy(x + b * H, hidden + first_row(layer, b) * H, H * sizeof(real));
    mlm__linear_forward(compute, layer->pooler, B, H, H, mlm__plain(x, H),
        (mlm__rows){.numbers = pooled}, NULL, NULL);
    compute->kernels->tanh(B * H, pooled, pooled);
}

void mlm__sentence_logits(
    const mlm__compute *compute, const mlm__sentence_head *layer, const real *pooled, real *logits)
{
    mlm__linear_forward(compute, layer->classifier, layer->B, layer->H, 2,
        mlm__plain(pooled, layer->H), (mlm__rows){.numbers = logits}, NULL, NULL);
}

void mlm__sentence_loss(
    size_t B, const int32_t *labels, double scale, real *logits, double *losses, uint8_t *correct)
{
    for (size_t b = 0; b < B; b++) {
        real *row = logits + 2 * b;
        losses[b] = 0;
        correct[b] = 0;
        if (labels[b] < 0) {
            row[0] = row[1] = 0;
            continue;
        }
        const int32_t label = labels[b];
        /* With two logits the loss is log(1 + e^d), d = other - label's. */
        const double d = (double)row[1 - label] - (double)row[label];
        losses[b] = d > 0 ? d + log1p(exp(-d)) : log1p(exp(d));
        correct[b] = label == 0 ? d <= 0 : d < 0;
        const double other = 1 / (1 + exp(-d));
        row[1 - label] = (real)(scale * other);
        row[label] = (real)(-scale * other);
    }
}

void mlm__sentence_head_backward(const mlm__compute *compute, const mlm__sentence_head *layer,
    const real *x, const real *pooled, const real *dlogits, real *dpooled, real *dx, real *dhidden,
    mlm__weight_gradients pooler, mlm__weight_gradients classifier)
{
    const size_t B = layer->B, H = layer->H;
    mlm__linear_backward(compute, layer->classifier, B, H, 2, mlm__plain(dlogits, 2), false,
        (mlm__rows){.numbers = dpooled}, NULL, NULL);
    for (size_t i = 0; i < B * H; i++)
        dpooled[i] *= 1 - pooled[i] * pooled[i];
    mlm__linear_backward(compute, layer->pooler, B, H, H, mlm__plain(dpooled, H), false,
        (mlm__rows){.numbers = dx}, NULL, NULL);
    for (size_t b = 0; b < B; b++)
        compute->kernels->add(H, dx + b * H, dhidden + first_row(layer, b) * H);
    const mlm__linear_gradient gradients[2] = {
        {B, H, H, mlm__plain(x, H), mlm__plain(dpooled, H), pooler},
        {B, H, 2, mlm__plain(pooled, H), mlm__plain(dlogits, 2), classifier}};
    mlm__parameter_gradients(compute, gradients, 2, NULL, 0);
}
