#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "batches/corpus.h"
#include "batches_suites.h"
#include "letters.h"
#include "support/support.h"

START_TEST(what_is_counted)
{
    static const char text[] = "a b\n" /* duplicate of the third line */
                               "c d e\n"
                               "a b\n"
                               "  \t\n"
                               "\n"
                               "a1 f\r\n"  /* [UNK] f */
                               "[SEP] a\n" /* may not be predicted */
                               "\x80\n"    /* no token; not blank either */
                               "a";
    mlm_corpus_options options = letters_options(16, MLM_INPUT_SENTENCES, MLM_PACK_FULL);
    mlm_corpus *corpus = letters_corpus(text, &options);
    mlm_corpus_info info;
    mlm_corpus_info_init(&info, sizeof info);
    assert_ok(mlm_corpus_get_info(corpus, &info));
    ck_assert_int_eq(info.bytes, sizeof text - 1);
    ck_assert_int_eq(info.documents, 2);
    ck_assert_int_eq(info.sentences, 6);
    ck_assert_int_eq(info.sequences, 2);
    ck_assert_int_eq(info.tokens, 12);
    ck_assert_int_eq(info.unknown_tokens, 1);
    ck_assert_int_eq(info.truncated_tokens, 0);
    ck_assert_int_eq(info.duplicate_lines, 1);
    ck_assert_int_eq(info.invalid_bytes, 1);
    for (int bin = 0; bin < MLM_LENGTH_BINS; bin++) {
        ck_assert_int_eq(info.sentence_lengths[bin], bin == 0 ? 1 : bin == 1 ? 5 : 0);
        ck_assert_int_eq(info.sequence_lengths[bin], bin == 2 || bin == 3); /* of 7 and 9 */
    }
    /* a 4, b 2, c d e [UNK] f 1 each: of 11 */
    double entropy = 0, counts[] = {4, 2, 1, 1, 1, 1, 1};
    for (size_t i = 0; i < 7; i++)
        entropy -= counts[i] / 11 * log(counts[i] / 11);
    ck_assert_double_eq_tol(info.unigram_entropy, entropy, 1e-14);
    mlm_corpus_free(corpus);

    options.input = MLM_INPUT_LINES;
    corpus = letters_corpus(text, &options);
    assert_ok(mlm_corpus_get_info(corpus, &info));
    ck_assert_int_eq(info.documents, 6);
    ck_assert_int_eq(info.sequences, 6);
    mlm_corpus_free(corpus);
}
END_TEST

START_TEST(many_duplicates)
{
    enum { LINES = 5000 };
    char *once = letters_numbered(LINES), *text = malloc(2 * LINES * 8 + 1);
    memcpy(text, once, LINES * 8);
    memcpy(text + LINES * 8, once, LINES * 8 + 1);
    mlm_corpus_options options = letters_options(64, MLM_INPUT_SENTENCES, MLM_PACK_FULL);
    mlm_corpus *corpus = letters_corpus(text, &options);
    mlm_corpus_info info;
    mlm_corpus_info_init(&info, sizeof info);
    assert_ok(mlm_corpus_get_info(corpus, &info));
    ck_assert_int_eq(info.duplicate_lines, LINES);
    mlm_corpus_free(corpus);
    free(once);
    free(text);
}
END_TEST

START_TEST(a_document_ends_with_its_file)
{
    mlm_tokenizer *tokenizer = letters_tokenizer(NULL);
    const char *path = test_path(test_folder(), "text"), *paths[] = {path, path, path};
    test_write_file(path, "a b\nc", 5);
    mlm_corpus *corpus;
    mlm_corpus_info info;
    mlm_corpus_info_init(&info, sizeof info);
    assert_ok(mlm_corpus_open(NULL, tokenizer, paths, 3, NULL, &corpus));
    assert_ok(mlm_corpus_get_info(corpus, &info));
    ck_assert_int_eq(info.documents, 3);
    ck_assert_int_eq(info.sequences, 3);
    ck_assert_int_eq(info.sentences, 6);
    mlm_corpus_free(corpus);
    mlm_tokenizer_free(tokenizer);
}
END_TEST

