#include "stress/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "stress/memory.h"
#include "support/support.h"

/* As many as training_config has. */
enum { TOKENS = 31 };
static const char *const tokens[TOKENS] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b",
    "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r", "s", "t", "u",
    "v", "w", "x", "y", "z"};
static const char text[] = "a b c d e f\ng h i j\nk l m n o p q\n\nr s t u v\nw x y z a\nb d f h\n"
                           "\nc e g i k m\no q s u w y\na c e g\n\ni k m o q s\nu w y a b\n";
static const char sentence[] = "a b [MASK] c, xyz d é";

/* ---- files that calls read -------------------------------------------------- */

static struct {
    char folder[512], text[600], vocabulary[600], tokenizer[600], json[600], model[600];
    char checkpoint[600];
    int targets;
} files;

static mlm_tokenizer *make_tokenizer(mlm_runtime *runtime)
{
    mlm_tokenizer *tokenizer;
    assert_ok(mlm_tokenizer_create(runtime, tokens, TOKENS, NULL, &tokenizer));
    return tokenizer;
}

static mlm_corpus_options corpus_options(int32_t packing)
{
    mlm_corpus_options options;
    mlm_corpus_options_init(&options, sizeof options);
    options.B = 5; /* as many as an update of training_update */
    options.T = 9;
    options.packing = packing;
    options.seed = 3;
    return options;
}

static mlm_status open_corpus(
    mlm_runtime *runtime, const mlm_tokenizer *tokenizer, int32_t packing, mlm_corpus **out)
{
    const char *path = files.text;
    mlm_corpus_options options = corpus_options(packing);
    return mlm_corpus_open(runtime, tokenizer, &path, 1, &options, out);
}

static mlm_corpus *make_corpus(mlm_runtime *runtime, const mlm_tokenizer *tokenizer)
{
    mlm_corpus *corpus;
    assert_ok(open_corpus(runtime, tokenizer, MLM_PACK_PAIRS, &corpus));
    return corpus;
}

static mlm_masker *make_masker(mlm_runtime *runtime, const mlm_tokenizer *tokenizer)
{
    mlm_masker *masker;
    assert_ok(mlm_masker_create(runtime, tokenizer, NULL, &masker));
    return masker;
}

static void write_files(void)
{
    if (files.folder[0])
        return;
    snprintf(files.folder, sizeof files.folder, "%s", test_folder());
    snprintf(files.text, sizeof files.text, "%s/text", files.folder);
    snprintf(files.tokenizer, sizeof files.tokenizer, "%s/tokenizer", files.folder);
    snprintf(files.vocabulary, sizeof files.vocabulary, "%s/tokenizer/vocab.txt", files.folder);
    snprintf(files.json, sizeof files.json, "%s/tokenizer/tokenizer.json", files.folder);
    snprintf(files.model, sizeof files.model, "%s/model", files.folder);
    snprintf(files.checkpoint, sizeof files.checkpoint, "%s/checkpoint", files.folder);
    test_write_file(files.text, text, sizeof text - 1);
    mlm_tokenizer *tokenizer = make_tokenizer(NULL);
    mlm_corpus *corpus = make_corpus(NULL, tokenizer);
    mlm_masker *masker = make_masker(NULL, tokenizer);
    mlm_encoder *encoder = training_encoder(NULL, 0.1);
    mlm_trainer *trainer = training_trainer(NULL, encoder);
    training_updates(trainer, 2);
    assert_ok(mlm_tokenizer_save(tokenizer, files.tokenizer));
    assert_ok(mlm_encoder_save(encoder, files.model, MLM_F32));
    assert_ok(mlm_trainer_attach(trainer, tokenizer, corpus, masker));
    assert_ok(mlm_trainer_save(trainer, files.checkpoint));
    mlm_trainer_free(trainer);
    mlm_encoder_free(encoder);
    mlm_masker_free(masker);
    mlm_corpus_free(corpus);
    mlm_tokenizer_free(tokenizer);
}

/* ---- calls: library and structs ------------------------------------------- */

static mlm_status version(world *w)
{
    w->integers[0] = mlm_version();
    return MLM_OK;
}

