#include <pthread.h>
#include <stdlib.h>

#include "encoder/encoder.h"
#include "encoder_fixture.h"
#include "encoder_tests.h"
#include "files/directory.h"

START_TEST(arguments_are_checked)
{
    mlm_encoder_config config = small_config();
    mlm_encoder *encoder = (mlm_encoder *)&config;
    assert_status(mlm_encoder_create(NULL, &config, NULL, NULL), MLM_ERR_ARGUMENT);
    config.hidden_size = 17;
    assert_error(
        mlm_encoder_create(NULL, &config, NULL, &encoder), MLM_ERR_ARGUMENT, "hidden_size 17");
    ck_assert_ptr_null(encoder);
    assert_error(mlm_encoder_load(NULL, NULL, NULL, &encoder), MLM_ERR_ARGUMENT,
        "mlm_encoder_load: directory is NULL");
    assert_error(
        mlm_encoder_load(NULL, test_folder(), NULL, &encoder), MLM_ERR_NOT_FOUND, "config.json");
    ck_assert_ptr_null(encoder);
    assert_error(mlm_encoder_share(NULL, NULL, &encoder), MLM_ERR_ARGUMENT,
        "mlm_encoder_share: encoder is NULL");
    assert_status(mlm_encoder_save(NULL, test_folder(), MLM_F32), MLM_ERR_ARGUMENT);
    ck_assert_uint_eq(mlm_encoder_tensor_count(NULL), 0);
    mlm_encoder_free(NULL);
}
END_TEST

START_TEST(options_are_checked)
{
    mlm_encoder_config config = small_config();
    mlm_encoder *encoder;
    mlm_encoder_options options;
    mlm_encoder_options_init(&options, sizeof options);
    options.precision = MLM_F64;
    assert_error(
        mlm_encoder_create(NULL, &config, &options, &encoder), MLM_ERR_ARGUMENT, "precision is 2");
    assert_error(mlm_encoder_load(NULL, fixture_folder("masked"), &options, &encoder),
        MLM_ERR_ARGUMENT, "precision is 2");
    options.precision = MLM_F32;
    options.sentence_head = 2;
    assert_error(mlm_encoder_load(NULL, fixture_folder("masked"), &options, &encoder),
        MLM_ERR_ARGUMENT, "sentence_head is 2");
    options.sentence_head = 0;
    options.reserved0 = 1;
    assert_error(mlm_encoder_load(NULL, fixture_folder("masked"), &options, &encoder),
        MLM_ERR_UNSUPPORTED, "reserved0");
}
END_TEST

/* Of a masked LM too; one that the file has is read, whatever config.json says. */
START_TEST(a_sentence_head_on_demand)
{
    static const char *const folders[] = {"masked", "pre_training"};
    mlm_encoder_options options;
    mlm_encoder_options_init(&options, sizeof options);
    options.sentence_head = 1;
    for (int i = 0; i < 2; i++) {
        mlm_encoder *with, *plain;
        mlm_encoder_config config;
        mlm_encoder_config_init(&config, sizeof config);
        assert_ok(mlm_encoder_load(NULL, fixture_folder(folders[i]), &options, &with));
        assert_ok(mlm_encoder_load(NULL, fixture_folder(folders[i]), NULL, &plain));
        assert_ok(mlm_encoder_get_config(with, &config));
        ck_assert_int_eq(config.sentence_head, 1);
        ck_assert_uint_eq(
            mlm_encoder_tensor_count(with), mlm_encoder_tensor_count(plain) + (i ? 0 : 4));
        mlm_encoder_free(with);
        mlm_encoder_free(plain);
    }
}
END_TEST

static void *modest_alloc(void *user, size_t size, size_t alignment)
{
    size_t *largest = user;
    *largest = size > *largest ? size : *largest;
    return size < 1 << 20 ? aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment)
                          : NULL;
}

static void modest_release(void *user, void *memory, size_t size)
{
    (void)user;
    (void)size;
    free(memory);
}

/* 2^31 - 1 embeddings of 2^20 floats: the whole size is asked for, not what is left of it. */
START_TEST(absurd_sizes_are_no_overflow)
{
    size_t largest = 0;
    mlm_runtime_options options;
    mlm_runtime_options_init(&options, sizeof options);
    options.threads = 1;
    options.user = &largest;
    options.alloc = modest_alloc;
    options.release = modest_release;
    mlm_runtime *runtime;
    assert_ok(mlm_runtime_create(&options, &runtime));
    mlm_encoder_config config = small_config();
    config.vocab_size = INT32_MAX;
    config.hidden_size = 1 << 20;
    config.num_attention_heads = 1 << 14;
    mlm_encoder *encoder;
    assert_status(mlm_encoder_create(runtime, &config, NULL, &encoder), MLM_ERR_MEMORY);
    ck_assert_ptr_null(encoder);
    ck_assert_uint_gt(largest, (size_t)INT32_MAX * 4 << 20);
    mlm_runtime_free(runtime);
}
END_TEST

