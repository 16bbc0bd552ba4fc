#include "batches/corpus.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/options.h"
#include "base/runtime.h"
#include "batches/contents.h"
#include "batches/order.h"
#include "batches/source.h"
#include "files/json.h"
#include "tokens/tokenizer.h"

/* An endless stream ends here: position + B ranks still fits 64 bits. */
static const int64_t LAST_POSITION = INT64_MAX / 2;

struct mlm_corpus {
    atomic_int references;
    mlm_runtime *runtime;
    mlm_tokenizer *tokenizer;
    mlm_corpus_options options;
    mlm__contents contents;
    int32_t cls, sep;
    int64_t position, end;
    int32_t *offsets, *ids; /* of the batch last given */
    size_t offset_capacity, id_capacity;
    int32_t *types, *sentence_labels; /* of pairs */
    size_t type_capacity, sentence_label_capacity;
};

static const mlm_corpus_options option_defaults = {.struct_size = sizeof(mlm_corpus_options),
    .B = 32,
    .T = 128,
    .input = MLM_INPUT_SENTENCES,
    .packing = MLM_PACK_FULL,
    .ranks = 1,
    .short_seq_prob = 0.1};

static const mlm_corpus_info info_defaults = {.struct_size = sizeof(mlm_corpus_info)};

static const char *const input_names[] = {"sentences", "paragraphs", "lines"};
static const char *const packing_names[] = {"full", "across", "pairs", "one"};

void mlm_corpus_options_init(mlm_corpus_options *options, size_t size)
{
    mlm__struct_init(options, size, &option_defaults, sizeof option_defaults);
}

void mlm_corpus_info_init(mlm_corpus_info *info, size_t size)
{
    mlm__struct_init(info, size, &info_defaults, sizeof info_defaults);
}

static mlm_status check_range(const char *member, int64_t value, int64_t low, int64_t high)
{
    if (value >= low && value <= high)
        return MLM_OK;
    return mlm__error(MLM_ERR_ARGUMENT, "mlm_corpus_options: %s is %lld, not in [%lld,%lld]",
        member, (long long)value, (long long)low, (long long)high);
}

static mlm_status check_pairs(const mlm_corpus_options *options)
{
    if (options->T < 5)
        return mlm__error(MLM_ERR_ARGUMENT,
            "mlm_corpus_options: T is %d, and MLM_PACK_PAIRS needs 5: [CLS] A [SEP] B [SEP]",
            options->T);
    if (options->input == MLM_INPUT_LINES)
        return mlm__error(MLM_ERR_ARGUMENT,
            "mlm_corpus_options: MLM_PACK_PAIRS needs documents of several lines, not "
            "MLM_INPUT_LINES");
    if (!(options->short_seq_prob >= 0 && options->short_seq_prob <= 1))
        return mlm__error(MLM_ERR_ARGUMENT,
            "mlm_corpus_options: short_seq_prob is %g, not in [0,1]", options->short_seq_prob);
    return MLM_OK;
}

static mlm_status check_options(const mlm_corpus_options *options)
{
    MLM__TRY(check_range("B", options->B, 1, INT32_MAX));
    MLM__TRY(check_range("T", options->T, 3, INT32_MAX));
    MLM__TRY(check_range("input", options->input, 0, MLM_INPUT_LINES));
    MLM__TRY(check_range("packing", options->packing, 0, MLM_PACK_ONE));
    MLM__TRY(check_range("ranks", options->ranks, 1, INT32_MAX));
    MLM__TRY(check_range("rank", options->rank, 0, options->ranks - 1));
    MLM__TRY(check_range("epochs", options->epochs, 0, LAST_POSITION));
    if ((int64_t)options->B * options->T > INT32_MAX)
        return mlm__error(MLM_ERR_SHAPE,
            "mlm_corpus_options: %d sequences of %d tokens are too many for a batch", options->B,
            options->T);
    if (options->packing == MLM_PACK_PAIRS)
        MLM__TRY(check_pairs(options));
    if (options->cache && !*options->cache)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_corpus_options: cache is an empty path");
    if (options->reserved0 || options->reserved1)
        return mlm__error(MLM_ERR_UNSUPPORTED, "mlm_corpus_options: a reserved member is set");
    return MLM_OK;
}

