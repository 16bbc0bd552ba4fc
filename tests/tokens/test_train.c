#include <stdlib.h>

#include "tokens/learned_fixture.h"
#include "tokens/tokens_suites.h"

enum { CASES = sizeof learned_cases / sizeof learned_cases[0] };

/* Gives a text repeat times, step bytes at a time. */
typedef struct feed {
    const char *text;
    size_t size, at, step, repeat;
} feed;

static int read_feed(void *user, char *buffer, size_t capacity, size_t *length)
{
    feed *f = user;
    if (f->at == f->size && f->repeat > 1) {
        f->at = 0;
        f->repeat--;
    }
    size_t size = f->size - f->at;
    size = size < f->step ? size : f->step;
    size = size < capacity ? size : capacity;
    memcpy(buffer, f->text + f->at, size);
    f->at += size;
    *length = size;
    return MLM_CONTINUE;
}

static mlm_vocab_options options_of(const learned_case *c)
{
    mlm_vocab_options options;
    mlm_vocab_options_init(&options, sizeof options);
    options.vocab_size = c->vocab_size;
    options.min_frequency = c->min_frequency;
    options.limit_alphabet = c->limit_alphabet;
    return options;
}

static void check_tokens(const mlm_tokenizer *tokenizer, const learned_case *c)
{
    ck_assert_int_eq(mlm_tokenizer_vocab_size(tokenizer), c->V);
    for (int32_t v = 0; v < c->V; v++)
        ck_assert_str_eq(mlm_tokenizer_token(tokenizer, v), c->tokens[v]);
}

START_TEST(test_equals_the_oracle)
{
    const learned_case *c = &learned_cases[_i];
    mlm_vocab_options options = options_of(c);
    mlm_tokenizer *tokenizer;
    for (size_t step = 1; step < 4000; step *= 3) {
        feed f = {learned_text, sizeof learned_text - 1, 0, step, 1};
        assert_ok(mlm_tokenizer_train(NULL, read_feed, &f, &options, NULL, &tokenizer));
        check_tokens(tokenizer, c);
        mlm_tokenizer_free(tokenizer);
    }
    const char *path = test_path(test_folder(), "text");
    test_write_file(path, learned_text, sizeof learned_text - 1);
    assert_ok(mlm_tokenizer_train_files(NULL, &path, 1, &options, NULL, &tokenizer));
    check_tokens(tokenizer, c);
    mlm_tokenizer_free(tokenizer);
}
END_TEST

/* The text a thousand times over, and the frequencies with it: the same merges on every number of
   threads. Lines are joined to one of more than a piece. */
START_TEST(test_same_on_any_number_of_threads)
{
    const learned_case *c = &learned_cases[0];
    char *text = malloc(sizeof learned_text);
    memcpy(text, learned_text, sizeof learned_text);
    for (size_t i = 0; i < sizeof learned_text - 1; i++)
        text[i] = text[i] == '\n' ? ' ' : text[i];
    for (int32_t threads = 1; threads <= 3; threads++) {
        mlm_runtime_options runtime_options;
        mlm_runtime *runtime;
        mlm_tokenizer *tokenizer;
        mlm_runtime_options_init(&runtime_options, sizeof runtime_options);
        runtime_options.threads = threads;
        assert_ok(mlm_runtime_create(&runtime_options, &runtime));
        mlm_vocab_options options = options_of(c);
        options.min_frequency *= 1000;
        feed f = {threads == 2 ? learned_text : text, sizeof learned_text - 1, 0, 4096, 1000};
        assert_ok(mlm_tokenizer_train(runtime, read_feed, &f, &options, NULL, &tokenizer));
        check_tokens(tokenizer, c);
        mlm_tokenizer_free(tokenizer);
        mlm_runtime_free(runtime);
    }
    free(text);
}
END_TEST

START_TEST(test_special_tokens)
{
    static const char *const special[] = {"[MASK]", "[SEP]", "[CLS]", "[UNK]", "[PAD]", "[GENE]"};
    mlm_vocab_options options;
    mlm_vocab_options_init(&options, sizeof options);
    options.special_count = 6;
    options.special_tokens = special;
    feed f = {learned_text, sizeof learned_text - 1, 0, 100, 1};
    mlm_tokenizer *tokenizer;
    assert_ok(mlm_tokenizer_train(NULL, read_feed, &f, &options, NULL, &tokenizer));
    ck_assert_int_eq(mlm_tokenizer_special(tokenizer, MLM_TOKEN_PAD), 4);
    int32_t ids[3];
    size_t count;
    assert_ok(mlm_tokenizer_encode(tokenizer, "[GENE]", 6, NULL, ids, NULL, 3, &count));
    ck_assert(count == 3 && ids[0] == 2 && ids[1] == 5 && ids[2] == 1);
    mlm_tokenizer_free(tokenizer);
    options.special_count = 4;
    assert_error(mlm_tokenizer_train(NULL, read_feed, &f, &options, NULL, &tokenizer),
        MLM_ERR_ARGUMENT, "special_tokens has no [PAD]");
    static const char *const twice[] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[PAD]"};
    options.special_count = 6;
    options.special_tokens = twice;
    f.at = 0;
    assert_error(mlm_tokenizer_train(NULL, read_feed, &f, &options, NULL, &tokenizer),
        MLM_ERR_ARGUMENT, "special_tokens[5] is '[PAD]' again");
}
END_TEST

