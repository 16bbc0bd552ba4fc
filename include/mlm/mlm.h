/*
 * mlm.h - BERT masked-language-model pre-training in C. Interface 0.1: the shape
 * stands (handles, verbs, batch, rules); before 1.0 a change counts MLM_ABI_VERSION
 * up.
 *
 * Text flows through five handles, and this header reads in that order:
 *
 *   text --tokenizer--> tokens --corpus--> batches --masker--> masked batches
 *        --encoder--> hidden states, loss --trainer--> updated parameters
 *
 * On the first day nine functions are all you need. Five make the handles:
 * mlm_tokenizer_load, mlm_corpus_open, mlm_masker_create, mlm_encoder_create,
 * mlm_trainer_create. Four are the training loop: mlm_corpus_next,
 * mlm_masker_apply, mlm_trainer_accumulate, mlm_trainer_update. mlm/compose.h puts
 * them together.
 *
 * Rules that hold for every function, so that they are said once:
 *
 *   Results    come back through the last parameters; the return value is a
 *              status. After an error nothing was created and *out is NULL,
 *              nothing was changed, and mlm_last_error() says which and where.
 *   Arrays     are row-major and dense. Strings are UTF-8, lengths in bytes.
 *   Batches    have no padding: B sequences laid end to end, N tokens in all,
 *              sequence b being tokens offsets[b] to offsets[b+1]-1.
 *   Letters    B sequences, N tokens of a batch, T most tokens of a sequence,
 *              H hidden width, V vocabulary size, M labelled or asked tokens,
 *              K top-k.
 *   Inputs     are read during the call and never kept.
 *   Views      (batches filled by the library, tensors) last until the next call
 *              on the handle that gave them, or its _free; strings of a tokenizer
 *              as long as the tokenizer.
 *   Handles    keep what they were built from alive: _free in any order, once;
 *              _free(NULL) does nothing.
 *   Threads    A runtime, a tokenizer: any number of threads at once. Any other
 *              handle: one thread at a time; different handles do not disturb
 *              each other. A call that finds the runtime's threads busy runs on
 *              its own thread alone, with the same bytes. Callbacks and the
 *              allocator are called on the calling thread.
 *   Fork       A runtime made before fork() works in the child.
 *   Bytes      The same inputs, options and seeds give the same bytes for any
 *              number of threads, from the same build on the same kind of CPU,
 *              and, where cblas computes, with the same BLAS settings.
 *   Callbacks  return MLM_CONTINUE when all is well. Anything else ends the call:
 *              a ctypes callback that raises returns no particular value.
 *   NULL       options mean the defaults; a NULL runtime means malloc, no
 *              messages, one thread.
 */
#ifndef MLM_H
#define MLM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MLM_VERSION_MAJOR 0
#define MLM_VERSION_MINOR 1
#define MLM_VERSION_PATCH 0
#define MLM_VERSION (MLM_VERSION_MAJOR * 10000 + MLM_VERSION_MINOR * 100 + MLM_VERSION_PATCH)

/* Counts incompatible binary changes; the number in libmlm.so.N. */
#define MLM_ABI_VERSION 0

#if defined(_WIN32) || defined(__CYGWIN__)
#  define MLM_API
#elif defined(__GNUC__)
#  define MLM_API __attribute__((visibility("default")))
#else
#  define MLM_API
#endif
#if defined(__GNUC__)
#  define MLM_CHECK __attribute__((warn_unused_result))
#else
#  define MLM_CHECK
#endif

/* ---- library ------------------------------------------------------------ */

/* Negative: nothing happened, and mlm_last_error() says why. */
typedef enum mlm_status {
    MLM_OK = 0,
    MLM_END = 1,              /* the corpus has no further batch             */
    MLM_ERR_ARGUMENT = -1,    /* a bug in the caller: NULL, range, order     */
    MLM_ERR_MEMORY = -2,      /* the allocator returned NULL                 */
    MLM_ERR_IO = -3,          /* the system or a read callback refused       */
    MLM_ERR_FORMAT = -4,      /* a file is not what it should be             */
    MLM_ERR_SHAPE = -5,       /* sizes do not fit together, or are too long  */
    MLM_ERR_CAPACITY = -6,    /* a buffer is too small; *count is the need   */
    MLM_ERR_UNSUPPORTED = -7, /* valid, but not in this build or version     */
    MLM_ERR_NUMERIC = -8,     /* a loss or gradient is not finite            */
    MLM_ERR_COMM = -9,        /* a collective callback failed                */
    MLM_ERR_NOT_FOUND = -10,  /* no such file or directory                   */
    MLM_ERR_MISMATCH = -11,   /* not what the checkpoint was trained with    */
    MLM_ERR_INTERNAL = -12,   /* a bug in libmlm                             */
    MLM_STOPPED = -13         /* a progress callback asked to stop           */
} mlm_status;

