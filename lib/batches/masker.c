#include "batches/masker.h"

#include <stdatomic.h>
#include <string.h>

#include "base/error.h"
#include "base/fpmode.h"
#include "base/memory.h"
#include "base/options.h"
#include "base/random.h"
#include "base/runtime.h"
#include "batches/batch.h"
#include "batches/selection.h"
#include "files/json.h"
#include "tokens/tokenizer.h"

struct mlm_masker {
    atomic_int references;
    mlm_runtime *runtime;
    mlm_tokenizer *tokenizer;
    mlm_masker_options options;
    mlm__random_key key;
    const uint8_t *flags;
    int32_t V, mask;
    int32_t *random_ids; /* [random_count] what a random token is drawn from; NULL: [0,V) */
    int32_t random_count;
    /* of the batch last given: one block for its arrays */
    int32_t *arrays;
    size_t capacity;
    mlm__group *groups; /* scratch: of a sequence */
    size_t group_capacity;
};

static const mlm_masker_options option_defaults = {.struct_size = sizeof(mlm_masker_options),
    .strategy = MLM_MASK_TOKENS,
    .selection = MLM_SELECT_COUNT,
    .random_tokens = MLM_RANDOM_ANY,
    .mlm_probability = 0.15,
    .mask_replace_prob = 0.8,
    .random_replace_prob = 0.1,
    .max_span = 10,
    .span_p = 0.2};

static const char *const strategy_names[] = {"tokens", "whole_words", "spans"};
static const char *const selection_names[] = {"count", "each"};
static const char *const random_names[] = {"any", "ordinary"};

void mlm_masker_options_init(mlm_masker_options *options, size_t size)
{
    mlm__struct_init(options, size, &option_defaults, sizeof option_defaults);
}

static mlm_status check_range(const char *member, int32_t value, int32_t high)
{
    if (value >= 0 && value <= high)
        return MLM_OK;
    return mlm__error(
        MLM_ERR_ARGUMENT, "mlm_masker_options: %s is %d, not in [0,%d]", member, value, high);
}

static mlm_status check_probability(const char *member, double value)
{
    if (value >= 0 && value <= 1)
        return MLM_OK;
    return mlm__error(
        MLM_ERR_ARGUMENT, "mlm_masker_options: %s is %g, not in [0,1]", member, value);
}

static mlm_status check_options(const mlm_masker_options *options)
{
    MLM__TRY(check_range("strategy", options->strategy, MLM_MASK_SPANS));
    MLM__TRY(check_range("selection", options->selection, MLM_SELECT_EACH));
    MLM__TRY(check_range("random_tokens", options->random_tokens, MLM_RANDOM_ORDINARY));
    MLM__TRY(check_range("max_predictions", options->max_predictions, INT32_MAX));
    MLM__TRY(check_probability("mlm_probability", options->mlm_probability));
    MLM__TRY(check_probability("mask_replace_prob", options->mask_replace_prob));
    MLM__TRY(check_probability("random_replace_prob", options->random_replace_prob));
    MLM__TRY(check_probability("mask_replace_prob + random_replace_prob",
        options->mask_replace_prob + options->random_replace_prob));
    if (options->strategy == MLM_MASK_SPANS)
        return mlm__error(
            MLM_ERR_UNSUPPORTED, "mlm_masker_options: MLM_MASK_SPANS is not in this version");
    return MLM_OK;
}

/* MLM_RANDOM_ORDINARY: all but the special tokens, of which [UNK] is one. */
static mlm_status list_ordinary(mlm_masker *masker)
{
    int32_t unknown = mlm_tokenizer_special(masker->tokenizer, MLM_TOKEN_UNK);
    masker->random_ids = mlm__alloc(masker->runtime, (size_t)masker->V, sizeof *masker->random_ids);
    if (!masker->random_ids)
        return MLM_ERR_MEMORY;
    masker->random_count = 0;
    for (int32_t v = 0; v < masker->V; v++)
        if (!(masker->flags[v] & MLM__TOKEN_SPECIAL) && v != unknown)
            masker->random_ids[masker->random_count++] = v;
    if (masker->random_count == 0)
        return mlm__error(
            MLM_ERR_ARGUMENT, "mlm_masker_create: the vocabulary has special tokens only");
    return MLM_OK;
}

