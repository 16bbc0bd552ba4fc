/* Saving, resuming, and what a checkpoint is refused for. */
#include <fenv.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/support.h"
#include "trainer/trainer.h"
#include "trainer_suites.h"
#include "training.h"

static mlm_encoder *encoder;
static mlm_trainer *trainer;
/* Directories of one test. */
static char folder[512], checkpoint[600], straight[600], cut[600], elsewhere[600];

static void setup(void)
{
    encoder = training_encoder(NULL, 0.1);
    trainer = training_trainer(NULL, encoder);
    snprintf(folder, sizeof folder, "%s", test_folder());
    snprintf(checkpoint, sizeof checkpoint, "%s/checkpoint", folder);
    snprintf(straight, sizeof straight, "%s/straight", folder);
    snprintf(cut, sizeof cut, "%s/cut", folder);
    snprintf(elsewhere, sizeof elsewhere, "%s/elsewhere", folder);
}

static void teardown(void)
{
    mlm_trainer_free(trainer);
    mlm_encoder_free(encoder);
}

static void assert_same_file(const char *a, const char *b, const char *name)
{
    size_t a_size, b_size;
    char *in_a = test_read_file(test_path(a, name), &a_size);
    char *in_b = test_read_file(test_path(b, name), &b_size);
    ck_assert_msg(
        a_size == b_size && memcmp(in_a, in_b, a_size) == 0, "%s of %s and %s", name, a, b);
    free(in_a);
    free(in_b);
}

static void assert_same_checkpoint(const char *a, const char *b)
{
    assert_same_file(a, b, "config.json");
    assert_same_file(a, b, "model.safetensors");
    assert_same_file(a, b, "optimizer.safetensors");
    assert_same_file(a, b, "trainer.json");
}

static mlm_status resume(const mlm_trainer_options *options, mlm_trainer **out)
{
    return mlm_trainer_resume(NULL, encoder, checkpoint, options, out);
}

/* The trainer and its encoder give way to those of the checkpoint. */
static void go_on_from_checkpoint(const mlm_trainer_options *options)
{
    mlm_trainer *resumed;
    mlm_encoder_free(encoder);
    assert_ok(mlm_encoder_load(NULL, checkpoint, NULL, &encoder));
    assert_ok(resume(options, &resumed));
    mlm_trainer_free(trainer);
    trainer = resumed;
}

START_TEST(resumed_is_uninterrupted)
{
    training_updates(trainer, 5);
    assert_ok(mlm_trainer_save(trainer, checkpoint));
    training_updates(trainer, 5);
    assert_ok(mlm_trainer_save(trainer, straight));
    go_on_from_checkpoint(NULL);
    mlm_metrics metrics;
    mlm_metrics_init(&metrics, sizeof metrics);
    assert_ok(mlm_trainer_get_metrics(trainer, &metrics));
    ck_assert_int_eq(metrics.step, 5);
    ck_assert_int_eq(metrics.position, 25);
    ck_assert_double_gt(metrics.loss, 0);
    training_updates(trainer, 5);
    assert_ok(mlm_trainer_save(trainer, cut));
    assert_same_checkpoint(straight, cut);
}
END_TEST

