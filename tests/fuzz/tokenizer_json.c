/* Any bytes as tokenizer.json. */
#include "fuzz/fuzz.h"

#define VOCAB                                                                                      \
    "\"vocab\":{\"[PAD]\":0,\"[UNK]\":1,\"[CLS]\":2,\"[SEP]\":3,\"[MASK]\":4,\"the\":5,\"##s\":6}"
#define PARTS                                                                                      \
    "\"normalizer\":{\"type\":\"BertNormalizer\",\"clean_text\":true,\"handle_chinese_chars\":"    \
    "false,\"strip_accents\":null,\"lowercase\":true},"                                            \
    "\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},"
#define MODEL                                                                                      \
    "\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\",\"continuing_subword_prefix\":"     \
    "\"##\",\"max_input_chars_per_word\":100," VOCAB "}"
#define CLS "{\"SpecialToken\":{\"id\":\"[CLS]\",\"type_id\":0}},"
#define A "{\"Sequence\":{\"id\":\"A\",\"type_id\":0}},"
#define SEP "{\"SpecialToken\":{\"id\":\"[SEP]\",\"type_id\":0}}"
#define B ",{\"Sequence\":{\"id\":\"B\",\"type_id\":1}},"

FUZZ_SEEDS(FUZZ_SEED("{" PARTS MODEL "}"),
    FUZZ_SEED("{" PARTS "\"post_processor\":{\"type\":\"BertProcessing\",\"sep\":[\"[SEP]\",3],"
              "\"cls\":[\"[CLS]\",2]}," MODEL "}"),
    FUZZ_SEED("{" PARTS "\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[" CLS A SEP
              "],\"pair\":[" CLS A SEP B SEP "],\"special_tokens\":{}}," MODEL "}"),
    FUZZ_SEED(
        "{\"added_tokens\":[{\"id\":4,\"content\":\"[MASK]\",\"special\":true,\"lstrip\":true,"
        "\"normalized\":false},{\"id\":7,\"content\":\"The c\",\"single_word\":true,"
        "\"rstrip\":true}]," PARTS MODEL "}"))

/* A tokenizer of no words, and an encoding of some. */
enum { FIXED = 1 << 20, A_BYTE = FUZZ_JSON_BYTE };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mlm_tokenizer *tokenizer;
    fuzz_write(fuzz_path("tokenizer.json"), data, size);
    fuzz_begin();
    mlm_status status =
        mlm_tokenizer_load(fuzz_runtime(), fuzz_path("tokenizer.json"), NULL, &tokenizer);
    fuzz_tokenizer(status, tokenizer);
    fuzz_end(FIXED, A_BYTE, size);
    return 0;
}
