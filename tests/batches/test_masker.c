#include <fenv.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "batches_suites.h"
#include "letters.h"
#include "rounding_fixture.h"
#include "support/support.h"

static mlm_masker_options defaults(void)
{
    mlm_masker_options options;
    mlm_masker_options_init(&options, sizeof options);
    return options;
}

static mlm_masker *make_masker(const mlm_masker_options *options)
{
    mlm_tokenizer *tokenizer = letters_tokenizer(NULL);
    mlm_masker *masker;
    assert_ok(mlm_masker_create(NULL, tokenizer, options, &masker));
    mlm_tokenizer_free(tokenizer);
    return masker;
}

/* B sequences of the same n letters between [CLS] and [SEP]. */
typedef struct sample {
    int32_t *offsets, *ids;
    mlm_batch batch;
} sample;

static sample make_sample(int32_t B, int32_t n)
{
    sample s = {.offsets = malloc(((size_t)B + 1) * sizeof *s.offsets),
        .ids = malloc((size_t)B * ((size_t)n + 2) * sizeof *s.ids)};
    for (int32_t b = 0; b <= B; b++)
        s.offsets[b] = b * (n + 2);
    for (int32_t i = 0; i < s.offsets[B]; i++) {
        int32_t at = i % (n + 2);
        s.ids[i] = at == 0 ? LETTER_CLS : at == n + 1 ? LETTER_SEP : LETTER_A + at % 26;
    }
    mlm_batch_init(&s.batch, sizeof s.batch);
    s.batch.B = B;
    s.batch.offsets = s.offsets;
    s.batch.input_ids = s.ids;
    return s;
}

static void free_sample(sample *s)
{
    free(s->offsets);
    free(s->ids);
}

static mlm_batch mask(mlm_masker *masker, const mlm_batch *batch)
{
    mlm_batch masked;
    mlm_batch_init(&masked, sizeof masked);
    assert_ok(mlm_masker_apply(masker, batch, &masked));
    ck_assert_int_eq(masked.B, batch->B);
    ck_assert_int_eq(masked.position, batch->position);
    if (batch->B > 0)
        ck_assert_mem_eq(
            masked.offsets, batch->offsets, ((size_t)batch->B + 1) * sizeof *batch->offsets);
    return masked;
}

static int32_t count_labels(const mlm_batch *masked, int32_t b)
{
    int32_t count = 0;
    for (int32_t i = masked->offsets[b]; i < masked->offsets[b + 1]; i++)
        count += masked->labels[i] != MLM_NO_LABEL;
    return count;
}

/* Labels are the tokens that were there, and only tokens that have one were changed. */
static void check_labels(const mlm_batch *batch, const mlm_batch *masked)
{
    for (int32_t i = 0; i < batch->offsets[batch->B]; i++) {
        if (masked->labels[i] != MLM_NO_LABEL)
            ck_assert_int_eq(masked->labels[i], batch->input_ids[i]);
        else
            ck_assert_int_eq(masked->input_ids[i], batch->input_ids[i]);
    }
}

START_TEST(as_many_as_python_rounds)
{
    mlm_masker_options options = defaults();
    options.mlm_probability = rounding[_i].p;
    for (int32_t limit = 0; limit < 8; limit += 7) {
        options.max_predictions = limit;
        mlm_masker *masker = make_masker(&options);
        for (int32_t n = 1; n <= 130; n++) {
            sample s = make_sample(3, n);
            mlm_batch masked = mask(masker, &s.batch);
            int32_t expected = rounding[_i].counts[n - 1];
            if (limit > 0 && expected > limit)
                expected = limit;
            for (int32_t b = 0; b < 3; b++)
                ck_assert_msg(count_labels(&masked, b) == expected, "p %g, n %d: %d, not %d",
                    rounding[_i].p, n, count_labels(&masked, b), expected);
            check_labels(&s.batch, &masked);
            free_sample(&s);
        }
        mlm_masker_free(masker);
    }
}
END_TEST