static mlm_status abi_version(world *w)
{
    w->integers[0] = mlm_abi_version();
    return MLM_OK;
}

static mlm_status build_info(world *w)
{
    snprintf(w->text, sizeof w->text, "%s", mlm_build_info());
    return MLM_OK;
}

static mlm_status status_name(world *w)
{
    for (int32_t i = -20, length = 0; i < 5; i++)
        length += snprintf(w->text + length, sizeof w->text - (size_t)length, "%s ",
            mlm_status_name((mlm_status)i));
    return MLM_OK;
}

static mlm_status last_error(world *w)
{
    mlm_status status = mlm_runtime_create(NULL, NULL);
    snprintf(w->text, sizeof w->text, "%s", mlm_last_error());
    return status == MLM_ERR_ARGUMENT ? MLM_OK : MLM_ERR_INTERNAL;
}

#define INIT(type)                                                                                 \
    static mlm_status type##_is_made(world *w)                                                     \
    {                                                                                              \
        type made;                                                                                 \
        type##_init(&made, sizeof made);                                                           \
        ck_assert_uint_le(sizeof made, sizeof w->text);                                            \
        memcpy(w->text, &made, sizeof made);                                                       \
        return MLM_OK;                                                                             \
    }
INIT(mlm_runtime_options)
INIT(mlm_tokenizer_options)
INIT(mlm_vocab_options)
INIT(mlm_encode_options)
INIT(mlm_batch)
INIT(mlm_corpus_options)
INIT(mlm_corpus_info)
INIT(mlm_masker_options)
INIT(mlm_encoder_config)
INIT(mlm_encoder_options)
INIT(mlm_tensor)
INIT(mlm_metrics)
INIT(mlm_trainer_options)

static mlm_status runtime_create(world *w)
{
    mlm_runtime_options options = memory_options(2);
    return mlm_runtime_create(&options, &w->made.runtime);
}

static void prepare_runtime(world *w)
{
    assert_ok(runtime_create(w));
}

static mlm_status runtime_memory(world *w)
{
    int64_t now, peak;
    mlm_runtime_memory(w->runtime, &now, &peak);
    w->integers[0] = now > 0 && peak >= now;
    return MLM_OK;
}

static mlm_status runtime_free(world *w)
{
    mlm_runtime_free(w->made.runtime);
    w->made.runtime = NULL;
    return MLM_OK;
}

/* ---- calls: tokenizer ------------------------------------------------------- */

static int read_text(void *user, char *buffer, size_t capacity, size_t *length)
{
    const char **rest = user;
    *length = strlen(*rest) < capacity ? strlen(*rest) : capacity;
    memcpy(buffer, *rest, *length);
    *rest += *length;
    return MLM_CONTINUE;
}

static mlm_status tokenizer_load_vocabulary(world *w)
{
    return mlm_tokenizer_load(w->runtime, files.vocabulary, NULL, &w->made.tokenizer);
}

static mlm_status tokenizer_load_json(world *w)
{
    return mlm_tokenizer_load(w->runtime, files.json, NULL, &w->made.tokenizer);
}

static mlm_status tokenizer_load_directory(world *w)
{
    return mlm_tokenizer_load(w->runtime, files.tokenizer, NULL, &w->made.tokenizer);
}

static mlm_status tokenizer_create(world *w)
{
    return mlm_tokenizer_create(w->runtime, tokens, TOKENS, NULL, &w->made.tokenizer);
}

static mlm_vocab_options vocab_options(void)
{
    mlm_vocab_options options;
    mlm_vocab_options_init(&options, sizeof options);
    options.vocab_size = 40;
    return options;
}

static mlm_status tokenizer_train_files(world *w)
{
    const char *path = files.text;
    mlm_vocab_options options = vocab_options();
    return mlm_tokenizer_train_files(w->runtime, &path, 1, &options, NULL, &w->made.tokenizer);
}

static mlm_status tokenizer_train(world *w)
{
    const char *rest = text;
    mlm_vocab_options options = vocab_options();
    return mlm_tokenizer_train(w->runtime, read_text, &rest, &options, NULL, &w->made.tokenizer);
}

