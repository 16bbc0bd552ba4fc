#include <stdio.h>
#include <stdlib.h>

#include "tokens/encoding_fixture.h"
#include "tokens/tokens_suites.h"

static const char vocabulary[] = "[PAD]\n[UNK]\r\n[CLS] \n[SEP]\n[MASK]\nthe\n##s\nThe";

static mlm_status load(const char *name, const char *data, size_t size, mlm_tokenizer **out)
{
    const char *path = test_path(test_folder(), name);
    test_write_file(path, data, size);
    return mlm_tokenizer_load(NULL, path, NULL, out);
}

#define REFUSED(name, data, status, part)                                                          \
    do {                                                                                           \
        mlm_tokenizer *tokenizer_ = (mlm_tokenizer *)1;                                            \
        assert_error(load(name, data, sizeof data - 1, &tokenizer_), status, part);                \
        ck_assert_ptr_null(tokenizer_);                                                            \
    } while (0)

START_TEST(test_vocabulary_file)
{
    mlm_tokenizer *tokenizer;
    assert_ok(load("vocab.txt", vocabulary, sizeof vocabulary - 1, &tokenizer));
    ck_assert_int_eq(mlm_tokenizer_vocab_size(tokenizer), 8);
    ck_assert_int_eq(mlm_tokenizer_special(tokenizer, MLM_TOKEN_CLS), 2);
    ck_assert_int_eq(mlm_tokenizer_id(tokenizer, "The"), 7);
    mlm_tokenizer_free(tokenizer);
}
END_TEST

START_TEST(test_refused_vocabulary_files)
{
    REFUSED("vocab.txt", "[PAD]\nthe\nthe\n", MLM_ERR_FORMAT, "vocab.txt:3: duplicate token 'the'");
    REFUSED("vocab.txt", "[PAD]\nthe\nthe \n", MLM_ERR_FORMAT, "vocab.txt:3: duplicate");
    REFUSED("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n", MLM_ERR_FORMAT,
        "vocab.txt: special token [MASK] is missing");
    REFUSED(
        "vocab.txt", "[PAD]\n[UNK]\n\xFFx\n", MLM_ERR_FORMAT, "vocab.txt:3: token is not UTF-8");
    REFUSED("vocab.txt", "[PAD]\n[UN\0]\n", MLM_ERR_FORMAT, "vocab.txt:2: a zero byte");
    REFUSED("vocab.txt", "", MLM_ERR_FORMAT, "vocab.txt: the vocabulary is empty");
    mlm_tokenizer *tokenizer;
    assert_error(mlm_tokenizer_load(NULL, "/nowhere/vocab.txt", NULL, &tokenizer),
        MLM_ERR_NOT_FOUND, "/nowhere/vocab.txt");
    const char *folder = test_folder();
    assert_error(mlm_tokenizer_load(NULL, folder, NULL, &tokenizer), MLM_ERR_NOT_FOUND,
        "neither tokenizer.json nor vocab.txt");
}
END_TEST

#define VOCAB "\"vocab\":{\"[PAD]\":0,\"[UNK]\":1,\"[CLS]\":2,\"[SEP]\":3,\"[MASK]\":4,\"the\":5}"
#define PARTS                                                                                      \
    "\"normalizer\":{\"type\":\"BertNormalizer\"},\"pre_tokenizer\":{\"type\":"                    \
    "\"BertPreTokenizer\"}"
#define MODEL "\"model\":{\"type\":\"WordPiece\"," VOCAB "}"