/* Specials are not chosen, even if nothing else is there; [UNK] may be. */
START_TEST(specials_stay)
{
    static const int32_t offsets[] = {0, 5, 8, 10};
    static const int32_t ids[] = {LETTER_CLS, LETTER_MASK, LETTER_PAD, LETTER_SEP, LETTER_SEP,
        LETTER_CLS, LETTER_UNK, LETTER_SEP, LETTER_CLS, LETTER_SEP};
    for (int32_t selection = 0; selection <= MLM_SELECT_EACH; selection++) {
        for (int32_t strategy = 0; strategy <= MLM_MASK_WHOLE_WORDS; strategy++) {
            mlm_masker_options options = defaults();
            options.mlm_probability = 1;
            options.selection = selection;
            options.strategy = strategy;
            mlm_masker *masker = make_masker(&options);
            mlm_batch batch;
            mlm_batch_init(&batch, sizeof batch);
            batch.B = 3;
            batch.offsets = offsets;
            batch.input_ids = ids;
            mlm_batch masked = mask(masker, &batch);
            for (int32_t i = 0; i < 10; i++)
                ck_assert_int_eq(masked.labels[i], i == 6 ? LETTER_UNK : MLM_NO_LABEL);
            check_labels(&batch, &masked);
            mlm_masker_free(masker);
        }
    }
}
END_TEST

/* Sum of (observed - expected)^2 / expected. */
static double chi_square(const double *observed, const double *expected, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (observed[i] - expected[i]) * (observed[i] - expected[i]) / expected[i];
    return sum;
}

/* What became of the chosen: [MASK], the token itself, or any id equally often. */
START_TEST(shares_of_replacements)
{
    enum { B = 5000, N = 100, CHOSEN = B * 15 };
    static const double shares[][2] = {{0.8, 0.1}, {0.5, 0.5}, {0, 1}, {1, 0}, {0, 0}, {0.3, 0.2}};
    mlm_masker_options options = defaults();
    options.mask_replace_prob = shares[_i / 2][0];
    options.random_replace_prob = shares[_i / 2][1];
    options.random_tokens = _i % 2;
    int32_t first = _i % 2 ? LETTER_A : 0;
    double ids = LETTERS_V - first;
    mlm_masker *masker = make_masker(&options);
    sample s = make_sample(B, N);
    mlm_batch masked = mask(masker, &s.batch);
    double observed[LETTERS_V + 1] = {0}, expected[LETTERS_V + 1] = {0};
    /* Bins: each id a token was changed to, and, last, that it was not. */
    for (int32_t i = 0; i < s.offsets[B]; i++) {
        int32_t label = masked.labels[i], id = masked.input_ids[i];
        if (label == MLM_NO_LABEL)
            continue;
        observed[id == label ? LETTERS_V : id]++;
        for (int32_t v = first; v < LETTERS_V; v++)
            expected[v == label ? LETTERS_V : v] += options.random_replace_prob / ids;
        expected[LETTER_MASK] += options.mask_replace_prob;
        expected[LETTERS_V] += 1 - options.mask_replace_prob - options.random_replace_prob;
    }
    size_t bins = 0;
    double sum = 0, total = 0;
    for (size_t v = 0; v <= LETTERS_V; v++) {
        total += observed[v];
        if (expected[v] < 1e-6) {
            ck_assert_double_eq(observed[v], 0);
        } else {
            sum += chi_square(&observed[v], &expected[v], 1);
            bins++;
        }
    }
    ck_assert_double_eq(total, CHOSEN);
    if (bins == 1)
        ck_assert_double_eq_tol(sum, 0, 1e-9);
    else
        ck_assert_msg(
            sum < chi_square_limit((double)bins - 1), "chi-square %g of %zu bins", sum, bins);
    mlm_masker_free(masker);
    free_sample(&s);
}
END_TEST

/* Every token is chosen equally often, and every pair of tokens. */
START_TEST(no_token_is_preferred)
{
    enum { B = 40000, N = 20, CHOSEN = 3 };
    mlm_masker_options options = defaults();
    options.selection = _i;
    options.strategy = MLM_MASK_TOKENS;
    mlm_masker *masker = make_masker(&options);
    sample s = make_sample(B, N);
    mlm_batch masked = mask(masker, &s.batch);
    double single[N] = {0}, expected[N], pairs[N * N] = {0}, total = 0;
    for (int32_t b = 0; b < B; b++) {
        const int32_t *labels = masked.labels + s.offsets[b] + 1;
        for (int i = 0; i < N; i++) {
            single[i] += labels[i] != MLM_NO_LABEL;
            for (int k = 0; k < i; k++)
                pairs[i * N + k] += labels[i] != MLM_NO_LABEL && labels[k] != MLM_NO_LABEL;
        }
    }
    double share = 0.15, variance = B * share * (1 - share);
    double deviation = 0;
    for (int i = 0; i < N; i++) {
        expected[i] = B * share;
        total += single[i];
        deviation += (single[i] - expected[i]) * (single[i] - expected[i]) / variance;
    }
    /* Drawn without replacement the shares have N - 1 degrees of freedom, and their variance is
       larger by N / (N - 1) than what their sum shows. */
    if (_i == MLM_SELECT_COUNT) {
        ck_assert_double_eq(total, B * CHOSEN);
        deviation *= (double)(N - 1) / N;
    } else {
        double sigma = sqrt(B * N * share * (1 - share));
        ck_assert_double_eq_tol(total, B * N * share, 5 * sigma);
    }
    ck_assert_msg(deviation < chi_square_limit(N), "chi-square %g", deviation);
    double both = _i == MLM_SELECT_COUNT ? 3.0 * 2 / (N * (N - 1)) : share * share;
    for (int i = 0; i < N; i++)
        for (int k = 0; k < i; k++)
            ck_assert_double_eq_tol(pairs[i * N + k], B * both, 6 * sqrt(B * both));
    mlm_masker_free(masker);
    free_sample(&s);
}
END_TEST

