/* MB of text a second, on one thread and on all: learning a vocabulary, and encoding the lines in
   batches, with spans and without:
     tokenize [TEXT [VOCABULARY]]
   Without TEXT: 16 MB of made-up words. Without VOCABULARY: 8000 tokens learned from the text. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/runtime.h"
#include "support/support.h"

enum { MADE_UP = 16 << 20, WORDS = 20000, LINES_A_BATCH = 4096, VOCAB_SIZE = 8000 };
static const double SECONDS = 2;

typedef struct lines {
    char *data;
    size_t size, count;
    const char **text;
    size_t *length;
} lines;

static void must(mlm_status status)
{
    if (status == MLM_OK)
        return;
    fprintf(stderr, "tokenize: %s\n", mlm_last_error());
    exit(1);
}

static void *must_alloc(size_t size)
{
    void *memory = malloc(size);
    if (memory)
        return memory;
    fprintf(stderr, "tokenize: no memory\n");
    exit(1);
}

static char *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    long end = file && fseek(file, 0, SEEK_END) == 0 ? ftell(file) : -1;
    if (end < 0 || fseek(file, 0, SEEK_SET) != 0) {
        fprintf(stderr, "tokenize: %s cannot be read\n", path);
        exit(1);
    }
    char *data = must_alloc((size_t)end + 1);
    *size = fread(data, 1, (size_t)end, file);
    fclose(file);
    return data;
}

/* Words of one to four syllables, the k-th of them about 1/k as often as the first. */
static char *make_text(size_t *size)
{
    static const char *const syllables[] = {"an", "ber", "co", "du", "er", "fi", "gan", "he", "in",
        "jo", "ka", "lu", "men", "no", "or"};
    enum { SYLLABLES = sizeof syllables / sizeof syllables[0], ROOM = 16 };
    char(*words)[ROOM] = must_alloc(WORDS * sizeof *words), *text = must_alloc(MADE_UP + ROOM + 1);
    uint64_t state = 1;
    for (size_t w = 0; w < WORDS; w++) {
        words[w][0] = 0;
        for (uint64_t s = 1 + test_random(&state) % 4; s > 0; s--)
            strcat(words[w], syllables[test_random(&state) % SYLLABLES]);
    }
    *size = 0;
    while (*size < MADE_UP) {
        size_t most = 1 + test_random(&state) % WORDS;
        const char *word = words[test_random(&state) % most];
        memcpy(text + *size, word, strlen(word));
        *size += strlen(word);
        text[(*size)++] = test_random(&state) % 20 == 0 ? '\n' : ' ';
    }
    free(words);
    return text;
}

static void split(lines *l)
{
    for (int32_t pass = 0; pass < 2; pass++) {
        l->count = 0;
        for (size_t begin = 0; begin < l->size;) {
            const char *feed = memchr(l->data + begin, '\n', l->size - begin);
            size_t end = feed ? (size_t)(feed - l->data) : l->size;
            if (pass == 1) {
                l->text[l->count] = l->data + begin;
                l->length[l->count] = end - begin;
            }
            l->count++;
            begin = end + 1;
        }
        if (pass == 0) {
            l->text = must_alloc((l->count + 1) * sizeof *l->text);
            l->length = must_alloc((l->count + 1) * sizeof *l->length);
        }
    }
}

typedef struct position {
    const lines *lines;
    size_t at;
} position;

static int read_text(void *user, char *buffer, size_t capacity, size_t *length)
{
    position *p = user;
    *length = p->lines->size - p->at < capacity ? p->lines->size - p->at : capacity;
    memcpy(buffer, p->lines->data + p->at, *length);
    p->at += *length;
    return MLM_CONTINUE;
}

static mlm_tokenizer *learn(mlm_runtime *runtime, const lines *l)
{
    position p = {l, 0};
    mlm_vocab_options options;
    mlm_tokenizer *tokenizer;
    mlm_vocab_options_init(&options, sizeof options);
    options.vocab_size = VOCAB_SIZE;
    double start = mlm__seconds();
    must(mlm_tokenizer_train(runtime, read_text, &p, &options, NULL, &tokenizer));
    printf("learning %d tokens: %.1f MB/s\n", VOCAB_SIZE,
        (double)l->size / 1e6 / (mlm__seconds() - start));
    return tokenizer;
}

/* The best pass over all lines in SECONDS. */
static void encode(const mlm_tokenizer *tokenizer, const lines *l, int32_t spans)
{
    size_t capacity = 0, count, tokens = 0;
    for (size_t first = 0; first < l->count; first += LINES_A_BATCH) {
        size_t need = 0;
        for (size_t i = first; i < l->count && i < first + LINES_A_BATCH; i++)
            need += l->length[i] + 2;
        capacity = need > capacity ? need : capacity;
    }
    int32_t *ids = must_alloc(capacity * sizeof *ids), offsets[LINES_A_BATCH + 1];
    int32_t *where = spans ? must_alloc(2 * capacity * sizeof *where) : NULL;
    double best = 0, total = 0;
    while (total < SECONDS) {
        double start = mlm__seconds();
        tokens = 0;
        for (size_t first = 0; first < l->count; first += LINES_A_BATCH) {
            size_t B = l->count - first < LINES_A_BATCH ? l->count - first : LINES_A_BATCH;
            must(mlm_tokenizer_encode_batch(tokenizer, l->text + first, l->length + first,
                (int32_t)B, NULL, offsets, ids, where, capacity, &count));
            tokens += count;
        }
        double pass = mlm__seconds() - start;
        total += pass;
        best = best == 0 || pass < best ? pass : best;
    }
    printf("encoding%s: %.1f MB/s, %.1f million tokens/s\n", spans ? " with spans" : "",
        (double)l->size / 1e6 / best, (double)tokens / 1e6 / best);
    free(where);
    free(ids);
}

int main(int argc, char **argv)
{
    lines l = {0};
    l.data = argc > 1 ? read_file(argv[1], &l.size) : make_text(&l.size);
    split(&l);
    for (int32_t threads = 1; threads >= 0; threads--) {
        mlm_runtime_options options;
        mlm_runtime *runtime;
        mlm_tokenizer *tokenizer;
        mlm_runtime_options_init(&options, sizeof options);
        options.threads = threads;
        must(mlm_runtime_create(&options, &runtime));
        printf("%s, %.1f MB in %zu lines\n", threads ? "one thread" : "all cores",
            (double)l.size / 1e6, l.count);
        if (argc > 2)
            must(mlm_tokenizer_load(runtime, argv[2], NULL, &tokenizer));
        else
            tokenizer = learn(runtime, &l);
        encode(tokenizer, &l, 0);
        encode(tokenizer, &l, 1);
        mlm_tokenizer_free(tokenizer);
        mlm_runtime_free(runtime);
    }
    free(l.length);
    free(l.text);
    free(l.data);
    return 0;
}
