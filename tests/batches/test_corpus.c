#include <stdlib.h>
#include <string.h>

#include "batches/corpus.h"
#include "batches/order.h"
#include "batches_suites.h"
#include "letters.h"
#include "support/support.h"

/* The sequences of a stream, one after the other. */
typedef struct sequences {
    int64_t count;     /* of sequences */
    int64_t *position; /* [count] */
    size_t *length;    /* [count] with [CLS] and [SEP] */
    int32_t **ids;     /* [count][length] */
} sequences;

static void add_batch(sequences *stream, const mlm_batch *batch)
{
    size_t room = (size_t)(stream->count + batch->B + 1);
    stream->position = realloc(stream->position, room * sizeof *stream->position);
    stream->length = realloc(stream->length, room * sizeof *stream->length);
    stream->ids = realloc(stream->ids, room * sizeof *stream->ids);
    for (int32_t b = 0; b < batch->B; b++) {
        size_t length = (size_t)(batch->offsets[b + 1] - batch->offsets[b]);
        stream->position[stream->count] = batch->position + b;
        stream->length[stream->count] = length;
        stream->ids[stream->count] = malloc(length * sizeof(int32_t));
        memcpy(stream->ids[stream->count], batch->input_ids + batch->offsets[b],
            length * sizeof(int32_t));
        stream->count++;
    }
}

static sequences read_stream(mlm_corpus *corpus)
{
    sequences stream = {0};
    mlm_batch batch;
    mlm_status status;
    mlm_batch_init(&batch, sizeof batch);
    while ((status = mlm_corpus_next(corpus, &batch)) == MLM_OK)
        add_batch(&stream, &batch);
    assert_status(status, MLM_END);
    ck_assert_int_eq(batch.B, 0);
    assert_status(mlm_corpus_next(corpus, &batch), MLM_END);
    return stream;
}

static void free_stream(sequences *stream)
{
    for (int64_t i = 0; i < stream->count; i++)
        free(stream->ids[i]);
    free(stream->position);
    free(stream->length);
    free(stream->ids);
}

/* For every way to read and to pack: the sequences, put back in order, are the text. */
START_TEST(no_token_is_lost)
{
    int32_t input = _i / 2 % 3, T = (int32_t[]){3, 9, 64, 512}[_i / 6];
    int32_t packing = input == MLM_INPUT_LINES && _i % 2 ? MLM_PACK_ONE
                      : _i % 2                           ? MLM_PACK_ACROSS
                                                         : MLM_PACK_FULL;
    char *text = letters_random_text((uint64_t)_i + 1, 40);
    size_t size = strlen(text);
    int32_t *expected = malloc(size * sizeof *expected);
    size_t tokens = letters_encode(text, size, expected);
    mlm_corpus_options options = letters_options(T, input, packing);
    mlm_corpus *corpus = letters_corpus(text, &options);
    mlm_corpus_info info;
    mlm_corpus_info_init(&info, sizeof info);
    assert_ok(mlm_corpus_get_info(corpus, &info));
    ck_assert_int_eq(info.tokens, (int64_t)tokens);
    ck_assert_int_eq(info.truncated_tokens, 0);
    ck_assert_int_eq(info.bytes, (int64_t)size);

    sequences stream = read_stream(corpus);
    ck_assert_int_eq(stream.count, info.sequences);
    mlm__order order = mlm__order_make(options.seed, 0, stream.count);
    int64_t *place = malloc((size_t)stream.count * sizeof *place);
    for (int64_t s = 0; s < stream.count; s++)
        place[mlm__order_at(&order, s)] = s;
    size_t at = 0;
    for (int64_t i = 0; i < stream.count; i++) {
        size_t length = stream.length[place[i]] - 2;
        const int32_t *ids = stream.ids[place[i]];
        ck_assert_uint_le(length + 2, (size_t)T);
        ck_assert_uint_gt(length, 0);
        ck_assert_uint_le(at + length, tokens);
        ck_assert_int_eq(ids[0], LETTER_CLS);
        ck_assert_int_eq(ids[length + 1], LETTER_SEP);
        ck_assert(memcmp(ids + 1, expected + at, length * sizeof *ids) == 0);
        at += length;
    }
    ck_assert_uint_eq(at, tokens);
    free(place);
    free_stream(&stream);
    free(expected);
    free(text);
    mlm_corpus_free(corpus);
}
END_TEST

