#include "batches/order.h"
#include "batches_suites.h"
#include "letters.h"
#include "random_map.h"
#include "support/support.h"

START_TEST(order_as_documented)
{
    mlm__order order = mlm__order_make(map_seed, MAP_EPOCH, MAP_COUNT);
    for (int64_t i = 0; i < MAP_COUNT; i++)
        ck_assert_int_eq(mlm__order_at(&order, i), map_order[i]);
}
END_TEST

START_TEST(masks_as_documented)
{
    static const int32_t offsets[] = {0, MAP_LENGTH};
    mlm_masker_options options;
    mlm_masker_options_init(&options, sizeof options);
    options.strategy = map_masks[_i].strategy;
    options.selection = map_masks[_i].selection;
    options.random_tokens = map_masks[_i].random_tokens;
    options.mlm_probability = map_masks[_i].p;
    options.seed = map_seed;
    mlm_tokenizer *tokenizer = letters_tokenizer(NULL);
    mlm_masker *masker;
    assert_ok(mlm_masker_create(NULL, tokenizer, &options, &masker));
    mlm_batch batch, masked;
    mlm_batch_init(&batch, sizeof batch);
    mlm_batch_init(&masked, sizeof masked);
    batch.B = 1;
    batch.position = map_position;
    batch.offsets = offsets;
    batch.input_ids = map_ids;
    assert_ok(mlm_masker_apply(masker, &batch, &masked));
    ck_assert_mem_eq(masked.labels, map_masks[_i].labels, sizeof map_masks[_i].labels);
    ck_assert_mem_eq(masked.input_ids, map_masks[_i].ids, sizeof map_masks[_i].ids);
    mlm_masker_free(masker);
    mlm_tokenizer_free(tokenizer);
}
END_TEST

Suite *random_map_suite(void)
{
    Suite *suite = suite_create("random map");
    TCase *tests = tcase_create("random map");
    tcase_add_test(tests, order_as_documented);
    tcase_add_loop_test(tests, masks_as_documented, 0, sizeof map_masks / sizeof map_masks[0]);
    suite_add_tcase(suite, tests);
    return suite;
}
