#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

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

static mlm_runtime *runtime_of(int32_t threads)
{
    mlm_runtime_options options;
    mlm_runtime *runtime;
    mlm_runtime_options_init(&options, sizeof options);
    options.threads = threads;
    assert_ok(mlm_runtime_create(&options, &runtime));
    return runtime;
}

/* The text a thousand times over, and the frequencies with it: the same merges on every number of
   threads. Lines are joined to one of more than a piece. */
START_TEST(test_same_on_any_number_of_threads)
{
    const learned_case *c = &learned_cases[0];
    char *text = malloc(sizeof learned_text);
    memcpy(text, learned_text, sizeof learned_text);
    for (size_t i = 0; i < sizeof learned_text - 1; i++)
        text[i] = text[i] == '\n' ? ' ' : text[i];
    for (int32_t threads = 1; threads <= 5; threads++) {
        mlm_runtime *runtime = runtime_of(threads);
        mlm_tokenizer *tokenizer;
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

/* A line of more than a block without a space to cut at: 140,000 times "ab", and a comma. */
START_TEST(test_a_line_without_spaces)
{
    feed f = {"ab,", 3, 0, 4096, 700000};
    mlm_vocab_options options;
    mlm_vocab_options_init(&options, sizeof options);
    options.min_frequency = 700000;
    mlm_tokenizer *tokenizer;
    assert_ok(mlm_tokenizer_train(NULL, read_feed, &f, &options, NULL, &tokenizer));
    ck_assert_int_eq(mlm_tokenizer_vocab_size(tokenizer), 5 + 3 + 1 + 1); /* , a b ##b ab */
    ck_assert_int_eq(mlm_tokenizer_id(tokenizer, "ab"), 9);
    mlm_tokenizer_free(tokenizer);
}
END_TEST

/* ---- max_words -------------------------------------------------------------------------------- */

enum { BLOCK = 1 << 20 };

/* Lines that fill a block but for less than a line, the given one first. */
static size_t put_block(char *text, const char *line)
{
    static const char filler[] = "the the the\n";
    size_t size = strlen(line);
    memcpy(text, line, size);
    for (; size + sizeof filler - 1 <= BLOCK; size += sizeof filler - 1)
        memcpy(text + size, filler, sizeof filler - 1);
    return size;
}

/* Of the five words of the first block three stay where the limit is three or four: zz is the rarest, and of uv and
   pq, which are equally rare, uv came first. In the end each would occur three times. */
START_TEST(test_rare_words_are_dropped)
{
    char *text = malloc(2 * BLOCK);
    size_t size = put_block(text, "xy uv pq xy uv zz pq xy\n");
    size += put_block(text + size, "zz uv pq zz\n");
    for (int32_t threads = 1; threads <= 5; threads++) {
        mlm_runtime *runtime = runtime_of(threads);
        for (int32_t max_words = 0; max_words <= 5; max_words++) {
            mlm_vocab_options options;
            mlm_vocab_options_init(&options, sizeof options);
            options.min_frequency = 3;
            options.max_words = max_words;
            feed f = {text, size, 0, 1 + (size_t)(threads * threads * 1000), 1};
            mlm_tokenizer *tokenizer;
            assert_ok(mlm_tokenizer_train(runtime, read_feed, &f, &options, NULL, &tokenizer));
            bool all = max_words == 0 || max_words == 5;
            ck_assert_int_eq(mlm_tokenizer_id(tokenizer, "the") >= 0, 1);
            ck_assert_int_eq(mlm_tokenizer_id(tokenizer, "xy") >= 0, all || max_words >= 2);
            ck_assert_int_eq(mlm_tokenizer_id(tokenizer, "pq") >= 0, all || max_words >= 3);
            ck_assert_int_eq(mlm_tokenizer_id(tokenizer, "zz") >= 0, all);
            ck_assert_int_eq(mlm_tokenizer_id(tokenizer, "uv") >= 0, all);
            mlm_tokenizer_free(tokenizer);
        }
        mlm_runtime_free(runtime);
    }
    free(text);
}
END_TEST

/* 5 MB with far more distinct words than are kept. */
START_TEST(test_dropping_depends_on_the_text_alone)
{
    enum { SIZE = 5 << 20, MAX_WORDS = 20000 };
    char *text = malloc(SIZE + 16);
    size_t size = 0;
    uint64_t state = 1;
    while (size < SIZE) {
        uint64_t number = test_random(&state) % (1 + test_random(&state) % 500000);
        for (; number > 0; number /= 16)
            text[size++] = (char)('a' + number % 16);
        text[size++] = test_random(&state) % 16 ? ' ' : '\n';
    }
    mlm_vocab_options options;
    mlm_vocab_options_init(&options, sizeof options);
    options.max_words = MAX_WORDS;
    options.vocab_size = 1000;
    mlm_tokenizer *first = NULL;
    for (int32_t threads = 1; threads <= 5; threads++) {
        for (size_t step = 777; step <= SIZE; step *= 80) {
            mlm_runtime *runtime = runtime_of(threads);
            mlm_tokenizer *tokenizer;
            feed f = {text, size, 0, step, 1};
            assert_ok(mlm_tokenizer_train(runtime, read_feed, &f, &options, NULL, &tokenizer));
            if (first) {
                ck_assert_int_eq(
                    mlm_tokenizer_vocab_size(tokenizer), mlm_tokenizer_vocab_size(first));
                for (int32_t v = 0; v < mlm_tokenizer_vocab_size(first); v++)
                    ck_assert_str_eq(
                        mlm_tokenizer_token(tokenizer, v), mlm_tokenizer_token(first, v));
                mlm_tokenizer_free(tokenizer);
            } else {
                first = tokenizer;
            }
            mlm_runtime_free(runtime);
        }
    }
    mlm_tokenizer_free(first);
    free(text);
}
END_TEST

/* The most memory that learning from some megabytes of the text takes. */
static int64_t peak_of(size_t megabytes)
{
    mlm_runtime *runtime = runtime_of(2);
    feed f = {learned_text, sizeof learned_text - 1, 0, 4096,
        (megabytes << 20) / (sizeof learned_text - 1)};
    mlm_tokenizer *tokenizer;
    assert_ok(mlm_tokenizer_train(runtime, read_feed, &f, NULL, NULL, &tokenizer));
    mlm_tokenizer_free(tokenizer);
    int64_t peak;
    mlm_runtime_memory(runtime, NULL, &peak);
    mlm_runtime_free(runtime);
    return peak;
}

START_TEST(test_memory_does_not_grow_with_the_text)
{
    int64_t peak = peak_of(3);
    ck_assert_int_le(peak_of(12), peak + peak / 100);
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
    static const char *const with_letter[] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "b"};
    options.special_tokens = with_letter;
    options.limit_alphabet = 1;
    f.at = 0;
    assert_ok(mlm_tokenizer_train(NULL, read_feed, &f, &options, NULL, &tokenizer));
    ck_assert_int_ge(mlm_tokenizer_id(tokenizer, "##b"), 0); /* kept beside the one letter */
    ck_assert_int_lt(mlm_tokenizer_id(tokenizer, "##n"), 0);
    mlm_tokenizer_free(tokenizer);
    options.special_tokens = special;
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
    mlm_vocab_options_init(&options, sizeof options);
    options.max_words = -1;
    assert_error(mlm_tokenizer_train(NULL, fail_to_read, NULL, &options, NULL, &tokenizer),
        MLM_ERR_ARGUMENT, "max_words is -1");
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
}
END_TEST

/* ---- trouble ---------------------------------------------------------------------------------- */

static int64_t memory_of(const mlm_runtime *runtime)
{
    int64_t now;
    mlm_runtime_memory(runtime, &now, NULL);
    return now;
}

typedef struct stopping {
    int32_t calls, stop_at; /* the call that says no */
    const char *what;       /* of that call */
} stopping;

/* Takes so long that the next call is due. */
static int stop(void *user, const char *what, int64_t done, int64_t total)
{
    stopping *s = user;
    (void)done, (void)total;
    usleep(110000);
    s->what = what;
    return ++s->calls < s->stop_at;
}

START_TEST(test_stopped_while_reading_and_while_learning)
{
    stopping state;
    mlm_runtime_options runtime_options;
    mlm_runtime *runtime;
    mlm_runtime_options_init(&runtime_options, sizeof runtime_options);
    runtime_options.user = &state;
    runtime_options.progress = stop;
    assert_ok(mlm_runtime_create(&runtime_options, &runtime));
    for (int32_t stop_at = 1; stop_at <= 4; stop_at++) {
        state = (stopping){.stop_at = stop_at};
        mlm_tokenizer *tokenizer = (mlm_tokenizer *)1;
        feed f = {learned_text, sizeof learned_text - 1, 0, 4096, 1};
        const char *what = stop_at == 1 ? "reading text" : "learning the vocabulary";
        assert_error(
            mlm_tokenizer_train(runtime, read_feed, &f, NULL, NULL, &tokenizer), MLM_STOPPED, what);
        ck_assert_str_eq(state.what, what);
        ck_assert_int_eq(state.calls, stop_at);
        ck_assert_ptr_null(tokenizer);
        ck_assert_int_eq(memory_of(runtime), 0);
    }
    mlm_runtime_free(runtime);
}
END_TEST

/* Fails when a feed has given all it has. */
static int read_then_fail(void *user, char *buffer, size_t capacity, size_t *length)
{
    int answer = read_feed(user, buffer, capacity, length);
    return *length > 0 ? answer : 7;
}

START_TEST(test_a_read_error_leaves_nothing)
{
    mlm_runtime *runtime = runtime_of(2);
    for (size_t size = 0; size < sizeof learned_text; size += 50) {
        mlm_tokenizer *tokenizer = (mlm_tokenizer *)1;
        char message[80];
        feed f = {learned_text, size, 0, 30, 1};
        snprintf(message, sizeof message, "the read callback returned 7 after %zu bytes", size);
        assert_error(mlm_tokenizer_train(runtime, read_then_fail, &f, NULL, NULL, &tokenizer),
            MLM_ERR_IO, message);
        ck_assert_ptr_null(tokenizer);
        ck_assert_int_eq(memory_of(runtime), 0);
    }
    mlm_runtime_free(runtime);
}
END_TEST

/* Whenever it is killed: there is no directory, or a whole one. */
START_TEST(test_killed_it_leaves_no_part_of_a_directory)
{
    const char *folder = test_path(test_folder(), "vocabulary");
    int32_t killed = 0, saved = 0;
    for (useconds_t wait = 0; saved < 3 && wait < 1000000; wait += 300) {
        pid_t child = fork();
        if (child == 0) {
            mlm_tokenizer *tokenizer;
            feed f = {learned_text, sizeof learned_text - 1, 0, 4096, 1};
            bool good =
                mlm_tokenizer_train(NULL, read_feed, &f, NULL, NULL, &tokenizer) == MLM_OK &&
                mlm_tokenizer_save(tokenizer, folder) == MLM_OK;
            _exit(good ? EXIT_SUCCESS : EXIT_FAILURE);
        }
        usleep(wait);
        kill(child, SIGKILL);
        int status;
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert(WIFSIGNALED(status) || WEXITSTATUS(status) == EXIT_SUCCESS);
        killed += WIFSIGNALED(status);
        if (access(folder, F_OK) != 0)
            continue;
        saved++;
        static const char *const names[] = {
            "vocab.txt", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"};
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
            ck_assert_int_eq(remove(test_path(folder, names[i])), 0);
        ck_assert_int_eq(rmdir(folder), 0);
    }
    ck_assert(killed > 0 && saved == 3);
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
    tcase_add_test(tests, test_a_line_without_spaces);
    tcase_add_test(tests, test_rare_words_are_dropped);
    tcase_add_test(tests, test_dropping_depends_on_the_text_alone);
    tcase_add_test(tests, test_memory_does_not_grow_with_the_text);
    tcase_add_test(tests, test_stopped_while_reading_and_while_learning);
    tcase_add_test(tests, test_a_read_error_leaves_nothing);
    tcase_add_test(tests, test_killed_it_leaves_no_part_of_a_directory);
    tcase_add_test(tests, test_out_of_memory_anywhere);
    suite_add_tcase(suite, tests);
    return suite;
}
