#include "layers/dropout.h"

#include <math.h>

void mlm__dropper_set(mlm__dropper *dropper, double probability)
{
    /* Less than 1 in every case, so that what is kept has a scale. */
    double threshold = fmin(floor(probability * 65536.0 + 0.5), 65535.0);
    dropper->threshold = (uint32_t)threshold;
    dropper->scale = (real)(65536.0 / (65536.0 - threshold));
}

const real *mlm__dropper_row(const mlm__dropper *dropper, const mlm__kernels *kernels,
    uint32_t site, size_t i, size_t n, real *room)
{
    if (dropper->threshold == 0)
        return NULL;
    const mlm__dropout_row row = {.key = dropper->key,
        .position = dropper->position + dropper->sequence[i],
        .site = site,
        .row = (uint32_t)dropper->place[i],
        .threshold = dropper->threshold,
        .scale = dropper->scale};
    kernels->dropout(&row, n, room);
    return room;
}
