/* mlm_tokenizer_add_words. */
#include "tokens/tokens_suites.h"

static const char *const vocabulary[] = {
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "in", "##su", "##lin", "cafe", "##s", "."};
enum { V = sizeof vocabulary / sizeof vocabulary[0] };

static mlm_tokenizer *make(int32_t profile, int32_t longest)
{
    mlm_tokenizer_options options;
    mlm_tokenizer_options_init(&options, sizeof options);
    options.profile = profile;
    options.max_input_chars_per_word = longest;
    mlm_tokenizer *tokenizer;
    assert_ok(mlm_tokenizer_create(NULL, vocabulary, V, &options, &tokenizer));
    return tokenizer;
}

START_TEST(words_get_the_next_ids)
{
    static const char *const words[] = {
        "Insulin", "the", "\303\234ber", "INSULIN", "CAF\xc3\x89", "uber", "gene"};
    mlm_tokenizer *old = make(_i, -1), *grown, *again, *loaded;
    assert_ok(mlm_tokenizer_add_words(old, words, 7, &grown));
    ck_assert_int_eq(mlm_tokenizer_vocab_size(old), V);
    ck_assert_int_eq(mlm_tokenizer_vocab_size(grown), V + 3);
    for (int32_t id = 0; id < V; id++)
        ck_assert_str_eq(mlm_tokenizer_token(grown, id), vocabulary[id]);
    ck_assert_str_eq(mlm_tokenizer_token(grown, V), "insulin");
    ck_assert_str_eq(mlm_tokenizer_token(grown, V + 1), "uber");
    ck_assert_str_eq(mlm_tokenizer_token(grown, V + 2), "gene");
    static const char text[] = "The insulin in genes.";
    static const int32_t expected[] = {2, 5, V, 6, V + 2, 10, 11, 3};
    const char *folder = test_folder();
    assert_ok(mlm_tokenizer_save(grown, folder));
    assert_ok(mlm_tokenizer_load(NULL, folder, NULL, &loaded));
    assert_ok(mlm_tokenizer_add_words(grown, words, 7, &again));
    ck_assert_int_eq(mlm_tokenizer_vocab_size(again), V + 3);
    mlm_tokenizer *const three[] = {grown, loaded, again};
    for (size_t i = 0; i < 3; i++) {
        int32_t ids[32];
        size_t count;
        assert_ok(
            mlm_tokenizer_encode(three[i], text, sizeof text - 1, NULL, ids, NULL, 32, &count));
        ck_assert_uint_eq(count, 8);
        ck_assert_mem_eq(ids, expected, sizeof expected);
        mlm_tokenizer_free(three[i]);
    }
    mlm_tokenizer_free(old);
}
END_TEST

#define REFUSED(word, part)                                                                        \
    do {                                                                                           \
        static const char *const words_[] = {"gene", word};                                        \
        mlm_tokenizer *out_ = (mlm_tokenizer *)1;                                                  \
        assert_error(                                                                              \
            mlm_tokenizer_add_words(tokenizer, words_, 2, &out_), MLM_ERR_ARGUMENT, part);         \
        ck_assert_ptr_null(out_);                                                                  \
    } while (0)

START_TEST(what_is_no_word_is_refused)
{
    mlm_tokenizer *tokenizer = make(MLM_PROFILE_HF, 10), *out;
    REFUSED("", "words[1]: '' has no letter");
    REFUSED(" \t", "has no letter");
    REFUSED("two words", "words[1]: 'two words' is more than one word");
    REFUSED("co-factor", "words[1]: 'co-factor' is more than one word");
    REFUSED("##ine", "words[1]: '##ine' is more than one word");
    REFUSED("[NEW]", "words[1]: '[NEW]' is more than one word");
    REFUSED("elevenchars", "words[1]: 'elevenchars' is longer than max_input_chars_per_word");
    REFUSED("\xff", "is not UTF-8");
    REFUSED(NULL, "words[1] is NULL");
    assert_error(
        mlm_tokenizer_add_words(NULL, NULL, 0, &out), MLM_ERR_ARGUMENT, "tokenizer is NULL");
    assert_error(
        mlm_tokenizer_add_words(tokenizer, NULL, 1, &out), MLM_ERR_ARGUMENT, "words is NULL");
    assert_status(mlm_tokenizer_add_words(tokenizer, NULL, 0, NULL), MLM_ERR_ARGUMENT);
    assert_ok(mlm_tokenizer_add_words(tokenizer, NULL, 0, &out));
    ck_assert_int_eq(mlm_tokenizer_vocab_size(out), V);
    mlm_tokenizer_free(out);
    mlm_tokenizer_free(tokenizer);
}
END_TEST

