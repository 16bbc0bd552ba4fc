/* mlm_tokenizer_train: from text to a tokenizer with a vocabulary of its own. */
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/options.h"
#include "base/runtime.h"
#include "tokens/count_text.h"
#include "tokens/handle.h"
#include "tokens/learn.h"

static const mlm_vocab_options option_defaults = {
    .struct_size = sizeof option_defaults,
    .vocab_size = 30522,
    .min_frequency = 2,
    .limit_alphabet = 1000,
};

void mlm_vocab_options_init(mlm_vocab_options *options, size_t size)
{
    mlm__struct_init(options, size, &option_defaults, sizeof option_defaults);
}

static mlm_status check_special_tokens(const mlm_vocab_options *options, const char *function)
{
    if (!options->special_tokens)
        return mlm__error(MLM_ERR_ARGUMENT, "%s: special_tokens is NULL, special_count %d",
            function, options->special_count);
    bool found[MLM__SPECIAL_COUNT] = {false};
    for (int32_t i = 0; i < options->special_count; i++) {
        const char *token = options->special_tokens[i];
        if (!token || !token[0])
            return mlm__error(
                MLM_ERR_ARGUMENT, "%s: special_tokens[%d] is NULL or empty", function, i);
        for (size_t k = 0; k < MLM__SPECIAL_COUNT; k++)
            found[k] = found[k] || strcmp(token, mlm__special_names[k]) == 0;
    }
    for (size_t k = 0; k < MLM__SPECIAL_COUNT; k++) {
        if (!found[k])
            return mlm__error(
                MLM_ERR_ARGUMENT, "%s: special_tokens has no %s", function, mlm__special_names[k]);
    }
    return MLM_OK;
}

static mlm_status read_options(
    const mlm_vocab_options *given, const char *function, mlm_vocab_options *out)
{
    MLM__TRY(mlm__struct_read(
        given, &option_defaults, sizeof option_defaults, "mlm_vocab_options", out));
    if (out->vocab_size < 1)
        return mlm__error(MLM_ERR_ARGUMENT, "%s: vocab_size is %d", function, out->vocab_size);
    if (out->min_frequency < 0)
        return mlm__error(
            MLM_ERR_ARGUMENT, "%s: min_frequency is %d", function, out->min_frequency);
    if (out->limit_alphabet < 1)
        return mlm__error(
            MLM_ERR_ARGUMENT, "%s: limit_alphabet is %d", function, out->limit_alphabet);
    if (out->max_words < 0)
        return mlm__error(MLM_ERR_ARGUMENT, "%s: max_words is %d", function, out->max_words);
    if (out->special_count < 0)
        return mlm__error(
            MLM_ERR_ARGUMENT, "%s: special_count is %d", function, out->special_count);
    if (out->special_count > 0)
        return check_special_tokens(out, function);
    out->special_count = MLM__SPECIAL_COUNT;
    out->special_tokens = mlm__special_names;
    return MLM_OK;
}

/* Special tokens beyond BERT's own are added tokens too. */
static mlm_status fill_parts(mlm_runtime *runtime, const mlm__token_table *table,
    const mlm_vocab_options *vocab, const char **tokens, mlm__tokenizer_parts *parts)
{
    for (size_t v = 0; v < table->count; v++)
        tokens[v] = mlm__token_table_text(table, (int32_t)v);
    for (int32_t i = 0; i < vocab->special_count; i++) {
        mlm__added_token token = {.content = tokens[i], .id = i, .special = true};
        MLM__TRY(mlm__added_list_add(runtime, &parts->added, &token));
    }
    parts->tokens = tokens;
    parts->count = table->count;
    return MLM_OK;
}

/* The tokenizer of what was learned. */
static mlm_status build(mlm_runtime *runtime, const mlm__token_table *table,
    const mlm_vocab_options *vocab, const mlm_tokenizer_options *options, mlm_tokenizer **out)
{
    mlm__tokenizer_parts parts = {.options = *options};
    size_t which;
    const char **tokens = mlm__alloc(runtime, table->count, sizeof *tokens);
    mlm_status status = tokens ? fill_parts(runtime, table, vocab, tokens, &parts) : MLM_ERR_MEMORY;
    if (status == MLM_OK)
        status = mlm__tokenizer_build(runtime, &parts, out, &which);
    mlm__added_list_free(runtime, &parts.added);
    mlm__free(runtime, tokens);
    return status;
}