enum { MLM_CONTINUE = 1 };

MLM_API int32_t     mlm_version(void);      /* MLM_VERSION of the library at run time */
MLM_API int32_t     mlm_abi_version(void);  /* MLM_ABI_VERSION of the same            */
MLM_API const char *mlm_build_info(void);   /* "libmlm 0.1.0 blas=openblas kernels=avx512 ..." */
MLM_API const char *mlm_status_name(mlm_status status);
/* This thread's last error, one line, until its next one. Never NULL. */
MLM_API const char *mlm_last_error(void);

/* ---- structs: one rule for all ------------------------------------------- *
 * The first member is struct_size. Options: mlm_x_options_init(&o, sizeof o)
 * fills exactly that many bytes with defaults; change members; pass &o.
 * Results: mlm_x_init(&x, sizeof x) too; the library writes no further than
 * struct_size.
 * Structs only grow, at the end. A member that was appended later means, when
 * zero, what the library did before it existed. Non-zero bytes that a library
 * does not know are MLM_ERR_UNSUPPORTED, a struct_size of 0 MLM_ERR_ARGUMENT.
 * A default never changes within an ABI version.
 * Names are Hugging Face's where one exists. */

/* ---- runtime: memory, threads, messages ---------------------------------- */

typedef struct mlm_runtime mlm_runtime;

enum { MLM_LOG_NONE, MLM_LOG_ERROR, MLM_LOG_WARNING, MLM_LOG_INFO, MLM_LOG_DEBUG };

typedef struct mlm_runtime_options {
    uint32_t struct_size;
    int32_t threads;   /* 0 = one per core this process may use; default 0 */
    int32_t log_level; /* MLM_LOG_...; default WARNING                     */
    uint32_t reserved0;
    void *user;        /* first argument of the four callbacks             */
    void *(*alloc)(void *user, size_t size, size_t alignment); /* both NULL: malloc */
    void (*release)(void *user, void *memory, size_t size);
    void (*log)(void *user, int32_t level, const char *message); /* NULL: none */
    /* Called at least every second in calls that can last (opening a corpus,
       learning a vocabulary, creating, loading and saving a model). total is 0 when unknown. NULL: none. */
    int (*progress)(void *user, const char *what, int64_t done, int64_t total);
} mlm_runtime_options;

MLM_API void mlm_runtime_options_init(mlm_runtime_options *options, size_t size);
MLM_API MLM_CHECK mlm_status mlm_runtime_create(const mlm_runtime_options *options, mlm_runtime **out);
/* Bytes its handles hold now, and the most they ever held. */
MLM_API void mlm_runtime_memory(const mlm_runtime *runtime, int64_t *now, int64_t *peak);
MLM_API void mlm_runtime_free(mlm_runtime *runtime);

/* ---- tokenizer: text -> tokens -------------------------------------------- */

typedef struct mlm_tokenizer mlm_tokenizer;

/* Puts up to capacity bytes of text into buffer and their number into *length,
   which is 0 on entry; 0 bytes is the end of the text. */
typedef int (*mlm_read_fn)(void *user, char *buffer, size_t capacity, size_t *length);

enum { MLM_PROFILE_HF, MLM_PROFILE_GOOGLE };
enum { MLM_TOKEN_PAD, MLM_TOKEN_UNK, MLM_TOKEN_CLS, MLM_TOKEN_SEP, MLM_TOKEN_MASK };

/* -1 means: what the file says, else what the profile does. Default -1 for all
   but split_special_tokens. */
typedef struct mlm_tokenizer_options {
    uint32_t struct_size;
    int32_t profile;              /* MLM_PROFILE_...                                 */
    int32_t lowercase;            /* 0, 1                                            */
    int32_t strip_accents;        /* 0, 1; profiles: follows lowercase               */
    int32_t handle_chinese_chars; /* 0, 1                                            */
    int32_t clean_text;           /* 0, 1                                            */
    int32_t max_input_chars_per_word; /* a longer word is [UNK]; profiles: 100, 200  */
    int32_t split_special_tokens; /* 1, here or in the file: "[MASK]" is text; default 0 */
} mlm_tokenizer_options;