/* Also where the share rounds to none, and one is chosen all the same. */
START_TEST(no_token_of_few_is_preferred)
{
    enum { B = 6000, N = 3 };
    mlm_masker *masker = make_masker(NULL);
    sample s = make_sample(B, N);
    mlm_batch masked = mask(masker, &s.batch);
    double single[N] = {0}, expected[N] = {B / 3.0, B / 3.0, B / 3.0};
    for (int32_t b = 0; b < B; b++)
        for (int i = 0; i < N; i++)
            single[i] += masked.labels[s.offsets[b] + 1 + i] != MLM_NO_LABEL;
    ck_assert_double_lt(chi_square(single, expected, N), chi_square_limit(N - 1));
    mlm_masker_free(masker);
    free_sample(&s);
}
END_TEST

/* How many each sequence has when each token is chosen by itself: binomial. */
START_TEST(each_by_itself_is_binomial)
{
    enum { B = 20000, N = 20 };
    mlm_masker_options options = defaults();
    options.selection = MLM_SELECT_EACH;
    mlm_masker *masker = make_masker(&options);
    sample s = make_sample(B, N);
    mlm_batch masked = mask(masker, &s.batch);
    double observed[9] = {0}, expected[9] = {0}, p = 0.15;
    for (int32_t b = 0; b < B; b++) {
        int32_t count = count_labels(&masked, b);
        observed[count < 8 ? count : 8]++;
    }
    double probability = pow(1 - p, N);
    for (int k = 0; k <= N; k++) {
        expected[k < 8 ? k : 8] += B * probability;
        probability *= (double)(N - k) / (k + 1) * p / (1 - p);
    }
    double sum = chi_square(observed, expected, 9);
    ck_assert_msg(sum < chi_square_limit(8), "chi-square %g", sum);
    mlm_masker_free(masker);
    free_sample(&s);
}
END_TEST

START_TEST(no_more_than_asked_for)
{
    mlm_masker_options options = defaults();
    options.selection = MLM_SELECT_EACH;
    options.mlm_probability = 0.5;
    options.max_predictions = 8;
    mlm_masker *masker = make_masker(&options);
    sample s = make_sample(4000, 20);
    mlm_batch masked = mask(masker, &s.batch);
    double single[20] = {0}, expected[20], most = 0, total = 0;
    for (int32_t b = 0; b < 4000; b++) {
        int32_t count = count_labels(&masked, b);
        ck_assert_int_le(count, 8);
        most += count == 8;
        for (int i = 0; i < 20; i++)
            single[i] += masked.labels[s.offsets[b] + 1 + i] != MLM_NO_LABEL;
        total += count;
    }
    ck_assert_double_gt(most, 2000);
    /* Those left out are not always the last. */
    for (int i = 0; i < 20; i++)
        expected[i] = total / 20;
    ck_assert_double_lt(chi_square(single, expected, 20), chi_square_limit(19));
    mlm_masker_free(masker);
    free_sample(&s);
}
END_TEST

START_TEST(nothing_asked_for)
{
    for (int32_t selection = 0; selection <= MLM_SELECT_EACH; selection++) {
        mlm_masker_options options = defaults();
        options.selection = selection;
        options.mlm_probability = 0;
        mlm_masker *masker = make_masker(&options);
        sample s = make_sample(10, 50);
        mlm_batch masked = mask(masker, &s.batch);
        for (int32_t b = 0; b < 10; b++)
            ck_assert_int_eq(count_labels(&masked, b), 0);
        check_labels(&s.batch, &masked);
        mlm_masker_free(masker);
        free_sample(&s);
    }
}
END_TEST