static mlm_status tokenizer_add_words(world *w)
{
    const char *const words[] = {"new", "words"};
    return mlm_tokenizer_add_words(w->tokenizer, words, 2, &w->made.tokenizer);
}

static mlm_status tokenizer_save(world *w)
{
    return mlm_tokenizer_save(w->tokenizer, w->target);
}

static mlm_status tokenizer_encode(world *w)
{
    size_t count = 0;
    mlm_status status = mlm_tokenizer_encode(w->tokenizer, sentence, sizeof sentence - 1, NULL,
        w->ids, w->others, WORLD_NUMBERS / 2, &count);
    w->integers[0] = (int64_t)count;
    return status;
}

static mlm_status tokenizer_encode_pair(world *w)
{
    size_t count = 0;
    mlm_status status = mlm_tokenizer_encode_pair(w->tokenizer, sentence, sizeof sentence - 1,
        "b c", 3, NULL, w->ids, w->others, WORLD_NUMBERS, &count);
    w->integers[0] = (int64_t)count;
    return status;
}

static mlm_status tokenizer_encode_batch(world *w)
{
    const char *const texts[] = {sentence, "a", "", sentence};
    const size_t lengths[] = {sizeof sentence - 1, 1, 0, 5};
    size_t count = 0;
    int32_t offsets[5] = {0};
    mlm_status status = mlm_tokenizer_encode_batch(w->tokenizer, texts, lengths, 4, NULL, offsets,
        w->ids, w->others, WORLD_NUMBERS / 2, &count);
    for (int32_t i = 0; i < 5; i++)
        w->integers[i] = offsets[i];
    return status;
}

static mlm_status tokenizer_decode(world *w)
{
    const int32_t ids[] = {2, 5, 4, 6, 1, 3, 30};
    size_t length = 0;
    mlm_status status = mlm_tokenizer_decode(w->tokenizer, ids, 7,
        MLM_DECODE_SKIP_SPECIAL | MLM_DECODE_CLEAN_UP, w->text, sizeof w->text, &length);
    w->integers[0] = (int64_t)length;
    return status;
}

static mlm_status tokenizer_vocab_size(world *w)
{
    w->integers[0] = mlm_tokenizer_vocab_size(w->tokenizer);
    return MLM_OK;
}

static mlm_status tokenizer_id(world *w)
{
    w->integers[0] = mlm_tokenizer_id(w->tokenizer, "z");
    w->integers[1] = mlm_tokenizer_id(w->tokenizer, "zz");
    return MLM_OK;
}

static mlm_status tokenizer_special(world *w)
{
    for (int32_t i = -1; i < 6; i++)
        w->integers[i + 1] = mlm_tokenizer_special(w->tokenizer, i);
    return MLM_OK;
}

static mlm_status tokenizer_token(world *w)
{
    snprintf(w->text, sizeof w->text, "%s", mlm_tokenizer_token(w->tokenizer, 7));
    w->integers[0] = mlm_tokenizer_token(w->tokenizer, TOKENS) == NULL;
    return MLM_OK;
}

static mlm_status tokenizer_free(world *w)
{
    mlm_tokenizer_free(w->tokenizer);
    w->tokenizer = NULL;
    return MLM_OK;
}

/* ---- calls: corpus and masker ----------------------------------------------- */

static mlm_status corpus_open(world *w)
{
    return open_corpus(w->runtime, w->tokenizer, MLM_PACK_PAIRS, &w->made.corpus);
}

static mlm_status corpus_read(world *w)
{
    const char *rest = text;
    mlm_corpus_options options = corpus_options(MLM_PACK_ACROSS);
    return mlm_corpus_read(w->runtime, w->tokenizer, read_text, &rest, &options, &w->made.corpus);
}

static mlm_status corpus_get_info(world *w)
{
    mlm_corpus_info info;
    mlm_corpus_info_init(&info, sizeof info);
    mlm_status status = mlm_corpus_get_info(w->corpus, &info);
    memcpy(w->text, &info, sizeof info);
    return status;
}

static mlm_status corpus_next(world *w)
{
    return mlm_corpus_next(w->corpus, &w->given);
}

static mlm_status corpus_seek(world *w)
{
    return mlm_corpus_seek(w->corpus, 300);
}