static mlm_status find_specials(mlm_corpus *corpus)
{
    corpus->cls = mlm_tokenizer_special(corpus->tokenizer, MLM_TOKEN_CLS);
    corpus->sep = mlm_tokenizer_special(corpus->tokenizer, MLM_TOKEN_SEP);
    if (corpus->cls < 0 || corpus->sep < 0)
        return mlm__error(MLM_ERR_ARGUMENT, "the tokenizer's vocabulary has no %s",
            corpus->cls < 0 ? "[CLS]" : "[SEP]");
    return MLM_OK;
}

static mlm_status find_end(mlm_corpus *corpus)
{
    int64_t sequences = corpus->contents.info.sequences, epochs = corpus->options.epochs;
    MLM__TRY(check_range("epochs", epochs, 0, LAST_POSITION / sequences));
    corpus->end = epochs > 0 ? epochs * sequences : LAST_POSITION;
    return MLM_OK;
}

static mlm_status read_contents(mlm_corpus *corpus, const mlm__source *source)
{
    mlm_runtime *runtime = corpus->runtime;
    mlm__contents *contents = &corpus->contents;
    const char *cache = corpus->options.cache;
    char *directory = NULL; /* of temporary files */
    if (cache) {
        directory = mlm__path_is_directory(cache) ? mlm__copy_text(runtime, cache, strlen(cache))
                                                  : mlm__path_parent(runtime, cache);
        if (!directory)
            return MLM_ERR_MEMORY;
    }
    mlm_status status =
        mlm__source_open(runtime, corpus->tokenizer, source, cache, &contents->store);
    if (status == MLM_OK)
        status =
            mlm__contents_pack(runtime, corpus->tokenizer, &corpus->options, directory, contents);
    mlm__free(runtime, directory);
    corpus->options.cache = NULL; /* the caller's */
    return status;
}

static mlm_status create(mlm_runtime *runtime, const mlm_tokenizer *tokenizer,
    const mlm__source *source, const mlm_corpus_options *given, mlm_corpus **out)
{
    mlm_corpus_options options;
    MLM__TRY(mlm__struct_read(
        given, &option_defaults, sizeof option_defaults, "mlm_corpus_options", &options));
    MLM__TRY(check_options(&options));
    MLM__TRY(mlm__runtime_retain(runtime, &runtime));
    mlm_corpus *corpus = mlm__alloc_zero(runtime, 1, sizeof *corpus);
    if (!corpus) {
        mlm_runtime_free(runtime);
        return MLM_ERR_MEMORY;
    }
    atomic_init(&corpus->references, 1);
    corpus->runtime = runtime;
    corpus->tokenizer = mlm__tokenizer_retain((mlm_tokenizer *)tokenizer);
    corpus->options = options;
    mlm_status status = find_specials(corpus);
    if (status == MLM_OK)
        status = read_contents(corpus, source);
    if (status == MLM_OK)
        status = find_end(corpus);
    if (status == MLM_OK)
        *out = corpus;
    else
        mlm_corpus_free(corpus);
    return status;
}

mlm_status mlm_corpus_open(mlm_runtime *runtime, const mlm_tokenizer *tokenizer,
    const char *const *paths, size_t path_count, const mlm_corpus_options *options,
    mlm_corpus **out)
{
    if (!out)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_corpus_open: out is NULL");
    *out = NULL;
    if (!tokenizer)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_corpus_open: tokenizer is NULL");
    if (!paths || path_count == 0)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_corpus_open: no paths");
    for (size_t i = 0; i < path_count; i++)
        if (!paths[i])
            return mlm__error(MLM_ERR_ARGUMENT, "mlm_corpus_open: paths[%zu] is NULL", i);
    mlm__source source = {.paths = paths, .path_count = path_count};
    return create(runtime, tokenizer, &source, options, out);
}

mlm_status mlm_corpus_read(mlm_runtime *runtime, const mlm_tokenizer *tokenizer, mlm_read_fn read,
    void *user, const mlm_corpus_options *options, mlm_corpus **out)
{
    if (!out)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_corpus_read: out is NULL");
    *out = NULL;
    if (!tokenizer)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_corpus_read: tokenizer is NULL");
    if (!read)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_corpus_read: read is NULL");
    mlm__source source = {.read = read, .user = user};
    return create(runtime, tokenizer, &source, options, out);
}

