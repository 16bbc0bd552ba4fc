/* Any bytes as vocab.txt. */
#include "fuzz/fuzz.h"

#define FIVE "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n"

FUZZ_SEEDS(FUZZ_SEED(FIVE "the\n##s\nThe\n"),
    FUZZ_SEED("[PAD]\r\n[UNK]\r\n[CLS] \r\n\t[SEP]\n[MASK]\n\n\xe4\xb8\xad\n\xc3\xa9\n"),
    FUZZ_SEED(FIVE "##\n#\n##\xe3\x80\x80x\n\xe3\x80\x80\n\xef\xbb\xbf\n\xff"),
    FUZZ_SEED(FIVE " a b\n##ab\nab \n\"\\\"\n{}\n\x01\n\xc2\x85x\n\xe2\x80\xa8y"))

/* A tokenizer of no words, and an encoding of some; a line of one letter. */
enum { FIXED = 1 << 20, A_BYTE = 128 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mlm_tokenizer *tokenizer;
    mlm_tokenizer_options options;
    mlm_tokenizer_options_init(&options, sizeof options);
    options.profile = size % 2 ? MLM_PROFILE_GOOGLE : MLM_PROFILE_HF;
    fuzz_write(fuzz_path("vocab.txt"), data, size);
    fuzz_begin();
    mlm_status status =
        mlm_tokenizer_load(fuzz_runtime(), fuzz_path("vocab.txt"), &options, &tokenizer);
    fuzz_tokenizer(status, tokenizer);
    fuzz_end(FIXED, A_BYTE, size);
    return 0;
}
