#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "encoder/model.h"
#include "encoder_fixture.h"
#include "encoder_tests.h"
#include "files/directory.h"
#include "files/safetensors.h"

/* Messages of the log, one a line. */
typedef struct messages {
    char text[2000];
} messages;

static void keep_message(void *user, int32_t level, const char *message)
{
    messages *kept = user;
    size_t length = strlen(kept->text);
    snprintf(kept->text + length, sizeof kept->text - length, "%d %s\n", level, message);
}

static mlm_runtime *logging_runtime(messages *kept)
{
    *kept = (messages){""};
    mlm_runtime_options options;
    mlm_runtime_options_init(&options, sizeof options);
    options.threads = 1;
    options.user = kept;
    options.log = keep_message;
    mlm_runtime *runtime;
    assert_ok(mlm_runtime_create(&options, &runtime));
    return runtime;
}

/* What a test makes of a model's file: tensors may be renamed, left out, reshaped, added. */
typedef struct variant {
    mlm__tensor_source tensors[64];
    char names[64][96];
    size_t count;
} variant;

static void variant_of(const mlm__model *model, variant *out)
{
    out->count = model->layout->count;
    for (size_t i = 0; i < out->count; i++) {
        const mlm__parameter *parameter = &model->layout->parameters[i];
        strcpy(out->names[i], parameter->name);
        out->tensors[i] = (mlm__tensor_source){out->names[i], parameter->ndim,
            {parameter->shape[0], parameter->shape[1]}, model->parameters + parameter->offset};
    }
}

static size_t variant_find(const variant *from, const char *name)
{
    for (size_t i = 0; i < from->count; i++)
        if (strcmp(from->names[i], name) == 0)
            return i;
    ck_abort_msg("no %s", name);
    return 0;
}

static mlm__tensor_source *variant_add(
    variant *to, const char *name, const mlm__tensor_source *like)
{
    mlm__tensor_source *tensor = &to->tensors[to->count];
    *tensor = *like;
    tensor->name = strcpy(to->names[to->count++], name);
    return tensor;
}

static void variant_remove(variant *from, const char *part)
{
    size_t kept = 0;
    for (size_t i = 0; i < from->count; i++) {
        if (strstr(from->names[i], part))
            continue;
        from->tensors[kept] = from->tensors[i];
        memmove(from->names[kept], from->names[i], sizeof from->names[i]);
        from->tensors[kept].name = from->names[kept];
        kept++;
    }
    from->count = kept;
}

/* The folder of a model with the fixture's config.json and these tensors. */
static const char *variant_save(mlm_runtime *runtime, const variant *from, const char *fixture)
{
    const char *folder = test_folder();
    size_t size;
    char *config = test_read_file(test_path(fixture_folder(fixture), "config.json"), &size);
    test_write_file(test_path(folder, "config.json"), config, size);
    free(config);
    mlm__directory *directory;
    assert_ok(mlm__directory_begin(runtime, folder, MLM__REPLACE_FILES, &directory));
    assert_ok(mlm__safetensors_write(
        directory, "model.safetensors", from->tensors, from->count, MLM__F32));
    assert_ok(mlm__directory_commit(directory));
    return folder;
}

/* Every test has the fixture "masked" or "pre_training" loaded, and a log. */
static messages log_of_test;
static mlm_runtime *runtime;
static mlm__model *masked, *pre_training;

static void setup(void)
{
    runtime = logging_runtime(&log_of_test);
    assert_ok(mlm__model_load(runtime, fixture_folder("masked"), 0, &masked));
    assert_ok(mlm__model_load(runtime, fixture_folder("pre_training"), 0, &pre_training));
}

static void teardown(void)
{
    mlm__model_free(masked);
    mlm__model_free(pre_training);
    mlm_runtime_free(runtime);
}

static void assert_same_parameters(const mlm__model *a, const mlm__model *b)
{
    ck_assert_uint_eq(a->layout->size, b->layout->size);
    ck_assert_mem_eq(a->parameters, b->parameters, a->layout->size * sizeof *a->parameters);
}

static const float *values_of(const mlm__model *model, const char *name)
{
    for (size_t i = 0; i < model->layout->count; i++)
        if (strcmp(model->layout->parameters[i].name, name) == 0)
            return model->parameters + model->layout->parameters[i].offset;
    ck_abort_msg("no %s", name);
    return NULL;
}

