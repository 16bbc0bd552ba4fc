/* What a run remembers of tokenizer, corpus and masker. */
#include <jansson.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/support.h"
#include "support/system_calls.h"
#include "trainer_suites.h"
#include "training.h"

/* 31 tokens, as the model has. */
static const char *const tokens[] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "c",
    "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r", "s", "t", "u", "v",
    "w", "x", "y", "z"};
static const char text[] = "a b c d e f\ng h i j\nk l m n o p q\n\nr s t u v\nw x y z a\nb d f h\n"
                           "\nc e g i k m\no q s u w y\na c e g\n\ni k m o q s\nu w y a b\n";

typedef struct source {
    mlm_tokenizer *tokenizer;
    mlm_corpus *corpus;
    mlm_masker *masker;
} source;

/* What differs between sources. */
typedef struct recipe {
    int32_t lowercase, T;
    uint64_t corpus_seed, mask_seed;
    size_t length; /* of the text */
} recipe;

static const recipe usual = {1, 8, 1, 2, sizeof text - 1};

static char folder[512], checkpoint[600], straight[600], cut[600];
static mlm_encoder *encoder;
static mlm_trainer *trainer;
static source from;

static int read_text(void *user, char *buffer, size_t capacity, size_t *length)
{
    const char **rest = user;
    *length = strlen(*rest) < capacity ? strlen(*rest) : capacity;
    memcpy(buffer, *rest, *length);
    *rest += *length;
    return MLM_CONTINUE;
}

static source open_source(recipe r)
{
    source s;
    mlm_tokenizer_options tokenizer_options;
    mlm_tokenizer_options_init(&tokenizer_options, sizeof tokenizer_options);
    tokenizer_options.lowercase = r.lowercase;
    assert_ok(mlm_tokenizer_create(
        NULL, tokens, sizeof tokens / sizeof tokens[0], &tokenizer_options, &s.tokenizer));
    mlm_corpus_options corpus_options;
    mlm_corpus_options_init(&corpus_options, sizeof corpus_options);
    corpus_options.B = 2;
    corpus_options.T = r.T;
    corpus_options.seed = r.corpus_seed;
    char part[sizeof text];
    memcpy(part, text, sizeof text);
    part[r.length] = '\0';
    const char *rest = part;
    assert_ok(mlm_corpus_read(NULL, s.tokenizer, read_text, &rest, &corpus_options, &s.corpus));
    mlm_masker_options masker_options;
    mlm_masker_options_init(&masker_options, sizeof masker_options);
    masker_options.seed = r.mask_seed;
    assert_ok(mlm_masker_create(NULL, s.tokenizer, &masker_options, &s.masker));
    return s;
}

static void close_source(source *s)
{
    mlm_corpus_free(s->corpus);
    mlm_masker_free(s->masker);
    mlm_tokenizer_free(s->tokenizer);
    *s = (source){0};
}

static void setup(void)
{
    snprintf(folder, sizeof folder, "%s", test_folder());
    snprintf(checkpoint, sizeof checkpoint, "%s/checkpoint", folder);
    snprintf(straight, sizeof straight, "%s/straight", folder);
    snprintf(cut, sizeof cut, "%s/cut", folder);
    encoder = training_encoder(NULL, 0.1);
    trainer = training_trainer(NULL, encoder);
    from = open_source(usual);
}

static void teardown(void)
{
    mlm_trainer_free(trainer);
    mlm_encoder_free(encoder);
    close_source(&from);
}

static mlm_status attach(const source *s)
{
    return mlm_trainer_attach(trainer, s->tokenizer, s->corpus, s->masker);
}

static mlm_metrics go_on(int32_t updates)
{
    mlm_metrics metrics;
    mlm_metrics_init(&metrics, sizeof metrics);
    for (int32_t i = 0; i < updates; i++) {
        mlm_batch batch, masked;
        mlm_batch_init(&batch, sizeof batch);
        mlm_batch_init(&masked, sizeof masked);
        assert_ok(mlm_corpus_next(from.corpus, &batch));
        assert_ok(mlm_masker_apply(from.masker, &batch, &masked));
        assert_ok(mlm_trainer_accumulate(trainer, &masked));
        assert_ok(mlm_trainer_update(trainer, &metrics));
    }
    return metrics;
}

