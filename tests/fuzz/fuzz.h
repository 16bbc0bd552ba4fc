/* A fuzz target is LLVMFuzzerTestOneInput and its seeds. libFuzzer runs it, or replay.c. */
#ifndef MLM_TESTS_FUZZ_H
#define MLM_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "mlm/mlm.h"

typedef struct fuzz_seed {
    const char *bytes;
    size_t size;
} fuzz_seed;

#define FUZZ_SEED(text)                                                                            \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }

extern const fuzz_seed fuzz_seeds[];
extern const size_t fuzz_seed_count;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_CHECK(condition)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(                                                                               \
                stderr, "%s:%d: not %s (%s)\n", __FILE__, __LINE__, #condition, mlm_last_error()); \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* "name" in a folder of this process, which goes when it ends. Valid until the next call. */
const char *fuzz_path(const char *name);
void fuzz_write(const char *path, const void *data, size_t size);

/* Encodes a text; every id is in the vocabulary, and every span in the text. The number of tokens. */
size_t fuzz_encode(
    const mlm_tokenizer *tokenizer, const char *text, size_t size, int32_t *ids, int32_t *spans);

/* What must hold of a tokenizer that was read: it encodes, and comes back from what it saves. */
void fuzz_use(mlm_tokenizer *tokenizer);

#endif