mlm_corpus *mlm__corpus_retain(mlm_corpus *corpus)
{
    atomic_fetch_add(&corpus->references, 1);
    return corpus;
}

void mlm_corpus_free(mlm_corpus *corpus)
{
    if (!corpus || atomic_fetch_sub(&corpus->references, 1) > 1)
        return;
    mlm_runtime *runtime = corpus->runtime;
    mlm__contents_clear(&corpus->contents);
    mlm__free(runtime, corpus->offsets);
    mlm__free(runtime, corpus->ids);
    mlm__free(runtime, corpus->types);
    mlm__free(runtime, corpus->sentence_labels);
    mlm_tokenizer_free(corpus->tokenizer);
    mlm__free(runtime, corpus);
    mlm_runtime_free(runtime);
}

mlm_status mlm_corpus_get_info(const mlm_corpus *corpus, mlm_corpus_info *out)
{
    if (!corpus || !out)
        return mlm__error(
            MLM_ERR_ARGUMENT, "mlm_corpus_get_info: %s is NULL", corpus ? "out" : "corpus");
    return mlm__struct_write(
        out, &corpus->contents.info, sizeof corpus->contents.info, "mlm_corpus_info");
}

/* These add a sequence of the epoch to the batch behind the first filled tokens. */
static mlm_status add_run(mlm_corpus *corpus, int64_t sequence, int32_t *filled)
{
    int64_t begin;
    size_t count;
    MLM__TRY(mlm__packing_get(&corpus->contents.packing, sequence, &begin, &count));
    size_t need = (size_t)*filled + count + 2;
    if (need > corpus->id_capacity)
        MLM__TRY(mlm__grow(
            corpus->runtime, &corpus->ids, &corpus->id_capacity, need, sizeof *corpus->ids));
    int32_t *ids = corpus->ids + *filled;
    ids[0] = corpus->cls;
    MLM__TRY(mlm__store_get(&corpus->contents.store, begin, count, ids + 1));
    ids[count + 1] = corpus->sep;
    *filled = (int32_t)need;
    return MLM_OK;
}

static mlm_status add_pair(
    mlm_corpus *corpus, int64_t sequence, int32_t *filled, int32_t *sentence_label)
{
    mlm__pair pair;
    MLM__TRY(mlm__records_read(&corpus->contents.pairs.list, sequence, 1, &pair));
    int32_t a = pair.a_length, b = pair.b_length < 0 ? -pair.b_length : pair.b_length;
    size_t need = (size_t)(*filled + a + b + 3);
    if (need > corpus->id_capacity)
        MLM__TRY(mlm__grow(
            corpus->runtime, &corpus->ids, &corpus->id_capacity, need, sizeof *corpus->ids));
    if (need > corpus->type_capacity)
        MLM__TRY(mlm__grow(
            corpus->runtime, &corpus->types, &corpus->type_capacity, need, sizeof *corpus->types));
    int32_t *ids = corpus->ids + *filled, *types = corpus->types + *filled;
    ids[0] = corpus->cls;
    MLM__TRY(mlm__store_get(&corpus->contents.store, pair.a, (size_t)a, ids + 1));
    ids[a + 1] = corpus->sep;
    MLM__TRY(mlm__store_get(&corpus->contents.store, pair.b, (size_t)b, ids + a + 2));
    ids[a + b + 2] = corpus->sep;
    for (int32_t i = 0; i < a + b + 3; i++)
        types[i] = i >= a + 2;
    *sentence_label = pair.b_length < 0;
    *filled = (int32_t)need;
    return MLM_OK;
}

static mlm_status reserve_batch(mlm_corpus *corpus, int32_t B)
{
    if ((size_t)B + 1 > corpus->offset_capacity)
        MLM__TRY(mlm__grow(corpus->runtime, &corpus->offsets, &corpus->offset_capacity,
            (size_t)B + 1, sizeof *corpus->offsets));
    if (corpus->options.packing == MLM_PACK_PAIRS && (size_t)B > corpus->sentence_label_capacity)
        MLM__TRY(mlm__grow(corpus->runtime, &corpus->sentence_labels,
            &corpus->sentence_label_capacity, (size_t)B, sizeof *corpus->sentence_labels));
    return MLM_OK;
}