static const char added[] =
    "{\"added_tokens\": [{\"id\": 5, \"content\": \"<drug>\", \"special\": true, \"normalized\": "
    "false},"
    " {\"id\": 6, \"content\": \"gene\", \"special\": false, \"normalized\": true}],"
    "\"model\": {\"type\": \"WordPiece\", \"unk_token\": \"[UNK]\", \"vocab\": {\"[PAD]\": 0, "
    "\"[UNK]\": 1, \"[CLS]\": 2, \"[SEP]\": 3, \"[MASK]\": 4}}, \"normalizer\": {\"type\": "
    "\"BertNormalizer\", \"clean_text\": true, \"handle_chinese_chars\": true, "
    "\"strip_accents\": null, \"lowercase\": true}, \"pre_tokenizer\": {\"type\": "
    "\"BertPreTokenizer\"}}";

START_TEST(new_words_come_after_added_tokens)
{
    static const char *const words[] = {"insulin"}, *cut[] = {"insulin", "genesis"};
    static const char text[] = "<drug>insulin gene";
    static const int32_t expected[] = {5, 7, 6};
    const char *folder = test_folder();
    const char *path = test_path(folder, "tokenizer.json");
    test_write_file(path, added, sizeof added - 1);
    mlm_tokenizer *old, *grown;
    assert_ok(mlm_tokenizer_load(NULL, path, NULL, &old));
    assert_error(mlm_tokenizer_add_words(old, cut, 2, &grown), MLM_ERR_ARGUMENT,
        "'genesis' has an added token in it");
    cut[1] = "GENesis";
    assert_error(mlm_tokenizer_add_words(old, cut, 2, &grown), MLM_ERR_ARGUMENT,
        "'genesis' has an added token in it");
    assert_ok(mlm_tokenizer_add_words(old, words, 1, &grown));
    assert_ok(mlm_tokenizer_save(grown, folder));
    mlm_tokenizer_free(grown);
    assert_ok(mlm_tokenizer_load(NULL, folder, NULL, &grown));
    ck_assert_str_eq(mlm_tokenizer_token(grown, 5), "<drug>");
    ck_assert_str_eq(mlm_tokenizer_token(grown, 7), "insulin");
    mlm_encode_options options;
    mlm_encode_options_init(&options, sizeof options);
    options.add_special_tokens = 0;
    int32_t ids[8];
    size_t count;
    assert_ok(mlm_tokenizer_encode(grown, text, sizeof text - 1, &options, ids, NULL, 8, &count));
    ck_assert_uint_eq(count, 3);
    ck_assert_mem_eq(ids, expected, sizeof expected);
    mlm_tokenizer_free(grown);
    mlm_tokenizer_free(old);
}
END_TEST

static mlm_status attempt(mlm_runtime *runtime, void *context)
{
    static const char *const words[] = {"insulin", "gene"};
    mlm_tokenizer *old, *grown;
    (void)context;
    mlm_status status = mlm_tokenizer_create(runtime, vocabulary, V, NULL, &old);
    if (status == MLM_OK)
        status = mlm_tokenizer_add_words(old, words, 2, &grown);
    if (status == MLM_OK)
        mlm_tokenizer_free(grown);
    mlm_tokenizer_free(old);
    return status;
}

START_TEST(memory_may_fail_anywhere)
{
    test_out_of_memory(attempt, NULL);
}
END_TEST

Suite *add_words_suite(void)
{
    Suite *suite = suite_create("add_words");
    TCase *tests = tcase_create("add_words");
    tcase_add_loop_test(tests, words_get_the_next_ids, MLM_PROFILE_HF, MLM_PROFILE_GOOGLE + 1);
    tcase_add_test(tests, what_is_no_word_is_refused);
    tcase_add_test(tests, new_words_come_after_added_tokens);
    tcase_add_test(tests, memory_may_fail_anywhere);
    suite_add_tcase(suite, tests);
    return suite;
}