START_TEST(the_config_comes_back)
{
    mlm_encoder_config config = small_config(), got;
    config.initializer_range = 0.25;
    mlm_encoder *encoder;
    assert_ok(mlm_encoder_create(NULL, &config, NULL, &encoder));
    mlm_encoder_config_init(&got, sizeof got);
    assert_ok(mlm_encoder_get_config(encoder, &got));
    ck_assert_mem_eq(&got, &config, sizeof got);
    /* An older caller's shorter struct is not written beyond its end. */
    memset(&got, 0x55, sizeof got);
    got.struct_size = 8;
    assert_ok(mlm_encoder_get_config(encoder, &got));
    ck_assert_int_eq(got.vocab_size, FIXTURE_V);
    ck_assert_int_eq(got.hidden_size, 0x55555555);
    assert_status(mlm_encoder_get_config(encoder, NULL), MLM_ERR_ARGUMENT);
    mlm_encoder_free(encoder);
}
END_TEST

START_TEST(tensors_are_got_and_set)
{
    mlm_encoder *encoder = fixture_encoder(NULL, "masked");
    mlm_tensor tensor;
    mlm_tensor_init(&tensor, sizeof tensor);
    ck_assert_uint_eq(mlm_encoder_tensor_count(encoder), 42);
    assert_ok(mlm_encoder_get_tensor(encoder, 0, &tensor));
    ck_assert_str_eq(tensor.name, "bert.embeddings.word_embeddings.weight");
    ck_assert_int_eq(tensor.ndim, 2);
    ck_assert_int_eq(tensor.shape[0], FIXTURE_V);
    ck_assert_int_eq(tensor.shape[1], FIXTURE_H);
    float values[FIXTURE_H];
    for (int i = 0; i < FIXTURE_H; i++)
        values[i] = (float)i;
    assert_ok(mlm_encoder_get_tensor(encoder, 3, &tensor));
    ck_assert_str_eq(tensor.name, "bert.embeddings.LayerNorm.weight");
    ck_assert_int_eq(tensor.ndim, 1);
    ck_assert_int_eq(tensor.shape[0], FIXTURE_H);
    assert_ok(mlm_encoder_set_tensor(encoder, 3, values, FIXTURE_H));
    assert_ok(mlm_encoder_get_tensor(encoder, 3, &tensor));
    ck_assert_mem_eq(tensor.data, values, sizeof values);
    /* A view of a tensor is a source, too. */
    assert_ok(mlm_encoder_set_tensor(encoder, 3, tensor.data, FIXTURE_H));
    ck_assert_mem_eq(tensor.data, values, sizeof values);
    assert_error(mlm_encoder_set_tensor(encoder, 3, values, FIXTURE_H - 1), MLM_ERR_SHAPE,
        "bert.embeddings.LayerNorm.weight has 16 numbers, not 15");
    assert_error(mlm_encoder_get_tensor(encoder, 42, &tensor), MLM_ERR_ARGUMENT,
        "index is 42, there are 42 tensors");
    assert_status(mlm_encoder_set_tensor(encoder, 42, values, 1), MLM_ERR_ARGUMENT);
    assert_status(mlm_encoder_set_tensor(encoder, 3, NULL, FIXTURE_H), MLM_ERR_ARGUMENT);
    assert_status(mlm_encoder_get_tensor(encoder, 3, NULL), MLM_ERR_ARGUMENT);
    mlm_encoder_free(encoder);
}
END_TEST

START_TEST(saved_and_loaded_is_the_same)
{
    mlm_encoder *encoder = fixture_encoder(NULL, "pre_training"), *loaded;
    const char *folder = test_path(test_folder(), "new");
    assert_ok(mlm_encoder_save(encoder, folder, MLM_F32));
    assert_ok(mlm_encoder_load(NULL, folder, NULL, &loaded));
    size_t count, loaded_count;
    float *values = all_parameters(encoder, &count);
    float *loaded_values = all_parameters(loaded, &loaded_count);
    ck_assert_uint_eq(count, loaded_count);
    ck_assert_mem_eq(values, loaded_values, count * sizeof *values);
    free(values);
    free(loaded_values);
    assert_error(mlm_encoder_save(encoder, folder, MLM_I64), MLM_ERR_ARGUMENT, "dtype is 3");
    assert_status(mlm_encoder_save(encoder, NULL, MLM_F32), MLM_ERR_ARGUMENT);
    assert_status(mlm_encoder_save(encoder, "/proc/no/such", MLM_F32), MLM_ERR_NOT_FOUND);
    mlm_encoder_free(encoder);
    mlm_encoder_free(loaded);
}
END_TEST