/* The batch of this rank from stream position begin on: B sequences, in [0, options.B]. */
static mlm_status make_batch(mlm_corpus *corpus, int64_t begin, int32_t B)
{
    int64_t sequences = corpus->contents.info.sequences, epoch = -1;
    mlm__order order;
    bool pairs = corpus->options.packing == MLM_PACK_PAIRS;
    MLM__TRY(reserve_batch(corpus, B));
    corpus->offsets[0] = 0;
    for (int32_t b = 0; b < B; b++) {
        int64_t position = begin + b;
        if (position / sequences != epoch) {
            epoch = position / sequences;
            order = mlm__order_make(corpus->options.seed, epoch, sequences);
        }
        int64_t sequence = mlm__order_at(&order, position % sequences);
        int32_t filled = corpus->offsets[b];
        MLM__TRY(pairs ? add_pair(corpus, sequence, &filled, &corpus->sentence_labels[b])
                       : add_run(corpus, sequence, &filled));
        corpus->offsets[b + 1] = filled;
    }
    return MLM_OK;
}

static int64_t stride(const mlm_corpus *corpus)
{
    return (int64_t)corpus->options.B * corpus->options.ranks;
}

mlm_status mlm_corpus_next(mlm_corpus *corpus, mlm_batch *out)
{
    if (!corpus || !out)
        return mlm__error(
            MLM_ERR_ARGUMENT, "mlm_corpus_next: %s is NULL", corpus ? "out" : "corpus");
    int64_t begin = corpus->position + (int64_t)corpus->options.rank * corpus->options.B;
    int64_t rest = corpus->end > begin ? corpus->end - begin : 0;
    int32_t B = rest < corpus->options.B ? (int32_t)rest : corpus->options.B;
    bool ended = corpus->position >= corpus->end;
    MLM__TRY(make_batch(corpus, begin, B));
    mlm_batch batch = {.struct_size = sizeof batch,
        .B = B,
        .position = begin,
        .offsets = corpus->offsets,
        .input_ids = corpus->ids,
        .token_type_ids = corpus->types,
        .sentence_labels =
            corpus->options.packing == MLM_PACK_PAIRS ? corpus->sentence_labels : NULL};
    MLM__TRY(mlm__struct_write(out, &batch, sizeof batch, "mlm_batch"));
    if (ended)
        return MLM_END;
    corpus->position += stride(corpus);
    return MLM_OK;
}

mlm_status mlm_corpus_seek(mlm_corpus *corpus, int64_t position)
{
    if (!corpus)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_corpus_seek: corpus is NULL");
    int64_t step = stride(corpus);
    if (position < 0)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_corpus_seek: position is %lld, must be 0 or more",
            (long long)position);
    if (position % step != 0)
        return mlm__error(MLM_ERR_ARGUMENT,
            "mlm_corpus_seek: position %lld is not a multiple of %lld (B ranks)",
            (long long)position, (long long)step);
    if (position - step >= corpus->end)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_corpus_seek: position %lld is past the end, %lld",
            (long long)position, (long long)corpus->end);
    corpus->position = position;
    return MLM_OK;
}

int64_t mlm__corpus_position(const mlm_corpus *corpus)
{
    return corpus->position;
}

json_t *mlm__corpus_provenance(const mlm_corpus *corpus)
{
    const mlm_corpus_options *options = &corpus->options;
    char hash[17];
    snprintf(hash, sizeof hash, "%016" PRIx64, corpus->contents.hash);
    json_t *object = json_pack("{s:i, s:i, s:s, s:s, s:f, s:i, s:o, s:I, s:s}", "B", options->B,
        "T", options->T, "input", input_names[options->input], "packing",
        packing_names[options->packing], "short_seq_prob", options->short_seq_prob, "ranks",
        options->ranks, "seed", mlm__json_seed(options->seed), "sequences",
        (json_int_t)corpus->contents.info.sequences, "tokens_xxh64", hash);
    if (!object)
        mlm__error(MLM_ERR_MEMORY, "no memory for what is known of the corpus");
    return object;
}
