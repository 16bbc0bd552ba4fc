#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/runtime.h"
#include "files/file.h"
#include "files/json.h"
#include "tokens/tokenizer_files.h"

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), size = strlen(end);
    return length >= size && strcmp(text + length - size, end) == 0;
}

/* What tokenizer_config.json and special_tokens_map.json say: the names of the special tokens, as
   strings or objects with a content, and options. What comes first stays. */
static mlm_status read_config(const json_t *root, const char *path, mlm__tokenizer_parts *parts)
{
    static const char *const members[MLM__SPECIAL_COUNT] = {
        "pad_token", "unk_token", "cls_token", "sep_token", "mask_token"};
    mlm_tokenizer_options *options = &parts->options;
    const char *profile = NULL;
    if (!json_is_object(root))
        return mlm__error(MLM_ERR_FORMAT, "%s: not an object", path);
    for (size_t i = 0; i < MLM__SPECIAL_COUNT; i++) {
        const json_t *given = json_object_get(root, members[i]);
        const char *name =
            json_string_value(json_is_object(given) ? json_object_get(given, "content") : given);
        if (!parts->special[i])
            parts->special[i] = name;
    }
    MLM__TRY(mlm__json_string(root, "mlm_profile", path, &profile));
    if (profile && strcmp(profile, "google") != 0 && strcmp(profile, "hf") != 0)
        return mlm__error(MLM_ERR_UNSUPPORTED, "%s: mlm_profile is '%s'", path, profile);
    if (profile && options->profile == -1)
        options->profile = strcmp(profile, "hf") == 0 ? MLM_PROFILE_HF : MLM_PROFILE_GOOGLE;
    MLM__TRY(mlm__tokenizer_read_flag(root, "do_lower_case", path, &options->lowercase));
    MLM__TRY(mlm__tokenizer_read_flag(root, "strip_accents", path, &options->strip_accents));
    return mlm__tokenizer_read_flag(
        root, "tokenize_chinese_chars", path, &options->handle_chinese_chars);
}

/* What a directory holds. */
typedef struct content {
    char *config_path, *map_path, *json_path, *vocabulary_path;
    json_t *config, *map;
} content;

static mlm_status load_content(mlm_runtime *runtime, const char *path, content *c,
    mlm__tokenizer_parts *parts, mlm_tokenizer **out)
{
    c->config_path = mlm__path_join(runtime, path, "tokenizer_config.json");
    c->map_path = mlm__path_join(runtime, path, "special_tokens_map.json");
    c->json_path = mlm__path_join(runtime, path, "tokenizer.json");
    c->vocabulary_path = mlm__path_join(runtime, path, "vocab.txt");
    if (!c->config_path || !c->map_path || !c->json_path || !c->vocabulary_path)
        return MLM_ERR_MEMORY;
    if (mlm__path_exists(c->config_path)) {
        MLM__TRY(mlm__json_load(runtime, c->config_path, MLM__TOKENIZER_FILE_SIZE, &c->config));
        MLM__TRY(read_config(c->config, c->config_path, parts));
    }
    if (mlm__path_exists(c->map_path)) {
        MLM__TRY(mlm__json_load(runtime, c->map_path, MLM__TOKENIZER_FILE_SIZE, &c->map));
        MLM__TRY(read_config(c->map, c->map_path, parts));
    }
    if (mlm__path_exists(c->json_path))
        return mlm__tokenizer_json_load(runtime, c->json_path, parts, out);
    if (mlm__path_exists(c->vocabulary_path))
        return mlm__vocabulary_file_load(runtime, c->vocabulary_path, parts, out);
    return mlm__error(MLM_ERR_NOT_FOUND, "%s: neither tokenizer.json nor vocab.txt is in it", path);
}

static mlm_status load_directory(
    mlm_runtime *runtime, const char *path, mlm__tokenizer_parts *parts, mlm_tokenizer **out)
{
    content c = {0};
    mlm_status status = load_content(runtime, path, &c, parts, out);
    json_decref(c.map);
    json_decref(c.config);
    mlm__free(runtime, c.vocabulary_path);
    mlm__free(runtime, c.json_path);
    mlm__free(runtime, c.map_path);
    mlm__free(runtime, c.config_path);
    return status;
}

static mlm_status load(
    mlm_runtime *runtime, const char *path, mlm__tokenizer_parts *parts, mlm_tokenizer **out)
{
    char *resolved = mlm__directory_resolve(runtime, path);
    if (!resolved)
        return MLM_ERR_MEMORY;
    mlm_status status;
    if (mlm__path_is_directory(resolved))
        status = load_directory(runtime, resolved, parts, out);
    else if (ends_with(path, ".json"))
        status = mlm__tokenizer_json_load(runtime, path, parts, out);
    else
        status = mlm__vocabulary_file_load(runtime, path, parts, out);
    mlm__free(runtime, resolved);
    return status;
}

mlm_status mlm_tokenizer_load(mlm_runtime *runtime, const char *path,
    const mlm_tokenizer_options *options, mlm_tokenizer **out)
{
    if (!out)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_tokenizer_load: out is NULL");
    *out = NULL;
    if (!path)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_tokenizer_load: path is NULL");
    mlm__tokenizer_parts parts = {0};
    MLM__TRY(mlm__tokenizer_options_read(options, "mlm_tokenizer_load", &parts.options));
    mlm_runtime *retained;
    MLM__TRY(mlm__runtime_retain(runtime, &retained));
    mlm_status status = load(retained, path, &parts, out);
    mlm_runtime_free(retained);
    return status;
}
