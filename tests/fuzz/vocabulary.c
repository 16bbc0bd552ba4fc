/* Any bytes as vocab.txt. */
#include "fuzz/fuzz.h"

#define FIVE "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n"

const fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED(FIVE "the\n##s\nThe\n"),
    FUZZ_SEED("[PAD]\r\n[UNK]\r\n[CLS] \r\n\t[SEP]\n[MASK]\n\n\xe4\xb8\xad\n\xc3\xa9\n"),
    FUZZ_SEED(FIVE "##\n#\n##\xe3\x80\x80x\n\xe3\x80\x80\n\xef\xbb\xbf\n\xff"),
    FUZZ_SEED(FIVE " a b\n##ab\nab \n\"\\\"\n{}\n\x01\n\xc2\x85x\n\xe2\x80\xa8y"),
};
const size_t fuzz_seed_count = sizeof fuzz_seeds / sizeof fuzz_seeds[0];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mlm_tokenizer *tokenizer;
    mlm_tokenizer_options options;
    mlm_tokenizer_options_init(&options, sizeof options);
    options.profile = size % 2 ? MLM_PROFILE_GOOGLE : MLM_PROFILE_HF;
    fuzz_write(fuzz_path("vocab.txt"), data, size);
    if (mlm_tokenizer_load(NULL, fuzz_path("vocab.txt"), &options, &tokenizer) == MLM_OK)
        fuzz_use(tokenizer);
    else
        FUZZ_CHECK(!tokenizer && mlm_last_error()[0]);
    return 0;
}