START_TEST(transformers_files_load_without_a_word)
{
    ck_assert_str_eq(log_of_test.text, "");
    ck_assert_uint_eq(masked->layout->count, 42);
    ck_assert_uint_eq(pre_training->layout->count, 46);
}
END_TEST

/* Bytes of transformers in, the same bytes out: values, order, header. */
START_TEST(saving_gives_back_the_file)
{
    static const struct {
        const char *fixture;
        int32_t dtype;
    } cases[] = {{"masked", MLM_F32}, {"pre_training", MLM_BF16}};
    for (size_t i = 0; i < 2; i++) {
        const char *folder = test_folder();
        mlm__directory *directory;
        assert_ok(mlm__directory_begin(runtime, folder, MLM__REPLACE_FILES, &directory));
        assert_ok(mlm__model_write(i ? pre_training : masked, directory, cases[i].dtype));
        assert_ok(mlm__directory_commit(directory));
        size_t size, expected_size;
        char *bytes = test_read_file(test_path(folder, "model.safetensors"), &size);
        char *expected = test_read_file(
            test_path(fixture_folder(cases[i].fixture), "model.safetensors"), &expected_size);
        ck_assert_uint_eq(size, expected_size);
        ck_assert_mem_eq(bytes, expected, size);
        free(bytes);
        free(expected);
    }
}
END_TEST

START_TEST(names_without_prefix_and_of_tensorflow)
{
    variant file;
    variant_of(masked, &file);
    for (size_t i = 0; i < file.count; i++) {
        char *name = file.names[i], *norm;
        if (strncmp(name, "bert.", 5) == 0)
            memmove(name, name + 5, strlen(name + 5) + 1);
        if ((norm = strstr(name, "LayerNorm.")))
            strcpy(norm + 10, norm[10] == 'w' ? "gamma" : "beta");
    }
    mlm__model *model;
    assert_ok(mlm__model_load(runtime, variant_save(runtime, &file, "masked"), 0, &model));
    assert_same_parameters(model, masked);
    ck_assert_str_eq(log_of_test.text, "");
    mlm__model_free(model);
}
END_TEST

START_TEST(tied_copies_are_read_or_left)
{
    variant file;
    variant_of(masked, &file);
    size_t words = variant_find(&file, "bert.embeddings.word_embeddings.weight");
    size_t bias = variant_find(&file, "cls.predictions.bias");
    variant_add(&file, "cls.predictions.decoder.weight", &file.tensors[words]);
    variant_add(&file, "cls.predictions.decoder.bias", &file.tensors[bias]);
    mlm__model *model;
    assert_ok(mlm__model_load(runtime, variant_save(runtime, &file, "masked"), 0, &model));
    assert_same_parameters(model, masked);
    mlm__model_free(model);
    /* The copies alone. */
    variant_remove(&file, "word_embeddings");
    variant_remove(&file, "predictions.bias");
    assert_ok(mlm__model_load(runtime, variant_save(runtime, &file, "masked"), 0, &model));
    assert_same_parameters(model, masked);
    mlm__model_free(model);
    ck_assert_str_eq(log_of_test.text, "");
}
END_TEST

START_TEST(an_untied_decoder_is_refused)
{
    variant file;
    variant_of(masked, &file);
    size_t words = variant_find(&file, "bert.embeddings.word_embeddings.weight");
    float other[FIXTURE_V * FIXTURE_H];
    memcpy(other, file.tensors[words].data, sizeof other);
    other[100] += 1;
    variant_add(&file, "cls.predictions.decoder.weight", &file.tensors[words])->data = other;
    mlm__model *model;
    assert_error(mlm__model_load(runtime, variant_save(runtime, &file, "masked"), 0, &model),
        MLM_ERR_UNSUPPORTED, "cls.predictions.decoder.weight is not tied");
    ck_assert_ptr_null(model);
}
END_TEST

START_TEST(other_heads_are_ignored)
{
    variant file;
    variant_of(masked, &file);
    mlm__tensor_source like = {.ndim = 1, .shape = {FIXTURE_T}, .data = masked->parameters};
    variant_add(&file, "bert.embeddings.position_ids", &like);
    variant_add(&file, "bert.pooler.dense.bias", &like);
    variant_add(&file, "cls.seq_relationship.bias", &like);
    mlm__model *model;
    assert_ok(mlm__model_load(runtime, variant_save(runtime, &file, "masked"), 0, &model));
    assert_same_parameters(model, masked);
    ck_assert_str_eq(log_of_test.text, "");
    mlm__model_free(model);
}
END_TEST

