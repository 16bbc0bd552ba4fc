/* A tokenizer's directory of which one file is any bytes. The first byte says which: 0
   tokenizer_config.json, 1 special_tokens_map.json, 2 added_tokens.json, 3 config.json; + 4: there is
   a tokenizer.json too. */
#include <string.h>

#include "fuzz/fuzz.h"

enum { FILES = 4, WITH_JSON = 4 };

static const char *const names[FILES] = {
    "d/tokenizer_config.json", "d/special_tokens_map.json", "d/added_tokens.json", "d/config.json"};

FUZZ_SEEDS(
    FUZZ_SEED("\x00{\"do_lower_case\":false,\"strip_accents\":null,\"tokenize_chinese_chars\":"
              "true,\"mask_token\":{\"content\":\"[MASK]\",\"lstrip\":true},\"unk_token\":"
              "\"[UNK]\",\"model_max_length\":1000000000000000019884624838656}"),
    FUZZ_SEED(
        "\x04{\"added_tokens_decoder\":{\"0\":{\"content\":\"[PAD]\",\"special\":true},\"7\":{"
        "\"content\":\"New T\",\"single_word\":true,\"normalized\":true}},"
        "\"tokenizer_class\":\"BertTokenizer\",\"mlm_profile\":\"google\"}"),
    FUZZ_SEED("\x01{\"pad_token\":\"[PAD]\",\"additional_special_tokens\":[\"<x>\",{\"content\":"
              "\"<y>\",\"rstrip\":true}],\"extra_special_tokens\":[\"the\"]}"),
    FUZZ_SEED("\x02{\"newtok\":7,\"[MASK]\":4,\"\\u00e9\":8}"),
    FUZZ_SEED("\x07{\"model_type\":\"distilbert\",\"vocab_size\":7}"))

static const char vocabulary[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\n##s\n";
static const char json[] =
    "{\"normalizer\":{\"type\":\"BertNormalizer\"},\"pre_tokenizer\":{\"type\":"
    "\"BertPreTokenizer\"},\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\",\"vocab\":{"
    "\"[PAD]\":0,\"[UNK]\":1,\"[CLS]\":2,\"[SEP]\":3,\"[MASK]\":4,\"the\":5,\"##s\":6}}}";

/* A tokenizer of no words, and an encoding of some. */
enum { FIXED = 1 << 20, A_BYTE = FUZZ_JSON_BYTE };

/* The tokenizer's files alone; the folder is made at the first call. */
static void prepare(bool with_json)
{
    static bool made;
    if (!made) {
        const char *const tokens[] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
        mlm_tokenizer *tokenizer;
        FUZZ_CHECK(mlm_tokenizer_create(fuzz_runtime(), tokens, 5, NULL, &tokenizer) == MLM_OK);
        FUZZ_CHECK(mlm_tokenizer_save(tokenizer, fuzz_path("d")) == MLM_OK);
        mlm_tokenizer_free(tokenizer);
        fuzz_write(fuzz_path("d/vocab.txt"), vocabulary, sizeof vocabulary - 1);
        made = true;
    }
    for (size_t i = 0; i < FILES; i++)
        remove(fuzz_path(names[i]));
    if (with_json)
        fuzz_write(fuzz_path("d/tokenizer.json"), json, sizeof json - 1);
    else
        remove(fuzz_path("d/tokenizer.json"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    prepare(data[0] & WITH_JSON);
    fuzz_write(fuzz_path(names[data[0] % FILES]), data + 1, size - 1);
    mlm_tokenizer *tokenizer;
    fuzz_begin();
    mlm_status status = mlm_tokenizer_load(fuzz_runtime(), fuzz_path("d"), NULL, &tokenizer);
    fuzz_tokenizer(status, tokenizer);
    fuzz_end(FIXED, A_BYTE, size);
    return 0;
}