/* continue_run resumes, goes on and saves in a process of its own. */
START_TEST(another_process_goes_on)
{
    const char *program = getenv("MLM_TEST_CONTINUE");
    if (!program) {
        dprintf(STDOUT_FILENO, "# skipped: MLM_TEST_CONTINUE is not set\n");
        return;
    }
    training_updates(trainer, 3);
    assert_ok(mlm_trainer_save(trainer, checkpoint));
    training_updates(trainer, 3);
    assert_ok(mlm_trainer_save(trainer, straight));
    pid_t child = fork();
    if (child == 0) {
        execl(program, program, checkpoint, "3", cut, (char *)NULL);
        _exit(127);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    assert_same_checkpoint(straight, cut);
}
END_TEST

START_TEST(saving_before_the_first_update)
{
    assert_ok(mlm_trainer_save(trainer, checkpoint));
    go_on_from_checkpoint(NULL);
    assert_ok(mlm_trainer_save(trainer, elsewhere));
    assert_same_checkpoint(checkpoint, elsewhere);
}
END_TEST

START_TEST(saved_is_a_model_directory)
{
    training_updates(trainer, 3);
    assert_ok(mlm_trainer_save(trainer, checkpoint));
    mlm_encoder *loaded;
    assert_ok(mlm_encoder_load(NULL, checkpoint, NULL, &loaded));
    assert_same_parameters(encoder, loaded);
    mlm_encoder_free(loaded);
}
END_TEST

START_TEST(the_rounding_mode_changes_no_byte)
{
    mlm_trainer *resumed;
    training_updates(trainer, 5);
    assert_ok(mlm_trainer_save(trainer, straight));
    ck_assert_int_eq(fesetround(FE_UPWARD), 0);
    mlm_status saved = mlm_trainer_save(trainer, checkpoint);
    mlm_status read = resume(NULL, &resumed);
    ck_assert_int_eq(fegetround(), FE_UPWARD);
    fesetround(FE_TONEAREST);
    assert_ok(saved);
    assert_ok(read);
    assert_same_checkpoint(straight, checkpoint);
    assert_ok(mlm_trainer_save(resumed, cut));
    assert_same_checkpoint(straight, cut);
    mlm_trainer_free(resumed);
}
END_TEST

START_TEST(rate_and_early_stopping_survive)
{
    int32_t stale;
    assert_ok(mlm_trainer_set_learning_rate(trainer, 0.1));
    assert_ok(mlm_trainer_observe(trainer, 3.1, 0, &stale));
    assert_ok(mlm_trainer_observe(trainer, 3.2, 0, &stale));
    assert_ok(mlm_trainer_save(trainer, checkpoint));
    go_on_from_checkpoint(NULL);
    assert_ok(mlm_trainer_observe(trainer, 3.1, 0, &stale));
    ck_assert_int_eq(stale, 2);
    mlm_metrics metrics;
    training_update(trainer, &metrics);
    ck_assert_double_eq(metrics.learning_rate, 0.1);
}
END_TEST

START_TEST(other_options_may_be_given)
{
    assert_ok(mlm_trainer_set_learning_rate(trainer, 0.1));
    training_updates(trainer, 5);
    assert_ok(mlm_trainer_save(trainer, checkpoint));
    mlm_trainer_options options = training_options();
    options.total_steps = 105;
    options.learning_rate = 2e-3;
    go_on_from_checkpoint(&options);
    mlm_metrics metrics;
    training_update(trainer, &metrics);
    ck_assert_int_eq(metrics.step, 6);
    ck_assert_double_eq(metrics.learning_rate, 2e-3 * (100.0 / 101.0));
    options.learning_rate = -2;
    mlm_trainer *out = trainer;
    assert_error(resume(&options, &out), MLM_ERR_ARGUMENT, "learning_rate is -2");
    ck_assert_ptr_null(out);
}
END_TEST

/* As they are written: also a seed above INT64_MAX, and the lowest bits of every double. */
START_TEST(options_come_back_as_they_were)
{
    mlm_trainer_options options = training_options();
    options.lr_scheduler = MLM_LR_WARMUP_STABLE_DECAY;
    options.adam_bias_correction = 0;
    options.learning_rate = 0.1 + 0.2;
    options.weight_decay = 1.0 / 3;
    options.adam_epsilon = 1e-17 / 7;
    options.max_grad_norm = 0;
    options.hidden_dropout_prob = 2.0 / 3;
    options.seed = UINT64_MAX - 4;
    mlm_trainer *other;
    assert_ok(mlm_trainer_create(NULL, encoder, &options, &other));
    assert_ok(mlm_trainer_save(other, checkpoint));
    mlm_trainer_free(other);
    go_on_from_checkpoint(NULL);
    ck_assert_mem_eq(&trainer->options, &options, sizeof options);
}
END_TEST

START_TEST(waiting_batches_forbid_saving)
{
    training_batch memory;
    mlm_batch batch = training_batch_make(&memory, 0, 2, true);
    assert_ok(mlm_trainer_accumulate(trainer, &batch));
    assert_error(
        mlm_trainer_save(trainer, checkpoint), MLM_ERR_ARGUMENT, "1 accumulated batches wait");
    assert_ok(mlm_trainer_update(trainer, NULL));
    assert_ok(mlm_trainer_save(trainer, checkpoint));
    assert_error(mlm_trainer_save(trainer, NULL), MLM_ERR_ARGUMENT, "directory is NULL");
    assert_error(mlm_trainer_save(NULL, checkpoint), MLM_ERR_ARGUMENT, "trainer is NULL");
}
END_TEST

/* What a full disk looks like: a write ends early. */
static void limit_files(rlim_t size, struct rlimit *before)
{
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, before), 0);
    struct rlimit limit = {.rlim_cur = size, .rlim_max = before->rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

START_TEST(a_failed_save_keeps_the_old_checkpoint)
{
    training_updates(trainer, 2);
    assert_ok(mlm_trainer_save(trainer, checkpoint));
    assert_ok(mlm_trainer_save(trainer, elsewhere));
    training_updates(trainer, 2);
    assert_ok(mlm_trainer_save(trainer, straight));

    struct rlimit before;
    for (rlim_t size = 100; size < 10000; size += 1700) {
        limit_files(size, &before);
        mlm_status status = mlm_trainer_save(trainer, checkpoint);
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
        ck_assert_int_eq(status, MLM_ERR_IO);
        assert_same_checkpoint(checkpoint, elsewhere);
    }
    ck_assert_int_lt(mlm_trainer_save(trainer, test_path(folder, "no/such/folder")), 0);
    assert_ok(mlm_trainer_save(trainer, checkpoint));
    assert_same_checkpoint(checkpoint, straight);
    training_updates(trainer, 1);
}
END_TEST

/* Whenever it is killed: the directory holds one of the two checkpoints, whole. */
START_TEST(a_killed_save_leaves_a_whole_checkpoint)
{
    training_updates(trainer, 2);
    assert_ok(mlm_trainer_save(trainer, checkpoint));
    for (useconds_t wait = 0; wait < 20000; wait += 1000) {
        fflush(NULL);
        pid_t child = fork();
        if (child == 0) {
            mlm_metrics metrics;
            while (training_try_update(trainer, &metrics) == MLM_OK)
                if (mlm_trainer_save(trainer, checkpoint) != MLM_OK)
                    break;
            _exit(EXIT_FAILURE);
        }
        usleep(wait);
        ck_assert_int_eq(kill(child, SIGKILL), 0);
        int status;
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_msg(WIFSIGNALED(status), "the child ended by itself");
        mlm_trainer *resumed;
        assert_ok(resume(NULL, &resumed));
        mlm_trainer_free(trainer);
        trainer = resumed;
    }
}
END_TEST

/* What a save leaves that is killed between the two renames of a simpler file system. */
START_TEST(a_cut_off_exchange_is_found)
{
    training_updates(trainer, 2);
    assert_ok(mlm_trainer_save(trainer, checkpoint));
    ck_assert_int_eq(rename(checkpoint, test_path(folder, "checkpoint.mlm-old")), 0);
    mlm_trainer *resumed;
    assert_ok(resume(NULL, &resumed));
    mlm_trainer_free(resumed);
}
END_TEST

/* ---- refusals ------------------------------------------------------------- */

/* An encoder of its own, which must stay as it was. */
static void refused(mlm_status expected, const char *part)
{
    mlm_encoder *fresh = training_encoder(NULL, 0.1), *untouched = training_encoder(NULL, 0.1);
    mlm_trainer *out = trainer;
    assert_error(mlm_trainer_resume(NULL, fresh, checkpoint, NULL, &out), expected, part);
    ck_assert_ptr_null(out);
    assert_same_parameters(fresh, untouched);
    mlm_encoder_free(fresh);
    mlm_encoder_free(untouched);
}

START_TEST(no_checkpoint_is_not_found)
{
    refused(MLM_ERR_NOT_FOUND, "trainer.json");
    assert_ok(mlm_encoder_save(encoder, checkpoint, MLM_F32));
    refused(MLM_ERR_NOT_FOUND, "trainer.json");
    mlm_trainer *out = trainer;
    assert_error(mlm_trainer_resume(NULL, NULL, checkpoint, NULL, &out), MLM_ERR_ARGUMENT,
        "encoder is NULL");
    ck_assert_ptr_null(out);
    assert_error(
        mlm_trainer_resume(NULL, encoder, NULL, NULL, &out), MLM_ERR_ARGUMENT, "directory is NULL");
    assert_error(
        mlm_trainer_resume(NULL, encoder, checkpoint, NULL, NULL), MLM_ERR_ARGUMENT, "out is NULL");
}
END_TEST

/* Every file of a checkpoint. */
static const char *const checkpoint_files[] = {
    "config.json", "model.safetensors", "optimizer.safetensors", "trainer.json"};

/* Some bits of every file, all along it, and cuts; whatever else may be wrong with it then. */
START_TEST(damaged_files_are_named)
{
    enum { FLIPS = 40, CUTS = 5 };
    uint64_t state = 1;
    training_updates(trainer, 5);
    assert_ok(mlm_trainer_save(trainer, checkpoint));
    for (size_t i = 0; i < sizeof checkpoint_files / sizeof *checkpoint_files; i++) {
        const char *name = checkpoint_files[i], *path = test_path(checkpoint, name);
        size_t size;
        char *data = test_read_file(path, &size);
        for (size_t f = 0; f < FLIPS; f++) {
            size_t at = f == 0 ? 0 : f == 1 ? size - 1 : test_random(&state) % size;
            char bit = (char)(1 << test_random(&state) % 8);
            data[at] ^= bit;
            test_write_file(path, data, size);
            data[at] ^= bit;
            refused(MLM_ERR_FORMAT, name);
            refused(MLM_ERR_FORMAT, "SHA-256");
        }
        for (size_t c = 0; c < CUTS; c++) {
            test_write_file(path, data, c == 0 ? size - 1 : test_random(&state) % size);
            refused(MLM_ERR_FORMAT, name);
        }
        ck_assert_int_eq(unlink(path), 0);
        refused(strcmp(name, "trainer.json") == 0 ? MLM_ERR_NOT_FOUND : MLM_ERR_FORMAT, name);
        test_write_file(path, data, size);
        free(data);
    }
    mlm_trainer *whole;
    assert_ok(resume(NULL, &whole));
    mlm_trainer_free(whole);
}
END_TEST

static json_t *load_record(const char *directory)
{
    json_t *root = json_load_file(test_path(directory, "trainer.json"), 0, NULL);
    ck_assert_ptr_nonnull(root);
    return root;
}

static void store_record(json_t *root)
{
    training_store_record(checkpoint, root);
}

/* Sets root[object][member] (root[member] for "") to a JSON value, or removes it for NULL. */
static void change_record(const char *object, const char *member, const char *value)
{
    json_t *root = load_record(checkpoint);
    json_t *parent = *object ? json_object_get(root, object) : root;
    ck_assert_msg(json_object_get(parent, member) != NULL, "no %s.%s", object, member);
    if (value) {
        json_t *parsed = json_loads(value, JSON_DECODE_ANY, NULL);
        ck_assert_ptr_nonnull(parsed);
        json_object_set_new(parent, member, parsed);
    } else {
        json_object_del(parent, member);
    }
    store_record(root);
}

static char logged[512];

static void remember(void *user, int32_t level, const char *message)
{
    (void)user;
    ck_assert_int_eq(level, MLM_LOG_WARNING);
    snprintf(logged, sizeof logged, "%s", message);
}

START_TEST(another_build_is_told_and_not_refused)
{
    mlm_runtime_options options;
    mlm_runtime *telling;
    mlm_runtime_options_init(&options, sizeof options);
    options.log = remember;
    assert_ok(mlm_runtime_create(&options, &telling));
    mlm_encoder *told = training_encoder(telling, 0.1);
    mlm_trainer *resumed;
    assert_ok(mlm_trainer_save(trainer, checkpoint));
    assert_ok(mlm_trainer_resume(telling, told, checkpoint, NULL, &resumed));
    ck_assert_str_eq(logged, "");
    mlm_trainer_free(resumed);
    change_record("", "build", "\"libmlm 0.0.9 blas=blis\"");
    assert_ok(mlm_trainer_resume(telling, told, checkpoint, NULL, &resumed));
    ck_assert_msg(strstr(logged, "trainer.json: written by libmlm 0.0.9 blas=blis, this is libmlm"),
        "%s", logged);
    mlm_trainer_free(resumed);
    mlm_encoder_free(told);

    mlm_encoder_options rounding;
    mlm_encoder_options_init(&rounding, sizeof rounding);
    rounding.precision = MLM_BF16;
    assert_ok(mlm_encoder_load(telling, checkpoint, &rounding, &told));
    assert_ok(mlm_trainer_save(trainer, checkpoint));
    logged[0] = 0;
    assert_ok(mlm_trainer_resume(telling, told, checkpoint, NULL, &resumed));
    if (!mlm__products_get(true)->bf16)
        ck_assert_str_eq(logged, "");
    else
        ck_assert_msg(strstr(logged, "precision=fp32, this is libmlm") &&
                          strstr(logged, "precision=bf16: from here on"),
            "%s", logged);
    mlm_trainer_free(resumed);
    mlm_encoder_free(told);
    mlm_runtime_free(telling);
}
END_TEST

#define A_HASH "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\""

START_TEST(hostile_records_are_refused)
{
    static const struct {
        const char *object, *member, *value;
        mlm_status status;
        const char *part;
    } cases[] = {
        {"", "format_version", NULL, MLM_ERR_FORMAT, "format_version"},
        {"", "format_version", "2", MLM_ERR_UNSUPPORTED, "format_version is 2"},
        {"", "format_version", "0", MLM_ERR_FORMAT, "format_version"},
        {"", "format_version", "\"1\"", MLM_ERR_FORMAT, "format_version"},
        {"", "build", NULL, MLM_ERR_FORMAT, "build: missing"},
        {"", "options", NULL, MLM_ERR_FORMAT, "options"},
        {"", "options", "[]", MLM_ERR_FORMAT, "options"},
        {"", "state", "7", MLM_ERR_FORMAT, "state"},
        {"", "metrics", "null", MLM_ERR_FORMAT, "metrics"},
        {"", "provenance", "\"x\"", MLM_ERR_FORMAT, "provenance"},
        {"", "provenance", "{\"corpus\": 7}", MLM_ERR_FORMAT, "provenance: corpus: not an object"},
        {"", "provenance", "{\"corpus\": {\"T\": [[1]]}}", MLM_ERR_FORMAT,
            "corpus: T: not a plain value"},
        {"", "provenance", "{\"other\": {\"x\": {}}}", MLM_ERR_FORMAT,
            "other: x: not a plain value"},
        {"", "files", NULL, MLM_ERR_FORMAT, "files"},
        {"", "files", "{}", MLM_ERR_FORMAT, "files"},
        {"", "files", "[]", MLM_ERR_FORMAT, "config.json is not listed"},
        {"", "files", "[3]", MLM_ERR_FORMAT, "an entry lacks"},
        {"", "files", "[{\"name\": \"config.json\", \"size\": 3}]", MLM_ERR_FORMAT,
            "an entry lacks"},
        {"", "files", "[{\"name\": \"config.json\", \"size\": -3, \"sha256\": " A_HASH "}]",
            MLM_ERR_FORMAT, "size"},
        {"", "files", "[{\"name\": \"../passwd\", \"size\": 3, \"sha256\": " A_HASH "}]",
            MLM_ERR_FORMAT, "'../passwd' is not a file's name"},
        {"", "files", "[{\"name\": \"..\", \"size\": 3, \"sha256\": " A_HASH "}]", MLM_ERR_FORMAT,
            "'..' is not a file's name"},
        {"", "files", "[{\"name\": \"a/b\", \"size\": 3, \"sha256\": " A_HASH "}]", MLM_ERR_FORMAT,
            "'a/b' is not a file's name"},
        {"options", "seed", NULL, MLM_ERR_FORMAT, "seed"},
        {"options", "seed", "15", MLM_ERR_FORMAT, "seed"},
        {"options", "seed", "\"\"", MLM_ERR_FORMAT, "seed: '' is not a number"},
        {"options", "seed", "\"-1\"", MLM_ERR_FORMAT, "seed: '-1' is not a number"},
        {"options", "seed", "\"18446744073709551616\"", MLM_ERR_FORMAT,
            "seed: '18446744073709551616' is not"},
        {"options", "lr_scheduler", NULL, MLM_ERR_FORMAT, "lr_scheduler"},
        {"options", "lr_scheduler", "\"cubic\"", MLM_ERR_FORMAT, "cubic"},
        {"options", "lr_scheduler", "1", MLM_ERR_FORMAT, "lr_scheduler"},
        {"options", "learning_rate", "-1", MLM_ERR_FORMAT, "learning_rate is -1"},
        {"options", "learning_rate", "true", MLM_ERR_FORMAT, "learning_rate"},
        {"options", "adam_beta1", "1", MLM_ERR_FORMAT, "adam_beta1 is 1"},
        {"options", "total_steps", "-3", MLM_ERR_FORMAT, "total_steps"},
        {"options", "adam_bias_correction", "4294967297", MLM_ERR_FORMAT, "adam_bias_correction"},
        {"state", "step", "-1", MLM_ERR_FORMAT, "step"},
        {"state", "step", "null", MLM_ERR_FORMAT, "step: missing"},
        {"state", "step", "9223372036854775807", MLM_ERR_FORMAT, "step: 9223372036854775807"},
        {"state", "lowest", "null", MLM_ERR_FORMAT, "lowest: missing"},
        {"state", "position", "\"5\"", MLM_ERR_FORMAT, "position"},
        {"state", "learning_rate", "-0.5", MLM_ERR_FORMAT, "learning_rate"},
        {"state", "stale", NULL, MLM_ERR_FORMAT, "stale"},
        {"metrics", "loss", "{}", MLM_ERR_FORMAT, "loss"},
        {"metrics", "labels", "-1", MLM_ERR_FORMAT, "labels"},
    };
    training_updates(trainer, 2);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_ok(mlm_trainer_save(trainer, checkpoint));
        change_record(cases[i].object, cases[i].member, cases[i].value);
        refused(cases[i].status, cases[i].part);
    }
    static const char head[] = "{\"corpus\": {\"T\": \"", tail[] = "\"}}";
    static char large[70000];
    memset(large, 'x', sizeof large);
    memcpy(large, head, sizeof head - 1);
    memcpy(large + sizeof large - sizeof tail, tail, sizeof tail);
    assert_ok(mlm_trainer_save(trainer, checkpoint));
    change_record("", "provenance", large);
    refused(MLM_ERR_FORMAT, "at most 65536 are expected");
    test_write_file(test_path(checkpoint, "trainer.json"), "{\"format_version\": 1", 20);
    refused(MLM_ERR_FORMAT, "trainer.json: damaged");
    test_write_file(test_path(checkpoint, "trainer.json"), "", 0);
    refused(MLM_ERR_FORMAT, "trainer.json");
}
END_TEST