typedef struct mlm_vocab_options {
    uint32_t struct_size;
    int32_t vocab_size;                /* default 30522                              */
    int32_t min_frequency;             /* default 2                                  */
    int32_t limit_alphabet;            /* default 1000                               */
    int32_t special_count;             /* 0 = the five of BERT; default 0            */
    int32_t max_words;                 /* distinct words kept while counting, rare   */
                                       /* ones are dropped; 0 = all; default 0       */
    const char *const *special_tokens; /* [special_count], ids 0.. in this order     */
} mlm_vocab_options;

typedef struct mlm_encode_options {
    uint32_t struct_size;
    int32_t add_special_tokens; /* default 1                                         */
    int32_t max_length;         /* cut to so many, special ones included; 0 = never; default 0 */
    uint32_t reserved0;
} mlm_encode_options;

MLM_API void mlm_tokenizer_options_init(mlm_tokenizer_options *options, size_t size);
MLM_API void mlm_vocab_options_init(mlm_vocab_options *options, size_t size);
MLM_API void mlm_encode_options_init(mlm_encode_options *options, size_t size);
/* From vocab.txt, tokenizer.json, or a directory that has one of them. */
MLM_API MLM_CHECK mlm_status mlm_tokenizer_load(mlm_runtime *runtime, const char *path,
    const mlm_tokenizer_options *options, mlm_tokenizer **out);
/* From V strings in memory; the position is the id. */
MLM_API MLM_CHECK mlm_status mlm_tokenizer_create(mlm_runtime *runtime, const char *const *tokens,
    size_t V, const mlm_tokenizer_options *options, mlm_tokenizer **out);
/* Learns a vocabulary from files, or from what read gives. Memory grows with the
   distinct words, not with the text: about 200 bytes each. max_words bounds them. */
MLM_API MLM_CHECK mlm_status mlm_tokenizer_train_files(mlm_runtime *runtime, const char *const *paths,
    size_t path_count, const mlm_vocab_options *vocab, const mlm_tokenizer_options *options,
    mlm_tokenizer **out);
MLM_API MLM_CHECK mlm_status mlm_tokenizer_train(mlm_runtime *runtime, mlm_read_fn read, void *user,
    const mlm_vocab_options *vocab, const mlm_tokenizer_options *options, mlm_tokenizer **out);
/* A tokenizer with count words more, at the end of its vocabulary in the order given. Each is
   normalised as a text is and must be one word then; one that is a token already is left out.
   All old ids stay; added tokens are WordPiece's own too then. MLM_ERR_ARGUMENT says which of
   words cannot be, and why. */
MLM_API MLM_CHECK mlm_status mlm_tokenizer_add_words(const mlm_tokenizer *tokenizer,
    const char *const *words, size_t count, mlm_tokenizer **out);
/* Writes vocab.txt, tokenizer.json, tokenizer_config.json, special_tokens_map.json. */
MLM_API MLM_CHECK mlm_status mlm_tokenizer_save(const mlm_tokenizer *tokenizer, const char *directory);
/* ids [capacity]; spans [capacity,2], bytes of text from and to (0 and 0 of an added
   [CLS] or [SEP]), or NULL. At most length + 2 tokens. MLM_ERR_CAPACITY leaves the
   need in *count. */
MLM_API MLM_CHECK mlm_status mlm_tokenizer_encode(const mlm_tokenizer *tokenizer, const char *text,
    size_t length, const mlm_encode_options *options, int32_t *ids, int32_t *spans, size_t capacity,
    size_t *count);
/* [CLS] text [SEP] pair [SEP]; token_type_ids [capacity] is 1 from the pair on.
   max_length takes tokens off the end of the longer, ties off the pair. */
MLM_API MLM_CHECK mlm_status mlm_tokenizer_encode_pair(const mlm_tokenizer *tokenizer, const char *text,
    size_t length, const char *pair, size_t pair_length, const mlm_encode_options *options, int32_t *ids,
    int32_t *token_type_ids, size_t capacity, size_t *count);
/* B texts at once over the threads; ids and offsets [B+1] are those of a batch. */
MLM_API MLM_CHECK mlm_status mlm_tokenizer_encode_batch(const mlm_tokenizer *tokenizer,
    const char *const *texts, const size_t *lengths, int32_t B, const mlm_encode_options *options,
    int32_t *offsets, int32_t *ids, int32_t *spans, size_t capacity, size_t *count);
/* flags: SKIP_SPECIAL leaves out special tokens and [UNK]; CLEAN_UP takes away spaces
   before punctuation, as tokenizers does. A zero byte follows the *length bytes of
   text where capacity has room for it. MLM_ERR_CAPACITY leaves the need in *length. */
