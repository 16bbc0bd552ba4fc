/*
 * mask_check.h - whether a masker does what its options say, by what it did to many sequences: what
 * may never happen is counted, and what is left to chance is compared by chi-square.
 * MLM_SELECT_COUNT and MLM_RANDOM_ANY, without max_predictions.
 */
#ifndef MASK_CHECK_H
#define MASK_CHECK_H

#include "args.h"
#include "chi_square.h"

enum { CHECK_BINS = 10, CHECK_LENGTHS = 8, CHECK_LEAST = 1000, CHECK_RANDOM_A_BIN = 20 };
/* A masker that is right fails one of four tests in 250,000 texts. */
static const double CHECK_LEVEL = 1e-6;

/* What a chosen token became. */
enum { BECAME_MASK, BECAME_KEPT, BECAME_OTHER, BECAME_COUNT };

/* What was chosen among things that are alike, and so equally likely: how many in each bin, what is
   expected, and the covariance. */
struct check_choice {
    double observed[CHECK_BINS], expected[CHECK_BINS], covariance[CHECK_BINS][CHECK_BINS];
};

/* A token or a word of several: what is chosen as one. */
struct check_group {
    int32_t first, length;
    int chosen, position_bin, id_bin;
};

struct mask_check {
    int32_t V, mask;
    mlm_masker_options options;
    unsigned char *special, *continues;    /* [V] */
    int64_t sequences, candidates, chosen; /* the last two in tokens */
    /* May never happen. */
    int64_t special_chosen, changed, wrong_labels, words_in_part, wrong_counts;
    /* Is left to chance. */
    int64_t became[BECAME_COUNT];
    int64_t *random_tokens, *random_instead_of; /* [V]: what came, for what */
    struct check_choice positions, ids;
    struct check_group *groups; /* [capacity] of a sequence */
    int32_t capacity;
};

/* The masker's rule: all that decoding leaves out, but not [UNK]. */
static inline void mask_check_look_up(struct mask_check *check, const mlm_tokenizer *tokenizer)
{
    const int32_t unknown = mlm_tokenizer_special(tokenizer, MLM_TOKEN_UNK);
    int32_t v;
    for (v = 0; v < check->V; ++v) {
        char text[256];
        size_t length = 1;
        const mlm_status status = mlm_tokenizer_decode(
            tokenizer, &v, 1, MLM_DECODE_SKIP_SPECIAL, text, sizeof text, &length);
        check->special[v] = status == MLM_OK && length == 0 && v != unknown;
        check->continues[v] = strncmp(mlm_tokenizer_token(tokenizer, v), "##", 2) == 0;
    }
}

static inline void mask_check_open(
    struct mask_check *check, const mlm_tokenizer *tokenizer, const mlm_masker_options *options)
{
    size_t V;
    memset(check, 0, sizeof *check);
    check->V = mlm_tokenizer_vocab_size(tokenizer);
    check->mask = mlm_tokenizer_special(tokenizer, MLM_TOKEN_MASK);
    check->options = *options;
    V = (size_t)check->V;
    check->special = allocate(V, 1);
    check->continues = allocate(V, 1);
    check->random_tokens = allocate(V, sizeof *check->random_tokens);
    check->random_instead_of = allocate(V, sizeof *check->random_instead_of);
    memset(check->random_tokens, 0, V * sizeof *check->random_tokens);
    memset(check->random_instead_of, 0, V * sizeof *check->random_instead_of);
    mask_check_look_up(check, tokenizer);
}

static inline void mask_check_close(struct mask_check *check)
{
    free(check->special);
    free(check->continues);
    free(check->random_tokens);
    free(check->random_instead_of);
    free(check->groups);
}

/* ---- a sequence ------------------------------------------------------------- */

static inline void mask_check_token(
    struct mask_check *check, int32_t before, int32_t after, int32_t label)
{
    check->candidates += !check->special[before];
    if (label == MLM_NO_LABEL) {
        check->changed += after != before;
        return;
    }
    ++check->chosen;
    check->special_chosen += check->special[before];
    check->wrong_labels += label != before;
    if (after == check->mask) {
        ++check->became[BECAME_MASK];
    } else if (after == before) {
        ++check->became[BECAME_KEPT];
    } else {
        ++check->became[BECAME_OTHER];
        ++check->random_tokens[after];
        ++check->random_instead_of[before];
    }
}

/* The groups of the sequence ids [N]; returns their number. */
static inline int32_t mask_check_find_groups(
    struct mask_check *check, const int32_t *ids, const int32_t *labels, int32_t N)
{
    const int words = check->options.strategy == MLM_MASK_WHOLE_WORDS;
    int32_t count = 0, i;
    if (N > check->capacity) {
        free(check->groups);
        check->groups = allocate((size_t)N, sizeof *check->groups);
        check->capacity = N;
    }
    for (i = 0; i < N; ++i) {
        struct check_group *last = count > 0 ? &check->groups[count - 1] : NULL;
        const int chosen = labels[i] != MLM_NO_LABEL;
        if (check->special[ids[i]])
            continue;
        if (words && last && check->continues[ids[i]] && last->first + last->length == i) {
            ++last->length;
            check->words_in_part += chosen != last->chosen;
            continue;
        }
        check->groups[count].first = i;
        check->groups[count].length = 1;
        check->groups[count].chosen = chosen;
        check->groups[count].id_bin = (int)((int64_t)ids[i] * CHECK_BINS / check->V);
        ++count;
    }
    for (i = 0; i < count; ++i)
        check->groups[i].position_bin = (int)((int64_t)i * CHECK_BINS / count);
    return count;
}