START_TEST(tensors_without_use_are_told)
{
    variant file;
    variant_of(masked, &file);
    mlm__tensor_source like = {.ndim = 1, .shape = {FIXTURE_H}, .data = masked->parameters};
    variant_add(&file, "bert.encoder.layer.2.output.dense.bias", &like);
    mlm__model *model;
    assert_ok(mlm__model_load(runtime, variant_save(runtime, &file, "masked"), 0, &model));
    ck_assert_ptr_nonnull(strstr(log_of_test.text,
        "model.safetensors: 1 tensors are not used, the first is bert.encoder.layer.2.output"));
    mlm__model_free(model);
}
END_TEST

START_TEST(a_lacking_head_is_made_from_the_seed)
{
    mlm__model *model, *again, *other, *fresh;
    const char *folder = fixture_folder("bare");
    assert_ok(mlm__model_load(runtime, folder, 3, &model));
    char warning[600];
    snprintf(warning, sizeof warning,
        "%d %s/model.safetensors: no cls.predictions.*: made from the seed\n", MLM_LOG_WARNING,
        folder);
    ck_assert_str_eq(log_of_test.text, warning);
    assert_ok(mlm__model_load(runtime, folder, 3, &again));
    assert_ok(mlm__model_load(runtime, folder, 4, &other));
    assert_same_parameters(model, again);
    const char *name = "cls.predictions.transform.dense.weight";
    size_t size = FIXTURE_H * FIXTURE_H * sizeof(float);
    ck_assert_mem_ne(values_of(model, name), values_of(other, name), size);
    /* The values that mlm_encoder_create gives it. */
    assert_ok(mlm__model_create(runtime, &model->layout->config, 3, &fresh));
    ck_assert_mem_eq(values_of(model, name), values_of(fresh, name), size);
    ck_assert_float_eq(values_of(model, "cls.predictions.transform.LayerNorm.weight")[0], 1);
    name = "bert.embeddings.word_embeddings.weight";
    ck_assert_mem_eq(
        values_of(model, name), values_of(other, name), FIXTURE_V * FIXTURE_H * sizeof(float));
    mlm__model_free(model);
    mlm__model_free(again);
    mlm__model_free(other);
    mlm__model_free(fresh);
}
END_TEST

START_TEST(a_sentence_head_may_lack)
{
    variant file;
    variant_of(pre_training, &file);
    variant_remove(&file, "cls.seq_relationship");
    mlm__model *model;
    assert_ok(mlm__model_load(runtime, variant_save(runtime, &file, "pre_training"), 0, &model));
    ck_assert_ptr_nonnull(strstr(log_of_test.text, "no cls.seq_relationship.*"));
    ck_assert_mem_eq(values_of(model, "bert.pooler.dense.weight"),
        values_of(pre_training, "bert.pooler.dense.weight"), FIXTURE_H * FIXTURE_H * sizeof(float));
    mlm__model_free(model);
}
END_TEST

START_TEST(a_missing_tensor_is_named)
{
    static const char *const missing[] = {"bert.encoder.layer.1.output.dense.weight",
        "bert.embeddings.LayerNorm.bias", "cls.predictions.transform.dense.bias"};
    variant file;
    variant_of(masked, &file);
    variant_remove(&file, missing[_i]);
    char message[128];
    snprintf(message, sizeof message, "model.safetensors: %s is missing", missing[_i]);
    mlm__model *model;
    assert_error(mlm__model_load(runtime, variant_save(runtime, &file, "masked"), 0, &model),
        MLM_ERR_FORMAT, message);
}
END_TEST

START_TEST(a_wrong_shape_is_named)
{
    variant file;
    variant_of(masked, &file);
    size_t at = variant_find(&file, "bert.encoder.layer.0.attention.self.key.weight");
    file.tensors[at].shape[1] = 8;
    mlm__model *model;
    assert_error(mlm__model_load(runtime, variant_save(runtime, &file, "masked"), 0, &model),
        MLM_ERR_SHAPE,
        "bert.encoder.layer.0.attention.self.key.weight has shape [16,8], not [16,16]");
    file.tensors[at].ndim = 1;
    assert_error(mlm__model_load(runtime, variant_save(runtime, &file, "masked"), 0, &model),
        MLM_ERR_SHAPE, "key.weight has shape [16], not [16,16]");
}
END_TEST

