/* Files from others: whatever lies where a file is read, a call comes back with an error that names
   it, soon, and without more memory than the file is worth. */
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stress/memory.h"
#include "stress/suites.h"
#include "stress/world.h"
#include "support/support.h"

enum { SECONDS = 20, MEGABYTE = 1 << 20, PATHS = 32 };

typedef mlm_status reader_fn(mlm_runtime *runtime, const char *path);

static mlm_status read_tokenizer(mlm_runtime *runtime, const char *path)
{
    mlm_tokenizer *tokenizer;
    mlm_status status = mlm_tokenizer_load(runtime, path, NULL, &tokenizer);
    mlm_tokenizer_free(tokenizer);
    return status;
}

static mlm_status read_config(mlm_runtime *runtime, const char *path)
{
    mlm_encoder_config config;
    mlm_encoder_config_init(&config, sizeof config);
    return mlm_encoder_config_load(runtime, path, &config);
}

static mlm_status read_model(mlm_runtime *runtime, const char *path)
{
    mlm_encoder *encoder;
    mlm_status status = mlm_encoder_load(runtime, path, NULL, &encoder);
    mlm_encoder_free(encoder);
    return status;
}

static mlm_status read_checkpoint(mlm_runtime *runtime, const char *path)
{
    mlm_encoder *encoder = training_encoder(runtime, 0.1);
    mlm_trainer *trainer;
    mlm_status status = mlm_trainer_resume(runtime, encoder, path, NULL, &trainer);
    mlm_trainer_free(trainer);
    mlm_encoder_free(encoder);
    return status;
}

/* A file of a directory that is read. */
static const struct place {
    const char *directory, *file;
    reader_fn *read;
} places[] = {
    {"tokenizer", "vocab.txt", read_tokenizer},
    {"tokenizer", "tokenizer.json", read_tokenizer},
    {"tokenizer", "tokenizer_config.json", read_tokenizer},
    {"tokenizer", "special_tokens_map.json", read_tokenizer},
    {"model", "config.json", read_config},
    {"model", "config.json", read_model},
    {"model", "model.safetensors", read_model},
    {"shards", "model.safetensors.index.json", read_model},
    {"shards", "a.safetensors", read_model},
    {"checkpoint", "trainer.json", read_checkpoint},
    {"checkpoint", "config.json", read_checkpoint},
    {"checkpoint", "model.safetensors", read_checkpoint},
    {"checkpoint", "optimizer.safetensors", read_checkpoint},
};
enum { PLACES = sizeof places / sizeof places[0] };

/* ---- directories that are whole ------------------------------------------------- */

static char folder[512];

static const char *path_of(const char *directory, const char *file)
{
    static char paths[PATHS][1200];
    static unsigned used;
    char *path = paths[used++ % PATHS];
    snprintf(
        path, sizeof paths[0], "%s/%s%s%s", folder, directory, file ? "/" : "", file ? file : "");
    return path;
}

/* One shard with everything. */
static void make_shards(const mlm_encoder *encoder)
{
    assert_ok(mlm_encoder_save(encoder, path_of("shards", NULL), MLM_F32));
    ck_assert_int_eq(
        rename(path_of("shards", "model.safetensors"), path_of("shards", "a.safetensors")), 0);
    FILE *index = fopen(path_of("shards", "model.safetensors.index.json"), "w");
    ck_assert_ptr_nonnull(index);
    fprintf(index, "{\"weight_map\":{");
    for (size_t i = 0; i < mlm_encoder_tensor_count(encoder); i++) {
        mlm_tensor tensor;
        mlm_tensor_init(&tensor, sizeof tensor);
        assert_ok(mlm_encoder_get_tensor(encoder, i, &tensor));
        fprintf(index, "%s\"%s\":\"a.safetensors\"", i ? "," : "", tensor.name);
    }
    fprintf(index, "}}");
    ck_assert_int_eq(fclose(index), 0);
}