/* A sequence of words of 1 to 6 pieces; ends[i] is where the word of token i ends. */
static sample make_words(int32_t B, int32_t n, int32_t shortest, int32_t longest, int32_t *ends)
{
    sample s = make_sample(B, n);
    uint64_t state = (uint64_t)longest;
    for (int32_t b = 0; b < B; b++) {
        for (int32_t i = 0, end; i < n; i = end) {
            end =
                i + shortest + (int32_t)(test_random(&state) % (uint64_t)(longest - shortest + 1));
            end = end < n ? end : n;
            for (int32_t k = i; k < end; k++) {
                s.ids[s.offsets[b] + 1 + k] =
                    (k > i ? LETTER_CONTINUED_A : LETTER_A) + (int32_t)(test_random(&state) % 26);
                ends[s.offsets[b] + 1 + k] = end;
            }
        }
    }
    return s;
}

/* Words are chosen whole, as many as fit into the share. */
START_TEST(whole_words)
{
    enum { B = 3000, N = 60 };
    int32_t *ends = calloc((size_t)B * (N + 2), sizeof *ends);
    sample s = make_words(B, N, 1, 6, ends);
    mlm_masker_options options = defaults();
    options.strategy = MLM_MASK_WHOLE_WORDS;
    options.selection = _i;
    mlm_masker *masker = make_masker(&options);
    mlm_batch masked = mask(masker, &s.batch);
    check_labels(&s.batch, &masked);
    double total = 0;
    for (int32_t b = 0; b < B; b++) {
        int32_t first = s.offsets[b] + 1, count = count_labels(&masked, b), shortest_left = N;
        for (int32_t i = 0, end; i < N; i = end) {
            end = ends[first + i];
            bool chosen = masked.labels[first + i] != MLM_NO_LABEL;
            for (int32_t k = i; k < end; k++)
                ck_assert_int_eq(masked.labels[first + k] != MLM_NO_LABEL, chosen);
            if (!chosen && end - i < shortest_left)
                shortest_left = end - i;
        }
        total += count;
        if (_i == MLM_SELECT_COUNT) { /* 9, or so many that no other word fits */
            ck_assert_int_le(count, 9);
            ck_assert_int_gt(count + shortest_left, 9);
        }
    }
    if (_i == MLM_SELECT_EACH)
        ck_assert_double_eq_tol(total / (B * N), 0.15, 0.01);
    mlm_masker_free(masker);
    free_sample(&s);
    free(ends);
}
END_TEST

/* Where no word fits the share one is chosen all the same, each equally often, but never more
   tokens than max_predictions. */
START_TEST(words_longer_than_the_share)
{
    enum { B = 6000, N = 12 };
    int32_t *ends = calloc((size_t)B * (N + 2), sizeof *ends);
    sample s = make_words(B, N, 4, 4, ends);
    mlm_masker_options options = defaults();
    options.strategy = MLM_MASK_WHOLE_WORDS;
    for (options.max_predictions = 0; options.max_predictions <= 4; options.max_predictions++) {
        mlm_masker *masker = make_masker(&options);
        mlm_batch masked = mask(masker, &s.batch);
        double words[3] = {0}, expected[3] = {B / 3.0, B / 3.0, B / 3.0};
        for (int32_t b = 0; b < B; b++) {
            bool room = options.max_predictions == 0 || options.max_predictions == 4;
            ck_assert_int_eq(count_labels(&masked, b), room ? 4 : 0);
            for (int w = 0; w < 3; w++)
                words[w] += masked.labels[s.offsets[b] + 1 + 4 * w] != MLM_NO_LABEL;
        }
        if (words[0] > 0)
            ck_assert_double_lt(chi_square(words, expected, 3), chi_square_limit(2));
        mlm_masker_free(masker);
    }
    free_sample(&s);
    free(ends);
}
END_TEST