/* A file with one tensor of this type. */
START_TEST(a_wrong_dtype_is_named)
{
    const char *folder = test_folder();
    const char *config = "{\"vocab_size\": 1, \"hidden_size\": 1, \"num_attention_heads\": 1}";
    test_write_file(test_path(folder, "config.json"), config, strlen(config));
    const char *header = "{\"bert.embeddings.word_embeddings.weight\":{\"dtype\":\"I64\","
                         "\"shape\":[1,1],\"data_offsets\":[0,8]}}";
    char bytes[256] = {0};
    bytes[0] = (char)strlen(header);
    strcpy(bytes + 8, header);
    test_write_file(test_path(folder, "model.safetensors"), bytes, 8 + strlen(header) + 8);
    mlm__model *model;
    assert_error(mlm__model_load(runtime, folder, 0, &model), MLM_ERR_UNSUPPORTED,
        "bert.embeddings.word_embeddings.weight has another dtype");
}
END_TEST

START_TEST(a_damaged_file_is_refused)
{
    const char *folder = test_folder();
    size_t size;
    char *bytes = test_read_file(test_path(fixture_folder("masked"), "config.json"), &size);
    test_write_file(test_path(folder, "config.json"), bytes, size);
    free(bytes);
    bytes = test_read_file(test_path(fixture_folder("masked"), "model.safetensors"), &size);
    const char *file = test_path(folder, "model.safetensors");
    mlm__model *model;
    for (size_t cut = 0; cut < size; cut += cut < 64 ? 7 : 997) {
        test_write_file(file, bytes, cut);
        assert_error(
            mlm__model_load(runtime, folder, 0, &model), MLM_ERR_FORMAT, "model.safetensors");
        ck_assert_ptr_null(model);
    }
    free(bytes);
}
END_TEST

/* Any bytes of the config and of the header changed: an error or a model, and no more memory than a
   model of that size needs. */
START_TEST(random_damage_is_survived)
{
    const char *folder = test_folder();
    char config_file[600], tensors_file[600];
    snprintf(config_file, sizeof config_file, "%s/config.json", folder);
    snprintf(tensors_file, sizeof tensors_file, "%s/model.safetensors", folder);
    size_t config_size, size;
    char *config = test_read_file(test_path(fixture_folder("masked"), "config.json"), &config_size);
    char *bytes = test_read_file(test_path(fixture_folder("masked"), "model.safetensors"), &size);
    static const char signs[] = " 0123456789,:\"{}[]-e\n\x80";
    uint64_t state = 20181011;
    int loaded = 0;
    for (int round = 0; round < 300; round++) {
        char *damaged = round % 2 ? config : bytes;
        size_t limit = round % 2 ? config_size : 4400, at[3];
        char kept[3];
        for (int i = 0; i < 3; i++) {
            at[i] = (size_t)(test_random(&state) % limit);
            kept[i] = damaged[at[i]];
            damaged[at[i]] = signs[test_random(&state) % (sizeof signs - 1)];
        }
        test_write_file(config_file, config, config_size);
        test_write_file(tensors_file, bytes, size);
        mlm__model *model;
        mlm_status status = mlm__model_load(runtime, folder, 0, &model);
        ck_assert_int_eq(model != NULL, status == MLM_OK);
        ck_assert_int_ne(status, MLM_ERR_MEMORY);
        loaded += status == MLM_OK;
        mlm__model_free(model);
        for (int i = 2; i >= 0; i--)
            damaged[at[i]] = kept[i];
    }
    ck_assert_int_gt(loaded, 0);
    ck_assert_int_lt(loaded, 150);
    int64_t now, peak;
    mlm_runtime_memory(runtime, &now, &peak);
    ck_assert_int_lt(peak, 1 << 20);
    free(config);
    free(bytes);
}
END_TEST