/* Ids beyond 2 bytes. */
START_TEST(large_vocabulary)
{
    mlm_tokenizer *tokenizer = letters_tokenizer_of(NULL, 70000);
    letters_text reader = letters_reader("69999 65536 a 65535\n", 20, 20);
    mlm_corpus_options options = letters_options(16, MLM_INPUT_SENTENCES, MLM_PACK_FULL);
    mlm_corpus *corpus;
    mlm_batch batch;
    assert_ok(mlm_corpus_read(NULL, tokenizer, letters_read, &reader, &options, &corpus));
    mlm_tokenizer_free(tokenizer);
    mlm_batch_init(&batch, sizeof batch);
    assert_ok(mlm_corpus_next(corpus, &batch));
    static const int32_t expected[] = {LETTER_CLS, 69999, 65536, LETTER_A, 65535, LETTER_SEP};
    ck_assert_int_eq(batch.offsets[1], 6);
    ck_assert_mem_eq(batch.input_ids, expected, sizeof expected);
    ck_assert_ptr_null(batch.token_type_ids);
    ck_assert_ptr_null(batch.labels);
    ck_assert_ptr_null(batch.sentence_labels);
    mlm_corpus_free(corpus);
}
END_TEST

/* What is another stream has another provenance, and what is not has the same. */
START_TEST(provenance)
{
    static const char text[] = "a b c d\ne f g h\n\ni j k l\n";
    mlm_corpus_options options = letters_options(8, MLM_INPUT_SENTENCES, MLM_PACK_FULL);
    mlm_corpus *corpus = letters_corpus(text, &options);
    json_t *first = mlm__corpus_provenance(corpus);
    ck_assert_int_eq(json_integer_value(json_object_get(first, "T")), 8);
    ck_assert_str_eq(json_string_value(json_object_get(first, "packing")), "full");
    ck_assert_str_eq(json_string_value(json_object_get(first, "seed")), "0");
    mlm_corpus_free(corpus);
    for (int change = 0; change < 10; change++) {
        mlm_corpus_options changed = options;
        const char *changed_text = text;
        switch (change) {
        case 0:
            changed.epochs = 5;
            break;
        case 1:
            changed.B = 8;
            break;
        case 2:
            changed.T = 9;
            break;
        case 3:
            changed.input = MLM_INPUT_LINES;
            break;
        case 4:
            changed.packing = MLM_PACK_ACROSS;
            break;
        case 5:
            changed.ranks = 2;
            break;
        case 6:
            changed.seed = UINT64_MAX;
            break;
        case 7:
            changed_text = "a b c d\ne f g h\n\ni j k m\n";
            break;
        case 8:
            changed_text = "a b c d\n\ne f g h\n\ni j\nk l\n";
            break;
        case 9:
            changed_text = "a b c\nd e f g h\n\ni j k l\n";
            break;
        }
        corpus = letters_corpus(changed_text, &changed);
        json_t *second = mlm__corpus_provenance(corpus);
        /* Case 8: the sequences are the same, wherever the lines ended. */
        ck_assert_msg(
            json_equal(first, second) == (change == 0 || change == 8), "change %d", change);
        json_decref(second);
        mlm_corpus_free(corpus);
    }
    json_decref(first);
}
END_TEST

static void expect_refusal(const mlm_corpus_options *options, mlm_status expected, const char *part)
{
    mlm_tokenizer *tokenizer = letters_tokenizer(NULL);
    letters_text reader = letters_reader("a\n", 2, 2);
    mlm_corpus *corpus = (mlm_corpus *)&reader;
    assert_error(
        mlm_corpus_read(NULL, tokenizer, letters_read, &reader, options, &corpus), expected, part);
    ck_assert_ptr_null(corpus);
    mlm_tokenizer_free(tokenizer);
}

