#include <fenv.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "encoder/config.h"
#include "files/directory.h"
#include "encoder_tests.h"

START_TEST(defaults_are_bert_base)
{
    mlm_encoder_config config;
    mlm_encoder_config_init(&config, sizeof config);
    ck_assert_int_eq(config.vocab_size, 30522);
    ck_assert_int_eq(config.hidden_size, 768);
    ck_assert_int_eq(config.num_hidden_layers, 12);
    ck_assert_int_eq(config.num_attention_heads, 12);
    ck_assert_int_eq(config.intermediate_size, 3072);
    ck_assert_int_eq(config.max_position_embeddings, 512);
    ck_assert_int_eq(config.type_vocab_size, 2);
    ck_assert_int_eq(config.hidden_act, MLM_GELU);
    ck_assert_int_eq(config.sentence_head, 0);
    ck_assert_int_eq(config.pad_token_id, 0);
    ck_assert_double_eq(config.hidden_dropout_prob, 0.1);
    ck_assert_double_eq(config.attention_probs_dropout_prob, 0.1);
    ck_assert_double_eq(config.layer_norm_eps, 1e-12);
    ck_assert_double_eq(config.initializer_range, 0.02);
}
END_TEST

START_TEST(the_rounding_mode_does_not_change_a_file_s_numbers)
{
    static const char text[] = "{\"hidden_dropout_prob\": 0.1, \"initializer_range\": 0.02}";
    const char *path = test_path(test_folder(), "config.json");
    test_write_file(path, text, sizeof text - 1);
    mlm_encoder_config config;
    mlm_encoder_config_init(&config, sizeof config);
    fesetround(FE_DOWNWARD);
    mlm_status status = mlm_encoder_config_load(NULL, path, &config);
    fesetround(FE_TONEAREST);
    assert_ok(status);
    ck_assert_double_eq(config.hidden_dropout_prob, 0.1);
    ck_assert_double_eq(config.initializer_range, 0.02);
}
END_TEST

static const struct {
    size_t offset;
    int32_t value;
    const char *message;
} wrong_integers[] = {
    {offsetof(mlm_encoder_config, vocab_size), 0, "config: vocab_size is 0, not in 1 to"},
    {offsetof(mlm_encoder_config, hidden_size), -768, "config: hidden_size is -768"},
    {offsetof(mlm_encoder_config, hidden_size), 100,
        "config: hidden_size 100 is not a multiple of num_attention_heads 12"},
    {offsetof(mlm_encoder_config, hidden_size), INT32_MAX, "config: hidden_size is 2147483647"},
    {offsetof(mlm_encoder_config, num_hidden_layers), 0, "config: num_hidden_layers is 0"},
    {offsetof(mlm_encoder_config, num_hidden_layers), 1 << 30, "config: num_hidden_layers is"},
    {offsetof(mlm_encoder_config, num_attention_heads), 0, "config: num_attention_heads is 0"},
    {offsetof(mlm_encoder_config, intermediate_size), 0, "config: intermediate_size is 0"},
    {offsetof(mlm_encoder_config, max_position_embeddings), 0, "config: max_position_embeddings"},
    {offsetof(mlm_encoder_config, max_position_embeddings), 200000,
        "max_position_embeddings is 200000, with hidden_size 768 more than dropout can number"},
    {offsetof(mlm_encoder_config, type_vocab_size), 0, "config: type_vocab_size is 0"},
    {offsetof(mlm_encoder_config, hidden_act), 4, "config: hidden_act is 4, not in 0 to 3"},
    {offsetof(mlm_encoder_config, sentence_head), 2, "config: sentence_head is 2"},
    {offsetof(mlm_encoder_config, pad_token_id), 30522,
        "config: pad_token_id is 30522, vocab_size is 30522"},
    {offsetof(mlm_encoder_config, pad_token_id), -2, "config: pad_token_id is -2"},
};

START_TEST(a_wrong_integer_is_named)
{
    mlm_encoder_config config, read;
    mlm_encoder_config_init(&config, sizeof config);
    memcpy((char *)&config + wrong_integers[_i].offset, &wrong_integers[_i].value, sizeof(int32_t));
    assert_error(
        mlm__encoder_config_read(&config, &read), MLM_ERR_ARGUMENT, wrong_integers[_i].message);
}
END_TEST