static mlm_status learn(mlm_runtime *runtime, mlm__lines *lines, const mlm_vocab_options *vocab,
    const mlm_tokenizer_options *options, mlm_tokenizer **out)
{
    mlm_tokenizer_options resolved = *options;
    mlm__normalizer normalizer;
    mlm__tokenizer_options_resolve(&resolved);
    mlm__normalizer_init(&normalizer, resolved.profile, resolved.clean_text,
        resolved.handle_chinese_chars, resolved.strip_accents, resolved.lowercase);
    mlm__word_counts counts;
    mlm__token_table table = {0};
    MLM__TRY(mlm__count_text(runtime, &normalizer, lines, (size_t)vocab->max_words, &counts));
    mlm_status status =
        counts.count > 0 ? mlm__learn(runtime, &counts, vocab, &table) : mlm__lines_no_text(lines);
    mlm__word_counts_free(runtime, &counts);
    if (status == MLM_OK && table.count > (size_t)vocab->vocab_size)
        mlm__log(runtime, MLM_LOG_WARNING,
            "vocab_size is %d, but special tokens and alphabet alone are %zu tokens",
            vocab->vocab_size, table.count);
    if (status == MLM_OK)
        status = build(runtime, &table, vocab, &resolved, out);
    mlm__token_table_free(runtime, &table);
    return status;
}

/* Either paths or read. */
typedef struct text_source {
    const char *const *paths;
    size_t path_count;
    mlm_read_fn read;
    void *user;
} text_source;

static mlm_status train(mlm_runtime *runtime, const text_source *source, const char *function,
    const mlm_vocab_options *given_vocab, const mlm_tokenizer_options *given, mlm_tokenizer **out)
{
    mlm_vocab_options vocab;
    mlm_tokenizer_options options;
    mlm_runtime *retained;
    mlm__lines lines;
    MLM__TRY(read_options(given_vocab, function, &vocab));
    MLM__TRY(mlm__tokenizer_options_read(given, function, &options));
    MLM__TRY(mlm__runtime_retain(runtime, &retained));
    mlm_status status = source->read
                            ? mlm__lines_read(retained, source->read, source->user, &lines)
                            : mlm__lines_open(retained, source->paths, source->path_count, &lines);
    if (status == MLM_OK) {
        status = learn(retained, &lines, &vocab, &options, out);
        mlm__lines_close(&lines);
    }
    mlm_runtime_free(retained);
    return status;
}

mlm_status mlm_tokenizer_train(mlm_runtime *runtime, mlm_read_fn read, void *user,
    const mlm_vocab_options *vocab, const mlm_tokenizer_options *options, mlm_tokenizer **out)
{
    if (!out)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_tokenizer_train: out is NULL");
    *out = NULL;
    if (!read)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_tokenizer_train: read is NULL");
    text_source source = {.read = read, .user = user};
    return train(runtime, &source, "mlm_tokenizer_train", vocab, options, out);
}

mlm_status mlm_tokenizer_train_files(mlm_runtime *runtime, const char *const *paths,
    size_t path_count, const mlm_vocab_options *vocab, const mlm_tokenizer_options *options,
    mlm_tokenizer **out)
{
    if (!out)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_tokenizer_train_files: out is NULL");
    *out = NULL;
    if (!paths || path_count == 0)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_tokenizer_train_files: no paths");
    for (size_t i = 0; i < path_count; i++) {
        if (!paths[i])
            return mlm__error(MLM_ERR_ARGUMENT, "mlm_tokenizer_train_files: paths[%zu] is NULL", i);
    }
    text_source source = {.paths = paths, .path_count = path_count};
    return train(runtime, &source, "mlm_tokenizer_train_files", vocab, options, out);
}
