/* tokenizer.json as `tokenizers` writes it for BERT. Whatever in it means other ids than ours is
   refused by name. */
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "files/json.h"
#include "tokens/tokenizer_files.h"

typedef struct reader {
    mlm_runtime *runtime;
    const char *path;
    const json_t *root;
    mlm__tokenizer_parts parts;
    const mlm__added_token *named; /* [MLM__SPECIAL_COUNT] of files that go before */
    const char **tokens;           /* [parts.count] */
} reader;

mlm_status mlm__tokenizer_read_flag(
    const json_t *object, const char *member, const char *path, int32_t *option)
{
    bool value = false;
    const json_t *given = json_object_get(object, member);
    if (!given || json_is_null(given))
        return MLM_OK;
    MLM__TRY(mlm__json_bool(object, member, path, &value));
    if (*option == -1)
        *option = value;
    return MLM_OK;
}

/* A part of the file, which must be of one type; NULL in *out where it is absent. */
static mlm_status get_part(const reader *r, const char *name, const char *type, const json_t **out)
{
    const json_t *part = json_object_get(r->root, name);
    *out = NULL;
    if (!part || json_is_null(part))
        return MLM_OK;
    const char *given = json_string_value(json_object_get(part, "type"));
    if (!given && strcmp(name, "model") == 0)
        given = type; /* files of the first versions have no type there */
    if (!given || strcmp(given, type) != 0)
        return mlm__error(MLM_ERR_UNSUPPORTED, "%s: %s is of type '%s', not '%s'", r->path, name,
            given ? given : "?", type);
    *out = part;
    return MLM_OK;
}

static mlm_status read_normalizer(reader *r)
{
    const json_t *part;
    mlm_tokenizer_options *options = &r->parts.options;
    MLM__TRY(get_part(r, "normalizer", "BertNormalizer", &part));
    if (!part)
        return mlm__error(
            MLM_ERR_UNSUPPORTED, "%s: normalizer is missing, not 'BertNormalizer'", r->path);
    if (r->parts.as_is) {
        MLM__TRY(mlm__tokenizer_read_flag(part, "clean_text", r->path, &options->clean_text));
        MLM__TRY(mlm__tokenizer_read_flag(
            part, "handle_chinese_chars", r->path, &options->handle_chinese_chars));
        MLM__TRY(mlm__tokenizer_read_flag(part, "lowercase", r->path, &options->lowercase));
        MLM__TRY(mlm__tokenizer_read_flag(part, "strip_accents", r->path, &options->strip_accents));
    }
    MLM__TRY(get_part(r, "pre_tokenizer", "BertPreTokenizer", &part));
    if (!part)
        return mlm__error(
            MLM_ERR_UNSUPPORTED, "%s: pre_tokenizer is missing, not 'BertPreTokenizer'", r->path);
    return MLM_OK;
}

static mlm_status bad_template(const reader *r)
{
    return mlm__error(MLM_ERR_UNSUPPORTED,
        "%s: post_processor does not put [CLS] first and [SEP] behind each text", r->path);
}

static mlm_status set_names(reader *r, const char *cls, const char *sep)
{
    r->parts.special[MLM_TOKEN_CLS] = (mlm__added_token){.content = cls};
    r->parts.special[MLM_TOKEN_SEP] = (mlm__added_token){.content = sep};
    return MLM_OK;
}

static const char *special_at(const json_t *template, size_t index)
{
    const json_t *item = json_object_get(json_array_get(template, index), "SpecialToken");
    return json_string_value(json_object_get(item, "id"));
}

static bool is_sequence(const json_t *template, size_t index, const char *id, json_int_t type)
{
    const json_t *item = json_object_get(json_array_get(template, index), "Sequence");
    const char *given = json_string_value(json_object_get(item, "id"));
    return given && strcmp(given, id) == 0 &&
           json_integer_value(json_object_get(item, "type_id")) == type;
}

