#include "trainer/adamw.h"

#include <math.h>

#include "base/threads.h"

typedef struct adamw_work {
    const mlm__piece *pieces;
    const float *gradients;
    float *exp_avg, *exp_avg_sq, *parameters;
    /* The factors of one update, rounded once. */
    float gradient_scale, keep /* 1 - lr decay */, rate1 /* 1 - beta1 */, beta2, rate2, step_size,
        root_scale, epsilon;
} adamw_work;

/* g  <- gradient_scale g
   w  <- w (1 - lr decay)                       decayed parameters only
   m  <- m + (1 - beta1) (g - m)
   v  <- beta2 v + (1 - beta2) g g
   w  <- w - lr/c1 m / (sqrt(v)/sqrt(c2) + epsilon)
   with c = 1 - beta^t, or 1 without bias correction. The order of the operations is that of
   torch/optim/adamw.py (single tensor). google-research/bert/optimization.py adds decay w to the
   quotient instead, which is the same to the first rounding. */
static void adamw_piece(void *context, size_t index, int32_t thread)
{
    (void)thread;
    const adamw_work *work = context;
    const mlm__piece *piece = &work->pieces[index];
    const float *restrict gradient = work->gradients + piece->place;
    float *restrict m = work->exp_avg + piece->place;
    float *restrict v = work->exp_avg_sq + piece->place;
    float *restrict w = work->parameters + piece->offset;
    const float gradient_scale = work->gradient_scale, keep = piece->decay ? work->keep : 1.0f;
    const float rate1 = work->rate1, beta2 = work->beta2, rate2 = work->rate2;
    const float step_size = work->step_size, root_scale = work->root_scale;
    const float epsilon = work->epsilon;
    for (uint32_t i = 0; i < piece->count; i++) {
        float g = gradient_scale * gradient[i];
        float m_new = m[i] + rate1 * (g - m[i]);
        float v_new = beta2 * v[i] + rate2 * g * g;
        m[i] = m_new;
        v[i] = v_new;
        w[i] = keep * w[i] - step_size * m_new / (root_scale * sqrtf(v_new) + epsilon);
    }
}

void mlm__adamw_update(mlm_runtime *runtime, const mlm__pieces *pieces, const mlm__adamw *adamw,
    const float *gradients, float *exp_avg, float *exp_avg_sq, float *parameters)
{
    double correction1 = 1, correction2 = 1;
    if (adamw->bias_correction) {
        correction1 = 1 - pow(adamw->beta1, (double)adamw->step);
        correction2 = 1 - pow(adamw->beta2, (double)adamw->step);
    }
    adamw_work work = {
        .pieces = pieces->piece,
        .gradients = gradients,
        .exp_avg = exp_avg,
        .exp_avg_sq = exp_avg_sq,
        .parameters = parameters,
        .gradient_scale = (float)adamw->gradient_scale,
        .keep = (float)(1 - adamw->learning_rate * adamw->weight_decay),
        .rate1 = (float)(1 - adamw->beta1),
        .beta2 = (float)adamw->beta2,
        .rate2 = (float)(1 - adamw->beta2),
        .step_size = (float)(adamw->learning_rate / correction1),
        .root_scale = (float)(1 / sqrt(correction2)),
        .epsilon = (float)adamw->epsilon,
    };
    mlm__parallel(runtime, pieces->count, adamw_piece, &work);
}
