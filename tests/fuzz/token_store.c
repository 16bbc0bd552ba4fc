/* Any bytes as the file that keeps a corpus's tokens, behind one: 1 says that its hashes are made to
   fit, so that what it says is looked at. */
#include <string.h>

#include "files/xxh64.h"
#include "fuzz/fuzz.h"

enum { V = 8, T = 8, MENDED = 1, HEADER = 112, FIXED = 8 << 20, A_BYTE = 64 };

/* Places in the header (docs/data.md). */
enum { WIDTH = 12, TOKENS = 32, TOKEN_HASH = 88, LINE_HASH = 96, HEADER_HASH = 104 };

static const char text[] = "the cat a dog\na cat\n\nthe dog the dog a cat\ncat zebra\n";

static mlm_tokenizer *make_tokenizer(void)
{
    static const char *const tokens[V] = {
        "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "cat", "a"};
    mlm_tokenizer *tokenizer;
    FUZZ_CHECK(mlm_tokenizer_create(fuzz_runtime(), tokens, V, NULL, &tokenizer) == MLM_OK);
    return tokenizer;
}

static mlm_status open_corpus(const char *cache, int32_t packing, mlm_corpus **out)
{
    const char *path = fuzz_path("text");
    mlm_corpus_options options;
    mlm_corpus_options_init(&options, sizeof options);
    options.B = 2;
    options.T = T;
    options.packing = packing;
    options.epochs = 1;
    options.cache = cache;
    mlm_tokenizer *tokenizer = make_tokenizer();
    mlm_status status = mlm_corpus_open(fuzz_runtime(), tokenizer, &path, 1, &options, out);
    mlm_tokenizer_free(tokenizer);
    return status;
}

const fuzz_seed *fuzz_seeds(size_t *count)
{
    static char bytes[2][512];
    static fuzz_seed seeds[2];
    if (!seeds[0].size) {
        mlm_corpus *corpus;
        fuzz_write(fuzz_path("text"), text, sizeof text - 1);
        remove(fuzz_path("cache"));
        FUZZ_CHECK(open_corpus(fuzz_path("cache"), MLM_PACK_FULL, &corpus) == MLM_OK);
        mlm_corpus_free(corpus);
        size_t size;
        char *file = fuzz_read(fuzz_path("cache"), &size);
        FUZZ_CHECK(size > HEADER && size < sizeof bytes[0]);
        for (int i = 0; i < 2; i++) {
            bytes[i][0] = (char)i;
            memcpy(bytes[i] + 1, file, size);
            seeds[i] = (fuzz_seed){bytes[i], size + 1};
        }
        free(file);
    }
    *count = 2;
    return seeds;
}

static void put_hash(uint8_t *at, const uint8_t *data, size_t size)
{
    mlm__xxh64 xxh;
    mlm__xxh64_init(&xxh);
    mlm__xxh64_update(&xxh, data, size);
    uint64_t hash = mlm__xxh64_digest(&xxh);
    memcpy(at, &hash, sizeof hash);
}

static void mend(uint8_t *file, size_t size)
{
    uint32_t width;
    uint64_t tokens;
    if (size < HEADER)
        return;
    memcpy(&width, file + WIDTH, sizeof width);
    memcpy(&tokens, file + TOKENS, sizeof tokens);
    size_t rest = size - HEADER;
    size_t bytes = width && tokens <= rest / width ? (size_t)tokens * width : rest;
    put_hash(file + TOKEN_HASH, file + HEADER, bytes);
    put_hash(file + LINE_HASH, file + HEADER + bytes, rest - bytes);
    put_hash(file + HEADER_HASH, file, HEADER_HASH);
}

/* Every batch of an epoch is one. */
static void read_all(mlm_corpus *corpus)
{
    mlm_batch batch;
    mlm_batch_init(&batch, sizeof batch);
    mlm_status status;
    while ((status = mlm_corpus_next(corpus, &batch)) == MLM_OK)
        for (int32_t i = 0; i < batch.offsets[batch.B]; i++)
            FUZZ_CHECK(batch.input_ids[i] >= 0 && batch.input_ids[i] < V);
    FUZZ_CHECK(status == MLM_END);
}

/* A file whose hashes were not made to fit is the cache of this text, made again if need be. */
static void check_info(const mlm_corpus *corpus, const mlm_corpus *expected)
{
    mlm_corpus_info a, b;
    mlm_corpus_info_init(&a, sizeof a);
    mlm_corpus_info_init(&b, sizeof b);
    FUZZ_CHECK(mlm_corpus_get_info(corpus, &a) == MLM_OK);
    FUZZ_CHECK(mlm_corpus_get_info(expected, &b) == MLM_OK);
    FUZZ_CHECK(memcmp(&a, &b, sizeof a) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    uint8_t *file = malloc(size);
    FUZZ_CHECK(file);
    memcpy(file, data + 1, size - 1);
    const bool mended = data[0] & MENDED;
    if (mended)
        mend(file, size - 1);
    fuzz_write(fuzz_path("text"), text, sizeof text - 1);
    fuzz_write(fuzz_path("cache"), file, size - 1);
    free(file);
    mlm_corpus *corpus, *expected;
    fuzz_begin();
    const int32_t packing = data[0] >> 1 & 3;
    FUZZ_CHECK(open_corpus(NULL, packing, &expected) == MLM_OK);
    mlm_status status = open_corpus(fuzz_path("cache"), packing, &corpus);
    FUZZ_CHECK((status == MLM_OK) == (corpus != NULL));
    FUZZ_CHECK(status == MLM_OK || mlm_last_error()[0]);
    if (corpus && !mended)
        check_info(corpus, expected);
    if (corpus)
        read_all(corpus);
    mlm_corpus_free(corpus);
    mlm_corpus_free(expected);
    fuzz_end(FIXED, A_BYTE, size);
    return 0;
}
