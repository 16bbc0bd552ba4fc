#include "layers/layer_norm.h"

#include <string.h>

void mlm__residual_norm_rows(const mlm__compute *compute, mlm__weights weights, double eps,
    const mlm__dropper *dropper, uint32_t site, mlm__row_range rows, size_t H, const real *y,
    const real *residual, const mlm__residual_norm *kept, real *out, real *room)
{
    const mlm__kernels *kernels = compute->kernels;
    for (size_t r = 0; r < rows.count; r++) {
        const size_t i = rows.first + r;
        real *sum = kept->sum + i * H;
        kernels->residual(H, residual + i * H, mlm__dropper_row(dropper, kernels, site, i, H, room),
            y + r * H, sum);
        kept->moments[i] =
            kernels->layer_norm(H, sum, weights.weight, weights.bias, (real)eps, out + i * H);
    }
}

void mlm__residual_norm_rows_backward(const mlm__compute *compute, const real *weight,
    const mlm__dropper *dropper, uint32_t site, mlm__row_range rows, size_t H, const real *dout,
    const mlm__residual_norm *kept, real *dresidual, real *dy)
{
    const mlm__kernels *kernels = compute->kernels;
    for (size_t i = rows.first; i < rows.first + rows.count; i++) {
        real *dsum = dresidual + i * H, *dyi = dy + i * H;
        kernels->layer_norm_backward(
            H, kept->sum + i * H, kept->moments[i], weight, dout + i * H, dsum);
        if (mlm__dropper_row(dropper, kernels, site, i, H, dyi))
            kernels->product(H, dsum, dyi);
        else
            memcpy(dyi, dsum, H * sizeof(real));
    }
}