static const struct {
    size_t offset;
    double value;
    const char *message;
} wrong_fractions[] = {
    {offsetof(mlm_encoder_config, hidden_dropout_prob), 1,
        "hidden_dropout_prob is 1, not in [0,1)"},
    {offsetof(mlm_encoder_config, hidden_dropout_prob), NAN, "hidden_dropout_prob is"},
    {offsetof(mlm_encoder_config, attention_probs_dropout_prob), -0.1,
        "attention_probs_dropout_prob is -0.1"},
    {offsetof(mlm_encoder_config, layer_norm_eps), 0, "layer_norm_eps is 0"},
    {offsetof(mlm_encoder_config, layer_norm_eps), INFINITY, "layer_norm_eps is inf"},
    {offsetof(mlm_encoder_config, initializer_range), -1, "initializer_range is -1"},
    {offsetof(mlm_encoder_config, initializer_range), NAN, "initializer_range is"},
};

START_TEST(a_wrong_fraction_is_named)
{
    mlm_encoder_config config, read;
    mlm_encoder_config_init(&config, sizeof config);
    memcpy(
        (char *)&config + wrong_fractions[_i].offset, &wrong_fractions[_i].value, sizeof(double));
    assert_error(
        mlm__encoder_config_read(&config, &read), MLM_ERR_ARGUMENT, wrong_fractions[_i].message);
}
END_TEST

START_TEST(a_model_larger_than_memory_is_refused)
{
    mlm_encoder_config config, read;
    mlm_encoder_config_init(&config, sizeof config);
    config.hidden_size = 1 << 20;
    config.num_attention_heads = 1 << 10;
    config.num_hidden_layers = 1024;
    config.intermediate_size = INT32_MAX;
    assert_error(
        mlm__encoder_config_read(&config, &read), MLM_ERR_SHAPE, "more than memory can address");
}
END_TEST

START_TEST(structs_of_other_lengths_are_read)
{
    mlm_encoder_config config = {.struct_size = 8, .vocab_size = 77}, read;
    assert_ok(mlm__encoder_config_read(&config, &read));
    ck_assert_int_eq(read.vocab_size, 77);
    ck_assert_int_eq(read.hidden_size, 768);
    config.struct_size = 0;
    assert_status(mlm__encoder_config_read(&config, &read), MLM_ERR_ARGUMENT);
    mlm_encoder_config_init(&config, sizeof config);
    config.untied_word_embeddings = 2;
    assert_error(mlm__encoder_config_read(&config, &read), MLM_ERR_ARGUMENT,
        "untied_word_embeddings is 2, not in 0 to 1");
    assert_ok(mlm__encoder_config_read(NULL, &read));
    ck_assert_int_eq(read.vocab_size, 30522);
}
END_TEST

/* config.json with this text, over BERT-base's values. */
static mlm_status load_text(const char *text, mlm_encoder_config *config)
{
    const char *folder = test_folder();
    test_write_file(test_path(folder, "config.json"), text, strlen(text));
    mlm_encoder_config_init(config, sizeof *config);
    return mlm_encoder_config_load(NULL, folder, config);
}

START_TEST(what_transformers_wrote_is_read)
{
    mlm_encoder_config config;
    mlm_encoder_config_init(&config, sizeof config);
    assert_ok(mlm_encoder_config_load(NULL, fixture_folder("pre_training"), &config));
    ck_assert_int_eq(config.vocab_size, 40);
    ck_assert_int_eq(config.hidden_size, 16);
    ck_assert_int_eq(config.num_hidden_layers, 2);
    ck_assert_int_eq(config.num_attention_heads, 2);
    ck_assert_int_eq(config.intermediate_size, 24);
    ck_assert_int_eq(config.max_position_embeddings, 12);
    ck_assert_int_eq(config.type_vocab_size, 2);
    ck_assert_int_eq(config.hidden_act, MLM_GELU_TANH);
    ck_assert_int_eq(config.sentence_head, 1);
    ck_assert_int_eq(config.pad_token_id, 0);
    ck_assert_double_eq(config.layer_norm_eps, 1e-12);
    const char *file = test_path(fixture_folder("masked"), "config.json");
    assert_ok(mlm_encoder_config_load(NULL, file, &config));
    ck_assert_int_eq(config.sentence_head, 0);
    ck_assert_int_eq(config.hidden_act, MLM_GELU);
}
END_TEST

START_TEST(absent_members_stay)
{
    mlm_encoder_config config;
    mlm_encoder_config_init(&config, sizeof config);
    config.vocab_size = 500;
    config.sentence_head = 1;
    const char *path = test_path(test_folder(), "shape.json");
    test_write_file(path, "{\"hidden_size\": 24}", 19);
    assert_ok(mlm_encoder_config_load(NULL, path, &config));
    ck_assert_int_eq(config.vocab_size, 500);
    ck_assert_int_eq(config.hidden_size, 24);
    ck_assert_int_eq(config.sentence_head, 1);
}
END_TEST