static void setup(void)
{
    snprintf(folder, sizeof folder, "%s", test_folder());
    const world_call none = {"", NULL, NULL, NULL};
    world *w = world_make(NULL, &none);
    assert_ok(mlm_tokenizer_save(w->tokenizer, path_of("tokenizer", NULL)));
    assert_ok(mlm_encoder_save(w->encoder, path_of("model", NULL), MLM_F32));
    assert_ok(mlm_trainer_save(w->trainer, path_of("checkpoint", NULL)));
    make_shards(w->encoder);
    world_free(w);
}

static mlm_status read_place(const struct place *place)
{
    signal(SIGALRM, SIG_DFL);
    alarm(SECONDS);
    mlm_status status = place->read(NULL, path_of(place->directory, NULL));
    alarm(0);
    return status;
}

START_TEST(whole_directories_are_read)
{
    assert_ok(read_place(&places[_i]));
}
END_TEST

/* ---- what is no file ------------------------------------------------------------ */

/* A named pipe would wait for its writer, a device never end. */
START_TEST(what_is_no_file_is_refused)
{
    const struct place *place = &places[_i];
    const char *path = path_of(place->directory, place->file);
    if (strcmp(place->file, "vocab.txt") == 0) /* else it is not read */
        ck_assert_int_eq(remove(path_of("tokenizer", "tokenizer.json")), 0);
    ck_assert_int_eq(remove(path), 0);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    assert_error(read_place(place), MLM_ERR_IO, place->file);
    ck_assert_int_eq(remove(path), 0);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    assert_error(read_place(place), MLM_ERR_IO, place->file);
    ck_assert_int_eq(rmdir(path), 0);
    ck_assert_int_eq(symlink("/dev/zero", path), 0);
    assert_error(read_place(place), MLM_ERR_IO, place->file);
    ck_assert_int_eq(remove(path), 0);
    ck_assert_int_eq(symlink("nothing", path), 0);
    mlm_status status = read_place(place);
    ck_assert_msg(status == MLM_ERR_NOT_FOUND || status == MLM_ERR_FORMAT, "a link to nothing: %s",
        mlm_status_name(status));
    ck_assert_ptr_nonnull(strstr(mlm_last_error(), place->file));
    ck_assert_int_eq(remove(path), 0);
    ck_assert_int_eq(symlink(place->file, path), 0);
    assert_error(read_place(place), MLM_ERR_IO, place->file);
}
END_TEST

/* Hugging Face's cache: a snapshot's files are links to blobs beside it. */
START_TEST(links_of_the_file_system_are_followed)
{
    const struct place *place = &places[_i];
    const char *path = path_of(place->directory, place->file);
    ck_assert_int_eq(mkdir(path_of("blobs", NULL), 0700), 0);
    ck_assert_int_eq(rename(path, path_of("blobs", "0123")), 0);
    ck_assert_int_eq(symlink("../blobs/0123", path), 0);
    assert_ok(read_place(place));
}
END_TEST

/* Only the file system's: what a file says is a name in its own directory. */
START_TEST(no_name_in_a_file_leads_out_of_its_directory)
{
    static const char *const names[] = {"../model/model.safetensors", "/etc/passwd", "..", ".", "",
        "./a.safetensors", "a.safetensors/", "x/../a.safetensors", "../shards/a.safetensors"};
    char text[256];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        int length = snprintf(text, sizeof text,
            "{\"weight_map\":{\"bert.embeddings.LayerNorm.bias\":\"%s\"}}", names[i]);
        test_write_file(path_of("shards", "model.safetensors.index.json"), text, (size_t)length);
        assert_error(read_model(NULL, path_of("shards", NULL)), MLM_ERR_FORMAT, "weight_map");
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        json_t *root = json_load_file(path_of("checkpoint", "trainer.json"), 0, NULL);
        json_object_set_new(
            json_array_get(json_object_get(root, "files"), 0), "name", json_string(names[i]));
        training_store_record(path_of("checkpoint", NULL), root);
        assert_error(read_checkpoint(NULL, path_of("checkpoint", NULL)), MLM_ERR_FORMAT, "files: ");
    }
}
END_TEST

