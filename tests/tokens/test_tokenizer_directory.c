#include <stdlib.h>

#include "tokens/directory_fixture.h"
#include "tokens/tokenizer.h"
#include "tokens/tokens_suites.h"

enum { CASES = sizeof directory_cases / sizeof directory_cases[0] };

static void check_ids(const char *folder, const directory_case *c)
{
    mlm_tokenizer *tokenizer;
    assert_ok(mlm_tokenizer_load(NULL, folder, NULL, &tokenizer));
    for (size_t t = 0; t < DIRECTORY_TEXTS; t++) {
        const char *text = directory_texts[t];
        int32_t ids[DIRECTORY_IDS];
        size_t count;
        assert_ok(mlm_tokenizer_encode(
            tokenizer, text, strlen(text), NULL, ids, NULL, DIRECTORY_IDS, &count));
        for (size_t i = 0; i < count; i++)
            ck_assert_msg(ids[i] == c->ids[t][i], "%s: token %zu of '%s' is %d, not %d", c->what, i,
                text, ids[i], c->ids[t][i]);
        ck_assert_int_eq(c->ids[t][count], -1);
    }
    mlm_tokenizer_free(tokenizer);
}

/* As transformers reads it, and the same once more when it was saved. */
START_TEST(test_equals_transformers)
{
    const directory_case *c = &directory_cases[_i];
    const char *folder = test_folder(), *again = test_path(test_folder(), "again");
    for (size_t f = 0; f < DIRECTORY_FILES && c->files[f][0]; f++)
        test_write_file(test_path(folder, c->files[f][0]), c->files[f][1], strlen(c->files[f][1]));
    check_ids(folder, c);
    mlm_tokenizer *tokenizer;
    assert_ok(mlm_tokenizer_load(NULL, folder, NULL, &tokenizer));
    assert_ok(mlm_tokenizer_save(tokenizer, again));
    mlm_tokenizer_free(tokenizer);
    check_ids(again, c);
}
END_TEST