enum { MLM_DECODE_SKIP_SPECIAL = 1, MLM_DECODE_CLEAN_UP = 2 };
MLM_API MLM_CHECK mlm_status mlm_tokenizer_decode(const mlm_tokenizer *tokenizer, const int32_t *ids,
    size_t count, int32_t flags, char *text, size_t capacity, size_t *length);
MLM_API int32_t     mlm_tokenizer_vocab_size(const mlm_tokenizer *tokenizer);
MLM_API int32_t     mlm_tokenizer_id(const mlm_tokenizer *tokenizer, const char *token);  /* -1: none   */
MLM_API int32_t     mlm_tokenizer_special(const mlm_tokenizer *tokenizer, int32_t which); /* MLM_TOKEN_...; -1: none */
MLM_API const char *mlm_tokenizer_token(const mlm_tokenizer *tokenizer, int32_t id);      /* NULL: none */
MLM_API void        mlm_tokenizer_free(mlm_tokenizer *tokenizer);

/* ---- batch: what flows between the handles -------------------------------- */

enum { MLM_NO_LABEL = -100 };

/* Numbers that a caller sets are checked before anything is computed. */
typedef struct mlm_batch {
    uint32_t struct_size;
    int32_t B;                      /* 0 is a batch too: a rank with nothing left  */
    int64_t position;               /* stream number of the first sequence; b has  */
                                    /* position + b. Masks and dropout follow from */
                                    /* it: count it up by B in batches of your own */
    const int32_t *offsets;         /* [B+1] first token of each; offsets[B] = N   */
    const int32_t *input_ids;       /* [N] in [0,V)                                */
    const int32_t *token_type_ids;  /* [N], or NULL = all 0                        */
    const int32_t *labels;          /* [N] in [0,V) or MLM_NO_LABEL, or NULL       */
    const int32_t *sentence_labels; /* [B] 0 follows, 1 does not; or NULL          */
    const void *reserved0;          /* NULL                                        */
} mlm_batch;

MLM_API void mlm_batch_init(mlm_batch *batch, size_t size);

/* ---- corpus: text -> an endless or finite stream of batches --------------- */

typedef struct mlm_corpus mlm_corpus;

enum { MLM_INPUT_SENTENCES, /* a sentence a line, an empty line between documents */
       MLM_INPUT_PARAGRAPHS, /* a paragraph a line, an empty line between documents */
       MLM_INPUT_LINES };   /* a document a line                                  */
enum { MLM_PACK_FULL,       /* sentences of a document until T is full            */
       MLM_PACK_ACROSS,     /* the same, running on into the next document        */
       MLM_PACK_PAIRS,      /* A/B segments for next-sentence prediction, with    */
                            /* token_type_ids and sentence_labels; not from LINES */
       MLM_PACK_ONE };      /* one sentence                                       */

typedef struct mlm_corpus_options {
    uint32_t struct_size;
    int32_t B;               /* sequences per batch and rank; default 32          */
    int32_t T;               /* most tokens of a sequence; default 128            */
    int32_t input;           /* MLM_INPUT_...; default SENTENCES                  */
    int32_t packing;         /* MLM_PACK_...; default FULL                        */
    int32_t rank, ranks;     /* this process's share; default 0 of 1              */
    uint32_t reserved0;
    int64_t epochs;          /* passes before MLM_END; 0 = endless; default 0     */
    uint64_t seed;           /* order of the sequences, pairs; default 0          */
    double short_seq_prob;   /* PAIRS: share of shorter sequences; default 0.1    */
    const char *cache;       /* file that keeps the tokens for the next time, checked  */
                             /* against text and tokenizer by hash; or a directory for */
                             /* a nameless file, if they are many; NULL = in memory    */
    const void *reserved1;
} mlm_corpus_options;

enum { MLM_LENGTH_BINS = 16 };

/* What a corpus holds, over all ranks, one epoch. */
typedef struct mlm_corpus_info {
    uint32_t struct_size;
    uint32_t reserved0;
    int64_t bytes, documents, sentences, sequences, tokens;
    int64_t unknown_tokens, truncated_tokens, duplicate_lines, invalid_bytes;
    double unigram_entropy;  /* nats: the loss of guessing by frequency, over the */
                             /* tokens that may be masked                         */
    /* How many have 2^i to 2^(i+1)-1 tokens, the last one also more. */
    int64_t sentence_lengths[MLM_LENGTH_BINS];
    int64_t sequence_lengths[MLM_LENGTH_BINS]; /* with [CLS] and [SEP]             */
} mlm_corpus_info;