START_TEST(another_model_is_a_mismatch)
{
    mlm_encoder_config config = training_config();
    config.hidden_size = 16;
    mlm_encoder *wider;
    assert_ok(mlm_encoder_create(NULL, &config, NULL, &wider));
    mlm_trainer *other = training_trainer(NULL, wider);
    assert_ok(mlm_trainer_save(other, checkpoint));
    refused(MLM_ERR_MISMATCH, "hidden_size is 16");
    training_updates(trainer, 3);

    /* Its moments in place of ours, with their own size and hash: only the shapes are wrong. */
    assert_ok(mlm_trainer_save(other, elsewhere));
    assert_ok(mlm_trainer_save(trainer, checkpoint));
    size_t size, index;
    char *data = test_read_file(test_path(elsewhere, "optimizer.safetensors"), &size);
    test_write_file(test_path(checkpoint, "optimizer.safetensors"), data, size);
    free(data);
    json_t *ours = load_record(checkpoint), *other_record = load_record(elsewhere), *entry;
    json_t *files = json_object_get(ours, "files");
    json_array_foreach (files, index, entry)
        if (strcmp(json_string_value(json_object_get(entry, "name")), "optimizer.safetensors") == 0)
            json_object_update(
                entry, json_array_get(json_object_get(other_record, "files"), index));
    store_record(ours);
    json_decref(other_record);
    refused(MLM_ERR_FORMAT, "not F32 of its parameter's shape");
    mlm_trainer_free(other);
    mlm_encoder_free(wider);
}
END_TEST

