#include "encoder_fixture.h"
#include "encoder_tests.h"

/* After an allocation that failed the handle computes what it always does; after the first round
   nothing is allocated any more. */
START_TEST(a_handle_goes_on_and_allocates_no_more)
{
    test_allocator allocator;
    mlm_runtime *runtime = test_allocator_runtime(&allocator, 1, 0);
    mlm_encoder *encoder = fixture_encoder(runtime, "pre_training");
    mlm_batch batch = fixture_batch();
    float hidden[FIXTURE_N * FIXTURE_H], losses[FIXTURE_M];
    allocator.fail_at = allocator.allocations + 1;
    assert_status(mlm_encoder_forward(encoder, &batch, -1, hidden), MLM_ERR_MEMORY);
    allocator.fail_at = 0;
    assert_ok(mlm_encoder_forward(encoder, &batch, -1, hidden));
    assert_close_f32(
        hidden, pre_training_hidden, FIXTURE_N * FIXTURE_H, fixture_rtol, fixture_atol, "hidden");
    mlm_metrics total;
    mlm_metrics_init(&total, sizeof total);
    int32_t ids[FIXTURE_ASKED];
    float logits[FIXTURE_ASKED * FIXTURE_V];
    int64_t allocations = 0;
    for (int round = 0; round < 3; round++) {
        if (round == 1)
            allocations = allocator.allocations;
        assert_ok(mlm_encoder_forward(encoder, &batch, -1, hidden));
        assert_ok(mlm_encoder_losses(encoder, &batch, losses));
        assert_ok(mlm_encoder_embed(encoder, &batch, MLM_POOL_MEAN, 1, hidden));
        assert_ok(mlm_encoder_evaluate(encoder, &batch, &total));
        assert_ok(mlm_encoder_logits(encoder, &batch, fixture_positions, FIXTURE_ASKED, logits));
        assert_ok(
            mlm_encoder_predict(encoder, &batch, fixture_positions, FIXTURE_ASKED, 1, ids, logits));
    }
    ck_assert_int_eq(allocator.allocations, allocations);
    mlm_encoder_free(encoder);
    mlm_runtime_free(runtime);
    ck_assert_int_eq(allocator.live_blocks, 0);
}
END_TEST

Suite *exhaustion_suite(void)
{
    Suite *suite = suite_create("exhaustion");
    TCase *tests = tcase_create("memory");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, a_handle_goes_on_and_allocates_no_more);
    suite_add_tcase(suite, tests);
    return suite;
}