/* Each entry is a file that is hashed. */
START_TEST(a_file_is_listed_once)
{
    json_t *root = json_load_file(path_of("checkpoint", "trainer.json"), 0, NULL);
    json_t *files = json_object_get(root, "files");
    json_array_append(files, json_array_get(files, 0));
    training_store_record(path_of("checkpoint", NULL), root);
    assert_error(read_checkpoint(NULL, path_of("checkpoint", NULL)), MLM_ERR_FORMAT, "twice");
}
END_TEST

/* ---- sizes that are not true ------------------------------------------------------ */

static int64_t peak_of(reader_fn *read, const char *path, mlm_status *status)
{
    int64_t peak;
    mlm_runtime *runtime = memory_runtime(1);
    *status = read(runtime, path);
    mlm_runtime_memory(runtime, NULL, &peak);
    mlm_runtime_free(runtime);
    return peak;
}

static const char *const hostile_configs[] = {
    "{\"hidden_size\":2147483647}",
    "{\"hidden_size\":1048576,\"num_attention_heads\":1}",
    "{\"hidden_size\":-768}",
    "{\"hidden_size\":0}",
    "{\"hidden_size\":768.5}",
    "{\"hidden_size\":1e3000}",
    "{\"hidden_size\":NaN}",
    "{\"layer_norm_eps\":NaN}",
    "{\"layer_norm_eps\":-Infinity}",
    "{\"vocab_size\":2147483647}",
    "{\"vocab_size\":9223372036854775808}",
    "{\"num_hidden_layers\":1024}",
    "{\"num_hidden_layers\":2147483647}",
    "{\"num_attention_heads\":0}",
    "{\"intermediate_size\":2147483647,\"num_hidden_layers\":1024}",
    "{\"max_position_embeddings\":2147483647}",
    "{\"type_vocab_size\":2147483647}",
    "{\"hidden_size\":768,\"hidden_size\":768}",
    "[{\"hidden_size\":768}]",
    "\xff\xfe{}",
    "",
};

/* The parameters of a config that is not the file's are never allocated. */
START_TEST(no_memory_for_what_a_config_says)
{
    mlm_status status;
    const char *text = hostile_configs[_i];
    test_write_file(path_of("model", "config.json"), text, strlen(text));
    int64_t peak = peak_of(read_model, path_of("model", NULL), &status);
    ck_assert_msg(status == MLM_ERR_FORMAT || status == MLM_ERR_SHAPE, "%s: %s (%s)", text,
        mlm_status_name(status), mlm_last_error());
    ck_assert_msg(peak < 4 * MEGABYTE, "%s: %lld bytes", text, (long long)peak);
}
END_TEST

static const char *const hostile_headers[] = {
    "{\"a\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[0,4]}}",
    "{\"a\":{\"dtype\":\"F32\",\"shape\":[9223372036854775807],\"data_offsets\":[0,4]}}",
    "{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296,4],\"data_offsets\":[0,4]}}",
    "{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}",
    "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}",
    "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[-4,0]}}",
    "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,9223372036854775807]}}",
    "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[9223372036854775804,"
    "9223372036854775807]}}",
    "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
    "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
    "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
    "\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
    "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}",
    "[]",
};

START_TEST(headers_that_lie_are_refused)
{
    const char *header = hostile_headers[_i];
    const uint64_t length = strlen(header);
    char bytes[512];
    memcpy(bytes, &length, sizeof length);
    memcpy(bytes + sizeof length, header, length);
    memset(bytes + sizeof length + length, 0, 4);
    test_write_file(path_of("model", "model.safetensors"), bytes, sizeof length + length + 4);
    mlm_status status;
    int64_t peak = peak_of(read_model, path_of("model", NULL), &status);
    ck_assert_msg(
        status == MLM_ERR_FORMAT, "%s: %s (%s)", header, mlm_status_name(status), mlm_last_error());
    ck_assert_ptr_nonnull(strstr(mlm_last_error(), "model.safetensors"));
    ck_assert_int_lt(peak, MEGABYTE);
}
END_TEST