START_TEST(a_missing_file_is_not_found)
{
    mlm_encoder_config config = small_config(), before = config;
    assert_error(
        mlm_encoder_config_load(NULL, test_folder(), &config), MLM_ERR_NOT_FOUND, "config.json");
    ck_assert_mem_eq(&config, &before, sizeof config);
    assert_status(mlm_encoder_config_load(NULL, NULL, &config), MLM_ERR_ARGUMENT);
    assert_status(mlm_encoder_config_load(NULL, test_folder(), NULL), MLM_ERR_ARGUMENT);
}
END_TEST

static const struct {
    const char *text;
    mlm_status status;
    const char *message;
} refused[] = {
    {"", MLM_ERR_FORMAT, "config.json:"},
    {"[]", MLM_ERR_FORMAT, "config.json: not an object"},
    {"{\"hidden_size\": 768,", MLM_ERR_FORMAT, "config.json:1:"},
    {"{\"hidden_size\": -1}", MLM_ERR_FORMAT, "hidden_size"},
    {"{\"hidden_size\": 1e3}", MLM_ERR_FORMAT, "hidden_size"},
    {"{\"hidden_size\": \"768\"}", MLM_ERR_FORMAT, "hidden_size"},
    {"{\"hidden_size\": 770}", MLM_ERR_FORMAT, "hidden_size 770 is not a multiple"},
    {"{\"vocab_size\": 4294967296}", MLM_ERR_FORMAT, "vocab_size"},
    {"{\"vocab_size\": 1e999}", MLM_ERR_FORMAT, "config.json:"},
    {"{\"num_hidden_layers\": 2000000000}", MLM_ERR_FORMAT, "num_hidden_layers"},
    {"{\"layer_norm_eps\": \"1e-12\"}", MLM_ERR_FORMAT, "layer_norm_eps"},
    {"{\"layer_norm_eps\": 0}", MLM_ERR_FORMAT, "layer_norm_eps is 0"},
    {"{\"hidden_dropout_prob\": 1.5}", MLM_ERR_FORMAT, "hidden_dropout_prob"},
    {"{\"pad_token_id\": 30522}", MLM_ERR_FORMAT, "pad_token_id"},
    {"{\"pad_token_id\": -1}", MLM_ERR_FORMAT, "pad_token_id"},
    {"{\"hidden_act\": 1}", MLM_ERR_FORMAT, "hidden_act"},
    {"{\"hidden_act\": \"mish\"}", MLM_ERR_UNSUPPORTED, "hidden_act: \"mish\""},
    {"{\"architectures\": \"BertForMaskedLM\"}", MLM_ERR_FORMAT, "architectures"},
    {"{\"architectures\": [7]}", MLM_ERR_FORMAT, "architectures[0]"},
    {"{\"model_type\": \"roberta\"}", MLM_ERR_UNSUPPORTED, "model_type: \"roberta\""},
    {"{\"position_embedding_type\": \"relative_key\"}", MLM_ERR_UNSUPPORTED,
        "position_embedding_type: \"relative_key\""},
    {"{\"is_decoder\": true}", MLM_ERR_UNSUPPORTED, "is_decoder: true"},
    {"{\"add_cross_attention\": true}", MLM_ERR_UNSUPPORTED, "add_cross_attention: true"},
    {"{\"tie_word_embeddings\": 1}", MLM_ERR_FORMAT, "tie_word_embeddings"},
};

START_TEST(a_hostile_file_is_refused)
{
    mlm_encoder_config config;
    assert_error(load_text(refused[_i].text, &config), refused[_i].status, refused[_i].message);
}
END_TEST

static const struct {
    const char *name;
    int32_t value;
} names[] = {
    {"gelu", MLM_GELU},
    {"gelu_python", MLM_GELU},
    {"gelu_new", MLM_GELU_TANH},
    {"gelu_pytorch_tanh", MLM_GELU_TANH},
    {"gelu_fast", MLM_GELU_TANH},
    {"gelu_accurate", MLM_GELU_TANH},
    {"gelu_python_tanh", MLM_GELU_TANH},
    {"relu", MLM_RELU},
    {"silu", MLM_SILU},
    {"swish", MLM_SILU},
};