START_TEST(options_out_of_range)
{
    static const struct {
        size_t place;
        int32_t value;
        mlm_status status;
        const char *part;
    } wrong[] = {
        {offsetof(mlm_corpus_options, struct_size), 0, MLM_ERR_ARGUMENT, "struct_size"},
        {offsetof(mlm_corpus_options, B), 0, MLM_ERR_ARGUMENT, "B is"},
        {offsetof(mlm_corpus_options, B), INT32_MAX, MLM_ERR_SHAPE, "2147483647 sequences"},
        {offsetof(mlm_corpus_options, T), 2, MLM_ERR_ARGUMENT, "T is"},
        {offsetof(mlm_corpus_options, input), 3, MLM_ERR_ARGUMENT, "input is"},
        {offsetof(mlm_corpus_options, input), -1, MLM_ERR_ARGUMENT, "input is"},
        {offsetof(mlm_corpus_options, packing), 4, MLM_ERR_ARGUMENT, "packing is"},
        {offsetof(mlm_corpus_options, packing), -1, MLM_ERR_ARGUMENT, "packing is"},
        {offsetof(mlm_corpus_options, rank), 1, MLM_ERR_ARGUMENT, "rank is"},
        {offsetof(mlm_corpus_options, rank), -1, MLM_ERR_ARGUMENT, "rank is"},
        {offsetof(mlm_corpus_options, ranks), 0, MLM_ERR_ARGUMENT, "ranks is"},
        {offsetof(mlm_corpus_options, reserved0), 1, MLM_ERR_UNSUPPORTED, "reserved"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        mlm_corpus_options options = letters_options(16, MLM_INPUT_SENTENCES, MLM_PACK_FULL);
        memcpy((char *)&options + wrong[i].place, &wrong[i].value, sizeof wrong[i].value);
        expect_refusal(&options, wrong[i].status, wrong[i].part);
    }
    mlm_corpus_options options = letters_options(16, MLM_INPUT_SENTENCES, MLM_PACK_FULL);
    options.epochs = -1;
    expect_refusal(&options, MLM_ERR_ARGUMENT, "epochs is");
    options.epochs = INT64_MAX;
    expect_refusal(&options, MLM_ERR_ARGUMENT, "epochs is");
    options.epochs = 1;
    options.cache = "";
    expect_refusal(&options, MLM_ERR_ARGUMENT, "cache is an empty path");
}
END_TEST

START_TEST(arguments)
{
    mlm_tokenizer *tokenizer = letters_tokenizer(NULL);
    mlm_corpus *corpus = (mlm_corpus *)tokenizer;
    const char *paths[] = {"here", NULL};
    mlm_corpus_info info = {.struct_size = sizeof info};
    mlm_batch batch = {.struct_size = sizeof batch};
    assert_error(mlm_corpus_open(NULL, NULL, paths, 1, NULL, &corpus), MLM_ERR_ARGUMENT,
        "tokenizer is NULL");
    ck_assert_ptr_null(corpus);
    assert_error(
        mlm_corpus_open(NULL, tokenizer, NULL, 1, NULL, &corpus), MLM_ERR_ARGUMENT, "paths");
    assert_error(
        mlm_corpus_open(NULL, tokenizer, paths, 0, NULL, &corpus), MLM_ERR_ARGUMENT, "paths");
    assert_error(
        mlm_corpus_open(NULL, tokenizer, paths, 2, NULL, &corpus), MLM_ERR_ARGUMENT, "paths[1]");
    assert_error(
        mlm_corpus_open(NULL, tokenizer, paths, 1, NULL, NULL), MLM_ERR_ARGUMENT, "out is NULL");
    assert_error(mlm_corpus_read(NULL, tokenizer, NULL, NULL, NULL, &corpus), MLM_ERR_ARGUMENT,
        "read is NULL");
    assert_error(mlm_corpus_get_info(NULL, &info), MLM_ERR_ARGUMENT, "corpus is NULL");
    assert_error(mlm_corpus_next(NULL, &batch), MLM_ERR_ARGUMENT, "corpus is NULL");
    assert_error(mlm_corpus_seek(NULL, 0), MLM_ERR_ARGUMENT, "corpus is NULL");
    mlm_corpus_free(NULL);
    mlm_tokenizer_free(tokenizer);
}
END_TEST

/* Structs of callers that know less; and that a call that failed did not count. */
START_TEST(old_structs)
{
    static const char text[] = "a b\nc d\n";
    mlm_corpus_options options = letters_options(16, MLM_INPUT_SENTENCES, MLM_PACK_ONE);
    options.struct_size = offsetof(mlm_corpus_options, input);
    options.B = 1;
    mlm_corpus *corpus = letters_corpus(text, &options); /* FULL: one sequence, no end */
    mlm_batch batch;
    memset(&batch, 0x55, sizeof batch);
    batch.struct_size = offsetof(mlm_batch, token_type_ids);
    assert_ok(mlm_corpus_next(corpus, &batch));
    ck_assert_int_eq(batch.offsets[1], 6);
    ck_assert_uint_eq((uint64_t)(uintptr_t)batch.token_type_ids, UINT64_C(0x5555555555555555));
    int64_t position = mlm__corpus_position(corpus);
    batch.struct_size = 0;
    assert_error(mlm_corpus_next(corpus, &batch), MLM_ERR_ARGUMENT, "struct_size");
    ck_assert_int_eq(mlm__corpus_position(corpus), position);
    mlm_corpus_free(corpus);
}
END_TEST

START_TEST(texts_without_text)
{
    static const char *const texts[] = {"", "\n", "\n \n\t\n", "\x01\x02\n"};
    mlm_tokenizer *tokenizer = letters_tokenizer(NULL);
    const char *folder = test_folder();
    const char *paths[] = {test_path(folder, "empty.txt"), test_path(folder, "empty.txt")};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        mlm_corpus *corpus;
        letters_text reader = letters_reader(texts[i], strlen(texts[i]), 1);
        assert_error(mlm_corpus_read(NULL, tokenizer, letters_read, &reader, NULL, &corpus),
            MLM_ERR_FORMAT, "text: no text in it");
        test_write_file(paths[0], texts[i], strlen(texts[i]));
        assert_error(mlm_corpus_open(NULL, tokenizer, paths, 1, NULL, &corpus), MLM_ERR_FORMAT,
            "empty.txt: no text in it");
        assert_error(mlm_corpus_open(NULL, tokenizer, paths, 2, NULL, &corpus), MLM_ERR_FORMAT,
            "empty.txt and 1 more");
        ck_assert_ptr_null(corpus);
    }
    mlm_tokenizer_free(tokenizer);
}
END_TEST