START_TEST(test_refused_json)
{
    REFUSED("tokenizer.json", "{\"model\":", MLM_ERR_FORMAT, "tokenizer.json:1:");
    REFUSED("tokenizer.json", "[]", MLM_ERR_FORMAT, "not an object");
    REFUSED("tokenizer.json", "{\"model\":{\"type\":\"BPE\"}}", MLM_ERR_UNSUPPORTED,
        "model is of type 'BPE', not 'WordPiece'");
    REFUSED("tokenizer.json", "{" MODEL "}", MLM_ERR_UNSUPPORTED, "normalizer is missing");
    REFUSED("tokenizer.json", "{\"normalizer\":{\"type\":\"Lowercase\"}," MODEL "}",
        MLM_ERR_UNSUPPORTED, "normalizer is of type 'Lowercase'");
    REFUSED("tokenizer.json",
        "{\"pre_tokenizer\":{\"type\":\"ByteLevel\"},\"normalizer\":{\"type\":\"BertNormalizer\"}"
        "," MODEL "}",
        MLM_ERR_UNSUPPORTED, "pre_tokenizer is of type 'ByteLevel'");
    REFUSED("tokenizer.json",
        "{" PARTS "," MODEL ",\"post_processor\":{\"type\":\"RobertaProcessing\"}}",
        MLM_ERR_UNSUPPORTED, "post_processor");
    REFUSED("tokenizer.json",
        "{\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[]}," MODEL "}",
        MLM_ERR_UNSUPPORTED, "normalizer is of type 'Sequence'");
    REFUSED("tokenizer.json",
        "{" PARTS "," MODEL ",\"post_processor\":{\"type\":\"Sequence\",\"processors\":[]}}",
        MLM_ERR_UNSUPPORTED, "post_processor");
    REFUSED("tokenizer.json",
        "{" PARTS ",\"model\":{\"continuing_subword_prefix\":\"@@\"," VOCAB "}}",
        MLM_ERR_UNSUPPORTED, "continuing_subword_prefix is '@@'");
    REFUSED("tokenizer.json", "{" PARTS ",\"model\":{\"vocab\":{\"a\":7}}}", MLM_ERR_FORMAT,
        "'a' has id 7, there are 1 tokens");
    REFUSED("tokenizer.json", "{" PARTS ",\"model\":{\"vocab\":{\"a\":0,\"b\":0}}}", MLM_ERR_FORMAT,
        "both have id 0");
    REFUSED("tokenizer.json", "{" PARTS ",\"model\":{\"vocab\":{\"a\":\"0\"}}}", MLM_ERR_FORMAT,
        "the id of 'a' is no integer");
    REFUSED("tokenizer.json",
        "{" PARTS "," MODEL ",\"added_tokens\":[{\"id\":2147483647,\"content\":\"x\"}]}",
        MLM_ERR_FORMAT, "tokenizer.json: id: is 2147483647");
    REFUSED("tokenizer.json",
        "{" PARTS "," MODEL ",\"added_tokens\":[{\"id\":7,\"content\":\"x\"}]}", MLM_ERR_FORMAT,
        "tokenizer.json: added token 'x' has id 7, where tokenizers has 6");
    REFUSED("tokenizer.json",
        "{" PARTS "," MODEL ",\"added_tokens\":[{\"id\":6,\"content\":\"the\"}]}", MLM_ERR_FORMAT,
        "tokenizer.json: added token 'the' has id 6, where tokenizers has 5");
    REFUSED("tokenizer.json", "{" PARTS "," MODEL ",\"added_tokens\":{}}", MLM_ERR_FORMAT,
        "tokenizer.json: added_tokens is no array");
    REFUSED("tokenizer.json",
        "{" PARTS "," MODEL ",\"added_tokens\":[{\"id\":0,\"content\":\"x\"}]}", MLM_ERR_FORMAT,
        "'x' has id 0, where tokenizers has 6");
    REFUSED("tokenizer.json", "{" PARTS ",\"model\":{\"vocab\":{\"a\\nb\":0}}}", MLM_ERR_FORMAT,
        "a line feed");
    mlm_tokenizer *tokenizer;
    static const char good[] = "{" PARTS "," MODEL "}";
    assert_ok(load("tokenizer.json", good, sizeof good - 1, &tokenizer));
    mlm_tokenizer_free(tokenizer);
}
END_TEST

static void check_same(const mlm_tokenizer *a, const mlm_tokenizer *b, const char *text)
{
    int32_t ids[2][256], spans[2][512];
    size_t count[2];
    assert_ok(mlm_tokenizer_encode(a, text, strlen(text), NULL, ids[0], spans[0], 256, &count[0]));
    assert_ok(mlm_tokenizer_encode(b, text, strlen(text), NULL, ids[1], spans[1], 256, &count[1]));
    ck_assert_uint_eq(count[0], count[1]);
    ck_assert_mem_eq(ids[0], ids[1], count[0] * sizeof ids[0][0]);
    ck_assert_mem_eq(spans[0], spans[1], 2 * count[0] * sizeof spans[0][0]);
}