START_TEST(activations_have_several_names)
{
    char text[64];
    mlm_encoder_config config;
    snprintf(text, sizeof text, "{\"hidden_act\": \"%s\"}", names[_i].name);
    assert_ok(load_text(text, &config));
    ck_assert_int_eq(config.hidden_act, names[_i].value);
}
END_TEST

/* A parser that calls itself must not run out of stack. */
START_TEST(deep_nesting_is_refused)
{
    enum { DEEP = 200000 };
    mlm_encoder_config config;
    char *text = malloc(DEEP + 8);
    ck_assert_ptr_nonnull(text);
    memcpy(text, "{\"a\": ", 6);
    memset(text + 6, '[', DEEP);
    text[6 + DEEP] = 0;
    assert_error(load_text(text, &config), MLM_ERR_FORMAT, "config.json:1:");
    free(text);
}
END_TEST

START_TEST(no_pad_token_is_null)
{
    mlm_encoder_config config;
    assert_ok(load_text("{\"pad_token_id\": null}", &config));
    ck_assert_int_eq(config.pad_token_id, -1);
}
END_TEST

START_TEST(what_is_written_reads_the_same)
{
    mlm_encoder_config config = small_config(), read;
    config.hidden_act = (int32_t)_i;
    config.sentence_head = _i & 1;
    config.pad_token_id = _i == 0 ? -1 : 7;
    config.untied_word_embeddings = _i / 2;
    config.hidden_dropout_prob = 0.12345678901234567;
    config.attention_probs_dropout_prob = 0;
    config.layer_norm_eps = 1e-5;
    config.initializer_range = 1.0 / 3;
    const char *folder = test_folder();
    mlm__directory *directory;
    mlm_runtime *runtime = threads_runtime(1);
    assert_ok(mlm__directory_begin(runtime, folder, MLM__REPLACE_FILES, &directory));
    assert_ok(mlm__encoder_config_write(&config, directory, MLM_F32));
    assert_ok(mlm__directory_commit(directory));
    mlm_encoder_config_init(&read, sizeof read);
    assert_ok(mlm_encoder_config_load(runtime, folder, &read));
    ck_assert_mem_eq(&config, &read, sizeof read);
    mlm_runtime_free(runtime);
}
END_TEST

START_TEST(a_difference_is_named)
{
    mlm_encoder_config ours = small_config(), theirs = ours;
    assert_ok(mlm__encoder_config_compare(&ours, &theirs, "DIR"));
    theirs.num_attention_heads = 4;
    assert_error(mlm__encoder_config_compare(&ours, &theirs, "DIR"), MLM_ERR_MISMATCH,
        "DIR: num_attention_heads is 4, the encoder has 2");
    theirs = ours;
    theirs.layer_norm_eps = 1e-5;
    assert_error(mlm__encoder_config_compare(&ours, &theirs, "DIR"), MLM_ERR_MISMATCH,
        "DIR: layer_norm_eps is 1e-05");
}
END_TEST

Suite *config_suite(void)
{
    Suite *suite = suite_create("config");
    TCase *values = tcase_create("values");
    tcase_add_test(values, defaults_are_bert_base);
    tcase_add_test(values, the_rounding_mode_does_not_change_a_file_s_numbers);
    tcase_add_loop_test(
        values, a_wrong_integer_is_named, 0, (int)(sizeof wrong_integers / sizeof *wrong_integers));
    tcase_add_loop_test(values, a_wrong_fraction_is_named, 0,
        (int)(sizeof wrong_fractions / sizeof *wrong_fractions));
    tcase_add_test(values, a_model_larger_than_memory_is_refused);
    tcase_add_test(values, structs_of_other_lengths_are_read);
    tcase_add_test(values, a_difference_is_named);
    suite_add_tcase(suite, values);
    TCase *file = tcase_create("file");
    tcase_add_test(file, what_transformers_wrote_is_read);
    tcase_add_test(file, absent_members_stay);
    tcase_add_test(file, a_missing_file_is_not_found);
    tcase_add_loop_test(
        file, a_hostile_file_is_refused, 0, (int)(sizeof refused / sizeof *refused));
    tcase_add_loop_test(
        file, activations_have_several_names, 0, (int)(sizeof names / sizeof *names));
    tcase_add_test(file, deep_nesting_is_refused);
    tcase_add_test(file, no_pad_token_is_null);
    tcase_add_loop_test(file, what_is_written_reads_the_same, 0, 4);
    suite_add_tcase(suite, file);
    return suite;
}
