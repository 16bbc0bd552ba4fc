/*
 * A program built against an older header, whose structs ended earlier, and one built against a
 * newer header, whose structs end later. An old struct here stops at a member in the middle; the
 * bytes that follow are the program's own and must neither be read nor written.
 */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "mlm/mlm.h"

enum { FOREIGN = 0xA5, LARGEST = 512, V = 9 };

static const char *const tokens[V] = {
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "cat", "sat", "##s"};

static int count, failed;

static void check(int good, const char *name)
{
    printf("%sok %d - %s\n", good ? "" : "not ", ++count, name);
    if (!good)
        printf("# %s\n", mlm_last_error());
    failed |= !good;
}

static int is_foreign(const void *memory, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        if (((const unsigned char *)memory)[i] != FOREIGN)
            return 0;
    return 1;
}

/* The size of a struct that ends with this member. */
#define SIZE_TO(type, last) (offsetof(type, last) + sizeof(((type *)0)->last))
/* Declares a struct of which the library may only know the bytes to the end of last. */
#define OLD(type, name, last)                                                                      \
    type name;                                                                                     \
    memset(&name, FOREIGN, sizeof name);                                                           \
    type##_init(&name, SIZE_TO(type, last))
#define UNTOUCHED(type, name, last) is_foreign(&name, SIZE_TO(type, last), sizeof name)

/* ---- init -------------------------------------------------------------------------------------
 */

typedef void init_fn(void *, size_t);
#define INITS(X)                                                                                   \
    X(mlm_runtime_options)                                                                         \
    X(mlm_tokenizer_options)                                                                       \
    X(mlm_vocab_options)                                                                           \
    X(mlm_encode_options)                                                                          \
    X(mlm_batch)                                                                                   \
    X(mlm_corpus_options)                                                                          \
    X(mlm_corpus_info)                                                                             \
    X(mlm_masker_options)                                                                          \
    X(mlm_encoder_config)                                                                          \
    X(mlm_encoder_options)                                                                         \
    X(mlm_tensor)                                                                                  \
    X(mlm_metrics)                                                                                 \
    X(mlm_trainer_options)
#define CALL(type)                                                                                 \
    static void call_##type(void *memory, size_t size)                                             \
    {                                                                                              \
        type##_init(memory, size);                                                                 \
    }
INITS(CALL)
#define ROW(type) {#type "_init fills the size it is given and no more", call_##type, sizeof(type)},
static const struct {
    const char *name;
    init_fn *init;
    size_t size;
} inits[] = {INITS(ROW)};

static int fills_exactly(init_fn *init, size_t known)
{
    _Alignas(max_align_t) unsigned char whole[LARGEST], part[LARGEST];
    init(whole, known);
    for (size_t size = sizeof(uint32_t); size <= known + 64; size += sizeof(uint32_t)) {
        memset(part, FOREIGN, sizeof part);
        init(part, size);
        uint32_t struct_size;
        memcpy(&struct_size, part, sizeof struct_size);
        if (struct_size != size || !is_foreign(part, size, sizeof part))
            return 0;
        for (size_t i = sizeof struct_size; i < size; i++)
            if (part[i] != (i < known ? whole[i] : 0))
                return 0;
    }
    return 1;
}

/* ---- callers ----------------------------------------------------------------------------------
 */

static int read_text(void *user, char *buffer, size_t capacity, size_t *length)
{
    static const char text[] = "the cat sat\nthe cats sat\n";
    int *blocks = user;
    if ((*blocks)-- > 0 && capacity >= sizeof text - 1) {
        memcpy(buffer, text, sizeof text - 1);
        *length = sizeof text - 1;
    }
    return MLM_CONTINUE;
}

