/* Text to ids, without allocation. */
#ifndef MLM_TOKENS_ENCODE_H
#define MLM_TOKENS_ENCODE_H

#include "tokens/handle.h"

/* Text is normalised in blocks of about so many bytes, each ending after white space. */
enum { MLM__ENCODE_BLOCK = 8192 };

/* Where tokens go. */
typedef struct mlm__sink {
    int32_t *ids;   /* [capacity] */
    int32_t *spans; /* [capacity, 2] or NULL */
    size_t capacity;
    size_t count; /* tokens so far: goes on counting when capacity is full */
    size_t limit; /* the count at which it may stop */
} mlm__sink;

void mlm__sink_put(mlm__sink *sink, int32_t id, size_t from, size_t to);

/* Appends the tokens of text, none added, at most up to sink->limit. Returns 0 when done; else the
   size of block that the scratch must have room for first, and the sink is as it was. */
size_t mlm__encode_text(const mlm_tokenizer *tokenizer, mlm__scratch *scratch, const char *text,
    size_t length, mlm__sink *sink);

/* The same; makes the scratch grow. Calling thread only. */
mlm_status mlm__encode_growing(const mlm_tokenizer *tokenizer, mlm__scratch *scratch,
    const char *text, size_t length, mlm__sink *sink);

/* Checks and reads a caller's options. fixed is the number of special tokens that are added. */
mlm_status mlm__encode_options_read(
    const mlm_encode_options *given, const char *function, size_t fixed, mlm_encode_options *out);
mlm_status mlm__encode_check_length(const char *function, size_t length);

#endif