static int fail_to_read(void *user, char *buffer, size_t capacity, size_t *length)
{
    (void)user, (void)buffer, (void)capacity, (void)length;
    return 0;
}

static int stop(void *user, const char *what, int64_t done, int64_t total)
{
    (void)user, (void)what, (void)done, (void)total;
    return 0;
}

static void count_message(void *user, int32_t level, const char *message)
{
    int *warnings = user;
    *warnings += level == MLM_LOG_WARNING && strstr(message, "vocab_size is 6") != NULL;
}

START_TEST(test_a_vocabulary_larger_than_asked_for_is_logged)
{
    int warnings = 0;
    mlm_runtime_options runtime_options;
    mlm_runtime *runtime;
    mlm_tokenizer *tokenizer;
    mlm_runtime_options_init(&runtime_options, sizeof runtime_options);
    runtime_options.user = &warnings;
    runtime_options.log = count_message;
    assert_ok(mlm_runtime_create(&runtime_options, &runtime));
    for (int32_t vocab_size = 6; vocab_size <= 30522; vocab_size += 30516) {
        mlm_vocab_options options;
        mlm_vocab_options_init(&options, sizeof options);
        options.vocab_size = vocab_size;
        feed f = {learned_text, sizeof learned_text - 1, 0, 100, 1};
        assert_ok(mlm_tokenizer_train(runtime, read_feed, &f, &options, NULL, &tokenizer));
        ck_assert_int_eq(warnings, 1); /* of the first */
        mlm_tokenizer_free(tokenizer);
    }
    mlm_runtime_free(runtime);
}
END_TEST

START_TEST(test_refused)
{
    mlm_tokenizer *tokenizer = (mlm_tokenizer *)1;
    mlm_vocab_options options;
    assert_status(
        mlm_tokenizer_train(NULL, fail_to_read, NULL, NULL, NULL, &tokenizer), MLM_ERR_IO);
    ck_assert_ptr_null(tokenizer);
    assert_error(mlm_tokenizer_train(NULL, NULL, NULL, NULL, NULL, &tokenizer), MLM_ERR_ARGUMENT,
        "mlm_tokenizer_train: read is NULL");
    mlm_vocab_options_init(&options, sizeof options);
    options.vocab_size = 0;
    assert_error(mlm_tokenizer_train(NULL, fail_to_read, NULL, &options, NULL, &tokenizer),
        MLM_ERR_ARGUMENT, "vocab_size is 0");
    const char *path = "/nowhere/text";
    assert_error(mlm_tokenizer_train_files(NULL, &path, 1, NULL, NULL, &tokenizer),
        MLM_ERR_NOT_FOUND, "/nowhere/text");
    assert_error(mlm_tokenizer_train_files(NULL, &path, 0, NULL, NULL, &tokenizer),
        MLM_ERR_ARGUMENT, "no paths");
    const char *blank[2];
    blank[0] = blank[1] = test_path(test_folder(), "blank");
    test_write_file(blank[0], " \n\n", 3);
    assert_error(mlm_tokenizer_train_files(NULL, blank, 1, NULL, NULL, &tokenizer), MLM_ERR_FORMAT,
        "blank: no text in it");
    assert_error(mlm_tokenizer_train_files(NULL, blank, 2, NULL, NULL, &tokenizer), MLM_ERR_FORMAT,
        "blank and 1 more: no text in them");
    feed nothing = {"", 0, 0, 1, 1};
    assert_error(mlm_tokenizer_train(NULL, read_feed, &nothing, NULL, NULL, &tokenizer),
        MLM_ERR_FORMAT, "text: no text in it");
    mlm_runtime_options runtime_options;
    mlm_runtime *runtime;
    mlm_runtime_options_init(&runtime_options, sizeof runtime_options);
    runtime_options.progress = stop;
    assert_ok(mlm_runtime_create(&runtime_options, &runtime));
    feed f = {learned_text, sizeof learned_text - 1, 0, 100, 1};
    assert_status(mlm_tokenizer_train(runtime, read_feed, &f, NULL, NULL, &tokenizer), MLM_STOPPED);
    mlm_runtime_free(runtime);
}
END_TEST

static mlm_status train(mlm_runtime *runtime, void *context)
{
    (void)context;
    feed f = {learned_text, sizeof learned_text - 1, 0, 100, 1};
    mlm_vocab_options options = options_of(&learned_cases[0]);
    mlm_tokenizer *tokenizer = NULL;
    mlm_status status = mlm_tokenizer_train(runtime, read_feed, &f, &options, NULL, &tokenizer);
    mlm_tokenizer_free(tokenizer);
    return status;
}

START_TEST(test_out_of_memory_anywhere)
{
    test_out_of_memory(train, NULL);
}
END_TEST

Suite *train_suite(void)
{
    Suite *suite = suite_create("train");
    TCase *tests = tcase_create("train");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, test_equals_the_oracle, 0, CASES);
    tcase_add_test(tests, test_same_on_any_number_of_threads);
    tcase_add_test(tests, test_special_tokens);
    tcase_add_test(tests, test_a_vocabulary_larger_than_asked_for_is_logged);
    tcase_add_test(tests, test_refused);
    tcase_add_test(tests, test_out_of_memory_anywhere);
    suite_add_tcase(suite, tests);
    return suite;
}