static void old_caller(void)
{
    OLD(mlm_runtime_options, runtime_options, threads);
    runtime_options.threads = 1;
    mlm_runtime *runtime = NULL;
    check(mlm_runtime_create(&runtime_options, &runtime) == MLM_OK, "an old runtime");

    OLD(mlm_tokenizer_options, tokenizer_options, lowercase);
    tokenizer_options.lowercase = 1;
    mlm_tokenizer *tokenizer = NULL;
    check(mlm_tokenizer_create(runtime, tokens, V, &tokenizer_options, &tokenizer) == MLM_OK,
        "an old tokenizer");

    OLD(mlm_encode_options, encode_options, add_special_tokens);
    encode_options.add_special_tokens = 0;
    int32_t ids[8];
    size_t length = 0;
    check(mlm_tokenizer_encode(tokenizer, "The cats", 8, &encode_options, ids, NULL, 8, &length) ==
                  MLM_OK &&
              length == 3 && ids[0] == 5 && ids[1] == 6 && ids[2] == 8,
        "old encode options");

    OLD(mlm_corpus_options, corpus_options, T);
    corpus_options.B = 1;
    corpus_options.T = 8;
    mlm_corpus *corpus = NULL;
    int blocks = 2;
    check(
        mlm_corpus_read(runtime, tokenizer, read_text, &blocks, &corpus_options, &corpus) == MLM_OK,
        "an old corpus");
    OLD(mlm_corpus_info, info, sentences);
    check(mlm_corpus_get_info(corpus, &info) == MLM_OK && info.sentences == 4 &&
              UNTOUCHED(mlm_corpus_info, info, sentences),
        "an old corpus info");
    OLD(mlm_batch, batch, input_ids);
    check(mlm_corpus_next(corpus, &batch) == MLM_OK && batch.B == 1 &&
              UNTOUCHED(mlm_batch, batch, input_ids),
        "an old batch out of a corpus");

    OLD(mlm_masker_options, masker_options, mlm_probability);
    mlm_masker *masker = NULL;
    check(
        mlm_masker_create(runtime, tokenizer, &masker_options, &masker) == MLM_OK, "an old masker");
    OLD(mlm_batch, masked, labels);
    check(mlm_masker_apply(masker, &batch, &masked) == MLM_OK && masked.labels &&
              UNTOUCHED(mlm_batch, masked, labels),
        "an old batch into a masker and out of it");

    OLD(mlm_encoder_config, config, max_position_embeddings);
    config.vocab_size = V;
    config.hidden_size = 8;
    config.num_hidden_layers = 1;
    config.num_attention_heads = 2;
    config.intermediate_size = 8;
    config.max_position_embeddings = 8;
    mlm_encoder *encoder = NULL;
    check(mlm_encoder_create(runtime, &config, NULL, &encoder) == MLM_OK, "an old configuration");
    OLD(mlm_encoder_config, known, hidden_size);
    check(mlm_encoder_get_config(encoder, &known) == MLM_OK && known.hidden_size == 8 &&
              UNTOUCHED(mlm_encoder_config, known, hidden_size),
        "an old configuration out");
    OLD(mlm_tensor, tensor, name);
    check(mlm_encoder_get_tensor(encoder, 0, &tensor) == MLM_OK && tensor.name &&
              UNTOUCHED(mlm_tensor, tensor, name),
        "an old tensor");

    OLD(mlm_trainer_options, trainer_options, learning_rate);
    trainer_options.total_steps = 1;
    mlm_trainer *trainer = NULL;
    check(mlm_trainer_create(runtime, encoder, &trainer_options, &trainer) == MLM_OK,
        "an old trainer");
    OLD(mlm_metrics, metrics, loss);
    check(mlm_trainer_accumulate(trainer, &masked) == MLM_OK &&
              mlm_trainer_update(trainer, &metrics) == MLM_OK && metrics.step == 1 &&
              metrics.loss > 0 && UNTOUCHED(mlm_metrics, metrics, loss),
        "an old batch into an update, old metrics out of it");

    mlm_trainer_free(trainer);
    mlm_encoder_free(encoder);
    mlm_masker_free(masker);
    mlm_corpus_free(corpus);
    mlm_tokenizer_free(tokenizer);
    mlm_runtime_free(runtime);
}

static void new_caller(void)
{
    union {
        mlm_tokenizer_options options;
        unsigned char bytes[sizeof(mlm_tokenizer_options) + 16];
    } newer;
    mlm_tokenizer *tokenizer = NULL;
    mlm_tokenizer_options_init(&newer.options, sizeof newer);
    check(mlm_tokenizer_create(NULL, tokens, V, &newer.options, &tokenizer) == MLM_OK,
        "a newer struct whose new members are zero");
    mlm_tokenizer_free(tokenizer);

    newer.bytes[sizeof newer - 1] = 1;
    check(
        mlm_tokenizer_create(NULL, tokens, V, &newer.options, &tokenizer) == MLM_ERR_UNSUPPORTED &&
            !tokenizer,
        "a newer struct that asks for something new");
    memset(&newer, 0, sizeof newer);
    check(mlm_tokenizer_create(NULL, tokens, V, &newer.options, &tokenizer) == MLM_ERR_ARGUMENT &&
              !tokenizer,
        "a struct that was never initialised");
}

int main(void)
{
    for (size_t i = 0; i < sizeof inits / sizeof inits[0]; i++)
        check(fills_exactly(inits[i].init, inits[i].size), inits[i].name);
    old_caller();
    new_caller();
    printf("1..%d\n", count);
    return failed;
}
