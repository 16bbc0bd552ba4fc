/*
 * texts.h - blocks of texts and their tokens, so that many short lines keep all threads busy.
 */
#ifndef TEXTS_H
#define TEXTS_H

#include "args.h"

enum { BLOCK_TEXTS = 256, BLOCK_BYTES = 1 << 20 };

/* Texts, and the batch of their tokens. */
struct texts {
    char *bytes; /* the texts, one after the other */
    size_t capacity, size;
    size_t lengths[BLOCK_TEXTS];
    const char *pointers[BLOCK_TEXTS];
    int32_t offsets[BLOCK_TEXTS + 1];
    int32_t B;
    int32_t *ids; /* [ids_capacity] */
    size_t ids_capacity;
};

static inline void texts_add(struct texts *texts, const char *text, size_t length)
{
    if (texts->size + length > texts->capacity) {
        const size_t capacity = 2 * (texts->size + length);
        char *bytes = allocate(capacity, 1);
        if (texts->bytes)
            memcpy(bytes, texts->bytes, texts->size);
        free(texts->bytes);
        texts->bytes = bytes;
        texts->capacity = capacity;
    }
    if (length > 0)
        memcpy(texts->bytes + texts->size, text, length);
    texts->size += length;
    texts->lengths[texts->B++] = length;
}

/* Whether a further count of texts belongs into another block. */
static inline int texts_full(const struct texts *texts, int32_t count)
{
    return texts->B + count > BLOCK_TEXTS || texts->size > BLOCK_BYTES;
}

/* Their batch, and the texts are forgotten: its arrays last until the next one. max_length as in
   mlm_encode_options. */
static inline void texts_encode(
    struct texts *texts, const mlm_tokenizer *tokenizer, int64_t max_length, mlm_batch *batch)
{
    const size_t need = texts->size + 2 * (size_t)texts->B;
    mlm_encode_options options;
    size_t begin = 0, count;
    int32_t b;
    for (b = 0; b < texts->B; begin += texts->lengths[b++])
        texts->pointers[b] = texts->bytes ? texts->bytes + begin : "";
    if (need > texts->ids_capacity) {
        free(texts->ids);
        texts->ids = allocate(need, sizeof *texts->ids);
        texts->ids_capacity = need;
    }
    mlm_encode_options_init(&options, sizeof options);
    options.max_length = (int32_t)max_length;
    check(mlm_tokenizer_encode_batch(tokenizer, texts->pointers, texts->lengths, texts->B, &options,
        texts->offsets, texts->ids, NULL, need, &count));
    mlm_batch_init(batch, sizeof *batch);
    batch->B = texts->B;
    batch->offsets = texts->offsets;
    batch->input_ids = texts->ids;
    texts->B = 0;
    texts->size = 0;
}

static inline void texts_free(struct texts *texts)
{
    free(texts->bytes);
    free(texts->ids);
}

#endif /* TEXTS_H */