/* Each option survives, in the directory and in tokenizer.json alone, unless the caller says else. */
START_TEST(test_options_come_back)
{
    static const char text[] = "İstanbul naïve ΑΣ 中文 x\x01y [MASK] you ab";
    for (int32_t k = 0; k < 7; k++) {
        mlm_tokenizer_options options;
        mlm_tokenizer_options_init(&options, sizeof options);
        int32_t *const members[] = {&options.profile, &options.lowercase, &options.strip_accents,
            &options.handle_chinese_chars, &options.clean_text, &options.max_input_chars_per_word};
        const int32_t values[] = {MLM_PROFILE_GOOGLE, 0, 0, 0, 0, 2};
        if (k < 6)
            *members[k] = values[k];
        const char *folder = test_path(test_folder(), "model");
        mlm_tokenizer *tokenizer = fixture_tokenizer(&options), *loaded;
        assert_ok(mlm_tokenizer_save(tokenizer, folder));
        assert_ok(mlm_tokenizer_load(NULL, folder, NULL, &loaded));
        check_same(tokenizer, loaded, text);
        mlm_tokenizer_free(loaded);
        assert_ok(mlm_tokenizer_load(NULL, test_path(folder, "vocab.txt"), &options, &loaded));
        check_same(tokenizer, loaded, text);
        mlm_tokenizer_free(loaded);
        mlm_tokenizer_free(tokenizer);
    }
}
END_TEST

START_TEST(test_config_goes_before)
{
    const char *folder = test_folder();
    static const char config[] =
        "{\"do_lower_case\": false, \"mask_token\": {\"content\": \"the\"}, \"unk_token\": null}";
    test_write_file(test_path(folder, "vocab.txt"), vocabulary, sizeof vocabulary - 1);
    test_write_file(test_path(folder, "tokenizer_config.json"), config, sizeof config - 1);
    mlm_tokenizer *tokenizer;
    mlm_tokenizer_options options;
    int32_t ids[3];
    size_t count;
    assert_ok(mlm_tokenizer_load(NULL, folder, NULL, &tokenizer));
    ck_assert_int_eq(mlm_tokenizer_special(tokenizer, MLM_TOKEN_MASK), 5);
    assert_ok(mlm_tokenizer_encode(tokenizer, "The", 3, NULL, ids, NULL, 3, &count));
    ck_assert_int_eq(ids[1], 7);
    mlm_tokenizer_free(tokenizer);
    mlm_tokenizer_options_init(&options, sizeof options);
    options.lowercase = 1;
    assert_ok(mlm_tokenizer_load(NULL, folder, &options, &tokenizer));
    assert_ok(mlm_tokenizer_encode(tokenizer, "The", 3, NULL, ids, NULL, 3, &count));
    ck_assert_int_eq(ids[1], 5);
    mlm_tokenizer_free(tokenizer);
}
END_TEST

/* Added tokens with all their flags. */
START_TEST(test_added_tokens_come_back)
{
    mlm_tokenizer *first, *second;
    const char *folder = test_path(test_folder(), "model");
    assert_ok(load("tokenizer.json", added_json, sizeof added_json - 1, &first));
    assert_ok(mlm_tokenizer_save(first, folder));
    assert_ok(mlm_tokenizer_load(NULL, folder, NULL, &second));
    for (size_t i = 0; i < sizeof added_cases / sizeof added_cases[0]; i++)
        check_same(first, second, added_cases[i].text);
    mlm_tokenizer_free(second);
    mlm_tokenizer_free(first);
}
END_TEST

START_TEST(test_cannot_be_written)
{
    const char *path = test_path(test_folder(), "file");
    test_write_file(path, "x", 1);
    mlm_tokenizer *tokenizer = fixture_tokenizer(NULL);
    mlm_status status = mlm_tokenizer_save(tokenizer, path);
    ck_assert(status == MLM_ERR_IO);
    mlm_tokenizer_free(tokenizer);
}
END_TEST

Suite *tokenizer_files_suite(void)
{
    Suite *suite = suite_create("tokenizer_files");
    TCase *tests = tcase_create("tokenizer_files");
    tcase_add_test(tests, test_vocabulary_file);
    tcase_add_test(tests, test_refused_vocabulary_files);
    tcase_add_test(tests, test_refused_json);
    tcase_add_test(tests, test_options_come_back);
    tcase_add_test(tests, test_config_goes_before);
    tcase_add_test(tests, test_added_tokens_come_back);
    tcase_add_test(tests, test_cannot_be_written);
    suite_add_tcase(suite, tests);
    return suite;
}
