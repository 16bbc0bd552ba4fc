#include "layers/workspace.h"

#include <stdlib.h>

#include "base/random.h"
#include "base/runtime.h"
#include "layers/linear.h"
#include "layers/parameter_gradients.h"
#include "support/support.h"

enum { THREADS = 2 };

mlm__compute test_compute(const mlm__products *products)
{
    mlm_runtime_options options;
    mlm_runtime_options_init(&options, sizeof options);
    options.threads = THREADS;
    mlm__compute compute = {.kernels = mlm__kernels_get(),
        .products = products,
        .products_room_size = (products->room_size + 63) / 64 * 64};
    assert_ok(mlm_runtime_create(&options, &compute.runtime));
    compute.products_room = aligned_alloc(64, THREADS * compute.products_room_size + 64);
    const size_t linear = mlm__linear_scratch(), gradients = mlm__parameter_gradients_scratch();
    compute.scratch_size = ((linear > gradients ? linear : gradients) + 15) / 16 * 16;
    compute.scratch = aligned_alloc(64, THREADS * compute.scratch_size * sizeof(real));
    ck_assert(compute.products_room && compute.scratch);
    return compute;
}

void test_compute_free(mlm__compute *compute)
{
    free(compute->products_room);
    free(compute->scratch);
    mlm_runtime_free(compute->runtime);
}

real *test_numbers(size_t count, uint32_t site)
{
    real *numbers = malloc(count * sizeof *numbers);
    ck_assert_ptr_nonnull(numbers);
    mlm__random_stream stream =
        mlm__random_stream_make(mlm__random_key_make(3, MLM__RANDOM_INIT, 0), 0, site);
    for (size_t i = 0; i < count; i++)
        numbers[i] = (real)(2 * mlm__random_double(&stream) - 1);
    return numbers;
}