MLM_API void mlm_corpus_options_init(mlm_corpus_options *options, size_t size);
MLM_API void mlm_corpus_info_init(mlm_corpus_info *info, size_t size);
/* Reads the texts once, here; paths need not exist afterwards. */
MLM_API MLM_CHECK mlm_status mlm_corpus_open(mlm_runtime *runtime, const mlm_tokenizer *tokenizer,
    const char *const *paths, size_t path_count, const mlm_corpus_options *options, mlm_corpus **out);
MLM_API MLM_CHECK mlm_status mlm_corpus_read(mlm_runtime *runtime, const mlm_tokenizer *tokenizer,
    mlm_read_fn read, void *user, const mlm_corpus_options *options, mlm_corpus **out);
MLM_API MLM_CHECK mlm_status mlm_corpus_get_info(const mlm_corpus *corpus, mlm_corpus_info *out);
/* Position p of the stream is sequence p mod sequences of epoch p div sequences.
   The k-th call gives rank r the B positions from (k ranks + r) B on. Only the
   last batch of the last epoch is shorter. MLM_END comes to all ranks at once. */
MLM_API MLM_CHECK mlm_status mlm_corpus_next(mlm_corpus *corpus, mlm_batch *out);
/* The next call begins at this position, a multiple of B ranks. O(1). */
MLM_API MLM_CHECK mlm_status mlm_corpus_seek(mlm_corpus *corpus, int64_t position);
MLM_API void mlm_corpus_free(mlm_corpus *corpus);

/* ---- masker: batches -> masked batches ------------------------------------ */

typedef struct mlm_masker mlm_masker;

enum { MLM_MASK_TOKENS, MLM_MASK_WHOLE_WORDS, MLM_MASK_SPANS };
enum { MLM_SELECT_COUNT,    /* round(p n) of a sequence's n, at least 1, as Google's */
       MLM_SELECT_EACH };   /* every token by itself with p, as Hugging Face's       */
enum { MLM_RANDOM_ANY,      /* any id of the vocabulary, as both references          */
       MLM_RANDOM_ORDINARY }; /* no special token                                    */

/* [CLS], [SEP], [PAD], [MASK] and added special tokens are never chosen; [UNK] may be. */
typedef struct mlm_masker_options {
    uint32_t struct_size;
    int32_t strategy;           /* MLM_MASK_...; default TOKENS                   */
    int32_t selection;          /* MLM_SELECT_...; default COUNT                  */
    int32_t random_tokens;      /* MLM_RANDOM_...; default ANY                    */
    double mlm_probability;     /* share of tokens to predict; default 0.15       */
    double mask_replace_prob;   /* of these, become [MASK]; default 0.8           */
    double random_replace_prob; /* of these, become a random token; default 0.1   */
    int32_t max_predictions;    /* per sequence, 0 = no limit; default 0          */
    int32_t max_span;           /* SPANS: longest, in words; default 10           */
    double span_p;              /* SPANS: geometric parameter; default 0.2        */
    uint64_t seed;              /* default 0                                      */
} mlm_masker_options;

MLM_API void mlm_masker_options_init(mlm_masker_options *options, size_t size);
MLM_API MLM_CHECK mlm_status mlm_masker_create(mlm_runtime *runtime, const mlm_tokenizer *tokenizer,
    const mlm_masker_options *options, mlm_masker **out);
/* The arrays of out are the masker's own: batch may go. Labels of batch are replaced. */
MLM_API MLM_CHECK mlm_status mlm_masker_apply(mlm_masker *masker, const mlm_batch *batch, mlm_batch *out);
MLM_API void mlm_masker_free(mlm_masker *masker);

/* ---- encoder: masked batches -> hidden states, loss ------------------------ */

typedef struct mlm_encoder mlm_encoder;

enum { MLM_GELU, MLM_GELU_TANH, MLM_RELU, MLM_SILU };
enum { MLM_F32, MLM_BF16, MLM_F64, MLM_I64 };
enum { MLM_POOL_MEAN, MLM_POOL_CLS, MLM_POOL_MAX, MLM_POOL_BERT /* dense, tanh */ };

