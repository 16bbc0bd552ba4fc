#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "batches/corpus.h"
#include "batches/order.h"
#include "batches_suites.h"
#include "letters.h"
#include "random_map.h"
#include "support/support.h"

static mlm_corpus_options pair_options(int32_t T)
{
    return letters_options(T, MLM_INPUT_SENTENCES, MLM_PACK_PAIRS);
}

/* Token t of the text with sentences of the map's lengths, and the text. */
static char letter_of(int64_t t)
{
    return (char)('a' + (t * t + t / 26) % 26);
}

static char *map_text(void)
{
    char *text = malloc(1 << 16), *at = text;
    int64_t t = 0;
    for (size_t i = 0; i < sizeof map_sentences / sizeof *map_sentences; i++) {
        for (int32_t k = 0; k < map_sentences[i]; k++) {
            *at++ = letter_of(t++);
            *at++ = ' ';
        }
        *at++ = '\n';
    }
    *at = 0;
    return text;
}

START_TEST(pairs_as_documented)
{
    char *text = map_text();
    mlm_corpus_options options = pair_options(MAP_T);
    options.seed = map_seed;
    options.short_seq_prob = map_short_seq_prob;
    mlm_corpus *corpus = letters_corpus(text, &options);
    mlm_corpus_info info;
    mlm_corpus_info_init(&info, sizeof info);
    assert_ok(mlm_corpus_get_info(corpus, &info));
    ck_assert_int_eq(info.sequences, MAP_PAIRS);
    ck_assert_int_eq(info.truncated_tokens, MAP_UNUSED);
    mlm__order order = mlm__order_make(map_seed, 0, MAP_PAIRS);
    mlm_batch batch;
    mlm_batch_init(&batch, sizeof batch);
    int64_t position = 0;
    while (mlm_corpus_next(corpus, &batch) == MLM_OK)
        for (int32_t b = 0; b < batch.B; b++, position++) {
            int64_t s = mlm__order_at(&order, position);
            int32_t m = map_pairs[s].a_length, n = map_pairs[s].b_length;
            const int32_t *ids = batch.input_ids + batch.offsets[b];
            const int32_t *types = batch.token_type_ids + batch.offsets[b];
            ck_assert_int_eq(batch.offsets[b + 1] - batch.offsets[b], m + n + 3);
            ck_assert_int_eq(batch.sentence_labels[b], map_pairs[s].sentence_label);
            ck_assert_int_eq(ids[0], LETTER_CLS);
            ck_assert_int_eq(ids[m + 1], LETTER_SEP);
            ck_assert_int_eq(ids[m + n + 2], LETTER_SEP);
            for (int32_t i = 0; i < m; i++)
                ck_assert_int_eq(ids[1 + i], LETTER_A + letter_of(map_pairs[s].a + i) - 'a');
            for (int32_t i = 0; i < n; i++)
                ck_assert_int_eq(ids[m + 2 + i], LETTER_A + letter_of(map_pairs[s].b + i) - 'a');
            for (int32_t i = 0; i < m + n + 3; i++)
                ck_assert_int_eq(types[i], i >= m + 2);
        }
    ck_assert_int_eq(position, MAP_PAIRS);
    mlm_corpus_free(corpus);
    free(text);
}
END_TEST

/* Lines of four words, of which three say the line's number; documents of SIZE of them. */
enum { DOCUMENTS = 400, SIZE = 20, LINE = 4, LONG = 43, ROOM = LONG - 3 };

static char *numbered_documents(void)
{
    char *lines = letters_numbered(DOCUMENTS * SIZE), *text = malloc(strlen(lines) + DOCUMENTS + 1);
    for (size_t d = 0; d < DOCUMENTS; d++) {
        memcpy(text + d * (SIZE * 8 + 1), lines + d * SIZE * 8, SIZE * 8);
        text[d * (SIZE * 8 + 1) + SIZE * 8] = '\n';
    }
    text[DOCUMENTS * (SIZE * 8 + 1)] = 0;
    free(lines);
    return text;
}

/* The first line of a segment, whose lines follow each other in one document: nothing is truncated
   where T leaves room for ten lines. Their number is in *lines. */
static int64_t read_segment(const int32_t *ids, int32_t count, int64_t *lines)
{
    int64_t first = -1;
    ck_assert_int_eq(count % LINE, 0);
    for (*lines = 0; *lines < count / LINE; ++*lines, ids += LINE) {
        int64_t number =
            ((int64_t)(ids[0] - LETTER_A) * 26 + ids[1] - LETTER_A) * 26 + ids[2] - LETTER_A;
        first = *lines == 0 ? number : first;
        ck_assert_int_eq(number, first + *lines);
        ck_assert_int_eq(number / SIZE, first / SIZE);
    }
    return first;
}