/* As many tokens as the options say: the share, or less by so little that nothing more fits; or,
   where all groups are larger than it, one of them. */
static inline int mask_check_count_is_right(
    const struct mask_check *check, const struct check_group *groups, int32_t count)
{
    int32_t candidates = 0, chosen = 0, chosen_groups = 0, least = INT32_MAX, left = INT32_MAX, g;
    double share;
    for (g = 0; g < count; ++g) {
        candidates += groups[g].length;
        chosen += groups[g].chosen ? groups[g].length : 0;
        chosen_groups += groups[g].chosen;
        if (groups[g].length < least)
            least = groups[g].length;
        if (!groups[g].chosen && groups[g].length < left)
            left = groups[g].length;
    }
    if (count == 0 || check->options.mlm_probability == 0)
        return chosen == 0;
    share = nearbyint(check->options.mlm_probability * candidates);
    if (share < 1)
        share = 1;
    if (share < least)
        return chosen_groups == 1;
    return chosen <= share && (left == INT32_MAX || left > share - chosen);
}

/* Groups of one length in one sequence: whatever k of the n are chosen, all choices are equally
   likely. So the number in a bin is hypergeometric. */
static inline void check_choice_add(struct check_choice *choice, const struct check_group *groups,
    int32_t count, int32_t length, int by_id)
{
    double in_bin[CHECK_BINS] = {0}, n = 0, k = 0, weight;
    int32_t g;
    int i, j;
    for (g = 0; g < count; ++g) {
        const int bin = by_id ? groups[g].id_bin : groups[g].position_bin;
        if (groups[g].length != length)
            continue;
        ++n;
        ++in_bin[bin];
        k += groups[g].chosen;
        choice->observed[bin] += groups[g].chosen;
    }
    if (n == 0)
        return;
    weight = n > 1 ? k * (n - k) / (n - 1) : 0;
    for (i = 0; i < CHECK_BINS; ++i) {
        choice->expected[i] += k * in_bin[i] / n;
        choice->covariance[i][i] += weight * in_bin[i] / n;
        for (j = 0; j < CHECK_BINS; ++j)
            choice->covariance[i][j] -= weight * in_bin[i] / n * in_bin[j] / n;
    }
}

/* The sequences of a batch before and after the masker. */
static inline void mask_check_add(
    struct mask_check *check, const mlm_batch *batch, const mlm_batch *masked)
{
    int32_t b, n, length;
    for (b = 0; b < batch->B; ++b) {
        const int32_t begin = batch->offsets[b], N = batch->offsets[b + 1] - begin;
        int32_t count;
        for (n = begin; n < begin + N; ++n)
            mask_check_token(check, batch->input_ids[n], masked->input_ids[n], masked->labels[n]);
        count = mask_check_find_groups(check, batch->input_ids + begin, masked->labels + begin, N);
        check->wrong_counts += !mask_check_count_is_right(check, check->groups, count);
        for (length = 1; length <= CHECK_LENGTHS; ++length) {
            check_choice_add(&check->positions, check->groups, count, length, 0);
            check_choice_add(&check->ids, check->groups, count, length, 1);
        }
        ++check->sequences;
    }
}

/* ---- the tests --------------------------------------------------------------- */

struct check_result {
    double chi_square, freedom, p;
};

static inline struct check_result check_result_of(double chi_square, double freedom)
{
    struct check_result result;
    result.chi_square = chi_square;
    result.freedom = freedom;
    result.p = freedom > 0 ? chi_square_survival(chi_square, freedom) : 1;
    return result;
}

/* One bin: 0 where nothing is expected and nothing came. */
static inline double chi_square_term(double observed, double expected)
{
    const double difference = observed - expected;
    return difference == 0 ? 0 : difference * difference / expected;
}

/* (observed - expected)' covariance^-1 (observed - expected), by elimination; a direction in which
   nothing varies, as that of the sum, is no degree of freedom. */
static inline struct check_result check_choice_test(const struct check_choice *choice)
{
    double matrix[CHECK_BINS][CHECK_BINS], rest[CHECK_BINS], largest = 0, sum = 0;
    int i, j, k, freedom = 0;
    memcpy(matrix, choice->covariance, sizeof matrix);
    for (i = 0; i < CHECK_BINS; ++i) {
        rest[i] = choice->observed[i] - choice->expected[i];
        if (matrix[i][i] > largest)
            largest = matrix[i][i];
    }
    for (k = 0; k < CHECK_BINS; ++k) {
        if (!(matrix[k][k] > 1e-9 * largest))
            continue;
        ++freedom;
        sum += rest[k] * rest[k] / matrix[k][k];
        for (i = k + 1; i < CHECK_BINS; ++i) {
            const double factor = matrix[i][k] / matrix[k][k];
            rest[i] -= factor * rest[k];
            for (j = k + 1; j < CHECK_BINS; ++j)
                matrix[i][j] -= factor * matrix[k][j];
        }
    }
    return check_result_of(sum, freedom);
}