/* As a new process would: everything is opened anew, and the corpus stands at its beginning. */
static void resume(recipe r)
{
    mlm_trainer_free(trainer);
    mlm_encoder_free(encoder);
    close_source(&from);
    assert_ok(mlm_encoder_load(NULL, checkpoint, NULL, &encoder));
    assert_ok(mlm_trainer_resume(NULL, encoder, checkpoint, NULL, &trainer));
    from = open_source(r);
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

START_TEST(resumed_from_text_is_uninterrupted)
{
    static const char *const names[] = {"model.safetensors", "optimizer.safetensors",
        "trainer.json", "vocab.txt", "tokenizer.json"};
    assert_ok(attach(&from));
    mlm_metrics metrics = go_on(5);
    ck_assert_int_eq(metrics.position, 10);
    assert_ok(mlm_trainer_save(trainer, checkpoint));
    go_on(5);
    assert_ok(mlm_trainer_save(trainer, straight));
    resume(usual);
    assert_ok(attach(&from));
    go_on(5);
    assert_ok(mlm_trainer_save(trainer, cut));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_same_file(straight, cut, names[i]);
}
END_TEST

START_TEST(differences_are_named)
{
    static const struct {
        recipe other;
        const char *message;
    } cases[] = {
        {{1, 9, 1, 2, sizeof text - 1}, "corpus: T is 9, the checkpoint was trained with 8"},
        {{1, 8, 7, 2, sizeof text - 1}, "corpus: seed is 7, the checkpoint was trained with 1"},
        {{1, 8, 1, 2, sizeof text - 20}, "corpus: "},
        {{1, 8, 1, 3, sizeof text - 1}, "masker: seed is 3, the checkpoint was trained with 2"},
        {{0, 8, 1, 2, sizeof text - 1}, "tokenizer: "},
    };
    assert_ok(attach(&from));
    go_on(2);
    assert_ok(mlm_trainer_save(trainer, checkpoint));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        resume(cases[i].other);
        assert_error(attach(&from), MLM_ERR_MISMATCH, cases[i].message);
        mlm_batch batch;
        mlm_batch_init(&batch, sizeof batch);
        assert_ok(mlm_corpus_next(from.corpus, &batch));
        ck_assert_int_eq(batch.position, 0);
    }
}
END_TEST

/* The three option structs of a source, and one member that is changed. */
typedef struct choices {
    mlm_tokenizer_options tokenizer;
    mlm_corpus_options corpus;
    mlm_masker_options masker;
} choices;

static source open_chosen(const choices *chosen)
{
    source s;
    const char *rest = text;
    assert_ok(mlm_tokenizer_create(
        NULL, tokens, sizeof tokens / sizeof tokens[0], &chosen->tokenizer, &s.tokenizer));
    assert_ok(mlm_corpus_read(NULL, s.tokenizer, read_text, &rest, &chosen->corpus, &s.corpus));
    assert_ok(mlm_masker_create(NULL, s.tokenizer, &chosen->masker, &s.masker));
    return s;
}

static choices usual_choices(void)
{
    choices chosen;
    mlm_tokenizer_options_init(&chosen.tokenizer, sizeof chosen.tokenizer);
    mlm_corpus_options_init(&chosen.corpus, sizeof chosen.corpus);
    mlm_masker_options_init(&chosen.masker, sizeof chosen.masker);
    chosen.corpus.T = 8;
    return chosen;
}

#define CHOICE(handle, member) offsetof(choices, handle) + offsetof(mlm_##handle##_options, member)

/* All options but those that change nothing of what a run sees: rank, epochs and cache of a corpus,
   and those of spans. */
