#include <string.h>
#include <unistd.h>

#include "fuzz/fuzz.h"

static char folder[64];

static void remove_file(const char *name)
{
    remove(fuzz_path(name));
}

static void remove_folder(void)
{
    static const char *const names[] = {"saved/vocab.txt", "saved/tokenizer.json",
        "saved/tokenizer_config.json", "saved/special_tokens_map.json", "saved", "vocab.txt",
        "tokenizer.json", ""};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        remove_file(names[i]);
}

const char *fuzz_path(const char *name)
{
    static char path[128];
    if (!folder[0]) {
        strcpy(folder, "/tmp/mlm_fuzz_XXXXXX");
        FUZZ_CHECK(mkdtemp(folder));
        atexit(remove_folder);
    }
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

void fuzz_write(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    FUZZ_CHECK(file && fwrite(data, 1, size, file) == size && fclose(file) == 0);
}

size_t fuzz_encode(
    const mlm_tokenizer *tokenizer, const char *text, size_t size, int32_t *ids, int32_t *spans)
{
    size_t count;
    mlm_encode_options options;
    mlm_encode_options_init(&options, sizeof options);
    options.add_special_tokens = 0;
    FUZZ_CHECK(
        mlm_tokenizer_encode(tokenizer, text, size, &options, ids, spans, size, &count) == MLM_OK);
    for (size_t i = 0; i < count; i++) {
        const int32_t *span = spans + 2 * i;
        FUZZ_CHECK(ids[i] >= 0 && ids[i] < mlm_tokenizer_vocab_size(tokenizer));
        FUZZ_CHECK(span[0] >= 0 && span[0] < span[1] && (size_t)span[1] <= size);
    }
    return count;
}

void fuzz_use(mlm_tokenizer *tokenizer)
{
    static const char text[] = "[CLS] The cats, naïve 中文 [MASK]x ΑΣ\t\xff the";
    enum { SIZE = sizeof text - 1 };
    int32_t ids[2][SIZE], spans[2][2 * SIZE];
    mlm_tokenizer *loaded;
    size_t count = fuzz_encode(tokenizer, text, SIZE, ids[0], spans[0]);
    FUZZ_CHECK(mlm_tokenizer_save(tokenizer, fuzz_path("saved")) == MLM_OK);
    FUZZ_CHECK(mlm_tokenizer_load(NULL, fuzz_path("saved"), NULL, &loaded) == MLM_OK);
    FUZZ_CHECK(mlm_tokenizer_vocab_size(loaded) == mlm_tokenizer_vocab_size(tokenizer));
    FUZZ_CHECK(fuzz_encode(loaded, text, SIZE, ids[1], spans[1]) == count);
    FUZZ_CHECK(memcmp(ids[0], ids[1], count * sizeof ids[0][0]) == 0);
    FUZZ_CHECK(memcmp(spans[0], spans[1], 2 * count * sizeof spans[0][0]) == 0);
    mlm_tokenizer_free(loaded);
    mlm_tokenizer_free(tokenizer);
}
