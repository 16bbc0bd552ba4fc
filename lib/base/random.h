/* Random numbers without state: Philox4x32-10 (Salmon et al. 2011), a pure function of
   (seed, purpose, step) -> key and (position, site, index) -> counter. docs/determinism.md has the
   map; it is part of the file format. */
#ifndef MLM_BASE_RANDOM_H
#define MLM_BASE_RANDOM_H

#include <stdint.h>

/* What a number is drawn for. Values are part of the format and never change. */
typedef enum mlm__purpose {
    MLM__RANDOM_INIT = 1,  /* initial parameters */
    MLM__RANDOM_ORDER = 2, /* permutation of the sequences of an epoch */
    MLM__RANDOM_MASK = 3,  /* selection and replacement of tokens */
    MLM__RANDOM_DROPOUT = 4,
    MLM__RANDOM_PAIRS = 5, /* next-sentence pairs */
} mlm__purpose;

typedef struct mlm__random_key {
    uint32_t word[2];
} mlm__random_key;

/* One block of Philox4x32-10. */
void mlm__philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

/* The key of one purpose and step: words 0 and 1 of Philox over the counter
   (purpose, 0, low step, high step) under the key (low seed, high seed). */
mlm__random_key mlm__random_key_make(uint64_t seed, mlm__purpose purpose, int64_t step);

/* Four words: Philox over the counter (index, site, low position, high position). */
void mlm__random_block(
    mlm__random_key key, int64_t position, uint32_t site, uint32_t index, uint32_t out[4]);

/* The words of one (position, site), one after the other. */
typedef struct mlm__random_stream {
    mlm__random_key key;
    int64_t position;
    uint32_t site, index, word[4];
    int32_t used; /* words of the current block that are taken, 4 at first */
} mlm__random_stream;

mlm__random_stream mlm__random_stream_make(mlm__random_key key, int64_t position, uint32_t site);
uint32_t mlm__random_u32(mlm__random_stream *stream);
/* Uniform in [0,1), a multiple of 2^-53: the upper 53 of 64 bits, first word high. */
double mlm__random_double(mlm__random_stream *stream);
/* Uniform in [0,n), n > 0, without bias: Lemire's multiplication with rejection. */
uint32_t mlm__random_below(mlm__random_stream *stream, uint32_t n);

#endif
