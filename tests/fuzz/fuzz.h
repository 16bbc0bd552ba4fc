/* A fuzz target is LLVMFuzzerTestOneInput and its seeds. libFuzzer runs it, or replay.c. */
#ifndef MLM_TESTS_FUZZ_H
#define MLM_TESTS_FUZZ_H

#include <stdbool.h>
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

/* Seeds that stand in the target's source. */
#define FUZZ_SEEDS(...)                                                                            \
    const fuzz_seed *fuzz_seeds(size_t *count)                                                     \
    {                                                                                              \
        static const fuzz_seed seeds[] = {__VA_ARGS__};                                            \
        *count = sizeof seeds / sizeof seeds[0];                                                   \
        return seeds;                                                                              \
    }

/* A target's seeds, the same ones at every call. */
const fuzz_seed *fuzz_seeds(size_t *count);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_CHECK(condition)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(                                                                               \
                stderr, "%s:%d: not %s (%s)\n", __FILE__, __LINE__, #condition, mlm_last_error()); \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* "name" in a folder of this process, which goes with all that is in it when the process ends.
   Valid for the next 7 calls. */
const char *fuzz_path(const char *name);
void fuzz_write(const char *path, const void *data, size_t size);
/* For free(). */
char *fuzz_read(const char *path, size_t *size);

/* One runtime of one thread for all inputs. It counts the library's memory, jansson's trees too. */
mlm_runtime *fuzz_runtime(void);
/* Begins and ends an input. At the end nothing may be left; and at no moment the library may have
   asked for more than fixed + a_byte * size bytes. */
void fuzz_begin(void);
void fuzz_end(size_t fixed, size_t a_byte, size_t size);

/* Encodes a text; every id is in the vocabulary, and every span in the text. The number of tokens. */
size_t fuzz_encode(
    const mlm_tokenizer *tokenizer, const char *text, size_t size, int32_t *ids, int32_t *spans);

/* What must hold of a tokenizer that was read, or of *out after an error: it encodes, comes back
   from what it saves, and is freed; or it is NULL, and there is a message. */
void fuzz_tokenizer(mlm_status status, mlm_tokenizer *tokenizer);

/* Bytes that a JSON text may cost for each of its own: an empty array, "[],", is a block of some
   hundred in jansson. */
enum { FUZZ_JSON_BYTE = 128 };

#endif
