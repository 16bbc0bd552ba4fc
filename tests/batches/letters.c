#include "letters.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/support.h"

mlm_tokenizer *letters_tokenizer_of(mlm_runtime *runtime, size_t V)
{
    char(*names)[24] = calloc(V, sizeof *names);
    const char **tokens = calloc(V, sizeof *tokens);
    static const char *const specials[] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
    for (size_t v = 0; v < V; v++) {
        tokens[v] = names[v];
        if (v < LETTER_A)
            tokens[v] = specials[v];
        else if (v < LETTER_CONTINUED_A)
            snprintf(names[v], sizeof names[v], "%c", (char)('a' + v - LETTER_A));
        else if (v < LETTERS_V)
            snprintf(names[v], sizeof names[v], "##%c", (char)('a' + v - LETTER_CONTINUED_A));
        else
            snprintf(names[v], sizeof names[v], "%zu", v);
    }
    mlm_tokenizer *tokenizer = NULL;
    mlm_status status = mlm_tokenizer_create(runtime, tokens, V, NULL, &tokenizer);
    free(names);
    free(tokens);
    assert_ok(status);
    return tokenizer;
}

mlm_tokenizer *letters_tokenizer(mlm_runtime *runtime)
{
    return letters_tokenizer_of(runtime, LETTERS_V);
}

size_t letters_encode(const char *text, size_t length, int32_t *ids)
{
    size_t count = 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < 'a' || text[i] > 'z')
            continue;
        bool begins = i == 0 || text[i - 1] < 'a' || text[i - 1] > 'z';
        ids[count++] = text[i] - 'a' + (begins ? LETTER_A : LETTER_CONTINUED_A);
    }
    return count;
}

letters_text letters_reader(const char *text, size_t size, size_t step)
{
    return (letters_text){
        .text = text, .size = size, .step = step, .answer = MLM_CONTINUE, .fails_from = SIZE_MAX};
}

int letters_read(void *user, char *buffer, size_t capacity, size_t *length)
{
    letters_text *text = user;
    ck_assert_uint_eq(*length, 0);
    size_t rest = text->size - text->at;
    *length = rest < text->step ? rest : text->step;
    if (*length > capacity)
        *length = capacity;
    memcpy(buffer, text->text + text->at, *length);
    text->at += *length;
    return text->at > text->fails_from ? text->answer : MLM_CONTINUE;
}

char *letters_random_text(uint64_t seed, int documents)
{
    size_t room = (size_t)documents * 10 * 90 * 12 + 1, size = 0;
    char *text = malloc(room);
    for (int d = 0; d < documents; d++) {
        int sentences = 1 + (int)(test_random(&seed) % 9);
        for (int s = 0; s < sentences; s++) {
            int words = 1 + (int)(test_random(&seed) % (s % 4 ? 12 : 80));
            for (int w = 0; w < words; w++) {
                int letters = 1 + (int)(test_random(&seed) % (w % 5 ? 4 : 10));
                for (int l = 0; l < letters; l++)
                    text[size++] = (char)('a' + test_random(&seed) % 26);
                text[size++] = w + 1 < words ? ' ' : '\n';
            }
        }
        text[size++] = '\n';
    }
    text[size] = 0;
    return text;
}

mlm_corpus_options letters_options(int32_t T, int32_t input, int32_t packing)
{
    mlm_corpus_options options;
    mlm_corpus_options_init(&options, sizeof options);
    options.T = T;
    options.input = input;
    options.packing = packing;
    options.epochs = 1;
    options.B = 7;
    return options;
}

char *letters_numbered(int count)
{
    char *text = malloc((size_t)count * 8 + 1);
    for (int i = 0; i < count; i++) {
        char *line = text + (size_t)i * 8;
        line[0] = (char)('a' + i / 676 % 26);
        line[1] = ' ';
        line[2] = (char)('a' + i / 26 % 26);
        line[3] = ' ';
        line[4] = (char)('a' + i % 26);
        memcpy(line + 5, " z\n", 3);
    }
    text[(size_t)count * 8] = 0;
    return text;
}

mlm_corpus *letters_corpus(const char *text, const mlm_corpus_options *options)
{
    letters_text reader = letters_reader(text, strlen(text), 1 << 16);
    mlm_tokenizer *tokenizer = letters_tokenizer(NULL);
    mlm_corpus *corpus;
    assert_ok(mlm_corpus_read(NULL, tokenizer, letters_read, &reader, options, &corpus));
    mlm_tokenizer_free(tokenizer);
    return corpus;
}

double chi_square_limit(double freedom)
{
    double part = 2 / (9 * freedom);
    return freedom * pow(1 - part + 4.753 * sqrt(part), 3);
}