/* "[CLS]:0 $A:0 [SEP]:0" and "[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1". */
static mlm_status read_template(reader *r, const json_t *part)
{
    const json_t *single = json_object_get(part, "single"), *pair = json_object_get(part, "pair");
    const char *cls = special_at(single, 0), *sep = special_at(single, 2);
    const char *names[] = {special_at(pair, 0), special_at(pair, 2), special_at(pair, 4)};
    if (json_array_size(single) != 3 || json_array_size(pair) != 5 || !cls || !sep || !names[0] ||
        !names[1] || !names[2] || strcmp(names[0], cls) != 0 || strcmp(names[1], sep) != 0 ||
        strcmp(names[2], sep) != 0 || !is_sequence(single, 1, "A", 0) ||
        !is_sequence(pair, 1, "A", 0) || !is_sequence(pair, 3, "B", 1))
        return bad_template(r);
    return set_names(r, cls, sep);
}

static mlm_status read_post_processor(reader *r)
{
    const json_t *part = json_object_get(r->root, "post_processor");
    const char *type = json_string_value(json_object_get(part, "type"));
    if (!part || json_is_null(part))
        return MLM_OK;
    if (type && strcmp(type, "TemplateProcessing") == 0)
        return read_template(r, part);
    if (!type || strcmp(type, "BertProcessing") != 0)
        return bad_template(r);
    const char *cls = json_string_value(json_array_get(json_object_get(part, "cls"), 0));
    const char *sep = json_string_value(json_array_get(json_object_get(part, "sep"), 0));
    return cls && sep ? set_names(r, cls, sep) : bad_template(r);
}

mlm_status mlm__added_token_read(const json_t *given, const char *path, mlm__added_token *out)
{
    *out = (mlm__added_token){.id = MLM__NEXT_ID};
    if (!json_is_object(given))
        return mlm__error(MLM_ERR_FORMAT, "%s: an added token is no object", path);
    MLM__TRY(mlm__json_string(given, "content", path, &out->content));
    if (!out->content)
        return mlm__error(MLM_ERR_FORMAT, "%s: an added token has no content", path);
    MLM__TRY(mlm__json_bool(given, "single_word", path, &out->single_word));
    MLM__TRY(mlm__json_bool(given, "lstrip", path, &out->lstrip));
    MLM__TRY(mlm__json_bool(given, "rstrip", path, &out->rstrip));
    MLM__TRY(mlm__json_bool(given, "special", path, &out->special));
    out->normalized = !out->special;
    return mlm__json_bool(given, "normalized", path, &out->normalized);
}

/* Beside a tokenizer.json that is taken as it is, the names in tokenizer_config.json are special. */
static mlm_status add_named(const reader *r, mlm__added_list *list)
{
    for (size_t i = 0; r->parts.as_is && i < MLM__SPECIAL_COUNT; i++) {
        mlm__added_token token = r->named[i];
        token.special = token.named = true;
        token.id = MLM__NEXT_ID;
        if (token.content)
            MLM__TRY(mlm__added_list_add(r->runtime, list, &token));
    }
    return MLM_OK;
}

/* The added tokens that parts has already and that have an id, or have none. */
static mlm_status add_given(const reader *r, mlm__added_list *list, bool with_id)
{
    for (size_t a = 0; a < r->parts.added.count; a++) {
        const mlm__added_token *token = &r->parts.added.tokens[a];
        if ((token->id != MLM__NEXT_ID) == with_id)
            MLM__TRY(mlm__added_list_add(r->runtime, list, token));
    }
    return MLM_OK;
}

/* The file's added tokens, and then those that parts has already. */
static mlm_status read_added_tokens(reader *r, mlm__added_list *list)
{
    const json_t *added = json_object_get(r->root, "added_tokens"), *given;
    size_t index;
    if (added && !json_is_null(added) && !json_is_array(added))
        return mlm__error(MLM_ERR_FORMAT, "%s: added_tokens is no array", r->path);
    if (!r->parts.as_is && r->parts.has_added)
        added = NULL;
    json_array_foreach (added, index, given) {
        mlm__added_token token;
        int64_t id = -1;
        MLM__TRY(mlm__added_token_read(given, r->path, &token));
        MLM__TRY(mlm__json_int(given, "id", 0, MLM__LAST_ADDED_ID, r->path, &id));
        if (id < 0)
            return mlm__error(
                MLM_ERR_FORMAT, "%s: added token '%s' has no id", r->path, token.content);
        token.id = (int32_t)id;
        mlm_status status = mlm__added_list_add(r->runtime, list, &token);
        if (status != MLM_OK)
            return status == MLM_ERR_FORMAT ? mlm__error_in(status, r->path) : status;
    }
    /* transformers adds those with an id before the names, and then the others. */
    MLM__TRY(add_given(r, list, true));
    MLM__TRY(add_named(r, list));
    return add_given(r, list, false);
}

