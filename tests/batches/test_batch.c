#include <limits.h>
#include <stddef.h>
#include <string.h>

#include "batches/batch.h"
#include "batches_suites.h"
#include "support/support.h"

static const mlm__batch_limits limits = {.V = 100, .type_vocab_size = 2, .T = 4};

/* Two sequences, of three tokens and of one. */
typedef struct sample {
    int32_t offsets[3], ids[4], types[4], labels[4], sentence_labels[2];
    mlm_batch batch;
} sample;

static void make_sample(sample *s)
{
    *s = (sample){.offsets = {0, 3, 4},
        .ids = {0, 99, 5, 7},
        .types = {0, 1, 1, 0},
        .labels = {MLM_NO_LABEL, 0, 99, MLM_NO_LABEL},
        .sentence_labels = {0, 1}};
    mlm_batch_init(&s->batch, sizeof s->batch);
    s->batch.B = 2;
    s->batch.position = 17;
    s->batch.offsets = s->offsets;
    s->batch.input_ids = s->ids;
    s->batch.token_type_ids = s->types;
    s->batch.labels = s->labels;
    s->batch.sentence_labels = s->sentence_labels;
}

START_TEST(a_good_batch_is_read_as_it_is)
{
    sample s;
    mlm_batch read;
    make_sample(&s);
    assert_ok(mlm__batch_read(&s.batch, &limits, &read));
    ck_assert_mem_eq(&read, &s.batch, sizeof read);
}
END_TEST

/* What can be wrong, each by itself: where, the value, and what is said. */
static const struct {
    size_t place;
    int32_t value;
    mlm_status status;
    const char *part;
} wrongs[] = {
    {offsetof(sample, offsets[0]), 1, MLM_ERR_ARGUMENT, "offsets[0] is 1"},
    {offsetof(sample, offsets[0]), -1, MLM_ERR_ARGUMENT, "offsets[0] is -1"},
    {offsetof(sample, offsets[1]), 5, MLM_ERR_SHAPE, "sequence 0 has 5 tokens"},
    {offsetof(sample, offsets[1]), INT32_MAX, MLM_ERR_SHAPE, "sequence 0"},
    {offsetof(sample, offsets[1]), 0, MLM_ERR_ARGUMENT, "sequence 0 is empty"},
    {offsetof(sample, offsets[1]), -7, MLM_ERR_ARGUMENT, "offsets[1] is -7"},
    {offsetof(sample, offsets[1]), INT32_MIN, MLM_ERR_ARGUMENT, "offsets[1]"},
    {offsetof(sample, offsets[2]), 2, MLM_ERR_ARGUMENT, "offsets[2] is 2"},
    {offsetof(sample, offsets[2]), 3, MLM_ERR_ARGUMENT, "sequence 1 is empty"},
    {offsetof(sample, ids[1]), 100, MLM_ERR_ARGUMENT, "input_ids[1] is 100, vocabulary has 100"},
    {offsetof(sample, ids[3]), -1, MLM_ERR_ARGUMENT, "input_ids[3] is -1"},
    {offsetof(sample, types[2]), 2, MLM_ERR_ARGUMENT, "token_type_ids[2] is 2"},
    {offsetof(sample, types[0]), -1, MLM_ERR_ARGUMENT, "token_type_ids[0] is -1"},
    {offsetof(sample, labels[0]), 100, MLM_ERR_ARGUMENT, "labels[0] is 100"},
    {offsetof(sample, labels[0]), -1, MLM_ERR_ARGUMENT, "labels[0] is -1"},
    {offsetof(sample, sentence_labels[1]), 2, MLM_ERR_ARGUMENT, "sentence_labels[1] is 2"},
    {offsetof(sample, sentence_labels[0]), -1, MLM_ERR_ARGUMENT, "sentence_labels[0] is -1"},
    {offsetof(sample, batch.B), -1, MLM_ERR_ARGUMENT, "B is -1"},
    {offsetof(sample, batch.struct_size), 0, MLM_ERR_ARGUMENT, "struct_size"},
};

START_TEST(what_is_wrong_is_named)
{
    sample s;
    mlm_batch read;
    make_sample(&s);
    memcpy((char *)&s + wrongs[_i].place, &wrongs[_i].value, sizeof wrongs[_i].value);
    assert_error(mlm__batch_read(&s.batch, &limits, &read), wrongs[_i].status, wrongs[_i].part);
}
END_TEST