/* Six standard deviations around the mean of a binomial distribution. */
static void assert_share(const char *what, int64_t count, int64_t of, double p)
{
    double sd = sqrt((double)of * p * (1 - p));
    ck_assert_msg(fabs((double)count - (double)of * p) <= 6 * sd, "%s: %lld of %lld, not %g", what,
        (long long)count, (long long)of, p);
}

START_TEST(segments_are_runs_and_labels_true)
{
    char *text = numbered_documents();
    mlm_corpus_options options = pair_options(LONG);
    options.seed = (uint64_t)_i;
    options.short_seq_prob = 0;
    mlm_corpus *corpus = letters_corpus(text, &options);
    mlm_batch batch;
    mlm_batch_init(&batch, sizeof batch);
    int64_t pairs = 0, random = 0, full = 0;
    while (mlm_corpus_next(corpus, &batch) == MLM_OK)
        for (int32_t s = 0; s < batch.B; s++) {
            const int32_t *ids = batch.input_ids + batch.offsets[s] + 1;
            int32_t a = 0, count = batch.offsets[s + 1] - batch.offsets[s] - 3;
            while (ids[a] != LETTER_SEP)
                a++;
            int64_t a_lines, b_lines, a_first = read_segment(ids, a, &a_lines);
            int64_t b_first = read_segment(ids + a + 1, count - a, &b_lines);
            if (batch.sentence_labels[s] == 0) {
                ck_assert_int_eq(b_first, a_first + a_lines);
                ck_assert_int_eq(b_first / SIZE, a_first / SIZE);
            } else {
                ck_assert_int_ne(b_first / SIZE, a_first / SIZE);
            }
            pairs++;
            random += batch.sentence_labels[s];
            full += count == ROOM;
        }
    /* More than half: B is random wherever one line is left. */
    ck_assert_int_gt(random * 2, pairs);
    ck_assert_int_lt(random * 10, pairs * 7);
    ck_assert_int_gt(full * 2, pairs);
    mlm_corpus_free(corpus);
    free(text);
}
END_TEST

/* Documents of two sentences of one token: a pair each that follows, or two of random ones. */
START_TEST(half_of_the_pairs_follow)
{
    enum { PAIRS_OF_LINES = 4000 };
    char *text = malloc(PAIRS_OF_LINES * 5 + 1);
    for (int d = 0; d < PAIRS_OF_LINES; d++)
        memcpy(text + (size_t)d * 5, "a\nb\n\n", 5);
    text[PAIRS_OF_LINES * 5] = 0;
    mlm_corpus_options options = pair_options(16);
    mlm_corpus *corpus = letters_corpus(text, &options);
    mlm_corpus_info info;
    mlm_corpus_info_init(&info, sizeof info);
    assert_ok(mlm_corpus_get_info(corpus, &info));
    assert_share("random", info.sequences - PAIRS_OF_LINES, PAIRS_OF_LINES, 0.5);
    mlm_corpus_free(corpus);
    free(text);
}
END_TEST

/* The shares of three ranks are the stream of one, and a place that is sought is that place. */
START_TEST(ranks_and_seeking)
{
    enum { B = 7, RANKS = 3 };
    char *text = map_text();
    mlm_corpus_options options = pair_options(MAP_T);
    options.epochs = 2;
    options.B = B * RANKS;
    mlm_corpus *whole = letters_corpus(text, &options), *share[RANKS];
    options.B = B;
    options.ranks = RANKS;
    for (options.rank = 0; options.rank < RANKS; options.rank++)
        share[options.rank] = letters_corpus(text, &options);
    mlm_batch all, part;
    mlm_batch_init(&all, sizeof all);
    mlm_batch_init(&part, sizeof part);
    for (int64_t position = 0; mlm_corpus_next(whole, &all) == MLM_OK; position += B * RANKS) {
        int32_t b = 0;
        for (int r = 0; r < RANKS; r++) {
            assert_ok(mlm_corpus_seek(share[r], 0));
            assert_ok(mlm_corpus_seek(share[r], position));
            assert_ok(mlm_corpus_next(share[r], &part));
            size_t from = (size_t)all.offsets[b], N = (size_t)part.offsets[part.B];
            ck_assert_mem_eq(part.input_ids, all.input_ids + from, N * sizeof(int32_t));
            ck_assert_mem_eq(part.token_type_ids, all.token_type_ids + from, N * sizeof(int32_t));
            ck_assert_mem_eq(
                part.sentence_labels, all.sentence_labels + b, (size_t)part.B * sizeof(int32_t));
            b += part.B;
        }
        ck_assert_int_eq(b, all.B);
    }
    for (int r = 0; r < RANKS; r++)
        mlm_corpus_free(share[r]);
    mlm_corpus_free(whole);
    free(text);
}
END_TEST