START_TEST(every_option_is_compared)
{
    static const struct {
        size_t offset;
        enum { INT, DOUBLE, SEED } kind;
        double value;
        const char *message;
    } cases[] = {
        {CHOICE(tokenizer, profile), INT, MLM_PROFILE_GOOGLE,
            "tokenizer: profile is google, the checkpoint was trained with hf"},
        {CHOICE(tokenizer, lowercase), INT, 0,
            "tokenizer: lowercase is false, the checkpoint was trained with true"},
        {CHOICE(tokenizer, strip_accents), INT, 0,
            "tokenizer: strip_accents is false, the checkpoint was trained with true"},
        {CHOICE(tokenizer, handle_chinese_chars), INT, 0,
            "tokenizer: handle_chinese_chars is false, the checkpoint was trained with true"},
        {CHOICE(tokenizer, clean_text), INT, 0,
            "tokenizer: clean_text is false, the checkpoint was trained with true"},
        {CHOICE(tokenizer, max_input_chars_per_word), INT, 50,
            "tokenizer: max_input_chars_per_word is 50, the checkpoint was trained with 100"},
        {CHOICE(tokenizer, split_special_tokens), INT, 1,
            "tokenizer: split_special_tokens is true, the checkpoint was trained with false"},
        {CHOICE(corpus, B), INT, 16, "corpus: B is 16, the checkpoint was trained with 32"},
        {CHOICE(corpus, T), INT, 9, "corpus: T is 9, the checkpoint was trained with 8"},
        {CHOICE(corpus, input), INT, MLM_INPUT_LINES,
            "corpus: input is lines, the checkpoint was trained with sentences"},
        {CHOICE(corpus, packing), INT, MLM_PACK_ONE,
            "corpus: packing is one, the checkpoint was trained with full"},
        {CHOICE(corpus, ranks), INT, 2, "corpus: ranks is 2, the checkpoint was trained with 1"},
        {CHOICE(corpus, seed), SEED, 7, "corpus: seed is 7, the checkpoint was trained with 0"},
        {CHOICE(corpus, short_seq_prob), DOUBLE, 0.25,
            "corpus: short_seq_prob is 0.25, the checkpoint was trained with 0.1"},
        {CHOICE(masker, strategy), INT, MLM_MASK_WHOLE_WORDS,
            "masker: strategy is whole_words, the checkpoint was trained with tokens"},
        {CHOICE(masker, selection), INT, MLM_SELECT_EACH,
            "masker: selection is each, the checkpoint was trained with count"},
        {CHOICE(masker, random_tokens), INT, MLM_RANDOM_ORDINARY,
            "masker: random_tokens is ordinary, the checkpoint was trained with any"},
        {CHOICE(masker, mlm_probability), DOUBLE, 0.2,
            "masker: mlm_probability is 0.2, the checkpoint was trained with 0.15"},
        {CHOICE(masker, mask_replace_prob), DOUBLE, 0.7,
            "masker: mask_replace_prob is 0.7, the checkpoint was trained with 0.8"},
        {CHOICE(masker, random_replace_prob), DOUBLE, 0.2,
            "masker: random_replace_prob is 0.2, the checkpoint was trained with 0.1"},
        {CHOICE(masker, max_predictions), INT, 5,
            "masker: max_predictions is 5, the checkpoint was trained with 0"},
        {CHOICE(masker, seed), SEED, 7, "masker: seed is 7, the checkpoint was trained with 0"},
    };
    choices chosen = usual_choices();
    source first = open_chosen(&chosen);
    assert_ok(attach(&first));
    assert_ok(mlm_trainer_save(trainer, checkpoint));
    close_source(&first);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        chosen = usual_choices();
        char *member = (char *)&chosen + cases[i].offset;
        if (cases[i].kind == INT)
            *(int32_t *)(void *)member = (int32_t)cases[i].value;
        else if (cases[i].kind == DOUBLE)
            *(double *)(void *)member = cases[i].value;
        else
            *(uint64_t *)(void *)member = (uint64_t)cases[i].value;
        resume(usual);
        source other = open_chosen(&chosen);
        assert_error(attach(&other), MLM_ERR_MISMATCH, cases[i].message);
        close_source(&other);
    }
    chosen = usual_choices();
    source same = open_chosen(&chosen);
    assert_ok(attach(&same));
    close_source(&same);
}
END_TEST

/* Written by a library that knew more. */
START_TEST(what_only_the_checkpoint_knows_is_a_difference)
{
    assert_ok(attach(&from));
    assert_ok(mlm_trainer_save(trainer, checkpoint));
    const char *path = test_path(checkpoint, "trainer.json");
    json_t *root = json_load_file(path, 0, NULL);
    json_t *corpus = json_object_get(json_object_get(root, "provenance"), "corpus");
    ck_assert_int_eq(json_object_set_new(corpus, "window", json_integer(3)), 0);
    training_store_record(checkpoint, root);
    resume(usual);
    assert_error(attach(&from), MLM_ERR_MISMATCH,
        "corpus: window is unknown, the checkpoint was trained with 3");
}
END_TEST

/* A run goes on from the checkpoint. */
static int go_on_from_there(void *context)
{
    (void)context;
    resume(usual);
    assert_ok(attach(&from));
    return go_on(2).step == 0;
}