/* Bytes of all kinds but zero, and one line of 10 MB: read, counted, and all of it given. */
START_TEST(bytes_at_random)
{
    enum { SIZE = 10000000 };
    char *text = malloc(SIZE + 1);
    uint64_t state = 11;
    for (size_t i = 0; i < SIZE; i++)
        text[i] = (char)(i < 200000 ? 1 + test_random(&state) % 255 : i % 7 ? 'a' : ' ');
    text[SIZE] = 0;
    mlm_corpus_options options = letters_options(64, MLM_INPUT_PARAGRAPHS, MLM_PACK_FULL);
    options.B = 1000;
    mlm_corpus *corpus = letters_corpus(text, &options);
    mlm_corpus_info info;
    mlm_corpus_info_init(&info, sizeof info);
    assert_ok(mlm_corpus_get_info(corpus, &info));
    ck_assert_int_eq(info.bytes, SIZE);
    ck_assert_int_gt(info.invalid_bytes, 50000);
    ck_assert_int_gt(info.tokens, (SIZE - 200000) / 7 * 6 - 10);
    int64_t tokens = 0, count = 0;
    mlm_batch batch;
    mlm_batch_init(&batch, sizeof batch);
    while (mlm_corpus_next(corpus, &batch) == MLM_OK) {
        tokens += batch.offsets[batch.B] - 2 * batch.B;
        count += batch.B;
    }
    ck_assert_int_eq(tokens, info.tokens);
    ck_assert_int_eq(count, info.sequences);
    mlm_corpus_free(corpus);
    free(text);
}
END_TEST