static mlm_status corpus_free(world *w)
{
    mlm_corpus_free(w->corpus);
    w->corpus = NULL;
    return MLM_OK;
}

static mlm_status create_masker(world *w, int32_t strategy, int32_t random_tokens)
{
    mlm_masker_options options;
    mlm_masker_options_init(&options, sizeof options);
    options.strategy = strategy;
    options.random_tokens = random_tokens;
    options.mlm_probability = 0.4;
    return mlm_masker_create(w->runtime, w->tokenizer, &options, &w->made.masker);
}

static mlm_status masker_create(world *w)
{
    return create_masker(w, MLM_MASK_TOKENS, MLM_RANDOM_ORDINARY);
}

static mlm_status masker_create_words(world *w)
{
    return create_masker(w, MLM_MASK_WHOLE_WORDS, MLM_RANDOM_ANY);
}

static void prepare_words(world *w)
{
    mlm_masker_free(w->masker);
    assert_ok(masker_create_words(w));
    w->masker = w->made.masker;
    w->made.masker = NULL;
}

static mlm_status masker_apply(world *w)
{
    return mlm_masker_apply(w->masker, &w->batch, &w->given);
}

static mlm_status masker_free(world *w)
{
    mlm_masker_free(w->masker);
    w->masker = NULL;
    return MLM_OK;
}

/* ---- calls: encoder --------------------------------------------------------- */

static mlm_status encoder_config_load(world *w)
{
    mlm_encoder_config config;
    mlm_encoder_config_init(&config, sizeof config);
    mlm_status status = mlm_encoder_config_load(w->runtime, files.model, &config);
    memcpy(w->text, &config, sizeof config);
    return status;
}

static mlm_status encoder_create(world *w)
{
    mlm_encoder_config config = training_config();
    config.untied_word_embeddings = 1;
    return mlm_encoder_create(w->runtime, &config, NULL, &w->made.encoder);
}

static mlm_status encoder_load(world *w)
{
    return mlm_encoder_load(w->runtime, files.model, NULL, &w->made.encoder);
}

static mlm_status encoder_share(world *w)
{
    return mlm_encoder_share(w->encoder, w->runtime, &w->made.encoder);
}

static mlm_status encoder_save(world *w)
{
    return mlm_encoder_save(w->encoder, w->target, MLM_F32);
}

static mlm_status encoder_save_bf16(world *w)
{
    return mlm_encoder_save(w->encoder, w->target, MLM_BF16);
}

static mlm_status encoder_get_config(world *w)
{
    mlm_encoder_config config;
    mlm_encoder_config_init(&config, sizeof config);
    mlm_status status = mlm_encoder_get_config(w->encoder, &config);
    memcpy(w->text, &config, sizeof config);
    return status;
}

static mlm_status encoder_forward(world *w)
{
    return mlm_encoder_forward(w->encoder, &w->batch, -1, w->floats);
}

static mlm_status encoder_embed(world *w)
{
    return mlm_encoder_embed(w->encoder, &w->batch, MLM_POOL_BERT, 1, w->floats);
}

static const int32_t positions[] = {1, 0, 7};

static mlm_status encoder_logits(world *w)
{
    return mlm_encoder_logits(w->encoder, &w->batch, positions, 3, w->floats);
}

static mlm_status encoder_predict(world *w)
{
    return mlm_encoder_predict(w->encoder, &w->batch, positions, 3, 4, w->ids, w->floats);
}

static mlm_status encoder_losses(world *w)
{
    return mlm_encoder_losses(w->encoder, &w->batch, w->floats);
}

static mlm_status encoder_sentence_logits(world *w)
{
    return mlm_encoder_sentence_logits(w->encoder, &w->batch, w->floats);
}

static mlm_status encoder_evaluate(world *w)
{
    return mlm_encoder_evaluate(w->encoder, &w->batch, &w->metrics);
}

static mlm_status encoder_add_tokens(world *w)
{
    const int32_t offsets[] = {0, 2, 3}, pieces[] = {5, 6, 7};
    return mlm_encoder_add_tokens(w->encoder, offsets, pieces, 2, &w->made.encoder);
}