static int count_call(void *count, const test_call *call)
{
    *(int64_t *)count += test_call_is_of_files(call);
    return 0;
}

enum { PLACES = 3 };
static const int64_t places[PLACES] = {10, 10000000, 1000000000000000};

/* A checkpoint as of that step. */
static void save_at(int64_t step)
{
    assert_ok(mlm_trainer_save(trainer, checkpoint));
    json_t *root = json_load_file(test_path(checkpoint, "trainer.json"), 0, NULL);
    json_t *state = json_object_get(root, "state");
    json_object_set_new(state, "step", json_integer(step));
    json_object_set_new(state, "position", json_integer(2 * step));
    training_store_record(checkpoint, root);
}

/* Not one sequence is passed over: at step 10^15 that would never end. */
START_TEST(a_run_goes_on_anywhere)
{
    assert_ok(attach(&from));
    go_on(1);
    for (size_t i = 0; i < PLACES; i++) {
        save_at(places[i]);
        resume(usual);
        assert_ok(attach(&from));
        mlm_metrics metrics = go_on(2);
        ck_assert_int_eq(metrics.step, places[i] + 2);
        ck_assert_int_eq(metrics.position, 2 * places[i] + 4);
    }
}
END_TEST

START_TEST(going_on_reads_no_more_anywhere)
{
    if (!test_can_trace())
        return;
    int64_t counts[PLACES] = {0};
    assert_ok(attach(&from));
    go_on(1);
    for (size_t i = 0; i < PLACES; i++) {
        save_at(places[i]);
        ck_assert_int_eq(test_trace(go_on_from_there, NULL, count_call, &counts[i]), 0);
        ck_assert_int_gt(counts[i], 0);
        ck_assert_int_eq(counts[i], counts[0]);
    }
}
END_TEST

/* A run without a checkpoint may change its sources. */
START_TEST(before_a_resume_anything_may_be_attached)
{
    assert_ok(attach(&from));
    source other = open_source((recipe){1, 9, 3, 4, sizeof text - 1});
    assert_ok(attach(&other));
    assert_ok(mlm_trainer_attach(trainer, NULL, NULL, NULL));
    assert_ok(attach(&from));
    close_source(&other);
    go_on(2);
}
END_TEST

START_TEST(attached_handles_are_kept)
{
    assert_ok(attach(&from));
    close_source(&from);
    assert_ok(mlm_trainer_save(trainer, checkpoint));
    free(test_read_file(test_path(checkpoint, "vocab.txt"), &(size_t){0}));
}
END_TEST

/* Neither files nor provenance of an earlier save get lost. */
START_TEST(what_is_not_attached_again_stays)
{
    assert_ok(attach(&from));
    go_on(1);
    assert_ok(mlm_trainer_save(trainer, checkpoint));
    resume(usual);
    assert_ok(mlm_trainer_save(trainer, checkpoint));
    free(test_read_file(test_path(checkpoint, "tokenizer.json"), &(size_t){0}));
    resume((recipe){1, 9, 1, 2, sizeof text - 1});
    assert_error(attach(&from), MLM_ERR_MISMATCH, "corpus: T is 9");
}
END_TEST

START_TEST(a_corpus_that_the_checkpoint_does_not_know)
{
    training_updates(trainer, 2);
    assert_ok(mlm_trainer_save(trainer, checkpoint));
    resume(usual);
    assert_ok(attach(&from));
    mlm_batch batch;
    mlm_batch_init(&batch, sizeof batch);
    assert_ok(mlm_corpus_next(from.corpus, &batch));
    ck_assert_int_eq(batch.position, 10);
}
END_TEST

Suite *attach_suite(void)
{
    Suite *suite = suite_create("attach");
    TCase *tests = tcase_create("attach");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, resumed_from_text_is_uninterrupted);
    tcase_add_test(tests, differences_are_named);
    tcase_add_test(tests, every_option_is_compared);
    tcase_add_test(tests, what_only_the_checkpoint_knows_is_a_difference);
    tcase_add_test(tests, a_run_goes_on_anywhere);
    tcase_add_test(tests, going_on_reads_no_more_anywhere);
    tcase_add_test(tests, before_a_resume_anything_may_be_attached);
    tcase_add_test(tests, attached_handles_are_kept);
    tcase_add_test(tests, what_is_not_attached_again_stays);
    tcase_add_test(tests, a_corpus_that_the_checkpoint_does_not_know);
    suite_add_tcase(suite, tests);
    return suite;
}