static int stop(void *user, const char *what, int64_t done, int64_t total)
{
    int *calls = user;
    (void)what;
    ck_assert_int_ge(done, 0);
    ck_assert(total == 0 || done <= total);
    return ++*calls < 2 ? MLM_CONTINUE : 0;
}

START_TEST(progress_stops)
{
    int calls = 0;
    mlm_runtime_options options;
    mlm_runtime *runtime;
    mlm_corpus *corpus;
    const char *path = test_path(test_folder(), "text");
    char *text = letters_random_text(1, 300);
    test_write_file(path, text, strlen(text));
    mlm_runtime_options_init(&options, sizeof options);
    options.user = &calls;
    options.progress = stop;
    assert_ok(mlm_runtime_create(&options, &runtime));
    mlm_tokenizer *tokenizer = letters_tokenizer(runtime);
    const char *paths[] = {path, path};
    mlm_status status = mlm_corpus_open(runtime, tokenizer, paths, 2, NULL, &corpus);
    assert_status(status, MLM_STOPPED);
    ck_assert_ptr_null(corpus);
    ck_assert_int_eq(calls, 2);
    mlm_tokenizer_free(tokenizer);
    mlm_runtime_free(runtime);
    free(text);
}
END_TEST

static int stop_packing(void *user, const char *what, int64_t done, int64_t total)
{
    (void)done, (void)total;
    int *calls = user;
    *calls += strcmp(what, "packing") == 0;
    return *calls ? 0 : MLM_CONTINUE;
}

/* What comes after the reading can be stopped too, and leaves nothing behind. */
START_TEST(progress_stops_packing)
{
    int calls = 0;
    mlm_runtime_options options;
    mlm_runtime *runtime;
    mlm_corpus *corpus;
    mlm_runtime_options_init(&options, sizeof options);
    options.user = &calls;
    options.progress = stop_packing;
    assert_ok(mlm_runtime_create(&options, &runtime));
    mlm_tokenizer *tokenizer = letters_tokenizer(runtime);
    const char *path = test_path(test_folder(), "text");
    test_write_file(path, "a b c\n", 6);
    assert_error(mlm_corpus_open(runtime, tokenizer, &path, 1, NULL, &corpus), MLM_STOPPED,
        "packing was stopped");
    ck_assert_int_eq(calls, 1);
    mlm_tokenizer_free(tokenizer);
    int64_t now;
    mlm_runtime_memory(runtime, &now, NULL);
    ck_assert_int_eq(now, 0);
    mlm_runtime_free(runtime);
}
END_TEST

/* Words of all letters, so many lines in all. */
static int read_alphabets(void *user, char *buffer, size_t capacity, size_t *length)
{
    static const char line[] = "abcdefghijklmnopqrstuvwxyz\n";
    int64_t *lines = user;
    for (*length = 0; *lines > 0 && capacity - *length >= sizeof line; --*lines) {
        memcpy(buffer + *length, line, sizeof line - 1);
        *length += sizeof line - 1;
    }
    return MLM_CONTINUE;
}

/* 52 MB of tokens, which are kept on the disk. */
START_TEST(memory_of_a_long_text)
{
    int64_t lines = 1000000, now, peak;
    mlm_runtime *runtime;
    mlm_runtime_options runtime_options;
    mlm_runtime_options_init(&runtime_options, sizeof runtime_options);
    runtime_options.threads = 2;
    assert_ok(mlm_runtime_create(&runtime_options, &runtime));
    mlm_tokenizer *tokenizer = letters_tokenizer(runtime);
    mlm_corpus_options options = letters_options(128, MLM_INPUT_SENTENCES, MLM_PACK_FULL);
    options.cache = test_folder();
    mlm_corpus *corpus;
    assert_ok(mlm_corpus_read(runtime, tokenizer, read_alphabets, &lines, &options, &corpus));
    mlm_corpus_info info;
    mlm_corpus_info_init(&info, sizeof info);
    assert_ok(mlm_corpus_get_info(corpus, &info));
    ck_assert_int_eq(info.sentences, 1000000);
    mlm_runtime_memory(runtime, &now, &peak);
    ck_assert_int_lt(now, 4000000);
    ck_assert_int_lt(peak, 30000000);
    mlm_corpus_free(corpus);
    mlm_tokenizer_free(tokenizer);
    mlm_runtime_free(runtime);
}
END_TEST