static mlm_status encoder_tensor_count(world *w)
{
    w->integers[0] = (int64_t)mlm_encoder_tensor_count(w->encoder);
    return MLM_OK;
}

static mlm_status encoder_get_tensor(world *w)
{
    return mlm_encoder_get_tensor(w->encoder, 3, &w->tensor);
}

static mlm_status encoder_set_tensor(world *w)
{
    static const float numbers[TOKENS * 8] = {1, 2, 3};
    return mlm_encoder_set_tensor(w->encoder, 0, numbers, TOKENS * 8);
}

static mlm_status encoder_free(world *w)
{
    mlm_encoder_free(w->encoder);
    w->encoder = NULL;
    return MLM_OK;
}

/* ---- calls: trainer --------------------------------------------------------- */

static mlm_status trainer_create(world *w)
{
    const mlm_trainer_options options = training_options();
    return mlm_trainer_create(w->runtime, w->encoder, &options, &w->made.trainer);
}

static mlm_status trainer_resume(world *w)
{
    return mlm_trainer_resume(w->runtime, w->encoder, files.checkpoint, NULL, &w->made.trainer);
}

static mlm_status trainer_resume_otherwise(world *w)
{
    const mlm_trainer_options options = training_options();
    return mlm_trainer_resume(w->runtime, w->encoder, files.checkpoint, &options, &w->made.trainer);
}

static void prepare_resumed(world *w)
{
    mlm_trainer_free(w->trainer);
    assert_ok(trainer_resume(w));
    w->trainer = w->made.trainer;
    w->made.trainer = NULL;
}

static mlm_status trainer_attach(world *w)
{
    return mlm_trainer_attach(w->trainer, w->tokenizer, w->corpus, w->masker);
}

static void prepare_attached(world *w)
{
    assert_ok(trainer_attach(w));
}

static void prepare_saved(world *w)
{
    prepare_attached(w);
    assert_ok(mlm_trainer_save(w->trainer, w->target));
    training_updates(w->trainer, 1);
}

static mlm_status trainer_accumulate(world *w)
{
    return mlm_trainer_accumulate(w->trainer, &w->batch);
}

static void prepare_accumulated(world *w)
{
    assert_ok(trainer_accumulate(w));
}

static mlm_status trainer_update(world *w)
{
    return mlm_trainer_update(w->trainer, &w->metrics);
}

static void prepare_updated(world *w)
{
    prepare_accumulated(w);
    assert_ok(trainer_update(w));
}

static mlm_status trainer_set_learning_rate(world *w)
{
    return mlm_trainer_set_learning_rate(w->trainer, 0.25);
}

static mlm_status trainer_observe(world *w)
{
    return mlm_trainer_observe(w->trainer, 2.5, 0.1, &w->ids[0]);
}

static mlm_status trainer_get_metrics(world *w)
{
    return mlm_trainer_get_metrics(w->trainer, &w->metrics);
}

static mlm_status trainer_save(world *w)
{
    return mlm_trainer_save(w->trainer, w->target);
}

static mlm_status trainer_go_back(world *w)
{
    return mlm_trainer_go_back(w->trainer, w->target, 0.5);
}

static mlm_status trainer_get_gradient(world *w)
{
    return mlm_trainer_get_gradient(w->trainer, 3, &w->tensor);
}

static int sum_of_one(void *user, void *data, size_t count, int32_t dtype)
{
    (void)user, (void)data, (void)count, (void)dtype;
    return MLM_CONTINUE;
}

static mlm_status trainer_set_allreduce(world *w)
{
    return mlm_trainer_set_allreduce(w->trainer, sum_of_one, NULL, 0, 1);
}

static mlm_status trainer_free(world *w)
{
    mlm_trainer_free(w->trainer);
    w->trainer = NULL;
    return MLM_OK;
}

#define INIT_CALL(type)                                                                            \
    {                                                                                              \
#type "_init", NULL, type##_is_made, NULL                                                  \
    }
#define CALL(name)                                                                                 \
    {                                                                                              \
        "mlm_" #name, NULL, name, NULL                                                             \
    }
#define PREPARED(name, prepare)                                                                    \
    {                                                                                              \
        "mlm_" #name, NULL, name, prepare                                                          \
    }