static mlm_status prepare(mlm_masker *masker)
{
    const mlm_masker_options *options = &masker->options;
    masker->V = masker->random_count = mlm_tokenizer_vocab_size(masker->tokenizer);
    masker->flags = mlm__tokenizer_flags(masker->tokenizer);
    masker->key = mlm__random_key_make(options->seed, MLM__RANDOM_MASK, 0);
    masker->mask = mlm_tokenizer_special(masker->tokenizer, MLM_TOKEN_MASK);
    if (masker->mask < 0)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_masker_create: the vocabulary has no [MASK]");
    return options->random_tokens == MLM_RANDOM_ORDINARY ? list_ordinary(masker) : MLM_OK;
}

static mlm_status create(mlm_runtime *runtime, const mlm_tokenizer *tokenizer,
    const mlm_masker_options *given, mlm_masker **out)
{
    mlm_masker_options options;
    MLM__TRY(mlm__struct_read(
        given, &option_defaults, sizeof option_defaults, "mlm_masker_options", &options));
    MLM__TRY(check_options(&options));
    MLM__TRY(mlm__runtime_retain(runtime, &runtime));
    mlm_masker *masker = mlm__alloc_zero(runtime, 1, sizeof *masker);
    if (!masker) {
        mlm_runtime_free(runtime);
        return MLM_ERR_MEMORY;
    }
    atomic_init(&masker->references, 1);
    masker->runtime = runtime;
    masker->tokenizer = mlm__tokenizer_retain((mlm_tokenizer *)tokenizer);
    masker->options = options;
    mlm_status status = prepare(masker);
    if (status == MLM_OK)
        *out = masker;
    else
        mlm_masker_free(masker);
    return status;
}

mlm_status mlm_masker_create(mlm_runtime *runtime, const mlm_tokenizer *tokenizer,
    const mlm_masker_options *options, mlm_masker **out)
{
    if (!out)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_masker_create: out is NULL");
    *out = NULL;
    if (!tokenizer)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_masker_create: tokenizer is NULL");
    fenv_t saved; /* 0.9 + 0.1 is 1 only if rounded to nearest */
    mlm__fp_enter(&saved);
    mlm_status status = create(runtime, tokenizer, options, out);
    mlm__fp_leave(&saved);
    return status;
}

mlm_masker *mlm__masker_retain(mlm_masker *masker)
{
    atomic_fetch_add(&masker->references, 1);
    return masker;
}

void mlm_masker_free(mlm_masker *masker)
{
    if (!masker || atomic_fetch_sub(&masker->references, 1) > 1)
        return;
    mlm_runtime *runtime = masker->runtime;
    mlm__free(runtime, masker->random_ids);
    mlm__free(runtime, masker->arrays);
    mlm__free(runtime, masker->groups);
    mlm_tokenizer_free(masker->tokenizer);
    mlm__free(runtime, masker);
    mlm_runtime_free(runtime);
}

/* Copies count numbers to *place and moves it on; NULL stays NULL. */
static const int32_t *copy(int32_t **place, const int32_t *from, size_t count)
{
    int32_t *to = *place;
    if (!from)
        return NULL;
    memcpy(to, from, count * sizeof *to);
    *place += count;
    return to;
}

static size_t longest_sequence(const mlm_batch *batch)
{
    int32_t longest = 0;
    for (int32_t b = 0; b < batch->B; b++)
        if (batch->offsets[b + 1] - batch->offsets[b] > longest)
            longest = batch->offsets[b + 1] - batch->offsets[b];
    return (size_t)longest;
}

/* Copies batch into the masker's arrays: *masked points into them, ids and labels [N] are its
   tokens and their labels, none of them set. */
