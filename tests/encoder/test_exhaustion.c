#include "encoder/encoder.h"
#include "encoder_fixture.h"
#include "encoder_tests.h"

static mlm_status create(mlm_runtime *runtime, void *context)
{
    (void)context;
    mlm_encoder_config config = small_config();
    config.sentence_head = 1;
    mlm_encoder *encoder;
    mlm_status status = mlm_encoder_create(runtime, &config, NULL, &encoder);
    ck_assert_int_eq(encoder != NULL, status == MLM_OK);
    mlm_encoder_free(encoder);
    return status;
}

static mlm_status load(mlm_runtime *runtime, void *context)
{
    mlm_encoder *encoder;
    mlm_status status = mlm_encoder_load(runtime, context, NULL, &encoder);
    ck_assert_int_eq(encoder != NULL, status == MLM_OK);
    mlm_encoder_free(encoder);
    return status;
}

static mlm_status share(mlm_runtime *runtime, void *context)
{
    mlm_encoder *encoder;
    mlm_status status = mlm_encoder_share(context, runtime, &encoder);
    mlm_encoder_free(encoder);
    return status;
}

/* All that computes, on a share of the encoder in context. */
static mlm_status compute(mlm_runtime *runtime, void *context)
{
    mlm_encoder *encoder;
    mlm_status status = mlm_encoder_share(context, runtime, &encoder);
    mlm_batch batch = fixture_batch();
    float hidden[FIXTURE_N * FIXTURE_H], logits[FIXTURE_ASKED * FIXTURE_V];
    int32_t ids[FIXTURE_ASKED];
    mlm_metrics total;
    mlm_metrics_init(&total, sizeof total);
    if (status == MLM_OK)
        status = mlm_encoder_forward(encoder, &batch, -1, hidden);
    if (status == MLM_OK)
        status = mlm_encoder_embed(encoder, &batch, MLM_POOL_BERT, 1, hidden);
    if (status == MLM_OK)
        status = mlm_encoder_logits(encoder, &batch, fixture_positions, FIXTURE_ASKED, logits);
    if (status == MLM_OK)
        status =
            mlm_encoder_predict(encoder, &batch, fixture_positions, FIXTURE_ASKED, 1, ids, logits);
    if (status == MLM_OK)
        status = mlm_encoder_losses(encoder, &batch, logits);
    if (status == MLM_OK)
        status = mlm_encoder_sentence_logits(encoder, &batch, logits);
    if (status == MLM_OK)
        status = mlm_encoder_evaluate(encoder, &batch, &total);
    mlm_encoder_free(encoder);
    return status;
}

static mlm_status train(mlm_runtime *runtime, void *context)
{
    mlm_encoder *encoder;
    mlm_status status = mlm_encoder_share(context, runtime, &encoder);
    mlm_batch batch = fixture_batch();
    static float gradients[1 << 14];
    mlm__dropout dropout = {.hidden = 0.1, .attention = 0.1};
    mlm__sums sums = {0};
    if (status == MLM_OK) {
        ck_assert_uint_lt(encoder->model->layout->size, 1 << 14);
        status = mlm__encoder_train(
            encoder, &batch, &dropout, 1, 1, &(mlm__frozen){0}, gradients, &sums);
    }
    mlm_encoder_free(encoder);
    return status;
}

static mlm_status save(mlm_runtime *runtime, void *context)
{
    mlm_encoder *encoder;
    mlm_status status = mlm_encoder_share(context, runtime, &encoder);
    if (status == MLM_OK)
        status = mlm_encoder_save(encoder, test_folder(), MLM_F32);
    mlm_encoder_free(encoder);
    return status;
}

START_TEST(a_failed_allocation_leaves_nothing)
{
    test_out_of_memory(create, NULL);
    test_out_of_memory(load, (void *)fixture_folder("masked"));
    test_out_of_memory(load, (void *)fixture_folder("bare"));
    mlm_encoder *encoder = fixture_encoder(NULL, "pre_training");
    test_out_of_memory(share, encoder);
    test_out_of_memory(compute, encoder);
    test_out_of_memory(train, encoder);
    test_out_of_memory(save, encoder);
    mlm_encoder_free(encoder);
}
END_TEST

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
    tcase_add_test(tests, a_failed_allocation_leaves_nothing);
    tcase_add_test(tests, a_handle_goes_on_and_allocates_no_more);
    suite_add_tcase(suite, tests);
    return suite;
}