/* clang-format off */
const world_call world_calls[] = {
    CALL(version),
    CALL(abi_version),
    CALL(build_info),
    CALL(status_name),
    CALL(last_error),
    INIT_CALL(mlm_runtime_options),
    INIT_CALL(mlm_tokenizer_options),
    INIT_CALL(mlm_vocab_options),
    INIT_CALL(mlm_encode_options),
    INIT_CALL(mlm_batch),
    INIT_CALL(mlm_corpus_options),
    INIT_CALL(mlm_corpus_info),
    INIT_CALL(mlm_masker_options),
    INIT_CALL(mlm_encoder_config),
    INIT_CALL(mlm_encoder_options),
    INIT_CALL(mlm_tensor),
    INIT_CALL(mlm_metrics),
    INIT_CALL(mlm_trainer_options),
    CALL(runtime_create),
    CALL(runtime_memory),
    PREPARED(runtime_free, prepare_runtime),
    {"mlm_tokenizer_load", "vocab.txt", tokenizer_load_vocabulary, NULL},
    {"mlm_tokenizer_load", "tokenizer.json", tokenizer_load_json, NULL},
    {"mlm_tokenizer_load", "directory", tokenizer_load_directory, NULL},
    CALL(tokenizer_create),
    CALL(tokenizer_train_files),
    CALL(tokenizer_train),
    CALL(tokenizer_add_words),
    CALL(tokenizer_save),
    CALL(tokenizer_encode),
    CALL(tokenizer_encode_pair),
    CALL(tokenizer_encode_batch),
    CALL(tokenizer_decode),
    CALL(tokenizer_vocab_size),
    CALL(tokenizer_id),
    CALL(tokenizer_special),
    CALL(tokenizer_token),
    CALL(tokenizer_free),
    CALL(corpus_open),
    CALL(corpus_read),
    CALL(corpus_get_info),
    CALL(corpus_next),
    CALL(corpus_seek),
    CALL(corpus_free),
    CALL(masker_create),
    {"mlm_masker_create", "words", masker_create_words, NULL},
    CALL(masker_apply),
    {"mlm_masker_apply", "words", masker_apply, prepare_words},
    CALL(masker_free),
    CALL(encoder_config_load),
    CALL(encoder_create),
    CALL(encoder_load),
    CALL(encoder_share),
    CALL(encoder_save),
    {"mlm_encoder_save", "bf16", encoder_save_bf16, NULL},
    CALL(encoder_get_config),
    CALL(encoder_forward),
    CALL(encoder_embed),
    CALL(encoder_logits),
    CALL(encoder_predict),
    CALL(encoder_losses),
    CALL(encoder_sentence_logits),
    CALL(encoder_evaluate),
    CALL(encoder_add_tokens),
    CALL(encoder_tensor_count),
    CALL(encoder_get_tensor),
    CALL(encoder_set_tensor),
    CALL(encoder_free),
    CALL(trainer_create),
    CALL(trainer_resume),
    {"mlm_trainer_resume", "options", trainer_resume_otherwise, NULL},
    CALL(trainer_attach),
    {"mlm_trainer_attach", "resumed", trainer_attach, prepare_resumed},
    CALL(trainer_accumulate),
    PREPARED(trainer_update, prepare_accumulated),
    CALL(trainer_set_learning_rate),
    CALL(trainer_observe),
    CALL(trainer_get_metrics),
    CALL(trainer_save),
    {"mlm_trainer_save", "attached", trainer_save, prepare_attached},
    {"mlm_trainer_save", "again", trainer_save, prepare_saved},
    PREPARED(trainer_go_back, prepare_saved),
    PREPARED(trainer_get_gradient, prepare_updated),
    CALL(trainer_set_allreduce),
    CALL(trainer_free),
};
/* clang-format on */
const size_t world_call_count = sizeof world_calls / sizeof world_calls[0];

const char *world_call_name(const world_call *call)
{
    static char name[96];
    snprintf(name, sizeof name, "%s%s%s", call->function, call->variant ? ", " : "",
        call->variant ? call->variant : "");
    return name;
}

/* ---- worlds ----------------------------------------------------------------- */