/* A piece behind a special token belongs to no word before it. */
START_TEST(words_do_not_reach_over_specials)
{
    static const int32_t offsets[] = {0, 6};
    static const int32_t ids[] = {
        LETTER_CLS, LETTER_A, LETTER_SEP, LETTER_CONTINUED_A, LETTER_CONTINUED_A + 1, LETTER_SEP};
    mlm_masker_options options = defaults();
    options.strategy = MLM_MASK_WHOLE_WORDS;
    options.max_predictions = 2;
    options.mlm_probability = 1;
    mlm_masker *masker = make_masker(&options);
    mlm_batch batch;
    mlm_batch_init(&batch, sizeof batch);
    batch.B = 1;
    batch.offsets = offsets;
    batch.input_ids = ids;
    int together = 0;
    for (batch.position = 0; batch.position < 50; batch.position++) {
        mlm_batch masked = mask(masker, &batch);
        ck_assert_int_eq(masked.labels[3] != MLM_NO_LABEL, masked.labels[4] != MLM_NO_LABEL);
        ck_assert_int_ne(masked.labels[1] != MLM_NO_LABEL, masked.labels[3] != MLM_NO_LABEL);
        together += masked.labels[3] != MLM_NO_LABEL;
    }
    ck_assert_int_gt(together, 10);
    ck_assert_int_lt(together, 40);
    mlm_masker_free(masker);
}
END_TEST

/* A sequence has the same masks in any batch, and others at another position or by another seed. */
START_TEST(masks_follow_from_the_position)
{
    enum { B = 64, N = 50 };
    mlm_masker_options options = defaults();
    options.selection = _i % 2;
    options.strategy = _i / 2;
    mlm_masker *masker = make_masker(&options), *again = make_masker(&options);
    options.seed = 1;
    mlm_masker *other = make_masker(&options);
    sample s = make_sample(B, N);
    s.batch.position = INT64_C(1) << 40;
    size_t size = (size_t)s.offsets[B] * sizeof(int32_t);
    int32_t *ids = malloc(size), *labels = malloc(size);
    mlm_batch masked = mask(masker, &s.batch);
    memcpy(ids, masked.input_ids, size);
    memcpy(labels, masked.labels, size);
    for (int32_t b = 0; b < B; b++) {
        static const int32_t offsets[] = {0, N + 2};
        mlm_batch one = s.batch;
        one.B = 1;
        one.position += b;
        one.offsets = offsets;
        one.input_ids += s.offsets[b];
        masked = mask(again, &one);
        ck_assert_mem_eq(masked.input_ids, ids + s.offsets[b], (N + 2) * sizeof *ids);
        ck_assert_mem_eq(masked.labels, labels + s.offsets[b], (N + 2) * sizeof *ids);
        if (b > 0)
            ck_assert(memcmp(labels + s.offsets[b], labels, (N + 2) * sizeof *ids) != 0);
    }
    masked = mask(other, &s.batch);
    ck_assert(memcmp(masked.labels, labels, size) != 0);
    s.batch.position += B;
    masked = mask(masker, &s.batch);
    ck_assert(memcmp(masked.labels, labels, size) != 0);
    mlm_masker_free(masker);
    mlm_masker_free(again);
    mlm_masker_free(other);
    free_sample(&s);
    free(ids);
    free(labels);
}
END_TEST

/* A host may compute in another mode, and finds it again. */
START_TEST(rounding_mode_of_the_host)
{
    mlm_masker_options options = defaults();
    options.mask_replace_prob = 0.9;
    options.mlm_probability = 0.3; /* 0.3 * 5 is 1.5: 2 in the default mode */
    sample s = make_sample(100, 5);
    static const int modes[] = {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_eq(fesetround(modes[i]), 0);
        mlm_masker *masker = make_masker(&options);
        mlm_batch masked = mask(masker, &s.batch);
        ck_assert_int_eq(fegetround(), modes[i]);
        fesetround(FE_TONEAREST);
        for (int32_t b = 0; b < 100; b++)
            ck_assert_int_eq(count_labels(&masked, b), 2);
        mlm_masker_free(masker);
    }
    free_sample(&s);
}
END_TEST

/* All arrays are the masker's own: the batch may change, go, or be the same struct. */
START_TEST(arrays_are_copied)
{
    mlm_masker *masker = make_masker(NULL);
    sample s = make_sample(2, 10);
    int32_t types[24] = {0}, sentence_labels[] = {0, 1}, labels[24];
    for (int i = 0; i < 24; i++)
        types[i] = i % 2;
    memset(labels, 0x55, sizeof labels); /* replaced unread */
    s.batch.token_type_ids = types;
    s.batch.sentence_labels = sentence_labels;
    s.batch.labels = labels;
    mlm_batch masked = mask(masker, &s.batch);
    ck_assert_int_eq(count_labels(&masked, 0), 2);
    assert_ok(mlm_masker_apply(masker, &s.batch, &s.batch));
    memset(types, 0, sizeof types);
    sentence_labels[1] = 0;
    memset(s.ids, 0, 24 * sizeof *s.ids);
    memset(s.offsets, 0, 3 * sizeof *s.offsets);
    ck_assert_int_eq(s.batch.offsets[2], 24);
    ck_assert_int_eq(s.batch.sentence_labels[1], 1);
    for (int i = 0; i < 24; i++)
        ck_assert_int_eq(s.batch.token_type_ids[i], i % 2);
    ck_assert_int_eq(s.batch.input_ids[0], LETTER_CLS);
    ck_assert_int_eq(count_labels(&s.batch, 1), 2);
    mlm_masker_free(masker);
    free_sample(&s);
}
END_TEST

