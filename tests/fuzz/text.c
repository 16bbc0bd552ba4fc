/* Any bytes as text, behind three: how it is read and packed, and whether a vocabulary is learnt from
   it too; how many bytes come at a time; the most tokens of a sequence. */
#include <string.h>

#include "fuzz/fuzz.h"

FUZZ_SEEDS(FUZZ_SEED("\x00\x01\x08"
                     "the cat.\nthe dog, a cat\n\na dog.\nthe the\n"),
    FUZZ_SEED("\x01\x07\x05"
              "a b c d e f g h\r\n\r\n the\r\na cat\n\n\n\ncat"),
    FUZZ_SEED("\x02\xff\x10"
              "cat\n \n\ncat\ncat\n\xff\xfe the\xc3\n\xe4\xb8 \xed\xa0\x80 x\n"),
    FUZZ_SEED("\x14\x03\x03"
              "the\ncat\n\ndog\na\n"),
    FUZZ_SEED("\x08\x02\x09"
              "the cat\na dog\ncat the a\n\nthe\na\ndog dog\n\na cat\ncat\n"),
    FUZZ_SEED("\x0d\x05\x06"
              "a\n\xe2\x80\xa8z\xc2\x85\x0b\x0c\n\xef\xbb\xbf the\0x"))

/* The reader's block of a megabyte and its lines, a tokenizer's scratch, a block of tokens; learning
   has tables over all characters. For a byte: an empty line or a sentence of one token with all that is
   kept of it. */
enum { FIXED = 5 << 20, LEARNING = 32 << 20, A_BYTE = 512, V = 13 };
enum { LEARN = 16 };

typedef struct reader {
    const uint8_t *at, *end;
    size_t step;
} reader;

static int read_text(void *user, char *buffer, size_t capacity, size_t *length)
{
    reader *r = user;
    *length = (size_t)(r->end - r->at);
    *length = *length < r->step ? *length : r->step;
    *length = *length < capacity ? *length : capacity;
    memcpy(buffer, r->at, *length);
    r->at += *length;
    return MLM_CONTINUE;
}

/* Made anew for each input: it keeps what encoding needed. */
static mlm_tokenizer *make_tokenizer(void)
{
    static const char *const tokens[V] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the",
        "cat", "dog", "a", ",", ".", "##s", "\xe4\xb8\xad"};
    mlm_tokenizer *tokenizer;
    FUZZ_CHECK(mlm_tokenizer_create(fuzz_runtime(), tokens, V, NULL, &tokenizer) == MLM_OK);
    return tokenizer;
}

static mlm_corpus_info info_of(const mlm_corpus *corpus)
{
    mlm_corpus_info info;
    mlm_corpus_info_init(&info, sizeof info);
    FUZZ_CHECK(mlm_corpus_get_info(corpus, &info) == MLM_OK);
    return info;
}

/* One epoch: every batch is what a batch must be, and all together are what info says. */
static void count(mlm_corpus *corpus, const mlm_corpus_options *options)
{
    mlm_corpus_info info = info_of(corpus);
    mlm_batch batch;
    mlm_batch_init(&batch, sizeof batch);
    int64_t sequences = 0, tokens = 0;
    mlm_status status;
    while ((status = mlm_corpus_next(corpus, &batch)) == MLM_OK) {
        FUZZ_CHECK(batch.B > 0 && batch.offsets[0] == 0);
        for (int32_t b = 0; b < batch.B; b++) {
            int32_t length = batch.offsets[b + 1] - batch.offsets[b];
            FUZZ_CHECK(length >= 2 && length <= options->T);
        }
        for (int32_t i = 0; i < batch.offsets[batch.B]; i++)
            FUZZ_CHECK(batch.input_ids[i] >= 0 && batch.input_ids[i] < V);
        sequences += batch.B;
        tokens += batch.offsets[batch.B];
    }
    FUZZ_CHECK(status == MLM_END && sequences == info.sequences);
    if (options->packing != MLM_PACK_PAIRS) /* these have a [SEP] more, and texts twice */
        FUZZ_CHECK(tokens - 2 * sequences == info.tokens);
}

/* The same text from a file, that is, in pieces of another size. */
static void compare(mlm_status status, const mlm_corpus *corpus, const mlm_tokenizer *tokenizer,
    const mlm_corpus_options *options)
{
    const char *path = fuzz_path("text");
    mlm_corpus *other;
    FUZZ_CHECK(mlm_corpus_open(fuzz_runtime(), tokenizer, &path, 1, options, &other) == status);
    if (status == MLM_OK) {
        mlm_corpus_info a = info_of(corpus), b = info_of(other);
        FUZZ_CHECK(memcmp(&a, &b, sizeof a) == 0);
    }
    mlm_corpus_free(other);
}

static void learn(const reader *text)
{
    reader r = *text;
    mlm_vocab_options options;
    mlm_vocab_options_init(&options, sizeof options);
    options.vocab_size = 40;
    mlm_tokenizer *learned;
    mlm_status status =
        mlm_tokenizer_train(fuzz_runtime(), read_text, &r, &options, NULL, &learned);
    FUZZ_CHECK((status == MLM_OK) == (learned != NULL));
    mlm_tokenizer_free(learned);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3)
        return 0;
    mlm_corpus_options options;
    mlm_corpus_options_init(&options, sizeof options);
    options.input = data[0] % 3;
    options.packing = data[0] / 4 % 4;
    options.B = 3;
    options.T = 3 + data[2] % 32;
    options.epochs = 1;
    const reader text = {data + 3, data + size, 1 + data[1]};
    fuzz_write(fuzz_path("text"), data + 3, size - 3);
    reader r = text;
    fuzz_begin();
    mlm_tokenizer *tokenizer = make_tokenizer();
    mlm_corpus *corpus;
    mlm_status status =
        mlm_corpus_read(fuzz_runtime(), tokenizer, read_text, &r, &options, &corpus);
    FUZZ_CHECK((status == MLM_OK) == (corpus != NULL));
    if (status == MLM_OK) {
        FUZZ_CHECK(info_of(corpus).bytes == (int64_t)(size - 3));
        count(corpus, &options);
    }
    compare(status, corpus, tokenizer, &options);
    if (data[0] & LEARN)
        learn(&text);
    mlm_corpus_free(corpus);
    mlm_tokenizer_free(tokenizer);
    fuzz_end(data[0] & LEARN ? LEARNING : FIXED, A_BYTE, size);
    return 0;
}