Suite *checkpoint_suite(void)
{
    Suite *suite = suite_create("checkpoint");
    TCase *tests = tcase_create("checkpoint");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, resumed_is_uninterrupted);
    tcase_add_test(tests, another_process_goes_on);
    tcase_add_test(tests, saving_before_the_first_update);
    tcase_add_test(tests, saved_is_a_model_directory);
    tcase_add_test(tests, the_rounding_mode_changes_no_byte);
    tcase_add_test(tests, rate_and_early_stopping_survive);
    tcase_add_test(tests, other_options_may_be_given);
    tcase_add_test(tests, options_come_back_as_they_were);
    tcase_add_test(tests, waiting_batches_forbid_saving);
    tcase_add_test(tests, a_failed_save_keeps_the_old_checkpoint);
    tcase_add_test(tests, a_killed_save_leaves_a_whole_checkpoint);
    tcase_add_test(tests, a_cut_off_exchange_is_found);
    tcase_add_test(tests, no_checkpoint_is_not_found);
    tcase_add_test(tests, damaged_files_are_named);
    tcase_add_test(tests, another_build_is_told_and_not_refused);
    tcase_add_test(tests, hostile_records_are_refused);
    tcase_add_test(tests, another_model_is_a_mismatch);
    suite_add_tcase(suite, tests);
    return suite;
}
