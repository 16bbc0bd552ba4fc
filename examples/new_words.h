/*
 * new_words.h - words of a field, a line each, become tokens of a tokenizer and rows
 * of its model.
 */
#ifndef NEW_WORDS_H
#define NEW_WORDS_H

#include "lines.h"

struct new_words {
    char **words;
    long *lines; /* of the file */
    size_t count, capacity;
};

static inline void *new_words_room(void *memory, size_t count, size_t size)
{
    void *room = realloc(memory, count * size);
    if (room)
        return room;
    complain("no memory for %lu words", (unsigned long)count);
    exit(EXIT_FAILURE);
}

/* Empty lines are left out. */
static inline struct new_words new_words_read(const char *path)
{
    struct new_words result;
    struct lines lines = lines_open(path);
    const char *line;
    size_t length;
    long number = 0;
    memset(&result, 0, sizeof result);
    while ((line = lines_next(&lines, &length)) != NULL) {
        ++number;
        if (length == 0)
            continue;
        if (memchr(line, 0, length)) {
            complain("%s:%ld: has a zero byte", path, number);
            exit(EXIT_FAILURE);
        }
        if (result.count == result.capacity) {
            result.capacity = result.capacity ? 2 * result.capacity : 256;
            result.words = new_words_room(result.words, result.capacity, sizeof *result.words);
            result.lines = new_words_room(result.lines, result.capacity, sizeof *result.lines);
        }
        result.words[result.count] = allocate(length + 1, 1);
        memcpy(result.words[result.count], line, length);
        result.lines[result.count++] = number;
    }
    lines_close(&lines);
    return result;
}

/* The library says which word it is; a reader of the file wants the line. */
static inline void new_words_fail(
    const mlm_tokenizer *tokenizer, const char *path, const struct new_words *words)
{
    const char *const *all = (const char *const *)words->words;
    size_t i;
    mlm_tokenizer *one;
    for (i = 0; i < words->count; ++i) {
        if (mlm_tokenizer_add_words(tokenizer, all + i, 1, &one) < MLM_OK) {
            complain("%s:%ld: %s", path, words->lines[i], mlm_last_error());
            exit(EXIT_FAILURE);
        }
        mlm_tokenizer_free(one);
    }
}

/* A tokenizer with the words of a file. */
static inline mlm_tokenizer *new_words_add(
    const mlm_tokenizer *tokenizer, const char *path, int quiet)
{
    struct new_words words = new_words_read(path);
    mlm_tokenizer *grown;
    size_t added, i;
    mlm_status status =
        mlm_tokenizer_add_words(tokenizer, (const char *const *)words.words, words.count, &grown);
    if (status == MLM_ERR_ARGUMENT)
        new_words_fail(tokenizer, path, &words);
    check(status);
    added = (size_t)(mlm_tokenizer_vocab_size(grown) - mlm_tokenizer_vocab_size(tokenizer));
    if (!quiet)
        fprintf(stderr, "words: %lu added, %lu were tokens already\n", (unsigned long)added,
            (unsigned long)(words.count - added));
    for (i = 0; i < words.count; ++i)
        free(words.words[i]);
    free(words.words);
    free(words.lines);
    return grown;
}

/* A model with a row for each token that grown has and tokenizer has not: the mean of the pieces
   that the word was so far. Replaces *encoder. */
static inline void new_words_grow(
    const mlm_tokenizer *tokenizer, const mlm_tokenizer *grown, mlm_encoder **encoder)
{
    const int32_t old = mlm_tokenizer_vocab_size(tokenizer);
    const size_t count = (size_t)(mlm_tokenizer_vocab_size(grown) - old);
    const char **words = allocate(count, sizeof *words);
    size_t *lengths = allocate(count, sizeof *lengths), bytes = 0, total, i;
    int32_t *offsets = allocate(count + 1, sizeof *offsets), *pieces;
    mlm_encode_options options;
    mlm_encoder_config config;
    mlm_encoder *larger;
    mlm_encoder_config_init(&config, sizeof config);
    check(mlm_encoder_get_config(*encoder, &config));
    if (config.vocab_size != old) {
        complain(
            "--add-words: the model has %d tokens and its vocabulary %d", config.vocab_size, old);
        exit(EXIT_FAILURE);
    }
    for (i = 0; i < count; ++i) {
        words[i] = mlm_tokenizer_token(grown, old + (int32_t)i);
        bytes += lengths[i] = strlen(words[i]);
    }
    pieces = allocate(bytes, sizeof *pieces);
    mlm_encode_options_init(&options, sizeof options);
    options.add_special_tokens = 0;
    check(mlm_tokenizer_encode_batch(
        tokenizer, words, lengths, (int32_t)count, &options, offsets, pieces, NULL, bytes, &total));
    check(mlm_encoder_add_tokens(*encoder, offsets, pieces, count, &larger));
    mlm_encoder_free(*encoder);
    *encoder = larger;
    free(words);
    free(lengths);
    free(offsets);
    free(pieces);
}

#endif /* NEW_WORDS_H */