/* config.json. Defaults: BERT-base. */
typedef struct mlm_encoder_config {
    uint32_t struct_size;
    int32_t vocab_size, hidden_size, num_hidden_layers, num_attention_heads, intermediate_size;
    int32_t max_position_embeddings, type_vocab_size;
    int32_t hidden_act;          /* MLM_GELU ...                                   */
    int32_t sentence_head;       /* 1: pooler and next-sentence head (BertForPreTraining); default 0 */
    int32_t pad_token_id;        /* its embedding starts at 0 and, as an input, gets no gradient; default 0 */
    int32_t untied_word_embeddings; /* 1: the decoder has a weight of its own
                                       (tie_word_embeddings false); default 0      */
    double hidden_dropout_prob, attention_probs_dropout_prob, layer_norm_eps, initializer_range;
} mlm_encoder_config;

/* How to compute; not part of the model. */
typedef struct mlm_encoder_options {
    uint32_t struct_size;
    int32_t precision;           /* MLM_F32, or MLM_BF16 matrix products; default F32 */
    uint64_t seed;               /* initial values, and of a head that a file lacks; default 0 */
    int32_t sentence_head;       /* mlm_encoder_load: 1 = with a sentence head, whatever class  */
                                 /* config.json names; default 0                                */
    uint32_t reserved0;
} mlm_encoder_options;

/* A parameter or its gradient, by Hugging Face's name. */
typedef struct mlm_tensor {
    uint32_t struct_size;
    int32_t ndim;
    int64_t shape[4];
    const char *name;
    const float *data;
} mlm_tensor;

/* Sums and means over the batches it was given; start with mlm_metrics_init. */
typedef struct mlm_metrics {
    uint32_t struct_size;
    uint32_t reserved0;
    int64_t step;                /* updates done                                   */
    int64_t position;            /* where the corpus goes on                       */
    int64_t sequences, tokens, labels;
    double loss;                 /* mean over the labels, nats                     */
    double accuracy;             /* share of labels that are the likeliest token   */
    double sentence_loss, sentence_accuracy;
    double learning_rate, grad_norm; /* of an update: norm before clipping         */
    double seconds;              /* spent in the library's calls                   */
    /* How a trainer's run stands; kept in its checkpoints, and 0 in other totals. */
    double loss_average;         /* moving average of loss; 0: no update yet. The newest weighs  */
                                 /* 1/100, in the first hundred updates 1/step                   */
    double lowest_loss;          /* of mlm_trainer_observe; 0: none yet                          */
    double rate_factor;          /* of mlm_trainer_go_back; 1 before                             */
    int32_t stale;               /* as mlm_trainer_observe said                                  */
    int32_t bad_updates;         /* MLM_ERR_NUMERIC in a row, up to now                          */
} mlm_metrics;

MLM_API void mlm_encoder_config_init(mlm_encoder_config *config, size_t size);
/* From config.json or a directory that has one. What the file does not name stays
   as *config has it: mlm_encoder_config_init comes first. */
MLM_API MLM_CHECK mlm_status mlm_encoder_config_load(mlm_runtime *runtime, const char *path,
    mlm_encoder_config *config);
MLM_API void mlm_encoder_options_init(mlm_encoder_options *options, size_t size);
MLM_API void mlm_tensor_init(mlm_tensor *tensor, size_t size);
MLM_API void mlm_metrics_init(mlm_metrics *metrics, size_t size);
MLM_API MLM_CHECK mlm_status mlm_encoder_create(mlm_runtime *runtime, const mlm_encoder_config *config,
    const mlm_encoder_options *options, mlm_encoder **out);
/* From a directory with config.json and model.safetensors, or its shards. */
MLM_API MLM_CHECK mlm_status mlm_encoder_load(mlm_runtime *runtime, const char *directory,
    const mlm_encoder_options *options, mlm_encoder **out);
/* Another handle on the same parameters, for another thread. It sees later
   updates; no call may run on it while one changes the parameters. */
MLM_API MLM_CHECK mlm_status mlm_encoder_share(mlm_encoder *encoder, mlm_runtime *runtime, mlm_encoder **out);
MLM_API MLM_CHECK mlm_status mlm_encoder_save(const mlm_encoder *encoder, const char *directory,
    int32_t dtype /* MLM_F32, MLM_BF16 */);
MLM_API MLM_CHECK mlm_status mlm_encoder_get_config(const mlm_encoder *encoder, mlm_encoder_config *out);

/* The calls below never drop out, and keep no gradient. Memory: parameters and
   one layer's activations of one piece of the batch. */

/* layer 0 is the embeddings, L (or -1) the last. hidden [N,H]. */
MLM_API MLM_CHECK mlm_status mlm_encoder_forward(mlm_encoder *encoder, const mlm_batch *batch,
    int32_t layer, float *hidden);
/* One vector a sequence, [CLS] and [SEP] included in the mean; normalize: unit
   length. embeddings [B,H]. */