/* 2^31 - 1 tokens by 2^20 numbers: the file is found wrong before memory is asked for. */
START_TEST(a_hostile_config_asks_for_no_memory)
{
    const char *folder = test_folder();
    const char *config = "{\"vocab_size\": 2147483647, \"hidden_size\": 1048576,"
                         " \"num_attention_heads\": 1024, \"num_hidden_layers\": 2}";
    test_write_file(test_path(folder, "config.json"), config, strlen(config));
    size_t size;
    char *bytes = test_read_file(test_path(fixture_folder("masked"), "model.safetensors"), &size);
    test_write_file(test_path(folder, "model.safetensors"), bytes, size);
    free(bytes);
    mlm__model *model;
    assert_error(mlm__model_load(runtime, folder, 0, &model), MLM_ERR_SHAPE,
        "bert.embeddings.word_embeddings.weight has shape [40,16], not [2147483647,1048576]");
    int64_t now, peak;
    mlm_runtime_memory(runtime, &now, &peak);
    ck_assert_int_lt(peak, 1 << 20);
}
END_TEST

START_TEST(nothing_there_and_other_forms)
{
    mlm__model *model;
    const char *folder = test_folder();
    assert_error(mlm__model_load(runtime, folder, 0, &model), MLM_ERR_NOT_FOUND, "config.json");
    test_write_file(test_path(folder, "config.json"), "{}", 2);
    assert_error(
        mlm__model_load(runtime, folder, 0, &model), MLM_ERR_NOT_FOUND, "model.safetensors");
    test_write_file(test_path(folder, "pytorch_model.bin"), "", 0);
    assert_error(mlm__model_load(runtime, folder, 0, &model), MLM_ERR_UNSUPPORTED,
        "pytorch_model.bin: only model.safetensors is read");
    test_write_file(test_path(folder, "model.safetensors.index.json"), "{}", 2);
    assert_error(mlm__model_load(runtime, folder, 0, &model), MLM_ERR_FORMAT,
        "model.safetensors.index.json: no weight_map");
}
END_TEST

/* ---- untied decoders and shards: the fixture "untied" is both ------------------------ */

static float logits_of(const char *folder, const double *expected)
{
    mlm_encoder *encoder;
    assert_ok(mlm_encoder_load(runtime, folder, NULL, &encoder));
    mlm_batch batch = fixture_batch();
    float logits[5 * FIXTURE_V], largest = 0;
    assert_ok(mlm_encoder_logits(encoder, &batch, fixture_positions, 5, logits));
    for (int i = 0; i < 5 * FIXTURE_V; i++)
        largest = fmaxf(largest, fabsf(logits[i] - (float)expected[i]));
    mlm_encoder_free(encoder);
    return largest;
}

START_TEST(an_untied_decoder_is_used_and_saved)
{
    ck_assert_float_lt(logits_of(fixture_folder("untied"), untied_logits), 2e-5f);
    ck_assert_str_eq(log_of_test.text, "");
    mlm_encoder *encoder;
    assert_ok(mlm_encoder_load(runtime, fixture_folder("untied"), NULL, &encoder));
    const char *folder = test_folder();
    assert_ok(mlm_encoder_save(encoder, folder, MLM_F32));
    ck_assert_float_lt(logits_of(folder, untied_logits), 2e-5f);
    mlm__safetensors *file;
    assert_ok(mlm__safetensors_open(runtime, test_path(folder, "model.safetensors"), &file));
    ck_assert_ptr_nonnull(mlm__safetensors_find(file, "cls.predictions.bias"));
    ck_assert_ptr_nonnull(mlm__safetensors_find(file, "cls.predictions.decoder.bias"));
    mlm__safetensors_close(file);
    mlm_encoder_free(encoder);
}
END_TEST

/* A copy of the fixture "untied" with one string of its index replaced by another. */
static const char *shards_with(const char *from, const char *to)
{
    static const char *const names[] = {"config.json", "model.safetensors.index.json",
        "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"};
    const char *folder = test_folder();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t size;
        char *bytes = test_read_file(test_path(fixture_folder("untied"), names[i]), &size);
        char *place = i == 1 && from ? strstr(bytes, from) : NULL;
        ck_assert(i != 1 || !from || place);
        if (place) {
            char changed[8000];
            int length = snprintf(changed, sizeof changed, "%.*s%s%s", (int)(place - bytes), bytes,
                to, place + strlen(from));
            test_write_file(test_path(folder, names[i]), changed, (size_t)length);
        } else {
            test_write_file(test_path(folder, names[i]), bytes, size);
        }
        free(bytes);
    }
    return folder;
}

