/* What `mask --check` says: yes of the library's masker, with p as chance has it, and no of maskers
   that are broken in one way each. */
#include "../../examples/mask_check.h"

#include <check.h>
#include <stdbool.h>

#include "support/support.h"

enum { WORDS = 195, PIECES = 100, SPECIAL = 5, VOCABULARY = SPECIAL + WORDS + PIECES };
enum { UNKNOWN = 1, CLS, SEP, MASK };

static mlm_tokenizer *make_tokenizer(void)
{
    static const char *const special[] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
    static char names[VOCABULARY][16];
    const char *tokens[VOCABULARY];
    mlm_tokenizer *tokenizer;
    for (int v = 0; v < VOCABULARY; v++) {
        snprintf(names[v], sizeof names[v], "%s%d", v < SPECIAL + WORDS ? "" : "##", v);
        tokens[v] = v < SPECIAL ? special[v] : names[v];
    }
    assert_ok(mlm_tokenizer_create(NULL, tokens, VOCABULARY, NULL, &tokenizer));
    return tokenizer;
}

/* Sequences of words of one to five tokens, as a corpus gives them. */
typedef struct sample {
    mlm_batch batch;
    int32_t *offsets, *ids;
} sample;

static sample make_sample(int32_t B)
{
    uint64_t state = 17;
    sample made = {.offsets = malloc(((size_t)B + 1) * sizeof *made.offsets),
        .ids = malloc((size_t)B * 64 * sizeof *made.ids)};
    int32_t n = 0;
    for (int32_t b = 0; b < B; b++) {
        int32_t length = 3 + (int32_t)(test_random(&state) % 58);
        made.offsets[b] = n;
        made.ids[n++] = CLS;
        for (int32_t i = 0; i < length; i++) {
            bool piece = i > 0 && test_random(&state) % 3 == 0;
            made.ids[n++] = piece ? SPECIAL + WORDS + (int32_t)(test_random(&state) % PIECES)
                            : i % 50 == 49 ? UNKNOWN
                                           : SPECIAL + (int32_t)(test_random(&state) % WORDS);
        }
        made.ids[n++] = SEP;
    }
    made.offsets[B] = n;
    mlm_batch_init(&made.batch, sizeof made.batch);
    made.batch.B = B;
    made.batch.offsets = made.offsets;
    made.batch.input_ids = made.ids;
    return made;
}

static void free_sample(sample *made)
{
    free(made->offsets);
    free(made->ids);
}