MLM_API MLM_CHECK mlm_status mlm_encoder_embed(mlm_encoder *encoder, const mlm_batch *batch,
    int32_t pooling, int32_t normalize, float *embeddings);
/* positions [M] in [0,N); logits [M,V]. */
MLM_API MLM_CHECK mlm_status mlm_encoder_logits(mlm_encoder *encoder, const mlm_batch *batch,
    const int32_t *positions, size_t M, float *logits);
/* The K likeliest tokens, likeliest first, equal ones by id. ids, probabilities [M,K]. */
MLM_API MLM_CHECK mlm_status mlm_encoder_predict(mlm_encoder *encoder, const mlm_batch *batch,
    const int32_t *positions, size_t M, size_t K, int32_t *ids, float *probabilities);
/* -log p of each label, in nats, in the order of the labels. losses [M]. */
MLM_API MLM_CHECK mlm_status mlm_encoder_losses(mlm_encoder *encoder, const mlm_batch *batch, float *losses);
/* logits [B,2]: follows, does not. */
MLM_API MLM_CHECK mlm_status mlm_encoder_sentence_logits(mlm_encoder *encoder, const mlm_batch *batch, float *logits);
/* Adds the batch to *total, each label weighing the same. Sentence labels: in all
   batches of a total, or in none. */
MLM_API MLM_CHECK mlm_status mlm_encoder_evaluate(mlm_encoder *encoder, const mlm_batch *batch, mlm_metrics *total);
/* Another model with count tokens more. What has a row a token has for new token i the mean of the
   old rows pieces[offsets[i]] to pieces[offsets[i+1]-1]; all else is copied. offsets [count+1] and
   pieces are what mlm_tokenizer_encode_batch of the old tokenizer makes of the new words, with
   add_special_tokens 0. */
MLM_API MLM_CHECK mlm_status mlm_encoder_add_tokens(const mlm_encoder *encoder, const int32_t *offsets,
    const int32_t *pieces, size_t count, mlm_encoder **out);
MLM_API size_t mlm_encoder_tensor_count(const mlm_encoder *encoder);
MLM_API MLM_CHECK mlm_status mlm_encoder_get_tensor(const mlm_encoder *encoder, size_t index, mlm_tensor *out);
MLM_API MLM_CHECK mlm_status mlm_encoder_set_tensor(mlm_encoder *encoder, size_t index, const float *data, size_t count);
MLM_API void mlm_encoder_free(mlm_encoder *encoder);

/* ---- trainer: loss -> update ------------------------------------------------ */

typedef struct mlm_trainer mlm_trainer;

/* As in transformers: over warmup_steps the rate rises from 0, which the first update
   has; then it falls to 0 at total_steps and stays there. CONSTANT never falls,
   WARMUP_STABLE_DECAY in the last tenth of total_steps only, as 1 - sqrt. */
enum { MLM_LR_LINEAR, MLM_LR_COSINE, MLM_LR_CONSTANT, MLM_LR_WARMUP_STABLE_DECAY };

typedef struct mlm_trainer_options {
    uint32_t struct_size;
    int32_t lr_scheduler;           /* MLM_LR_...; default LINEAR                   */
    int32_t adam_bias_correction;   /* 0 as google-research/bert; default 1         */
    uint32_t reserved0;
    int64_t warmup_steps;           /* default 0                                    */
    int64_t total_steps;            /* the schedule's end; required but for CONSTANT */
    double learning_rate;           /* default 1e-4                                 */
    double weight_decay;            /* not on biases and layer norms; default 0.01  */
    double adam_beta1, adam_beta2;  /* default 0.9, 0.999                           */
    double adam_epsilon;            /* default 1e-6                                 */
    double max_grad_norm;           /* 0 = no clipping; default 1.0                 */
    double hidden_dropout_prob;     /* -1 = the config's; default -1                */
    double attention_probs_dropout_prob;
    uint64_t seed;                  /* dropout; default 0                           */
    /* What keeps its bytes, and costs neither gradients nor moments. 1: word, position and
       type embeddings and their norm, and so the tied decoder; default 0. */
    int32_t freeze_embeddings;
    int32_t freeze_layers;          /* the first so many, at most L; default 0      */
} mlm_trainer_options;

/* Sums count numbers (MLM_F32, MLM_F64 or MLM_I64; at most 2^24) over all ranks, in
   place, with the same bytes on each; called by every rank in the same order. */
typedef int (*mlm_allreduce_fn)(void *user, void *data, size_t count, int32_t dtype);