static const struct {
    const char *from, *to, *message;
} bad_indexes[] = {
    {"\"model-00001-of-00002.safetensors\"", "\"../model-00001-of-00002.safetensors\"",
        "'../model-00001-of-00002.safetensors' is not a file's name"},
    {"\"model-00001-of-00002.safetensors\"", "\"/etc/passwd\"", "'/etc/passwd' is not a file's"},
    {"\"model-00001-of-00002.safetensors\"", "\"..\"", "'..' is not a file's name"},
    {"\"model-00001-of-00002.safetensors\"", "\"\"", "'' is not a file's name"},
    {"\"model-00001-of-00002.safetensors\"", "7", "is not a file's name"},
    {"cls.predictions.decoder.weight", "cls.predictions.decoder.height",
        "cls.predictions.decoder.height is not in model-0000"},
    {"weight_map", "height_map", "no weight_map"},
};

START_TEST(an_index_that_leads_elsewhere_is_refused)
{
    mlm__model *model;
    assert_error(
        mlm__model_load(runtime, shards_with(bad_indexes[_i].from, bad_indexes[_i].to), 0, &model),
        MLM_ERR_FORMAT, bad_indexes[_i].message);
    ck_assert_ptr_null(model);
}
END_TEST

START_TEST(shards_that_are_not_whole_are_refused)
{
    mlm__model *model;
    char folder[600];
    snprintf(folder, sizeof folder, "%s", shards_with(NULL, NULL));
    ck_assert_float_lt(logits_of(folder, untied_logits), 2e-5f);
    size_t size;
    char *bytes = test_read_file(test_path(folder, "model-00002-of-00002.safetensors"), &size);
    test_write_file(test_path(folder, "model-00002-of-00002.safetensors"), bytes, size - 1);
    assert_error(mlm__model_load(runtime, folder, 0, &model), MLM_ERR_FORMAT,
        "model-00002-of-00002.safetensors");
    ck_assert_int_eq(remove(test_path(folder, "model-00002-of-00002.safetensors")), 0);
    assert_error(mlm__model_load(runtime, folder, 0, &model), MLM_ERR_NOT_FOUND,
        "model-00002-of-00002.safetensors");
    char *first = test_read_file(test_path(folder, "model-00001-of-00002.safetensors"), &size);
    test_write_file(test_path(folder, "model-00002-of-00002.safetensors"), first, size);
    assert_error(mlm__model_load(runtime, folder, 0, &model), MLM_ERR_FORMAT, " is in ");
    free(first);
    free(bytes);
}
END_TEST

START_TEST(shards_have_a_limit)
{
    const char *folder = test_folder();
    test_write_file(test_path(folder, "config.json"), "{}", 2);
    char index[16384] = "{\"weight_map\": {";
    size_t length = strlen(index);
    for (int i = 0; i < 513; i++)
        length += (size_t)snprintf(
            index + length, sizeof index - length, "%s\"t%d\": \"s%d\"", i ? ", " : "", i, i);
    length += (size_t)snprintf(index + length, sizeof index - length, "}}");
    test_write_file(test_path(folder, "model.safetensors.index.json"), index, length);
    mlm__model *model;
    assert_error(mlm__model_load(runtime, folder, 0, &model), MLM_ERR_FORMAT,
        "513 shards are more than 512");
}
END_TEST

/* A single file is taken before an index, as in transformers. */
START_TEST(a_single_file_goes_before_shards)
{
    const char *folder = shards_with(NULL, NULL);
    test_write_file(test_path(folder, "model.safetensors"), "", 0);
    mlm__model *model;
    assert_error(mlm__model_load(runtime, folder, 0, &model), MLM_ERR_FORMAT, "/model.safetensors");
}
END_TEST

/* A save that was cut off between two renames leaves the old one alone. */
START_TEST(the_old_directory_stands_in)
{
    variant file;
    variant_of(masked, &file);
    const char *folder = variant_save(runtime, &file, "masked");
    char old[600];
    snprintf(old, sizeof old, "%s.mlm-old", folder);
    ck_assert_int_eq(rename(folder, old), 0);
    mlm__model *model;
    assert_ok(mlm__model_load(runtime, folder, 0, &model));
    assert_same_parameters(model, masked);
    mlm__model_free(model);
    mlm_encoder_config config;
    mlm_encoder_config_init(&config, sizeof config);
    assert_ok(mlm_encoder_config_load(runtime, folder, &config));
    ck_assert_int_eq(config.vocab_size, FIXTURE_V);
}
END_TEST