START_TEST(no_sequences)
{
    mlm_masker *masker = make_masker(NULL);
    mlm_batch batch;
    mlm_batch_init(&batch, sizeof batch);
    batch.position = 12;
    mlm_batch masked = mask(masker, &batch);
    ck_assert_int_eq(masked.offsets[0], 0);
    ck_assert_ptr_nonnull(masked.labels);
    mlm_masker_free(masker);
}
END_TEST

START_TEST(batches_out_of_range)
{
    mlm_masker *masker = make_masker(NULL);
    mlm_batch masked;
    sample s = make_sample(2, 10);
    mlm_batch_init(&masked, sizeof masked);
    assert_error(mlm_masker_apply(NULL, &s.batch, &masked), MLM_ERR_ARGUMENT, "masker is NULL");
    assert_error(mlm_masker_apply(masker, &s.batch, NULL), MLM_ERR_ARGUMENT, "out is NULL");
    assert_error(mlm_masker_apply(masker, NULL, &masked), MLM_ERR_ARGUMENT, "batch is NULL");
    s.ids[3] = LETTERS_V;
    assert_error(mlm_masker_apply(masker, &s.batch, &masked), MLM_ERR_ARGUMENT,
        "input_ids[3] is 57, vocabulary has 57");
    s.ids[3] = LETTER_A;
    masked.struct_size = 0;
    assert_error(mlm_masker_apply(masker, &s.batch, &masked), MLM_ERR_ARGUMENT, "struct_size");
    mlm_masker_free(masker);
    free_sample(&s);
}
END_TEST

static mlm_status use_masker(mlm_runtime *runtime, void *context)
{
    mlm_tokenizer *tokenizer = context;
    mlm_masker_options options = defaults();
    options.random_tokens = MLM_RANDOM_ORDINARY;
    mlm_masker *masker;
    mlm_status status = mlm_masker_create(runtime, tokenizer, &options, &masker);
    for (int32_t B = 1; status == MLM_OK && B < 20; B += 6) {
        mlm_batch masked;
        mlm_batch_init(&masked, sizeof masked);
        sample s = make_sample(B, 10 * B);
        status = mlm_masker_apply(masker, &s.batch, &masked);
        free_sample(&s);
    }
    mlm_masker_free(masker);
    return status;
}

START_TEST(without_memory)
{
    mlm_tokenizer *tokenizer = letters_tokenizer(NULL);
    test_out_of_memory(use_masker, tokenizer);
    mlm_tokenizer_free(tokenizer);
}
END_TEST

Suite *masker_suite(void)
{
    Suite *suite = suite_create("masker");
    TCase *tests = tcase_create("masker");
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, as_many_as_python_rounds, 0, sizeof rounding / sizeof rounding[0]);
    tcase_add_test(tests, specials_stay);
    tcase_add_loop_test(tests, shares_of_replacements, 0, 12);
    tcase_add_loop_test(tests, no_token_is_preferred, 0, 2);
    tcase_add_test(tests, no_token_of_few_is_preferred);
    tcase_add_test(tests, each_by_itself_is_binomial);
    tcase_add_test(tests, no_more_than_asked_for);
    tcase_add_test(tests, nothing_asked_for);
    tcase_add_loop_test(tests, whole_words, 0, 2);
    tcase_add_test(tests, words_longer_than_the_share);
    tcase_add_test(tests, words_do_not_reach_over_specials);
    tcase_add_loop_test(tests, masks_follow_from_the_position, 0, 4);
    tcase_add_test(tests, rounding_mode_of_the_host);
    tcase_add_test(tests, arrays_are_copied);
    tcase_add_test(tests, no_sequences);
    tcase_add_test(tests, batches_out_of_range);
    tcase_add_test(tests, without_memory);
    suite_add_tcase(suite, tests);
    return suite;
}