static const char vocabulary[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\n";

static void refused(const char *name, const char *content, const char *part)
{
    const char *folder = test_folder();
    mlm_tokenizer *tokenizer;
    test_write_file(test_path(folder, "vocab.txt"), vocabulary, sizeof vocabulary - 1);
    test_write_file(test_path(folder, name), content, strlen(content));
    assert_error(mlm_tokenizer_load(NULL, folder, NULL, &tokenizer), MLM_ERR_FORMAT, part);
    ck_assert_ptr_null(tokenizer);
}

START_TEST(test_refused)
{
    refused("tokenizer_config.json", "[]", "tokenizer_config.json: not an object");
    refused("tokenizer_config.json", "{\"mask_token\":5}", "tokenizer_config.json: an added token");
    refused("tokenizer_config.json", "{\"mask_token\":{\"lstrip\":true}}", "has no content");
    refused("tokenizer_config.json", "{\"extra_special_tokens\":[{}]}", "has no content");
    refused("tokenizer_config.json", "{\"added_tokens_decoder\":{\"x\":{\"content\":\"y\"}}}",
        "added_tokens_decoder: 'x' is no id");
    refused("tokenizer_config.json", "{\"added_tokens_decoder\":{\"9\":{\"content\":\"y\"}}}",
        "'y' has id 9, where tokenizers has 6");
    refused("special_tokens_map.json", "{\"mask_token\":\"nowhere\"}",
        "special token nowhere is missing");
    refused("added_tokens.json", "{\"x\":\"6\"}", "added_tokens.json: x: is not an integer");
    refused("added_tokens.json", "{\"x\":7}", "'x' has id 7, where tokenizers has 6");
    refused("added_tokens.json", "{\"the\":6}", "'the' has id 6, where tokenizers has 5");
}
END_TEST

static const char added_tokenizer[] =
    "{\"normalizer\":{\"type\":\"BertNormalizer\"},\"pre_tokenizer\":{\"type\":"
    "\"BertPreTokenizer\"},\"model\":{\"vocab\":{\"[PAD]\":0,\"[UNK]\":1,\"[CLS]\":2,\"[SEP]\":3,"
    "\"[MASK]\":4}},\"added_tokens\":[{\"id\":5,\"content\":\"new\"}]}";

static json_t *provenance(const char *config)
{
    const char *folder = test_folder();
    mlm_tokenizer *tokenizer;
    test_write_file(test_path(folder, "vocab.txt"), vocabulary, sizeof vocabulary - 1);
    test_write_file(test_path(folder, "tokenizer_config.json"), config, strlen(config));
    assert_ok(mlm_tokenizer_load(NULL, folder, NULL, &tokenizer));
    json_t *object = mlm__tokenizer_provenance(tokenizer);
    ck_assert_ptr_nonnull(object);
    mlm_tokenizer_free(tokenizer);
    return object;
}

/* Tokenizers of one vocabulary that cut other tokens out of a text are not the same. */
START_TEST(test_provenance_of_added_tokens)
{
    static const char *const configs[] = {"{}", "{\"extra_special_tokens\": [\"the\"]}",
        "{\"extra_special_tokens\": [{\"content\": \"the\", \"lstrip\": true}]}",
        "{\"mask_token\": \"the\"}"};
    enum { CONFIGS = sizeof configs / sizeof configs[0] };
    for (size_t i = 0; i < CONFIGS; i++) {
        for (size_t k = 0; k < CONFIGS; k++) {
            json_t *a = provenance(configs[i]), *b = provenance(configs[k]);
            ck_assert_int_eq(json_equal(a, b), i == k);
            json_decref(a);
            json_decref(b);
        }
    }
}
END_TEST

static mlm_status use_directory(mlm_runtime *runtime, void *context)
{
    mlm_tokenizer *tokenizer;
    mlm_status status = mlm_tokenizer_load(runtime, context, NULL, &tokenizer);
    ck_assert((status == MLM_OK) == (tokenizer != NULL));
    mlm_tokenizer_free(tokenizer);
    return status;
}

START_TEST(test_without_memory)
{
    const char *folder = test_folder();
    static const char config[] = "{\"extra_special_tokens\": [\"x\", \"the\"]}";
    test_write_file(test_path(folder, "vocab.txt"), vocabulary, sizeof vocabulary - 1);
    test_write_file(test_path(folder, "tokenizer_config.json"), config, sizeof config - 1);
    test_out_of_memory(use_directory, (void *)folder);
    test_write_file(
        test_path(folder, "tokenizer.json"), added_tokenizer, sizeof added_tokenizer - 1);
    test_out_of_memory(use_directory, (void *)folder);
}
END_TEST

/* A line feed is an added token as any other, and vocab.txt keeps its lines. */
START_TEST(test_line_feed)
{
    const char *folder = test_folder(), *again = test_path(test_folder(), "again");
    mlm_tokenizer *tokenizer;
    int32_t ids[4];
    size_t count, size;
    test_write_file(test_path(folder, "vocab.txt"), vocabulary, sizeof vocabulary - 1);
    test_write_file(test_path(folder, "added_tokens.json"), "{\"\\n\":6}", 8);
    /* A normalised line feed is a space; transformers adds it as it is when it is special. */
    test_write_file(
        test_path(folder, "tokenizer_config.json"), "{\"extra_special_tokens\":[\"\\n\"]}", 31);
    assert_ok(mlm_tokenizer_load(NULL, folder, NULL, &tokenizer));
    assert_ok(mlm_tokenizer_save(tokenizer, again));
    mlm_tokenizer_free(tokenizer);
    assert_ok(mlm_tokenizer_load(NULL, again, NULL, &tokenizer));
    ck_assert_int_eq(mlm_tokenizer_vocab_size(tokenizer), 7);
    assert_ok(mlm_tokenizer_encode(tokenizer, "the\n", 4, NULL, ids, NULL, 4, &count));
    ck_assert_int_eq(ids[2], 6);
    mlm_tokenizer_free(tokenizer);
    char *lines = test_read_file(test_path(again, "vocab.txt"), &size);
    ck_assert_str_eq(lines, vocabulary);
    free(lines);
}
END_TEST

Suite *tokenizer_directory_suite(void)
{
    Suite *suite = suite_create("tokenizer_directory");
    TCase *tests = tcase_create("tokenizer_directory");
    tcase_add_loop_test(tests, test_equals_transformers, 0, CASES);
    tcase_add_test(tests, test_refused);
    tcase_add_test(tests, test_provenance_of_added_tokens);
    tcase_add_test(tests, test_without_memory);
    tcase_add_test(tests, test_line_feed);
    suite_add_tcase(suite, tests);
    return suite;
}
