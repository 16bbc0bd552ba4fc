/* A language for tests whose tokens are its letters: "cab" is c ##a ##b, and any other character
   makes its word [UNK]. */
#ifndef MLM_TESTS_LETTERS_H
#define MLM_TESTS_LETTERS_H

#include <stdbool.h>

#include "mlm/mlm.h"

enum { LETTER_PAD, LETTER_UNK, LETTER_CLS, LETTER_SEP, LETTER_MASK, LETTER_A };
enum { LETTER_CONTINUED_A = LETTER_A + 26, LETTERS_V = LETTER_CONTINUED_A + 26 };

mlm_tokenizer *letters_tokenizer(mlm_runtime *runtime);
/* The same, with words until the vocabulary has V tokens. */
mlm_tokenizer *letters_tokenizer_of(mlm_runtime *runtime, size_t V);

/* What a text of lower-case ASCII words becomes; ids must have room. Returns their number. */
size_t letters_encode(const char *text, size_t length, int32_t *ids);

/* A text in memory as a read callback gives it: step bytes at a time. */
typedef struct letters_text {
    const char *text;
    size_t size, at, step;
    int answer;        /* what the callback returns ... */
    size_t fails_from; /* ... from this byte on; SIZE_MAX: never */
} letters_text;
letters_text letters_reader(const char *text, size_t size, size_t step);
int letters_read(void *user, char *buffer, size_t capacity, size_t *length);

/* Documents of sentences of words; the caller frees it. Some words and sentences are long. */
char *letters_random_text(uint64_t seed, int documents);

/* count lines of four words, of which the first three are the line's number, so that sequences tell
   where they come from; the caller frees it. */
char *letters_numbered(int count);

/* Batches of 7, one epoch. */
mlm_corpus_options letters_options(int32_t T, int32_t input, int32_t packing);

/* The corpus of text; aborts the test when there is none. */
mlm_corpus *letters_corpus(const char *text, const mlm_corpus_options *options);

/* What chi-square with so many degrees of freedom stays below but once in 10^6 times (Wilson and
   Hilferty's approximation). */
double chi_square_limit(double freedom);

#endif