/* A random token is any of V, so it may be [MASK] or the token itself. */
static inline void mask_check_shares(const struct mask_check *check, double shares[BECAME_COUNT])
{
    const double V = check->V, random = check->options.random_replace_prob;
    shares[BECAME_MASK] = check->options.mask_replace_prob + random / V;
    shares[BECAME_OTHER] = random * (V - 2) / V;
    shares[BECAME_KEPT] = 1 - shares[BECAME_MASK] - shares[BECAME_OTHER];
}

static inline struct check_result mask_check_became(const struct mask_check *check)
{
    double shares[BECAME_COUNT], sum = 0;
    int i;
    mask_check_shares(check, shares);
    for (i = 0; i < BECAME_COUNT; ++i)
        sum += chi_square_term((double)check->became[i], shares[i] * (double)check->chosen);
    return check_result_of(sum, BECAME_COUNT - 1);
}

/* Of all ids but the two that do not count as random, each is equally likely. Bins are ranges of
   ids, as many as have CHECK_RANDOM_A_BIN tokens each. */
static inline struct check_result mask_check_random(const struct mask_check *check)
{
    const int64_t count = check->became[BECAME_OTHER], V = check->V;
    const int64_t most = count / CHECK_RANDOM_A_BIN, bins = most < V ? most : V;
    double sum = 0;
    int64_t bin, v = 0;
    if (bins < 2 || V < 3)
        return check_result_of(0, 0);
    for (bin = 0; bin < bins; ++bin) {
        double observed = 0, expected = 0;
        for (; v * bins / V == bin && v < V; ++v) {
            observed += (double)check->random_tokens[v];
            if (v != check->mask)
                expected += (double)(count - check->random_instead_of[v]);
        }
        sum += chi_square_term(observed, expected / (double)(V - 2));
    }
    return check_result_of(sum, (double)(bins - 1));
}

/* ---- the report -------------------------------------------------------------- */

static inline int mask_check_print_never(const char *what, int64_t count)
{
    printf("  %-42s %lld\n", what, (long long)count);
    return count == 0;
}

static inline int mask_check_print_test(const char *what, struct check_result result)
{
    printf("  %-30s %11.1f  %7.0f  %.3g\n", what, result.chi_square, result.freedom, result.p);
    return result.p >= CHECK_LEVEL;
}

/* Chance shows in many only. */
static inline int mask_check_is_long(const struct mask_check *check)
{
    return check->chosen >= CHECK_LEAST || check->options.mlm_probability == 0;
}

/* Prints what was found; whether nothing is other than the options say. */
static inline int mask_check_report(const struct mask_check *check)
{
    const double chosen = check->chosen > 0 ? (double)check->chosen : 1;
    double shares[BECAME_COUNT];
    int right = 1;
    mask_check_shares(check, shares);
    printf(
        "%lld sequences, %lld tokens that may be chosen, %lld chosen: %.2f %%, asked for %.2f %%\n",
        (long long)check->sequences, (long long)check->candidates, (long long)check->chosen,
        check->candidates ? 100 * (double)check->chosen / (double)check->candidates : 0,
        100 * check->options.mlm_probability);
    printf(
        "became [MASK] %.3f %%, stayed %.3f %%, another token %.3f %%; expected %.3f, %.3f, %.3f\n",
        100 * (double)check->became[BECAME_MASK] / chosen,
        100 * (double)check->became[BECAME_KEPT] / chosen,
        100 * (double)check->became[BECAME_OTHER] / chosen, 100 * shares[BECAME_MASK],
        100 * shares[BECAME_KEPT], 100 * shares[BECAME_OTHER]);
    printf("what may never happen:\n");
    right &= mask_check_print_never("special tokens chosen", check->special_chosen);
    right &= mask_check_print_never("tokens changed that were not chosen", check->changed);
    right &= mask_check_print_never("labels that are not the token", check->wrong_labels);
    right &= mask_check_print_never("tokens chosen without their word", check->words_in_part);
    right &= mask_check_print_never("sequences with another number of tokens", check->wrong_counts);
    printf("  %-30s %11s  %7s  %s\n", "what is left to chance:", "chi-square", "freedom", "p");
    right &= mask_check_print_test("what became of them", mask_check_became(check));
    right &= mask_check_print_test("which random tokens", mask_check_random(check));
    right &= mask_check_print_test("where in the sequence", check_choice_test(&check->positions));
    right &=
        mask_check_print_test("which tokens of the vocabulary", check_choice_test(&check->ids));
    printf("verdict: %s\n", !right                      ? "NOT as the options say"
                            : mask_check_is_long(check) ? "as the options say"
                                                        : "none");
    return right;
}

#endif /* MASK_CHECK_H */