static void count_warnings(void *user, int32_t level, const char *message)
{
    if (level == MLM_LOG_WARNING && strstr(message, "MLM_PACK_PAIRS"))
        ++*(int *)user;
}

/* One sentence, one document, documents of one sentence: pairs, but a warning. */
START_TEST(small_texts)
{
    static const struct {
        const char *text;
        int warnings;
        int64_t least, truncated;
    } texts[] = {{"a b c\n", 1, 1, 0}, {"a b\nc d\ne\n", 1, 2, 0}, {"a b\n\nc d\n", 1, 2, 0},
        {"a b\nc\n\nd\n", 0, 2, 0}, {"a b c d e f g h i j\n", 1, 1, -1}};
    int warnings = 0;
    mlm_runtime_options how;
    mlm_runtime_options_init(&how, sizeof how);
    how.log = count_warnings;
    how.user = &warnings;
    mlm_runtime *runtime;
    assert_ok(mlm_runtime_create(&how, &runtime));
    mlm_tokenizer *tokenizer = letters_tokenizer(runtime);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        letters_text reader = letters_reader(texts[i].text, strlen(texts[i].text), 100);
        mlm_corpus_options options = pair_options(9);
        mlm_corpus_info info;
        mlm_corpus *corpus;
        mlm_corpus_info_init(&info, sizeof info);
        warnings = 0;
        assert_ok(mlm_corpus_read(runtime, tokenizer, letters_read, &reader, &options, &corpus));
        assert_ok(mlm_corpus_get_info(corpus, &info));
        ck_assert_int_eq(warnings, texts[i].warnings);
        ck_assert_int_ge(info.sequences, texts[i].least);
        if (texts[i].truncated >= 0)
            ck_assert_int_eq(info.truncated_tokens, texts[i].truncated);
        else
            ck_assert_int_ge(info.truncated_tokens, 4); /* A and B have at most 6 of the 10 */
        mlm_corpus_free(corpus);
    }
    mlm_tokenizer_free(tokenizer);
    mlm_runtime_free(runtime);
}
END_TEST

START_TEST(what_pairs_cannot_be_made_of)
{
    static const struct {
        int32_t T, input;
        double short_seq_prob;
        const char *part;
    } wrong[] = {{4, MLM_INPUT_SENTENCES, 0.1, "T is 4"},
        {16, MLM_INPUT_LINES, 0.1, "MLM_INPUT_LINES"},
        {16, MLM_INPUT_SENTENCES, 1.5, "short_seq_prob is 1.5"},
        {16, MLM_INPUT_SENTENCES, NAN, "short_seq_prob"}};
    mlm_tokenizer *tokenizer = letters_tokenizer(NULL);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        mlm_corpus_options options = letters_options(wrong[i].T, wrong[i].input, MLM_PACK_PAIRS);
        letters_text reader = letters_reader("a\nb\n", 4, 4);
        mlm_corpus *corpus;
        options.short_seq_prob = wrong[i].short_seq_prob;
        assert_error(mlm_corpus_read(NULL, tokenizer, letters_read, &reader, &options, &corpus),
            MLM_ERR_ARGUMENT, wrong[i].part);
    }
    mlm_tokenizer_free(tokenizer);
}
END_TEST

/* The same tokens in other documents: other pairs, which the provenance tells. */
START_TEST(provenance_tells_the_pairs)
{
    static const char text[] = "a b\nc d\ne f\n\ng h\ni j\n";
    mlm_corpus_options options = pair_options(16);
    mlm_corpus *corpus = letters_corpus(text, &options);
    json_t *first = mlm__corpus_provenance(corpus);
    mlm_corpus_free(corpus);
    corpus = letters_corpus("a b\nc d\ne f\ng h\n\ni j\n", &options);
    json_t *second = mlm__corpus_provenance(corpus);
    mlm_corpus_free(corpus);
    ck_assert_str_ne(json_string_value(json_object_get(first, "tokens_xxh64")),
        json_string_value(json_object_get(second, "tokens_xxh64")));
    json_decref(first);
    json_decref(second);
}
END_TEST