static int compare_positions(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int64_t number_of(const int32_t *ids)
{
    return ((int64_t)(ids[1] - LETTER_A) * 26 + ids[2] - LETTER_A) * 26 + ids[3] - LETTER_A;
}

/* Every sequence once an epoch, in another order each, whatever B. */
START_TEST(epochs)
{
    enum { LINES = 1000, EPOCHS = 3 };
    char *text = letters_numbered(LINES);
    int64_t order[EPOCHS][LINES];
    for (int32_t B = 1; B <= 1500; B = B * 7 + 4) {
        mlm_corpus_options options = letters_options(16, MLM_INPUT_SENTENCES, MLM_PACK_ONE);
        options.B = B;
        options.epochs = EPOCHS;
        options.seed = 99;
        mlm_corpus *corpus = letters_corpus(text, &options);
        sequences stream = read_stream(corpus);
        ck_assert_int_eq(stream.count, EPOCHS * LINES);
        for (int e = 0; e < EPOCHS; e++) {
            char seen[LINES] = {0};
            int same = 0;
            for (int i = 0; i < LINES; i++) {
                int64_t number = number_of(stream.ids[e * LINES + i]);
                ck_assert(!seen[number]);
                seen[number] = 1;
                if (B > 1)
                    ck_assert_int_eq(order[e][i], number);
                order[e][i] = number;
                same += e > 0 && order[e - 1][i] == number;
            }
            ck_assert_int_lt(same, 12);
        }
        free_stream(&stream);
        mlm_corpus_free(corpus);
    }
    free(text);
}
END_TEST

/* Ranks see what one would have seen, each its own share, and the end at the same call. */
START_TEST(ranks)
{
    enum { LINES = 103, RANKS = 3 };
    char *text = letters_numbered(LINES);
    mlm_corpus_options options = letters_options(16, MLM_INPUT_SENTENCES, MLM_PACK_ONE);
    options.epochs = 2;
    options.B = (int32_t[]){1, 5, 34, 69, 100, 300}[_i];
    mlm_corpus *alone = letters_corpus(text, &options), *corpus[RANKS];
    sequences whole = read_stream(alone), shares = {0};
    options.ranks = RANKS;
    for (options.rank = 0; options.rank < RANKS; options.rank++)
        corpus[options.rank] = letters_corpus(text, &options);
    int64_t calls = 0;
    for (mlm_status status = MLM_OK; status == MLM_OK; calls++) {
        for (int r = 0; r < RANKS; r++) {
            mlm_batch batch;
            mlm_batch_init(&batch, sizeof batch);
            mlm_status answer = mlm_corpus_next(corpus[r], &batch);
            if (r > 0)
                assert_status(answer, status);
            status = answer;
            ck_assert_int_eq(batch.position, (calls * RANKS + r) * options.B);
            add_batch(&shares, &batch);
        }
    }
    int64_t step = RANKS * options.B;
    ck_assert_int_eq(calls - 1, (2 * LINES + step - 1) / step);
    ck_assert_int_eq(shares.count, whole.count);
    for (int64_t s = 0; s < shares.count; s++) {
        int64_t p = shares.position[s];
        ck_assert_int_eq(number_of(shares.ids[s]), number_of(whole.ids[p]));
    }
    qsort(shares.position, (size_t)shares.count, sizeof *shares.position, compare_positions);
    for (int64_t s = 0; s < shares.count; s++)
        ck_assert_int_eq(shares.position[s], s);
    for (int r = 0; r < RANKS; r++)
        mlm_corpus_free(corpus[r]);
    mlm_corpus_free(alone);
    free_stream(&whole);
    free_stream(&shares);
    free(text);
}
END_TEST

START_TEST(seeking_is_running)
{
    enum { LINES = 50 };
    char *text = letters_numbered(LINES);
    mlm_corpus_options options = letters_options(16, MLM_INPUT_SENTENCES, MLM_PACK_ONE);
    options.epochs = 4;
    options.ranks = 2;
    mlm_corpus *corpus = letters_corpus(text, &options), *other = letters_corpus(text, &options);
    sequences whole = read_stream(corpus);
    mlm_batch batch;
    mlm_batch_init(&batch, sizeof batch);
    for (int64_t position = 196; position >= 0; position -= 14) {
        assert_ok(mlm_corpus_seek(other, position));
        ck_assert_int_eq(mlm__corpus_position(other), position);
        assert_ok(mlm_corpus_next(other, &batch));
        ck_assert_int_eq(mlm__corpus_position(other), position + 14);
        ck_assert_int_eq(batch.position, position);
        sequences one = {0};
        add_batch(&one, &batch);
        for (int64_t s = 0; s < one.count; s++)
            ck_assert_int_eq(number_of(one.ids[s]), number_of(whole.ids[position / 2 + s]));
        free_stream(&one);
    }
    /* To the end, and not past it. */
    assert_ok(mlm_corpus_seek(other, 210));
    assert_status(mlm_corpus_next(other, &batch), MLM_END);
    assert_error(mlm_corpus_seek(other, 224), MLM_ERR_ARGUMENT, "past the end");
    assert_error(mlm_corpus_seek(other, 7), MLM_ERR_ARGUMENT, "multiple of 14");
    assert_error(mlm_corpus_seek(other, -14), MLM_ERR_ARGUMENT, "is -14, must be");
    ck_assert_int_eq(mlm__corpus_position(other), 210);
    free_stream(&whole);
    mlm_corpus_free(corpus);
    mlm_corpus_free(other);
    free(text);
}
END_TEST

/* Without an end, batches are full and go over the border of epochs. */
START_TEST(endless)
{
    char *text = letters_numbered(10);
    mlm_corpus_options options = letters_options(16, MLM_INPUT_SENTENCES, MLM_PACK_ONE);
    options.epochs = 0;
    mlm_corpus *corpus = letters_corpus(text, &options);
    mlm_batch batch;
    mlm_batch_init(&batch, sizeof batch);
    int64_t times[10] = {0};
    for (int k = 0; k < 100; k++) {
        assert_ok(mlm_corpus_next(corpus, &batch));
        ck_assert_int_eq(batch.B, 7);
        for (int32_t b = 0; b < 7; b++)
            times[number_of(batch.input_ids + batch.offsets[b])]++;
    }
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(times[i], 70);
    int64_t far = INT64_MAX / 2 - INT64_MAX / 2 % 7;
    assert_ok(mlm_corpus_seek(corpus, far));
    assert_ok(mlm_corpus_next(corpus, &batch));
    assert_status(mlm_corpus_next(corpus, &batch), MLM_END);
    mlm_corpus_free(corpus);
    free(text);
}
END_TEST

/* The same sequences from files and from a callback, for any number of threads. */
START_TEST(files_and_threads)
{
    char *text = letters_random_text(5, 300);
    size_t size = strlen(text);
    const char *folder = test_folder();
    const char *paths[] = {test_path(folder, "first"), test_path(folder, "second")};
    size_t half = (size_t)(strstr(text + size / 2, "\n\n") + 2 - text);
    test_write_file(paths[0], text, half);
    test_write_file(paths[1], text + half, size - half);
    mlm_corpus_options options = letters_options(32, MLM_INPUT_SENTENCES, MLM_PACK_FULL);
    mlm_corpus *plain = letters_corpus(text, &options);
    sequences expected = read_stream(plain);
    json_t *provenance = mlm__corpus_provenance(plain);
    for (int32_t threads = 1; threads <= 3; threads++) {
        mlm_runtime_options runtime_options;
        mlm_runtime *runtime;
        mlm_corpus *corpus;
        mlm_runtime_options_init(&runtime_options, sizeof runtime_options);
        runtime_options.threads = threads;
        assert_ok(mlm_runtime_create(&runtime_options, &runtime));
        mlm_tokenizer *tokenizer = letters_tokenizer(runtime);
        assert_ok(mlm_corpus_open(runtime, tokenizer, paths, 2, &options, &corpus));
        mlm_runtime_free(runtime);
        mlm_tokenizer_free(tokenizer);
        sequences stream = read_stream(corpus);
        ck_assert_int_eq(stream.count, expected.count);
        for (int64_t s = 0; s < stream.count; s++) {
            ck_assert_uint_eq(stream.length[s], expected.length[s]);
            ck_assert(
                memcmp(stream.ids[s], expected.ids[s], stream.length[s] * sizeof(int32_t)) == 0);
        }
        json_t *same = mlm__corpus_provenance(corpus);
        ck_assert(json_equal(same, provenance));
        json_decref(same);
        free_stream(&stream);
        mlm_corpus_free(corpus);
    }
    json_decref(provenance);
    free_stream(&expected);
    mlm_corpus_free(plain);
    free(text);
}
END_TEST

Suite *corpus_suite(void)
{
    Suite *suite = suite_create("corpus");
    TCase *tests = tcase_create("corpus");
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, no_token_is_lost, 0, 24);
    tcase_add_test(tests, epochs);
    tcase_add_loop_test(tests, ranks, 0, 6);
    tcase_add_test(tests, seeking_is_running);
    tcase_add_test(tests, endless);
    tcase_add_test(tests, files_and_threads);
    suite_add_tcase(suite, tests);
    return suite;
}