/* A file of a shape that would cost most: memory stays near the 2 bytes a token. */
START_TEST(memory_of_many_short_lines)
{
    enum { LINES = 1000000 };
    char *text = malloc(LINES * 2 + 1);
    for (size_t i = 0; i < LINES; i++)
        memcpy(text + 2 * i, "a\n", 2);
    text[LINES * 2] = 0;
    mlm_runtime *runtime;
    mlm_runtime_options runtime_options;
    mlm_runtime_options_init(&runtime_options, sizeof runtime_options);
    assert_ok(mlm_runtime_create(&runtime_options, &runtime));
    mlm_tokenizer *tokenizer = letters_tokenizer(runtime);
    letters_text reader = letters_reader(text, LINES * 2, LINES);
    mlm_corpus_options options = letters_options(128, MLM_INPUT_SENTENCES, MLM_PACK_FULL);
    mlm_corpus *corpus;
    assert_ok(mlm_corpus_read(runtime, tokenizer, letters_read, &reader, &options, &corpus));
    int64_t now, peak;
    mlm_runtime_memory(runtime, &now, &peak);
    ck_assert_int_lt(now, 3000000);
    ck_assert_int_lt(peak, 12000000);
    mlm_corpus_free(corpus);
    mlm_tokenizer_free(tokenizer);
    mlm_runtime_free(runtime);
    free(text);
}
END_TEST

static mlm_status use_corpus(mlm_runtime *runtime, void *context)
{
    const char *text = context;
    letters_text reader = letters_reader(text, strlen(text), 1 << 20);
    mlm_corpus_options options = letters_options(16, MLM_INPUT_SENTENCES, MLM_PACK_FULL);
    mlm_tokenizer *tokenizer = letters_tokenizer(NULL);
    mlm_corpus *corpus;
    mlm_status status =
        mlm_corpus_read(runtime, tokenizer, letters_read, &reader, &options, &corpus);
    mlm_tokenizer_free(tokenizer);
    if (status != MLM_OK) {
        ck_assert_ptr_null(corpus);
        return status;
    }
    mlm_batch batch;
    mlm_batch_init(&batch, sizeof batch);
    for (int k = 0; k < 5 && status == MLM_OK; k++) {
        int64_t position = mlm__corpus_position(corpus);
        status = mlm_corpus_next(corpus, &batch);
        if (status != MLM_OK) /* nothing happened, and it may be tried again */
            ck_assert_int_eq(mlm__corpus_position(corpus), position);
    }
    mlm_corpus_free(corpus);
    return status;
}

START_TEST(without_memory)
{
    char *text = letters_random_text(2, 60);
    test_out_of_memory(use_corpus, text);
    free(text);
}
END_TEST

Suite *corpus_text_suite(void)
{
    Suite *suite = suite_create("corpus text");
    TCase *tests = tcase_create("corpus text");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, what_is_counted);
    tcase_add_test(tests, many_duplicates);
    tcase_add_test(tests, a_document_ends_with_its_file);
    tcase_add_test(tests, large_vocabulary);
    tcase_add_test(tests, provenance);
    tcase_add_test(tests, options_out_of_range);
    tcase_add_test(tests, arguments);
    tcase_add_test(tests, old_structs);
    tcase_add_test(tests, texts_without_text);
    tcase_add_test(tests, bytes_at_random);
    tcase_add_test(tests, progress_stops);
    tcase_add_test(tests, progress_stops_packing);
    tcase_add_test(tests, memory_of_a_long_text);
    tcase_add_test(tests, memory_of_many_short_lines);
    tcase_add_test(tests, without_memory);
    suite_add_tcase(suite, tests);
    return suite;
}