world *world_make(mlm_runtime *runtime, const world_call *call)
{
    write_files();
    world *w = calloc(1, sizeof *w);
    ck_assert_ptr_nonnull(w);
    w->runtime = runtime;
    w->tokenizer = make_tokenizer(runtime);
    w->corpus = make_corpus(runtime, w->tokenizer);
    w->masker = make_masker(runtime, w->tokenizer);
    w->encoder = training_encoder(runtime, 0.1);
    w->trainer = training_trainer(runtime, w->encoder);
    /* All is as at first: no handle has room from an earlier call. */
    mlm_tokenizer_free(w->tokenizer);
    w->tokenizer = make_tokenizer(runtime);
    w->batch = training_batch_make(&w->memory, 5, 3, true);
    mlm_batch_init(&w->given, sizeof w->given);
    mlm_metrics_init(&w->metrics, sizeof w->metrics);
    mlm_tensor_init(&w->tensor, sizeof w->tensor);
    snprintf(w->target, sizeof w->target, "%.400s/target%d", files.folder, files.targets++);
    if (call->prepare)
        call->prepare(w);
    return w;
}

static const char *const target_files[] = {"vocab.txt", "tokenizer.json", "tokenizer_config.json",
    "special_tokens_map.json", "config.json", "model.safetensors", "optimizer.safetensors",
    "trainer.json"};
enum { TARGET_FILES = sizeof target_files / sizeof target_files[0] };

void world_forget(world *w)
{
    mlm_tokenizer_free(w->made.tokenizer);
    mlm_corpus_free(w->made.corpus);
    mlm_masker_free(w->made.masker);
    mlm_encoder_free(w->made.encoder);
    mlm_trainer_free(w->made.trainer);
    mlm_runtime_free(w->made.runtime);
    memset(&w->made, 0, sizeof w->made);
}

void world_free(world *w)
{
    world_forget(w);
    mlm_tokenizer_free(w->tokenizer);
    mlm_corpus_free(w->corpus);
    mlm_masker_free(w->masker);
    mlm_encoder_free(w->encoder);
    mlm_trainer_free(w->trainer);
    for (size_t i = 0; i < TARGET_FILES; i++)
        remove(test_path(w->target, target_files[i]));
    remove(w->target);
    free(w);
}

/* ---- what a call gave ------------------------------------------------------- */

typedef struct description {
    char *bytes;
    size_t size, capacity;
} description;

static void add(description *to, const void *bytes, size_t size)
{
    if (!bytes)
        return;
    if (to->size + size > to->capacity) {
        to->capacity = 2 * (to->size + size);
        to->bytes = realloc(to->bytes, to->capacity);
        ck_assert_ptr_nonnull(to->bytes);
    }
    memcpy(to->bytes + to->size, bytes, size);
    to->size += size;
}

static void add_metrics(description *to, mlm_metrics metrics)
{
    metrics.seconds = 0;
    add(to, &metrics, sizeof metrics);
}

static void add_batch(description *to, const mlm_batch *batch)
{
    const size_t B = (size_t)batch->B, size = sizeof(int32_t);
    if (!batch->offsets)
        return;
    const size_t N = (size_t)batch->offsets[B];
    add(to, &batch->position, sizeof batch->position);
    add(to, batch->offsets, (B + 1) * size);
    add(to, batch->input_ids, N * size);
    add(to, batch->token_type_ids, N * size);
    add(to, batch->labels, N * size);
    add(to, batch->sentence_labels, B * size);
}

static void add_tensor(description *to, const mlm_tensor *tensor)
{
    if (!tensor->name)
        return;
    size_t count = (size_t)tensor->shape[0] * (tensor->ndim > 1 ? (size_t)tensor->shape[1] : 1);
    add(to, tensor->name, strlen(tensor->name));
    add(to, tensor->shape, sizeof tensor->shape);
    add(to, tensor->data, count * sizeof *tensor->data);
}