static int cut_model(void *user, const char *what, int64_t done, int64_t total)
{
    (void)done, (void)total;
    ck_assert_str_eq(what, "reading the model");
    ck_assert_int_eq(truncate(user, 2000), 0);
    return MLM_CONTINUE;
}

START_TEST(a_file_that_is_cut_meanwhile_is_an_error)
{
    variant file;
    variant_of(masked, &file);
    const char *folder = variant_save(runtime, &file, "masked");
    mlm_runtime_options options;
    mlm_runtime_options_init(&options, sizeof options);
    options.user = (void *)test_path(folder, "model.safetensors");
    options.progress = cut_model;
    mlm_runtime *cutting;
    mlm__model *model;
    assert_ok(mlm_runtime_create(&options, &cutting));
    assert_error(mlm__model_load(cutting, folder, 0, &model), MLM_ERR_IO,
        "/model.safetensors: ends before byte ");
    ck_assert_ptr_null(model);
    mlm_runtime_free(cutting);
}
END_TEST

START_TEST(a_checkpoint_is_read_whole_or_not)
{
    mlm__model *model;
    assert_ok(mlm__model_create(runtime, &masked->layout->config, 1, &model));
    size_t size = model->layout->size * sizeof *model->parameters;
    float *before = malloc(size);
    memcpy(before, model->parameters, size);
    variant file;
    variant_of(masked, &file);
    variant_remove(&file, "cls.predictions");
    float *read;
    assert_error(mlm__model_read(model, variant_save(runtime, &file, "masked"), &read),
        MLM_ERR_FORMAT, "cls.predictions.bias is missing");
    ck_assert_ptr_null(read);
    ck_assert_mem_eq(model->parameters, before, size);
    assert_error(mlm__model_read(model, fixture_folder("pre_training"), &read), MLM_ERR_MISMATCH,
        "hidden_act is 1, the encoder has 0");
    ck_assert_mem_eq(model->parameters, before, size);
    assert_ok(mlm__model_read(model, fixture_folder("masked"), &read));
    ck_assert_mem_eq(model->parameters, before, size);
    mlm__model_put(model, read);
    assert_same_parameters(model, masked);
    free(before);
    mlm__model_free(model);
}
END_TEST

Suite *model_files_suite(void)
{
    Suite *suite = suite_create("model files");
    TCase *tests = tcase_create("model files");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, transformers_files_load_without_a_word);
    tcase_add_test(tests, saving_gives_back_the_file);
    tcase_add_test(tests, names_without_prefix_and_of_tensorflow);
    tcase_add_test(tests, tied_copies_are_read_or_left);
    tcase_add_test(tests, an_untied_decoder_is_refused);
    tcase_add_test(tests, other_heads_are_ignored);
    tcase_add_test(tests, tensors_without_use_are_told);
    tcase_add_test(tests, a_lacking_head_is_made_from_the_seed);
    tcase_add_test(tests, a_sentence_head_may_lack);
    tcase_add_loop_test(tests, a_missing_tensor_is_named, 0, 3);
    tcase_add_test(tests, a_wrong_shape_is_named);
    tcase_add_test(tests, a_wrong_dtype_is_named);
    tcase_add_test(tests, a_damaged_file_is_refused);
    tcase_add_test(tests, random_damage_is_survived);
    tcase_add_test(tests, a_hostile_config_asks_for_no_memory);
    tcase_add_test(tests, nothing_there_and_other_forms);
    tcase_add_test(tests, an_untied_decoder_is_used_and_saved);
    tcase_add_loop_test(tests, an_index_that_leads_elsewhere_is_refused, 0,
        sizeof bad_indexes / sizeof *bad_indexes);
    tcase_add_test(tests, shards_that_are_not_whole_are_refused);
    tcase_add_test(tests, shards_have_a_limit);
    tcase_add_test(tests, a_single_file_goes_before_shards);
    tcase_add_test(tests, the_old_directory_stands_in);
    tcase_add_test(tests, a_file_that_is_cut_meanwhile_is_an_error);
    tcase_add_test(tests, a_checkpoint_is_read_whole_or_not);
    suite_add_tcase(suite, tests);
    return suite;
}
