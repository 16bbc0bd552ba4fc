/* A model so small that its files are mostly what a reader has to look at, for the targets that read
   them. */
#ifndef MLM_TESTS_FUZZ_MODELS_H
#define MLM_TESTS_FUZZ_MODELS_H

#include "fuzz/fuzz.h"

enum { SMALL_N = 6 };

mlm_encoder *small_encoder(void);

/* Two sequences with labels and sentence labels; its arrays are static. */
mlm_batch small_batch(void);

/* Seeds from the bytes of files, each behind a prefix. */
typedef struct seed_list {
    fuzz_seed seeds[16];
    size_t count;
} seed_list;
void seed_add(seed_list *list, const char *prefix, size_t prefix_size, const char *path);

/* Computes with an encoder, whatever its numbers are: any loss will do, and no signal. */
void small_use(mlm_encoder *encoder);

#endif