/* A piece that begins B does not join A's last word; neither [SEP] is ever chosen. */
START_TEST(masks_stop_at_the_separator)
{
    enum { C = LETTER_CONTINUED_A };
    static const int32_t ids[] = {LETTER_CLS, LETTER_A, LETTER_SEP, C, LETTER_SEP};
    static const int32_t offsets[] = {0, 5}, types[] = {0, 0, 0, 1, 1}, follows[] = {1};
    mlm_masker_options options;
    mlm_masker_options_init(&options, sizeof options);
    options.strategy = MLM_MASK_WHOLE_WORDS;
    options.mlm_probability = 0.5; /* one of the two tokens: one word of two would be too long */
    mlm_tokenizer *tokenizer = letters_tokenizer(NULL);
    mlm_masker *masker;
    assert_ok(mlm_masker_create(NULL, tokenizer, &options, &masker));
    mlm_batch batch, masked;
    mlm_batch_init(&batch, sizeof batch);
    mlm_batch_init(&masked, sizeof masked);
    batch.B = 1;
    batch.offsets = offsets;
    batch.input_ids = ids;
    batch.token_type_ids = types;
    batch.sentence_labels = follows;
    int chosen[5] = {0};
    for (batch.position = 0; batch.position < 200; batch.position++) {
        assert_ok(mlm_masker_apply(masker, &batch, &masked));
        for (int i = 0; i < 5; i++)
            chosen[i] += masked.labels[i] != MLM_NO_LABEL;
        ck_assert_mem_eq(masked.token_type_ids, types, sizeof types);
        ck_assert_int_eq(masked.sentence_labels[0], 1);
    }
    ck_assert_int_eq(chosen[0] + chosen[2] + chosen[4], 0);
    ck_assert_int_eq(chosen[1] + chosen[3], 200);
    ck_assert_int_gt(chosen[1], 0);
    ck_assert_int_gt(chosen[3], 0);
    mlm_masker_free(masker);
    mlm_tokenizer_free(tokenizer);
}
END_TEST

static int stop_at(void *user, const char *what, int64_t done, int64_t total)
{
    (void)done, (void)total;
    return strcmp(what, user) == 0 ? 0 : MLM_CONTINUE;
}

START_TEST(cutting_can_be_stopped)
{
    mlm_runtime_options how;
    mlm_runtime_options_init(&how, sizeof how);
    static char stages[][32] = {"cutting pairs", "counting tokens of pairs"};
    how.user = stages[_i];
    how.progress = stop_at;
    mlm_runtime *runtime;
    assert_ok(mlm_runtime_create(&how, &runtime));
    mlm_tokenizer *tokenizer = letters_tokenizer(runtime);
    letters_text reader = letters_reader("a\nb\n", 4, 4);
    mlm_corpus_options options = pair_options(16);
    mlm_corpus *corpus;
    assert_status(
        mlm_corpus_read(runtime, tokenizer, letters_read, &reader, &options, &corpus), MLM_STOPPED);
    ck_assert_ptr_null(corpus);
    mlm_tokenizer_free(tokenizer);
    mlm_runtime_free(runtime);
}
END_TEST

static mlm_status open_pairs(mlm_runtime *runtime, void *context)
{
    const char *text = context;
    letters_text reader = letters_reader(text, strlen(text), 1 << 12);
    mlm_corpus_options options = pair_options(MAP_T);
    mlm_tokenizer *tokenizer = NULL;
    mlm_corpus *corpus = NULL;
    mlm_batch batch;
    mlm_batch_init(&batch, sizeof batch);
    static const char *const tokens[] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a"};
    mlm_status status = mlm_tokenizer_create(runtime, tokens, 6, NULL, &tokenizer);
    if (status == MLM_OK)
        status = mlm_corpus_read(runtime, tokenizer, letters_read, &reader, &options, &corpus);
    if (status == MLM_OK)
        status = mlm_corpus_next(corpus, &batch);
    mlm_corpus_free(corpus);
    mlm_tokenizer_free(tokenizer);
    return status;
}

START_TEST(without_memory)
{
    char *text = map_text();
    test_out_of_memory(open_pairs, text);
    free(text);
}
END_TEST

Suite *pairs_suite(void)
{
    Suite *suite = suite_create("pairs");
    TCase *tests = tcase_create("pairs");
    tcase_add_test(tests, pairs_as_documented);
    tcase_add_loop_test(tests, segments_are_runs_and_labels_true, 0, 3);
    tcase_add_test(tests, half_of_the_pairs_follow);
    tcase_add_test(tests, ranks_and_seeking);
    tcase_add_test(tests, small_texts);
    tcase_add_test(tests, what_pairs_cannot_be_made_of);
    tcase_add_test(tests, provenance_tells_the_pairs);
    tcase_add_test(tests, masks_stop_at_the_separator);
    tcase_add_loop_test(tests, cutting_can_be_stopped, 0, 2);
    tcase_add_test(tests, without_memory);
    suite_add_tcase(suite, tests);
    return suite;
}