/* Values of scipy.stats.chi2.sf. */
START_TEST(survival_function)
{
    static const double values[][3] = {
        {0, 1, 1},
        {1e-3, 1, 0.9747728793699604},
        {3.841458820694124, 1, 0.04999999999999989},
        {1, 2, 0.6065306597126334},
        {5.991, 2, 0.05001161502657909},
        {20, 2, 4.539992976248486e-05},
        {60, 9, 1.3406780483959625e-09},
        {9, 9, 0.43727418891386693},
        {1000, 1000, 0.49405285382923964},
        {1200, 1000, 1.2255942330622893e-05},
        {30000, 30521, 0.9829192030986378},
        {31000, 30521, 0.026717336874164523},
        {32000, 30521, 1.8748481152451837e-09},
        {200, 15, 2.124671199893185e-34},
        {0.5, 20, 0.9999999999997906},
        {1500, 15, 4.996652762861e-311},
    };
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        ck_assert_double_eq_tol(
            chi_square_survival(values[i][0], values[i][1]) / values[i][2], 1, 1e-9);
    ck_assert_double_eq(chi_square_survival(INFINITY, 3), 0);
}
END_TEST

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* p of a masker that is right is uniform in [0,1]: its distance from that (Kolmogorov and Smirnov's)
   stays below what it reaches once in 10^6 times. */
START_TEST(p_is_as_chance_has_it)
{
    enum { SEEDS = 300, TESTS = 4 };
    mlm_tokenizer *tokenizer = make_tokenizer();
    sample made = make_sample(300);
    double p[TESTS][SEEDS];
    for (int seed = 0; seed < SEEDS; seed++) {
        mlm_masker_options options;
        mlm_masker *masker;
        mlm_batch masked;
        struct mask_check checker;
        mlm_masker_options_init(&options, sizeof options);
        mlm_batch_init(&masked, sizeof masked);
        options.seed = (uint64_t)seed;
        options.strategy = _i;
        options.mlm_probability = _i ? 0.3 : 0.15;
        assert_ok(mlm_masker_create(NULL, tokenizer, &options, &masker));
        assert_ok(mlm_masker_apply(masker, &made.batch, &masked));
        mask_check_open(&checker, tokenizer, &options);
        mask_check_add(&checker, &made.batch, &masked);
        ck_assert_int_eq(checker.special_chosen + checker.changed + checker.wrong_labels +
                             checker.words_in_part + checker.wrong_counts,
            0);
        p[0][seed] = mask_check_became(&checker).p;
        p[1][seed] = mask_check_random(&checker).p;
        p[2][seed] = check_choice_test(&checker.positions).p;
        p[3][seed] = check_choice_test(&checker.ids).p;
        mask_check_close(&checker);
        mlm_masker_free(masker);
    }
    for (int test = 0; test < TESTS; test++) {
        double distance = 0;
        qsort(p[test], SEEDS, sizeof *p[test], compare);
        for (int i = 0; i < SEEDS; i++)
            distance = fmax(distance,
                fmax(p[test][i] - (double)i / SEEDS, (double)(i + 1) / SEEDS - p[test][i]));
        ck_assert_msg(distance < sqrt(-log(0.5e-6) / 2 / SEEDS), "test %d: %g", test, distance);
    }
    free_sample(&made);
    mlm_tokenizer_free(tokenizer);
}
END_TEST

enum {
    BREAK_NOTHING,
    BREAK_SPECIAL,   /* chooses a [SEP] */
    BREAK_CHANGED,   /* changes a token without a label */
    BREAK_LABEL,     /* labels with what it put there */
    BREAK_COUNT,     /* one chosen token too few, once */
    BREAK_PART,      /* whole words: one token of a word less */
    BREAK_SHARES,    /* 75 % [MASK] */
    BREAK_RANDOM,    /* no random token of the last tenth of the vocabulary */
    BREAK_RANDOM_ID, /* one id twice as often */
    BREAK_POSITION,  /* rather the front of a sequence */
    BREAK_TOKENS,    /* hardly a piece that continues a word */
    BREAKS,
};

/* Moves the label of token from to token to, which stays as it is. */
static void move(const mlm_batch *batch, int32_t *ids, int32_t *labels, int32_t from, int32_t to)
{
    labels[to] = batch->input_ids[to];
    ids[to] = ids[from] == MASK                     ? MASK
              : ids[from] == batch->input_ids[from] ? batch->input_ids[to]
                                                    : ids[from];
    labels[from] = MLM_NO_LABEL;
    ids[from] = batch->input_ids[from];
}

static void break_sequence(
    int how, const mlm_batch *batch, int32_t b, int32_t *ids, int32_t *labels, uint64_t *state)
{
    const int32_t *before = batch->input_ids;
    int32_t begin = batch->offsets[b] + 1, end = batch->offsets[b + 1] - 1;
    for (int32_t i = begin; i < end; i++) {
        if (labels[i] == MLM_NO_LABEL)
            continue;
        bool random = ids[i] != MASK && ids[i] != before[i];
        if (how == BREAK_SHARES && ids[i] == MASK && test_random(state) % 16 == 0)
            ids[i] = before[i];
        if (how == BREAK_RANDOM && random && ids[i] >= VOCABULARY * 9 / 10)
            ids[i] -= VOCABULARY / 2;
        if (how == BREAK_RANDOM_ID && random && test_random(state) % 20 == 0)
            ids[i] = before[i] == 77 ? ids[i] : 77;
        int32_t other = begin + (int32_t)(test_random(state) % (uint64_t)(end - begin));
        if (labels[other] != MLM_NO_LABEL)
            continue;
        if ((how == BREAK_POSITION && other < i && test_random(state) % 5 == 0) ||
            (how == BREAK_TOKENS && before[i] >= SPECIAL + WORDS &&
                before[other] < SPECIAL + WORDS))
            move(batch, ids, labels, i, other);
    }
}

static void break_once(int how, const mlm_batch *batch, int32_t *ids, int32_t *labels)
{
    int32_t chosen = 0, other = 0;
    while (labels[chosen] == MLM_NO_LABEL || ids[chosen] == batch->input_ids[chosen] ||
           (how == BREAK_PART && batch->input_ids[chosen] < SPECIAL + WORDS))
        chosen++;
    while (labels[other] != MLM_NO_LABEL || batch->input_ids[other] < SPECIAL)
        other++;
    if (how == BREAK_SPECIAL)
        labels[0] = batch->input_ids[0];
    if (how == BREAK_CHANGED)
        ids[other] = MASK;
    if (how == BREAK_LABEL)
        labels[chosen] = ids[chosen];
    if (how == BREAK_COUNT || how == BREAK_PART) {
        labels[chosen] = MLM_NO_LABEL;
        ids[chosen] = batch->input_ids[chosen];
    }
}

START_TEST(what_is_broken_is_seen)
{
    int how = _i / 2, strategy = _i % 2;
    if (strategy == MLM_MASK_WHOLE_WORDS && how != BREAK_PART && how > BREAK_RANDOM_ID)
        return; /* these would break words too */
    if (strategy == MLM_MASK_TOKENS && how == BREAK_PART)
        return;
    mlm_tokenizer *tokenizer = make_tokenizer();
    sample made = make_sample(10000);
    mlm_masker_options options;
    mlm_masker *masker;
    mlm_batch masked;
    struct mask_check checker;
    mlm_masker_options_init(&options, sizeof options);
    mlm_batch_init(&masked, sizeof masked);
    options.strategy = strategy;
    assert_ok(mlm_masker_create(NULL, tokenizer, &options, &masker));
    assert_ok(mlm_masker_apply(masker, &made.batch, &masked));
    size_t N = (size_t)masked.offsets[masked.B];
    int32_t *ids = malloc(N * sizeof *ids), *labels = malloc(N * sizeof *labels);
    uint64_t state = 1;
    memcpy(ids, masked.input_ids, N * sizeof *ids);
    memcpy(labels, masked.labels, N * sizeof *labels);
    for (int32_t b = 0; b < masked.B; b++)
        break_sequence(how, &made.batch, b, ids, labels, &state);
    break_once(how, &made.batch, ids, labels);
    masked.input_ids = ids;
    masked.labels = labels;
    mask_check_open(&checker, tokenizer, &options);
    mask_check_add(&checker, &made.batch, &masked);
    FILE *real = stdout;
    stdout = fopen("/dev/null", "w");
    int right = mask_check_report(&checker);
    fclose(stdout);
    stdout = real;
    ck_assert_int_eq(right, how == BREAK_NOTHING);
    int64_t never[] = {checker.special_chosen, checker.changed, checker.wrong_labels,
        checker.wrong_counts, checker.words_in_part};
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(never[i] > 0, how == BREAK_SPECIAL + i);
    free(ids);
    free(labels);
    mask_check_close(&checker);
    mlm_masker_free(masker);
    free_sample(&made);
    mlm_tokenizer_free(tokenizer);
}
END_TEST

static Suite *mask_check_suite(void)
{
    Suite *suite = suite_create("mask check");
    TCase *tests = tcase_create("mask check");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, survival_function);
    tcase_add_loop_test(tests, p_is_as_chance_has_it, 0, 2);
    tcase_add_loop_test(tests, what_is_broken_is_seen, 0, 2 * BREAKS);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(mask_check_suite)
