#include "trainer/gradient_norm.h"

#include <math.h>

#include "base/threads.h"

enum { LANES = 8 };

typedef struct norm_work {
    const mlm__piece *pieces;
    const float *gradients;
    double *sums;
} norm_work;

/* Number i of a piece goes to lane i mod LANES, the lanes are added in order: independent sums
   let the compiler use vectors without being free to choose the order. Squares of floats cannot
   overflow in double. */
static void norm_piece(void *context, size_t index, int32_t thread)
{
    (void)thread;
    const norm_work *work = context;
    const mlm__piece *piece = &work->pieces[index];
    const float *g = work->gradients + piece->place;
    double lanes[LANES] = {0};
    uint32_t i = 0;
    for (; i + LANES <= piece->count; i += LANES)
        for (uint32_t lane = 0; lane < LANES; lane++)
            lanes[lane] += (double)g[i + lane] * (double)g[i + lane];
    for (uint32_t lane = 0; i + lane < piece->count; lane++)
        lanes[lane] += (double)g[i + lane] * (double)g[i + lane];
    double sum = 0;
    for (uint32_t lane = 0; lane < LANES; lane++)
        sum += lanes[lane];
    work->sums[index] = sum;
}

double mlm__gradient_norm(
    mlm_runtime *runtime, const mlm__pieces *pieces, const float *gradients, double *sums)
{
    norm_work work = {.pieces = pieces->piece, .gradients = gradients, .sums = sums};
    mlm__parallel(runtime, pieces->count, norm_piece, &work);
    double sum = 0;
    for (size_t i = 0; i < pieces->count; i++)
        sum += sums[i];
    return sqrt(sum);
}

double mlm__clip_coefficient(double norm, double max_norm)
{
    if (max_norm == 0)
        return 1;
    double coefficient = max_norm / (norm + 1e-6);
    return coefficient < 1 ? coefficient : 1;
}
