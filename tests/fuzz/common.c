#include <ftw.h>
#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "fuzz/fuzz.h"

/* ---- files ---------------------------------------------------------------- */

static char folder[64];

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status, (void)kind, (void)place;
    return remove(path);
}

static void remove_folder(void)
{
    nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

const char *fuzz_path(const char *name)
{
    enum { PATHS = 8 };
    static char paths[PATHS][128];
    static unsigned used;
    if (!folder[0]) {
        strcpy(folder, "/tmp/mlm_fuzz_XXXXXX");
        FUZZ_CHECK(mkdtemp(folder));
        atexit(remove_folder);
    }
    char *path = paths[used++ % PATHS];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

void fuzz_write(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    FUZZ_CHECK(file && fwrite(data, 1, size, file) == size && fclose(file) == 0);
}

char *fuzz_read(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    FUZZ_CHECK(file && fseek(file, 0, SEEK_END) == 0);
    *size = (size_t)ftell(file);
    rewind(file);
    char *data = malloc(*size + 1);
    FUZZ_CHECK(data && fread(data, 1, *size, file) == *size && fclose(file) == 0);
    return data;
}

/* In place of the C library's: nothing here has to outlive the machine. */
int fsync(int fd)
{
    (void)fd;
    return 0;
}

/* ---- memory --------------------------------------------------------------- */

static size_t live, most, before;

/* A request that fails counts too. */
static void count_request(size_t size)
{
    size_t wanted = size > SIZE_MAX - live ? SIZE_MAX : live + size;
    if (wanted > most)
        most = wanted;
}

static void *counted_alloc(void *user, size_t size, size_t alignment)
{
    (void)user;
    void *memory = NULL;
    count_request(size);
    if (posix_memalign(&memory, alignment, size) != 0)
        return NULL;
    live += size;
    return memory;
}

static void counted_release(void *user, void *memory, size_t size)
{
    (void)user;
    live -= size;
    free(memory);
}

/* jansson does not tell the size of what it gives back: it stands before the block. */
enum { PREFIX = 16 };

static void *counted_malloc(size_t size)
{
    count_request(size);
    char *memory = malloc(PREFIX + size);
    if (!memory)
        return NULL;
    memcpy(memory, &size, sizeof size);
    live += size;
    return memory + PREFIX;
}

static void counted_free(void *memory)
{
    if (!memory)
        return;
    size_t size;
    memcpy(&size, (char *)memory - PREFIX, sizeof size);
    live -= size;
    free((char *)memory - PREFIX);
}

mlm_runtime *fuzz_runtime(void)
{
    static mlm_runtime *runtime;
    if (!runtime) {
        mlm_runtime_options options;
        mlm_runtime_options_init(&options, sizeof options);
        options.threads = 1;
        options.alloc = counted_alloc;
        options.release = counted_release;
        json_set_alloc_funcs(counted_malloc, counted_free);
        FUZZ_CHECK(mlm_runtime_create(&options, &runtime) == MLM_OK);
    }
    return runtime;
}

void fuzz_begin(void)
{
    fuzz_runtime();
    most = before = live;
}

void fuzz_end(size_t fixed, size_t a_byte, size_t size)
{
    FUZZ_CHECK(live == before);
    if (most - before > fixed + a_byte * size)
        fprintf(stderr, "%zu bytes of memory for %zu of input\n", most - before, size);
    FUZZ_CHECK(most - before <= fixed + a_byte * size);
}

/* ---- tokenizers ----------------------------------------------------------- */

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

static void use(mlm_tokenizer *tokenizer)
{
    static const char text[] = "[CLS] The cats, naïve 中文 [MASK]x ΑΣ\t\xff the";
    enum { SIZE = sizeof text - 1 };
    int32_t ids[2][SIZE], spans[2][2 * SIZE];
    mlm_tokenizer *loaded;
    size_t count = fuzz_encode(tokenizer, text, SIZE, ids[0], spans[0]);
    FUZZ_CHECK(mlm_tokenizer_save(tokenizer, fuzz_path("saved")) == MLM_OK);
    FUZZ_CHECK(mlm_tokenizer_load(fuzz_runtime(), fuzz_path("saved"), NULL, &loaded) == MLM_OK);
    FUZZ_CHECK(mlm_tokenizer_vocab_size(loaded) == mlm_tokenizer_vocab_size(tokenizer));
    FUZZ_CHECK(fuzz_encode(loaded, text, SIZE, ids[1], spans[1]) == count);
    FUZZ_CHECK(memcmp(ids[0], ids[1], count * sizeof ids[0][0]) == 0);
    FUZZ_CHECK(memcmp(spans[0], spans[1], 2 * count * sizeof spans[0][0]) == 0);
    mlm_tokenizer_free(loaded);
    mlm_tokenizer_free(tokenizer);
}

void fuzz_tokenizer(mlm_status status, mlm_tokenizer *tokenizer)
{
    if (status == MLM_OK)
        use(tokenizer);
    else
        FUZZ_CHECK(!tokenizer && mlm_last_error()[0]);
}