MLM_API void mlm_trainer_options_init(mlm_trainer_options *options, size_t size);
/* Allocates gradients and moments, 12 bytes a parameter that is not frozen. */
MLM_API MLM_CHECK mlm_status mlm_trainer_create(mlm_runtime *runtime, mlm_encoder *encoder,
    const mlm_trainer_options *options, mlm_trainer **out);
/* Says what the batches come from; each may be NULL. The checkpoint then has the
   tokenizer's files and what the data and options were; after a resume a
   difference is MLM_ERR_MISMATCH, else the corpus is moved to where it was. */
MLM_API MLM_CHECK mlm_status mlm_trainer_attach(mlm_trainer *trainer, const mlm_tokenizer *tokenizer,
    mlm_corpus *corpus, const mlm_masker *masker);
/* Copies the batch for the next update, where forward and backward run once the
   labels and sequences of all batches and ranks are counted: the two losses have
   two divisors. The batch needs labels; that none of them is set is no error. */
MLM_API MLM_CHECK mlm_status mlm_trainer_accumulate(mlm_trainer *trainer, const mlm_batch *batch);
/* Forward and backward of what was accumulated, sum over ranks, clipping, AdamW.
   *out covers this update; NULL: not wanted. Batches without any sequence or label are
   an update with a gradient and a loss of 0; no batch on any rank is MLM_ERR_ARGUMENT.
   MLM_ERR_NUMERIC, on all ranks alike, where the loss or the gradient's norm is not finite, or
   the norm as clipped so large that its square is not: parameters, moments and step are as
   before, and what was accumulated is dropped for good; after any other error it still waits. */
MLM_API MLM_CHECK mlm_status mlm_trainer_update(mlm_trainer *trainer, mlm_metrics *out);
/* From the next update on this rate instead of the schedule's; -1: the schedule's. */
MLM_API MLM_CHECK mlm_status mlm_trainer_set_learning_rate(mlm_trainer *trainer, double learning_rate);
/* Tells the trainer a held-out loss, so that early stopping survives a restart:
   *stale is the number of calls since the lowest, 0 if it is this one. */
MLM_API MLM_CHECK mlm_status mlm_trainer_observe(mlm_trainer *trainer, double loss, double min_delta, int32_t *stale);
MLM_API MLM_CHECK mlm_status mlm_trainer_get_metrics(const mlm_trainer *trainer, mlm_metrics *out);
/* A model directory with all that training needs to go on; replaces an older one
   at a stroke. Between updates only. With ranks: all call it, rank 0 writes. */
MLM_API MLM_CHECK mlm_status mlm_trainer_save(mlm_trainer *trainer, const char *directory);
/* Puts the parameters into encoder, whose config must be the same. options: NULL = as
   saved; else they replace all of those, for a longer run or another rate, and the
   rate set by mlm_trainer_set_learning_rate; what is frozen must be as saved, else
   MLM_ERR_MISMATCH. MLM_ERR_NOT_FOUND: no checkpoint there. */
MLM_API MLM_CHECK mlm_status mlm_trainer_resume(mlm_runtime *runtime, mlm_encoder *encoder,
    const char *directory, const mlm_trainer_options *options, mlm_trainer **out);
/* Back to a checkpoint of this run, after it went wrong: parameters, moments, metrics and the
   corpus are as they were at that save, and what was accumulated is dropped. Options stay; from
   now on every rate, the schedule's or a set one, is multiplied by rate_factor, in (0,1], and by
   those of earlier calls. That survives in checkpoints; a resume with another learning_rate ends
   it. With ranks: all call it, and all read; where one fails, none goes back. */
MLM_API MLM_CHECK mlm_status mlm_trainer_go_back(mlm_trainer *trainer, const char *directory, double rate_factor);
/* As mlm_encoder_get_tensor: the gradient that the last update used (of the mean
   loss, before clipping), until the next accumulate. data is NULL of what is frozen. */
MLM_API MLM_CHECK mlm_status mlm_trainer_get_gradient(const mlm_trainer *trainer, size_t index, mlm_tensor *out);
/* Trains as rank of ranks that began with equal parameters and options, each with its
   share of the batches (mlm_corpus_options has the same two). Every rank then makes
   the same calls of update and save. NULL with 0 of 1: alone again. */
MLM_API MLM_CHECK mlm_status mlm_trainer_set_allreduce(mlm_trainer *trainer, mlm_allreduce_fn allreduce,
    void *user, int32_t rank, int32_t ranks);
MLM_API void mlm_trainer_free(mlm_trainer *trainer);

#ifdef __cplusplus
}
#endif

#endif /* MLM_H */
