/* What a step of a large model needs. Room is counted, not touched: it costs nothing here. */
#include "base/runtime.h"
#include "encoder/network.h"
#include "layers/suites.h"
#include "support/cpu.h"

static const struct {
    int32_t T;
    double bytes;   /* allowed in all */
    double of_each; /* and for each parameter */
} bounds[] = {{128, 1.5e9, 16}, {512, 4e9, 0}};

/* Base in bf16, 32 sequences of T tokens: with the parameters, their gradients and two moments, 16
   bytes of each, and both packed forms of the weights, 4. */
START_TEST(a_step_of_base_fits)
{
    const mlm__products *products = mlm__products_get(true);
    if (test_lacks(products->bf16 ? products : NULL))
        return;
    const int32_t T = bounds[_i].T;
    mlm_encoder_config base;
    mlm_encoder_config_init(&base, sizeof base);
    mlm_runtime *runtime;
    mlm__layout *layout;
    mlm__network *network;
    assert_ok(mlm_runtime_create(NULL, &runtime));
    assert_ok(mlm__layout_create(runtime, &base, &layout));
    assert_ok(mlm__network_create(runtime, layout, products, NULL, &network));
    const int32_t N = mlm__network_chunk_most(network);
    ck_assert_int_lt(N, 32 * T);
    assert_ok(mlm__network_reserve(network, N, N / T, T, 1));
    int64_t room;
    mlm_runtime_memory(runtime, &room, NULL);
    const double parameters = (double)layout->size;
    ck_assert_double_gt(parameters, 108e6);
    ck_assert_double_le(
        20 * parameters + (double)room, bounds[_i].of_each * parameters + bounds[_i].bytes);
    mlm__network_free(network);
    mlm__layout_free(runtime, layout);
    mlm_runtime_free(runtime);
}
END_TEST

Suite *memory_suite(void)
{
    Suite *suite = suite_create("memory");
    TCase *tests = tcase_create("of a step");
    tcase_add_loop_test(tests, a_step_of_base_fits, 0, 2);
    suite_add_tcase(suite, tests);
    return suite;
}