START_TEST(a_share_sees_changes_and_outlives)
{
    mlm_runtime *other = threads_runtime(2);
    mlm_encoder *encoder = fixture_encoder(NULL, "masked"), *share;
    assert_ok(mlm_encoder_share(encoder, other, &share));
    mlm_runtime_free(other);
    float values[FIXTURE_H] = {0};
    assert_ok(mlm_encoder_set_tensor(encoder, 4, values, FIXTURE_H));
    mlm_tensor tensor;
    mlm_tensor_init(&tensor, sizeof tensor);
    assert_ok(mlm_encoder_get_tensor(share, 4, &tensor));
    ck_assert_mem_eq(tensor.data, values, sizeof values);
    mlm_encoder_free(encoder);
    mlm_batch batch = fixture_batch();
    float hidden[FIXTURE_N * FIXTURE_H];
    assert_ok(mlm_encoder_forward(share, &batch, -1, hidden));
    mlm_encoder_free(share);
}
END_TEST

typedef struct visitor {
    pthread_t thread;
    mlm_encoder *encoder;
    mlm_status status;
    float losses[FIXTURE_M];
} visitor;

static void *visit(void *context)
{
    visitor *self = context;
    mlm_batch batch = fixture_batch();
    for (int i = 0; i < 50 && self->status == MLM_OK; i++)
        self->status = mlm_encoder_losses(self->encoder, &batch, self->losses);
    return NULL;
}

/* Eight threads on one model, with one runtime between them, and the bytes of one alone. */
START_TEST(shares_compute_at_once)
{
    enum { VISITORS = 8 };
    mlm_runtime *runtime = threads_runtime(2);
    mlm_encoder *encoder = fixture_encoder(runtime, "masked");
    float alone[FIXTURE_M];
    mlm_batch batch = fixture_batch();
    assert_ok(mlm_encoder_losses(encoder, &batch, alone));
    visitor visitors[VISITORS] = {{.status = MLM_OK}};
    for (int i = 0; i < VISITORS; i++)
        assert_ok(mlm_encoder_share(encoder, runtime, &visitors[i].encoder));
    for (int i = 0; i < VISITORS; i++)
        ck_assert_int_eq(pthread_create(&visitors[i].thread, NULL, visit, &visitors[i]), 0);
    for (int i = 0; i < VISITORS; i++) {
        pthread_join(visitors[i].thread, NULL);
        assert_ok(visitors[i].status);
        ck_assert_mem_eq(visitors[i].losses, alone, sizeof alone);
        mlm_encoder_free(visitors[i].encoder);
    }
    mlm_encoder_free(encoder);
    mlm_runtime_free(runtime);
}
END_TEST

/* What the trainer uses: written into an open directory and read back over other values. */
START_TEST(a_checkpoint_comes_back)
{
    mlm_runtime *runtime = threads_runtime(1);
    mlm_encoder *encoder = fixture_encoder(runtime, "masked"), *other;
    mlm_encoder_config config;
    mlm_encoder_config_init(&config, sizeof config);
    assert_ok(mlm_encoder_get_config(encoder, &config));
    assert_ok(mlm_encoder_create(runtime, &config, NULL, &other));
    const char *folder = test_folder();
    mlm__directory *directory;
    assert_ok(mlm__directory_begin(runtime, folder, MLM__REPLACE_FILES, &directory));
    assert_ok(mlm__model_write(encoder->model, directory, MLM_F32));
    assert_ok(mlm__directory_commit(directory));
    float *read;
    assert_ok(mlm__model_read(other->model, folder, &read));
    mlm__model_put(other->model, read);
    ck_assert_mem_eq(encoder->model->parameters, other->model->parameters,
        encoder->model->layout->size * sizeof(float));
    mlm_encoder *retained = mlm__encoder_retain(other);
    mlm_encoder_free(other);
    ck_assert_uint_eq(mlm_encoder_tensor_count(retained), 42);
    mlm_encoder_free(retained);
    mlm_encoder_free(encoder);
    mlm_runtime_free(runtime);
}
END_TEST

Suite *handle_suite(void)
{
    Suite *suite = suite_create("handle");
    TCase *tests = tcase_create("handle");
    tcase_add_test(tests, arguments_are_checked);
    tcase_add_test(tests, options_are_checked);
    tcase_add_test(tests, a_sentence_head_on_demand);
    tcase_add_test(tests, absurd_sizes_are_no_overflow);
    tcase_add_test(tests, the_config_comes_back);
    tcase_add_test(tests, tensors_are_got_and_set);
    tcase_add_test(tests, saved_and_loaded_is_the_same);
    tcase_add_test(tests, a_share_sees_changes_and_outlives);
    tcase_add_test(tests, shares_compute_at_once);
    tcase_add_test(tests, a_checkpoint_comes_back);
    suite_add_tcase(suite, tests);
    return suite;
}