START_TEST(pointers_and_position)
{
    sample s;
    mlm_batch read;
    make_sample(&s);
    assert_error(mlm__batch_read(NULL, &limits, &read), MLM_ERR_ARGUMENT, "batch is NULL");
    s.batch.offsets = NULL;
    assert_error(mlm__batch_read(&s.batch, &limits, &read), MLM_ERR_ARGUMENT, "offsets is NULL");
    make_sample(&s);
    s.batch.input_ids = NULL;
    assert_error(mlm__batch_read(&s.batch, &limits, &read), MLM_ERR_ARGUMENT, "input_ids is NULL");
    make_sample(&s);
    s.batch.reserved0 = &s;
    assert_error(mlm__batch_read(&s.batch, &limits, &read), MLM_ERR_UNSUPPORTED, "reserved0");
    make_sample(&s);
    s.batch.position = -1;
    assert_error(mlm__batch_read(&s.batch, &limits, &read), MLM_ERR_ARGUMENT, "position is -1");
    s.batch.position = INT64_MAX - 1;
    assert_error(mlm__batch_read(&s.batch, &limits, &read), MLM_ERR_ARGUMENT, "position");
    s.batch.position = INT64_MAX - 2;
    assert_ok(mlm__batch_read(&s.batch, &limits, &read));
}
END_TEST

START_TEST(labels_that_are_needed)
{
    sample s;
    mlm_batch read;
    mlm__batch_limits training = limits;
    training.need_labels = true;
    make_sample(&s);
    assert_ok(mlm__batch_read(&s.batch, &training, &read));
    s.batch.labels = NULL;
    assert_ok(mlm__batch_read(&s.batch, &limits, &read));
    assert_error(mlm__batch_read(&s.batch, &training, &read), MLM_ERR_ARGUMENT, "labels is NULL");
}
END_TEST

START_TEST(limits_that_are_not_known)
{
    sample s;
    mlm_batch read;
    mlm__batch_limits open = {.V = 100};
    make_sample(&s);
    s.types[1] = INT32_MAX - 1;
    s.offsets[1] = 1;
    assert_ok(mlm__batch_read(&s.batch, &open, &read));
    s.types[1] = -1;
    assert_error(mlm__batch_read(&s.batch, &open, &read), MLM_ERR_ARGUMENT, "token_type_ids[1]");
}
END_TEST

START_TEST(no_sequences)
{
    mlm_batch batch, read;
    mlm__batch_limits training = limits;
    training.need_labels = true;
    mlm_batch_init(&batch, sizeof batch);
    assert_ok(mlm__batch_read(&batch, &training, &read));
    ck_assert_int_eq(read.B, 0);
    ck_assert_int_eq(read.offsets[0], 0);
}
END_TEST

/* The struct of a caller that knows less, or more, than this library. */
START_TEST(other_struct_sizes)
{
    sample s;
    mlm_batch read;
    struct {
        mlm_batch batch;
        char later[16];
    } longer;
    make_sample(&s);
    s.batch.struct_size = offsetof(mlm_batch, labels);
    assert_ok(mlm__batch_read(&s.batch, &limits, &read));
    ck_assert_ptr_null(read.labels);
    ck_assert_ptr_null(read.sentence_labels);
    ck_assert_ptr_eq(read.token_type_ids, s.types);
    memset(&longer, 0, sizeof longer);
    longer.batch = s.batch;
    longer.batch.struct_size = sizeof longer;
    assert_ok(mlm__batch_read(&longer.batch, &limits, &read));
    longer.later[3] = 1;
    assert_error(mlm__batch_read(&longer.batch, &limits, &read), MLM_ERR_UNSUPPORTED, "mlm_batch");
    mlm_batch_init(&longer.batch, sizeof longer);
    ck_assert_uint_eq(longer.batch.struct_size, sizeof longer);
    ck_assert_int_eq(longer.later[3], 0);
}
END_TEST

Suite *batch_suite(void)
{
    Suite *suite = suite_create("batch");
    TCase *tests = tcase_create("batch");
    tcase_add_test(tests, a_good_batch_is_read_as_it_is);
    tcase_add_loop_test(tests, what_is_wrong_is_named, 0, sizeof wrongs / sizeof wrongs[0]);
    tcase_add_test(tests, pointers_and_position);
    tcase_add_test(tests, labels_that_are_needed);
    tcase_add_test(tests, limits_that_are_not_known);
    tcase_add_test(tests, no_sequences);
    tcase_add_test(tests, other_struct_sizes);
    suite_add_tcase(suite, tests);
    return suite;
}