/* A header's length, in a file that has no such bytes or has them as a hole. */
START_TEST(lengths_of_headers_that_lie_are_refused)
{
    static const uint64_t lengths[] = {UINT64_MAX, INT64_MAX, 1u << 31, 100000001, 9 << 20};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
        for (int hole = 0; hole < 2; hole++) {
            const char *path = path_of("model", "model.safetensors");
            test_write_file(path, &lengths[i], sizeof lengths[i]);
            if (hole)
                ck_assert_int_eq(truncate(path, (off_t)1 << 33), 0);
            mlm_status status;
            int64_t peak = peak_of(read_model, path_of("model", NULL), &status);
            ck_assert_msg(status == MLM_ERR_FORMAT || status == MLM_ERR_UNSUPPORTED, "%s (%s)",
                mlm_status_name(status), mlm_last_error());
            ck_assert_int_lt(peak, MEGABYTE);
        }
}
END_TEST

/* A file of 64 GB of nothing is refused for its size, before it is read. */
START_TEST(enormous_files_are_refused)
{
    const struct place *place = &places[_i];
    const char *path = path_of(place->directory, place->file);
    mlm_status status;
    if (strcmp(place->file, "vocab.txt") == 0)
        ck_assert_int_eq(remove(path_of("tokenizer", "tokenizer.json")), 0);
    if (truncate(path, (off_t)1 << 36) != 0)
        return; /* the file system has no holes */
    signal(SIGALRM, SIG_DFL);
    alarm(SECONDS);
    int64_t peak = peak_of(place->read, path_of(place->directory, NULL), &status);
    alarm(0);
    ck_assert_msg(status == MLM_ERR_FORMAT, "%s (%s)", mlm_status_name(status), mlm_last_error());
    ck_assert_ptr_nonnull(strstr(mlm_last_error(), place->file));
    ck_assert_int_lt(peak, 2 * MEGABYTE);
}
END_TEST

START_TEST(deep_json_is_refused)
{
    enum { DEPTH = 200000 };
    const struct place *place = &places[_i];
    if (!strstr(place->file, ".json"))
        return;
    char *deep = malloc(DEPTH);
    ck_assert_ptr_nonnull(deep);
    for (int objects = 0; objects < 2; objects++) {
        for (int i = 0; i < DEPTH; i++)
            deep[i] = objects ? "{\"\":"[i % 4] : '[';
        test_write_file(path_of(place->directory, place->file), deep, DEPTH);
        assert_error(read_place(place), MLM_ERR_FORMAT, place->file);
    }
    free(deep);
}
END_TEST

Suite *hostile_suite(void)
{
    Suite *suite = suite_create("hostile");
    TCase *tests = tcase_create("hostile");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_loop_test(tests, whole_directories_are_read, 0, PLACES);
    tcase_add_loop_test(tests, what_is_no_file_is_refused, 0, PLACES);
    tcase_add_loop_test(tests, links_of_the_file_system_are_followed, 0, PLACES);
    tcase_add_test(tests, no_name_in_a_file_leads_out_of_its_directory);
    tcase_add_test(tests, a_file_is_listed_once);
    tcase_add_loop_test(tests, no_memory_for_what_a_config_says, 0,
        sizeof hostile_configs / sizeof hostile_configs[0]);
    tcase_add_loop_test(
        tests, headers_that_lie_are_refused, 0, sizeof hostile_headers / sizeof hostile_headers[0]);
    tcase_add_test(tests, lengths_of_headers_that_lie_are_refused);
    tcase_add_loop_test(tests, enormous_files_are_refused, 0, PLACES);
    tcase_add_loop_test(tests, deep_json_is_refused, 0, PLACES);
    suite_add_tcase(suite, tests);
    return suite;
}
