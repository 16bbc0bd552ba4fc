#include "phases.h"

#include "base/runtime.h"
#include "encoder/packed.h"
#include "layers/attention.h"
#include "layers/cross_entropy.h"
#include "layers/embedding.h"
#include "layers/linear.h"
#include "layers/parameter_gradients.h"
#include "trainer/adamw.h"
#include "trainer/gradient_norm.h"

const char *const phase_names[PHASE_COUNT] = {"rest", "packing", "embedding", "linear", "attention",
    "residual", "loss", "d loss", "d linear", "d attention", "d residual", "d weights",
    "d embedding", "norm", "adamw"};

double phase_seconds[PHASE_COUNT];
static int current;
static double since;

static int enter(int phase)
{
    const double now = mlm__seconds();
    const int outer = current;
    phase_seconds[current] += now - since;
    since = now;
    current = phase;
    return outer;
}

void phases_reset(void)
{
    for (int i = 0; i < PHASE_COUNT; i++)
        phase_seconds[i] = 0;
    current = PHASE_REST;
    since = mlm__seconds();
}

void phases_stop(void)
{
    enter(PHASE_REST);
}

/* The linker calls __wrap_f for f, and f for __real_f; the declarations make the compiler compare
   the types. */
#define TIMED(phase, f, parameters, arguments)                                                     \
    extern __typeof__(f) __real_##f, __wrap_##f;                                                   \
    void __wrap_##f parameters                                                                     \
    {                                                                                              \
        const int outer = enter(phase);                                                            \
        __real_##f arguments;                                                                      \
        enter(outer);                                                                              \
    }

#define TIMED_RESULT(type, phase, f, parameters, arguments)                                        \
    extern __typeof__(f) __real_##f, __wrap_##f;                                                   \
    type __wrap_##f parameters                                                                     \
    {                                                                                              \
        const int outer = enter(phase);                                                            \
        const type result = __real_##f arguments;                                                  \
        enter(outer);                                                                              \
        return result;                                                                             \
    }

TIMED(PHASE_EMBEDDING, mlm__embedding_forward,
    (const mlm__compute *compute, const mlm__embedding *layer, mlm__rows out),
    (compute, layer, out))
TIMED(PHASE_ATTENTION, mlm__attention_forward,
    (const mlm__compute *compute, const mlm__attention *layer, mlm__rows out),
    (compute, layer, out))
TIMED(PHASE_LINEAR, mlm__linear_forward,
    (const mlm__compute *compute, mlm__weights weights, size_t N, size_t K, size_t O,
        mlm__operand x, mlm__rows y, mlm__tile_fn *then, void *context),
    (compute, weights, N, K, O, x, y, then, context))
TIMED(PHASE_LINEAR_BACKWARD, mlm__linear_backward,
    (const mlm__compute *compute, mlm__weights weights, size_t N, size_t K, size_t O,
        mlm__operand dy, bool add, mlm__rows dx, mlm__tile_fn *then, void *context),
    (compute, weights, N, K, O, dy, add, dx, then, context))
TIMED(PHASE_RESIDUAL, mlm__residual_forward,
    (const mlm__compute *compute, const mlm__residual *layer, const real *residual, mlm__rows out),
    (compute, layer, residual, out))
TIMED(PHASE_RESIDUAL_BACKWARD, mlm__residual_backward,
    (const mlm__compute *compute, const mlm__residual *layer, const real *dout, real *dresidual,
        mlm__rows dy),
    (compute, layer, dout, dresidual, dy))
TIMED(PHASE_LOSS, mlm__cross_entropy_forward,
    (const mlm__compute *compute, const mlm__cross_entropy *layer, double *losses,
        uint8_t *correct),
    (compute, layer, losses, correct))
TIMED(PHASE_LOSS_BACKWARD, mlm__cross_entropy_backward,
    (const mlm__compute *compute, const mlm__cross_entropy *layer, double scale, real *parts,
        real *dz, mlm__weight_gradients decoder),
    (compute, layer, scale, parts, dz, decoder))
TIMED(PHASE_ATTENTION_BACKWARD, mlm__attention_backward,
    (const mlm__compute *compute, const mlm__attention *layer, const real *dout, mlm__rows dproj,
        mlm__rows dcontext, mlm__rows dqueries, mlm__rows dkeys_values, real *dquery_x, real *dx),
    (compute, layer, dout, dproj, dcontext, dqueries, dkeys_values, dquery_x, dx))
TIMED(PHASE_WEIGHT_GRADIENTS, mlm__parameter_gradients,
    (const mlm__compute *compute, const mlm__linear_gradient *linears, size_t linear_count,
        const mlm__norm_gradient *norms, size_t norm_count),
    (compute, linears, linear_count, norms, norm_count))
TIMED(PHASE_EMBEDDING_BACKWARD, mlm__embedding_backward,
    (const mlm__compute *compute, const mlm__embedding *layer, real *dout, real *dsum,
        const mlm__embedding_gradients *into),
    (compute, layer, dout, dsum, into))
TIMED(PHASE_ADAMW, mlm__adamw_update,
    (mlm_runtime * runtime, const mlm__pieces *pieces, const mlm__adamw *adamw,
        const float *gradients, float *exp_avg, float *exp_avg_sq, float *parameters),
    (runtime, pieces, adamw, gradients, exp_avg, exp_avg_sq, parameters))

TIMED_RESULT(double, PHASE_GRADIENT_NORM, mlm__gradient_norm,
    (mlm_runtime * runtime, const mlm__pieces *pieces, const float *gradients, double *sums),
    (runtime, pieces, gradients, sums))
TIMED_RESULT(mlm_status, PHASE_PACKING, mlm__packed_update,
    (mlm__packed * packed, mlm_runtime *runtime, const real *parameters, uint64_t version,
        bool training),
    (packed, runtime, parameters, version, training))