static void add_tokenizer(description *to, const mlm_tokenizer *tokenizer)
{
    int32_t ids[64];
    size_t count;
    if (!tokenizer)
        return;
    for (int32_t i = 0; i < mlm_tokenizer_vocab_size(tokenizer); i++)
        add(to, mlm_tokenizer_token(tokenizer, i), strlen(mlm_tokenizer_token(tokenizer, i)) + 1);
    assert_ok(mlm_tokenizer_encode(
        tokenizer, sentence, sizeof sentence - 1, NULL, ids, NULL, 64, &count));
    add(to, ids, count * sizeof *ids);
}

static void add_corpus(description *to, mlm_corpus *corpus)
{
    mlm_corpus_info info;
    mlm_corpus_info_init(&info, sizeof info);
    if (!corpus)
        return;
    assert_ok(mlm_corpus_get_info(corpus, &info));
    add(to, &info, sizeof info);
    mlm_batch batch;
    mlm_batch_init(&batch, sizeof batch);
    for (int32_t i = 0; i < 3; i++) {
        assert_ok(mlm_corpus_next(corpus, &batch));
        add_batch(to, &batch);
    }
}

static void add_masker(description *to, mlm_masker *masker, const mlm_batch *batch)
{
    mlm_batch masked;
    mlm_batch_init(&masked, sizeof masked);
    if (!masker)
        return;
    assert_ok(mlm_masker_apply(masker, batch, &masked));
    add_batch(to, &masked);
}

static void add_encoder(description *to, mlm_encoder *encoder, const mlm_batch *batch)
{
    mlm_metrics total;
    mlm_metrics_init(&total, sizeof total);
    if (!encoder)
        return;
    for (size_t i = 0; i < mlm_encoder_tensor_count(encoder); i++) {
        mlm_tensor tensor;
        mlm_tensor_init(&tensor, sizeof tensor);
        assert_ok(mlm_encoder_get_tensor(encoder, i, &tensor));
        add_tensor(to, &tensor);
    }
    assert_ok(mlm_encoder_evaluate(encoder, batch, &total));
    add_metrics(to, total);
}

/* An update, and what it made of the encoder. */
static void add_trainer(description *to, mlm_trainer *trainer)
{
    mlm_metrics metrics;
    mlm_tensor tensor;
    mlm_tensor_init(&tensor, sizeof tensor);
    if (!trainer)
        return;
    training_update(trainer, &metrics);
    add_metrics(to, metrics);
    for (size_t i = 0; mlm_trainer_get_gradient(trainer, i, &tensor) == MLM_OK; i++)
        add_tensor(to, &tensor);
}

static void add_files(description *to, const char *folder)
{
    for (size_t i = 0; i < TARGET_FILES; i++) {
        struct stat status;
        const char *path = test_path(folder, target_files[i]);
        if (stat(path, &status) != 0)
            continue;
        size_t size;
        char *bytes = test_read_file(path, &size);
        add(to, target_files[i], strlen(target_files[i]));
        add(to, bytes, size);
        free(bytes);
    }
}

char *world_describe(world *w, size_t *size)
{
    description to = {NULL, 0, 0};
    add(&to, w->floats, sizeof w->floats);
    add(&to, w->integers, sizeof w->integers);
    add(&to, w->ids, sizeof w->ids);
    add(&to, w->others, sizeof w->others);
    add(&to, w->text, sizeof w->text);
    add_metrics(&to, w->metrics);
    add_batch(&to, &w->given);
    add_tensor(&to, &w->tensor);
    add_files(&to, w->target);
    add_tokenizer(&to, w->tokenizer);
    add_tokenizer(&to, w->made.tokenizer);
    add_corpus(&to, w->corpus);
    add_corpus(&to, w->made.corpus);
    add_masker(&to, w->masker, &w->batch);
    add_masker(&to, w->made.masker, &w->batch);
    add_encoder(&to, w->encoder, &w->batch);
    add_encoder(&to, w->made.encoder, &w->batch);
    add_trainer(&to, w->trainer);
    add_trainer(&to, w->made.trainer);
    *size = to.size;
    return to.bytes;
}

char *world_expected(const world_call *call, size_t *size)
{
    mlm_runtime *runtime = memory_runtime(1);
    world *w = world_make(runtime, call);
    assert_ok(call->call(w));
    char *bytes = world_describe(w, size);
    world_free(w);
    mlm_runtime_free(runtime);
    return bytes;
}
