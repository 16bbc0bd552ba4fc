/* What opening a corpus costs beside its tokenizer alone, on one thread and on all: CPU seconds, of
   which on the calling thread (with idle cores the time it takes), and the most memory:
     corpus TEXT VOCABULARY DIRECTORY
   A cache and temporary files are made in DIRECTORY. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/runtime.h"
#include "text/lines.h"

static void must(mlm_status status)
{
    if (status >= MLM_OK)
        return;
    fprintf(stderr, "corpus: %s\n", mlm_last_error());
    exit(1);
}

static double seconds(int who)
{
    struct rusage usage;
    getrusage(who, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           1e-6 * (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

typedef struct clock_pair {
    double process, thread;
} clock_pair;

static clock_pair now(void)
{
    return (clock_pair){seconds(RUSAGE_SELF), seconds(RUSAGE_THREAD)};
}

static void report(const char *what, clock_pair begin, int64_t bytes)
{
    clock_pair end = now();
    double process = end.process - begin.process, thread = end.thread - begin.thread;
    printf("  %-38s %6.2f s CPU, %6.2f s on the calling thread: %.0f MB/s\n", what, process, thread,
        1e-6 * (double)bytes / thread);
}

/* Lines of the file to ids, and nothing else. */
static int64_t tokenize(mlm_runtime *runtime, const mlm_tokenizer *tokenizer, const char *path)
{
    mlm__lines lines;
    int32_t *offsets = malloc(((1 << 15) + 1) * sizeof *offsets), *ids = NULL;
    size_t capacity = 0, count;
    mlm_status status;
    must(mlm__lines_open(runtime, &path, 1, &lines));
    while ((status = mlm__lines_next(&lines)) == MLM_OK) {
        size_t need = 0;
        for (size_t i = 0; i < lines.count; i++)
            need += lines.length[i] + 2;
        if (need > capacity) {
            free(ids);
            ids = malloc(need * sizeof *ids);
            capacity = need;
        }
        must(mlm_tokenizer_encode_batch(tokenizer, lines.text, lines.length, (int32_t)lines.count,
            NULL, offsets, ids, NULL, capacity, &count));
    }
    must(status);
    int64_t bytes = lines.bytes;
    mlm__lines_close(&lines);
    free(offsets);
    free(ids);
    return bytes;
}

static void open_corpus(mlm_runtime *runtime, const mlm_tokenizer *tokenizer, const char *path,
    const char *cache, const char *what)
{
    mlm_corpus_options options;
    mlm_corpus_info info;
    mlm_corpus *corpus;
    mlm_corpus_options_init(&options, sizeof options);
    mlm_corpus_info_init(&info, sizeof info);
    options.cache = cache;
    clock_pair begin = now();
    must(mlm_corpus_open(runtime, tokenizer, &path, 1, &options, &corpus));
    must(mlm_corpus_get_info(corpus, &info));
    report(what, begin, info.bytes);
    mlm_corpus_free(corpus);
}

int main(int argc, char **argv)
{
    char cache[4096];
    if (argc != 4) {
        fprintf(stderr, "usage: corpus TEXT VOCABULARY DIRECTORY\n");
        return 2;
    }
    snprintf(cache, sizeof cache, "%s/bench-cache", argv[3]);
    for (int32_t threads = 1; threads >= 0; threads--) {
        mlm_runtime_options options;
        mlm_runtime *runtime;
        mlm_tokenizer *tokenizer;
        mlm_runtime_options_init(&options, sizeof options);
        options.threads = threads;
        must(mlm_runtime_create(&options, &runtime));
        must(mlm_tokenizer_load(runtime, argv[2], NULL, &tokenizer));
        clock_pair begin = now();
        int64_t bytes = tokenize(runtime, tokenizer, argv[1]), peak;
        printf("%s, %.1f MB\n", threads ? "one thread" : "all cores", 1e-6 * (double)bytes);
        report("reading and tokenizing alone", begin, bytes);
        open_corpus(runtime, tokenizer, argv[1], argv[3], "a corpus in a directory");
        unlink(cache);
        open_corpus(runtime, tokenizer, argv[1], cache, "a corpus that makes its cache");
        open_corpus(runtime, tokenizer, argv[1], cache, "a corpus that finds its cache");
        unlink(cache);
        mlm_runtime_memory(runtime, NULL, &peak);
        printf("  most memory: %.1f MB\n", 1e-6 * (double)peak);
        mlm_tokenizer_free(tokenizer);
        mlm_runtime_free(runtime);
    }
    return 0;
}