static mlm_status place(const reader *r, const char *token, int64_t id, size_t V)
{
    if (id < 0 || (uint64_t)id >= V)
        return mlm__error(MLM_ERR_FORMAT, "%s: '%s' has id %lld, there are %zu tokens", r->path,
            token, (long long)id, V);
    if (r->tokens[id] && strcmp(r->tokens[id], token) != 0)
        return mlm__error(MLM_ERR_FORMAT, "%s: '%s' and '%s' both have id %lld", r->path,
            r->tokens[id], token, (long long)id);
    r->tokens[id] = token;
    return MLM_OK;
}

/* Puts WordPiece's own tokens at their ids. */
static mlm_status read_tokens(reader *r, json_t *vocab)
{
    size_t count = json_object_size(vocab);
    const char *token;
    json_t *id;
    r->tokens = mlm__alloc_zero(r->runtime, count, sizeof *r->tokens);
    if (!r->tokens)
        return MLM_ERR_MEMORY;
    json_object_foreach (vocab, token, id) {
        if (!json_is_integer(id))
            return mlm__error(
                MLM_ERR_FORMAT, "%s: model.vocab: the id of '%s' is no integer", r->path, token);
        MLM__TRY(place(r, token, json_integer_value(id), count));
    }
    r->parts.tokens = r->tokens;
    r->parts.count = count;
    return MLM_OK;
}

static mlm_status read_model(reader *r)
{
    const json_t *part;
    const char *prefix = "##", *unknown = NULL;
    int64_t limit = -1;
    MLM__TRY(get_part(r, "model", "WordPiece", &part));
    json_t *vocab = json_object_get(part, "vocab");
    if (!json_is_object(vocab))
        return mlm__error(MLM_ERR_FORMAT, "%s: model.vocab is no object", r->path);
    MLM__TRY(mlm__json_string(part, "continuing_subword_prefix", r->path, &prefix));
    if (strcmp(prefix, "##") != 0)
        return mlm__error(MLM_ERR_UNSUPPORTED,
            "%s: model.continuing_subword_prefix is '%s', not '##'", r->path, prefix);
    MLM__TRY(mlm__json_string(part, "unk_token", r->path, &unknown));
    MLM__TRY(mlm__json_int(part, "max_input_chars_per_word", 1, INT32_MAX, r->path, &limit));
    if (r->parts.as_is) {
        r->parts.special[MLM_TOKEN_UNK] = (mlm__added_token){.content = unknown};
        if (r->parts.options.max_input_chars_per_word == -1)
            r->parts.options.max_input_chars_per_word = (int32_t)limit;
    }
    return read_tokens(r, vocab);
}

static mlm_status build(reader *r, mlm__added_list *added, mlm_tokenizer **out)
{
    size_t which;
    MLM__TRY(read_added_tokens(r, added));
    r->parts.added = *added;
    r->parts.only_listed = r->parts.as_is;
    mlm_status status = mlm__tokenizer_build(r->runtime, &r->parts, out, &which);
    return status == MLM_ERR_FORMAT ? mlm__error_in(status, r->path) : status;
}

static mlm_status read_all(reader *r, mlm_tokenizer **out)
{
    if (!json_is_object(r->root))
        return mlm__error(MLM_ERR_FORMAT, "%s: not an object", r->path);
    MLM__TRY(read_model(r));
    MLM__TRY(read_normalizer(r));
    if (r->parts.as_is)
        MLM__TRY(read_post_processor(r));
    mlm__added_list added = {0};
    mlm_status status = build(r, &added, out);
    mlm__added_list_free(r->runtime, &added);
    return status;
}

mlm_status mlm__tokenizer_json_load(
    mlm_runtime *runtime, const char *path, const mlm__tokenizer_parts *parts, mlm_tokenizer **out)
{
    json_t *root;
    MLM__TRY(mlm__json_load(runtime, path, MLM__TOKENIZER_FILE_SIZE, &root));
    reader r = {
        .runtime = runtime, .path = path, .root = root, .parts = *parts, .named = parts->special};
    mlm_status status = read_all(&r, out);
    mlm__free(runtime, r.tokens);
    json_decref(root);
    return status;
}