static mlm_status copy_batch(
    mlm_masker *masker, const mlm_batch *batch, mlm_batch *masked, int32_t **ids, int32_t **labels)
{
    size_t B = (size_t)batch->B, N = (size_t)batch->offsets[B];
    MLM__TRY(mlm__grow(masker->runtime, &masker->groups, &masker->group_capacity,
        longest_sequence(batch), sizeof *masker->groups));
    MLM__TRY(mlm__grow(masker->runtime, &masker->arrays, &masker->capacity, 2 * B + 1 + 3 * N,
        sizeof *masker->arrays));
    int32_t *place = masker->arrays;
    *masked = *batch;
    *ids = place;
    masked->input_ids = copy(&place, batch->input_ids, N);
    masked->labels = *labels = place;
    for (size_t n = 0; n < N; n++)
        *place++ = MLM_NO_LABEL;
    masked->offsets = copy(&place, batch->offsets, B + 1);
    masked->token_type_ids = copy(&place, batch->token_type_ids, N);
    masked->sentence_labels = copy(&place, batch->sentence_labels, B);
    return MLM_OK;
}

/* What becomes of the i-th token of a sequence, which was chosen. */
static int32_t replace(const mlm_masker *masker, int64_t position, int32_t i, int32_t id)
{
    const mlm_masker_options *options = &masker->options;
    mlm__random_stream stream =
        mlm__random_stream_make(masker->key, position, mlm__site_replace(i));
    double draw = mlm__random_double(&stream);
    if (draw < options->mask_replace_prob)
        return masker->mask;
    if (draw >= options->mask_replace_prob + options->random_replace_prob)
        return id;
    int32_t random = (int32_t)mlm__random_below(&stream, (uint32_t)masker->random_count);
    return masker->random_ids ? masker->random_ids[random] : random;
}

static void mask_sequence(
    mlm_masker *masker, int64_t position, int32_t *ids, int32_t *labels, int32_t count)
{
    int32_t chosen = mlm__select(
        &masker->options, masker->key, position, ids, count, masker->flags, masker->groups);
    for (int32_t g = 0; g < chosen; g++) {
        const mlm__group *group = &masker->groups[g];
        for (int32_t i = group->first; i < group->first + group->length; i++) {
            labels[i] = ids[i];
            ids[i] = replace(masker, position, i, ids[i]);
        }
    }
}

static mlm_status apply(mlm_masker *masker, const mlm_batch *given, mlm_batch *out)
{
    mlm_batch batch, masked;
    int32_t *ids, *labels;
    MLM__TRY(
        mlm__batch_read(given, &(mlm__batch_limits){.V = masker->V, .drop_labels = true}, &batch));
    MLM__TRY(copy_batch(masker, &batch, &masked, &ids, &labels));
    for (int32_t b = 0; b < batch.B; b++) {
        int32_t first = masked.offsets[b];
        mask_sequence(
            masker, batch.position + b, ids + first, labels + first, masked.offsets[b + 1] - first);
    }
    return mlm__struct_write(out, &masked, sizeof masked, "mlm_batch");
}

mlm_status mlm_masker_apply(mlm_masker *masker, const mlm_batch *batch, mlm_batch *out)
{
    if (!masker || !out)
        return mlm__error(
            MLM_ERR_ARGUMENT, "mlm_masker_apply: %s is NULL", masker ? "out" : "masker");
    fenv_t saved;
    mlm__fp_enter(&saved);
    mlm_status status = apply(masker, batch, out);
    mlm__fp_leave(&saved);
    return status;
}

json_t *mlm__masker_provenance(const mlm_masker *masker)
{
    const mlm_masker_options *options = &masker->options;
    json_t *object = json_pack("{s:s, s:s, s:s, s:f, s:f, s:f, s:i, s:o}", "strategy",
        strategy_names[options->strategy], "selection", selection_names[options->selection],
        "random_tokens", random_names[options->random_tokens], "mlm_probability",
        options->mlm_probability, "mask_replace_prob", options->mask_replace_prob,
        "random_replace_prob", options->random_replace_prob, "max_predictions",
        options->max_predictions, "seed", mlm__json_seed(options->seed));
    if (!object)
        mlm__error(MLM_ERR_MEMORY, "no memory for what is known of the masker");
    return object;
}
