/* Any bytes through encode: the first two are options, what follows is the text. */
#include <string.h>

#include "fuzz/fuzz.h"

FUZZ_SEEDS(FUZZ_SEED("\x00\x00The cat sat, didn't it? [MASK] [CLS]x unaffable"),
    FUZZ_SEED("\x1f\x01 a\xcc\x81\xcc\x96\xcc\x81 \xce\x91\xce\xa3 \xc4\xb0stanbul \xed\x95\x9c"),
    FUZZ_SEED("\x2a\x00\xe4\xb8\xad\xe6\x96\x87 NewTok  zed zed! \xf0\x9f\x98\x80\xf0\xab\xa0\xa0"),
    FUZZ_SEED("\x15\x01\xff\xfe\xe4\xb8 \xed\xa0\x80 \xc2\xad\xe2\x80\xa8\xe3\x80\x80\x01 x"),
    FUZZ_SEED("\x3f\x01\xe0\xbd\xb3\xcd\x85\xe0\xbd\xb1 \xf0\x9d\x85\xa0 \xe1\x84\x80\xe1\x85\xa1"),
    FUZZ_SEED("\x07\x01##a ##ab [PAD][UNK][SEP] naïve th the thes"))

#define FLAGS(single, left, right, normalized)                                                     \
    ",\"single_word\":" #single ",\"lstrip\":" #left ",\"rstrip\":" #right                         \
    ",\"normalized\":" #normalized

static const char json[] =
    "{\"added_tokens\":["
    "{\"id\":4,\"content\":\"[MASK]\",\"special\":true" FLAGS(false, true, false,
        false) "},"
               "{\"id\":35,\"content\":\"NewTok\",\"special\":false" FLAGS(false, false, true,
                   true) "},"
                         "{\"id\":36,\"content\":\"zed\",\"special\":false" FLAGS(true, true, true,
                             false) "}],"
                                    "\"normalizer\":{\"type\":\"BertNormalizer\"},"
                                    "\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},"
                                    "\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\","
                                    "\"max_input_chars_per_word\":12,"
                                    "\"vocab\":{\"[PAD]\":0,\"[UNK]\":1,\"[CLS]\":2,\"[SEP]\":3,\"["
                                    "MASK]\":4,\"the\":5,\"##s\":6,"
                                    "\"a\":7,\"##a\":8,\"b\":9,\"##b\":10,\"ab\":11,\"##ab\":12,"
                                    "\"x\":13,\"##x\":14,\"[\":15,"
                                    "\"]\":16,\"mask\":17,\",\":18,\"中\":19,\"文\":20,\"α\":21,\"#"
                                    "#ς\":22,\"##σ\":23,\"é\":24,"
                                    "\"e\":25,\"##e\":26,\"i\":27,\"##i\":28,\"#\":29,\"##"
                                    "\\u0301\":30,\"\\u1112\":31,"
                                    "\"##\\u1161\":32,\"##\\u11ab\":33,\"cat\":34}}}";

/* Bits of number: profile and the options, each 0 or 1; 64 says whether added tokens are there. */
static mlm_tokenizer *tokenizer_of(uint32_t number)
{
    static mlm_tokenizer *made[128];
    if (made[number])
        return made[number];
    mlm_tokenizer_options options;
    mlm_tokenizer_options_init(&options, sizeof options);
    int32_t *const members[] = {&options.profile, &options.lowercase, &options.strip_accents,
        &options.handle_chinese_chars, &options.clean_text, &options.split_special_tokens};
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        *members[i] = number >> i & 1;
    fuzz_write(fuzz_path("tokenizer.json"), json, sizeof json - 1);
    FUZZ_CHECK(
        mlm_tokenizer_load(NULL, fuzz_path("tokenizer.json"), &options, &made[number]) == MLM_OK);
    if (number & 64)
        return made[number];
    /* Without added tokens, whose presence makes the text one block. */
    const char *tokens[35];
    for (int32_t i = 0; i < 35; i++)
        tokens[i] = mlm_tokenizer_token(made[number], i);
    mlm_tokenizer *plain;
    FUZZ_CHECK(mlm_tokenizer_create(NULL, tokens, 35, &options, &plain) == MLM_OK);
    mlm_tokenizer_free(made[number]);
    return made[number] = plain;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    const mlm_tokenizer *tokenizer = tokenizer_of((data[0] & 63u) | (data[1] & 1u) << 6);
    const char *text = (const char *)data + 2;
    size -= 2;
    int32_t *ids = malloc((size + 1) * sizeof *ids), *cut = malloc((size + 1) * sizeof *cut);
    int32_t *spans = malloc((size + 1) * 2 * sizeof *spans);
    FUZZ_CHECK(ids && cut && spans);
    size_t count = fuzz_encode(tokenizer, text, size, ids, spans), cut_count;
    for (size_t i = 2; i < 2 * count; i++)
        FUZZ_CHECK(spans[i] >= spans[i - 2]);
    mlm_encode_options options;
    mlm_encode_options_init(&options, sizeof options);
    options.add_special_tokens = 0;
    options.max_length = 1 + data[1] / 2;
    size_t most = (size_t)options.max_length;
    FUZZ_CHECK(mlm_tokenizer_encode(tokenizer, text, size, &options, cut, NULL, size, &cut_count) ==
               MLM_OK);
    FUZZ_CHECK(cut_count == (count < most ? count : most));
    FUZZ_CHECK(memcmp(ids, cut, cut_count * sizeof *ids) == 0);
    free(ids);
    free(cut);
    free(spans);
    return 0;
}
