/* The files of a directory put together as transformers does. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "files/file.h"
#include "files/json.h"
#include "tokens/tokenizer_files.h"

enum { CONFIG, MAP, ADDED, MODEL_CONFIG, JSON, VOCABULARY, FILE_COUNT };

static const char *const file_names[FILE_COUNT] = {"tokenizer_config.json",
    "special_tokens_map.json", "added_tokens.json", "config.json", "tokenizer.json", "vocab.txt"};

/* What a directory holds. */
typedef struct content {
    mlm_runtime *runtime;
    char *paths[FILE_COUNT]; /* NULL: it is not there */
    json_t *roots[JSON];     /* of the files before tokenizer.json */
    mlm__tokenizer_parts parts;
} content;

static mlm_status open_files(content *c, const char *directory)
{
    for (size_t i = 0; i < FILE_COUNT; i++) {
        char *path = mlm__path_join(c->runtime, directory, file_names[i]);
        if (!path)
            return MLM_ERR_MEMORY;
        if (!mlm__path_exists(path)) {
            mlm__free(c->runtime, path);
            continue;
        }
        c->paths[i] = path;
        if (i >= JSON)
            continue;
        MLM__TRY(mlm__json_load_large(c->runtime, path, MLM__TOKENIZER_FILE_SIZE, &c->roots[i]));
        if (!json_is_object(c->roots[i]))
            return mlm__error(MLM_ERR_FORMAT, "%s: not an object", path);
    }
    return MLM_OK;
}

/* Whether transformers 5.15.1 takes tokenizer.json as it is. Of it a BERT tokenizer's class uses the
   vocabulary and perhaps the added tokens, and has all else from tokenizer_config.json. */
static bool takes_as_is(const content *c)
{
    static const char *const classes[] = {
        "BertTokenizer", "DistilBertTokenizer", "ElectraTokenizer", "MobileBertTokenizer"};
    static const char *const model_types[] = {"bert", "distilbert", "electra", "mobilebert"};
    const char *name = json_string_value(json_object_get(c->roots[CONFIG], "tokenizer_class"));
    const char *type = json_string_value(json_object_get(c->roots[MODEL_CONFIG], "model_type"));
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
        size_t length = strlen(classes[i]);
        if (name ? strncmp(name, classes[i], length) == 0 &&
                       (name[length] == 0 || strcmp(name + length, "Fast") == 0)
                 : type && strcmp(type, model_types[i]) == 0)
            return false;
    }
    return true;
}

static mlm_status read_options(content *c)
{
    const json_t *root = c->roots[CONFIG];
    const char *path = c->paths[CONFIG], *profile = NULL;
    mlm_tokenizer_options *options = &c->parts.options;
    c->parts.as_is = c->paths[JSON] && takes_as_is(c);
    if (!root)
        return MLM_OK;
    MLM__TRY(mlm__json_string(root, "mlm_profile", path, &profile));
    if (profile && strcmp(profile, "google") != 0 && strcmp(profile, "hf") != 0)
        return mlm__error(MLM_ERR_UNSUPPORTED, "%s: mlm_profile is '%s'", path, profile);
    if (profile && options->profile == -1)
        options->profile = strcmp(profile, "hf") == 0 ? MLM_PROFILE_HF : MLM_PROFILE_GOOGLE;
    bool split = false;
    MLM__TRY(mlm__json_bool(root, "split_special_tokens", path, &split));
    options->split_special_tokens |= split;
    if (c->parts.as_is)
        return MLM_OK;
    MLM__TRY(mlm__tokenizer_read_flag(root, "do_lower_case", path, &options->lowercase));
    MLM__TRY(mlm__tokenizer_read_flag(root, "strip_accents", path, &options->strip_accents));
    return mlm__tokenizer_read_flag(
        root, "tokenize_chinese_chars", path, &options->handle_chinese_chars);
}

/* A special token as a string or as an object. */
static mlm_status read_special(const json_t *given, const char *path, mlm__added_token *out)
{
    if (!json_is_string(given))
        MLM__TRY(mlm__added_token_read(given, path, out));
    else
        *out = (mlm__added_token){.content = json_string_value(given), .special = true};
    out->id = MLM__NEXT_ID;
    return MLM_OK;
}

static const char *const name_members[MLM__SPECIAL_COUNT] = {
    "pad_token", "unk_token", "cls_token", "sep_token", "mask_token"};

/* The names of BERT's five that a file gives, unless another did before. */
static mlm_status read_names(content *c, int32_t file)
{
    for (size_t i = 0; i < MLM__SPECIAL_COUNT; i++) {
        const json_t *given = json_object_get(c->roots[file], name_members[i]);
        if (given && !json_is_null(given) && !c->parts.special[i].content)
            MLM__TRY(read_special(given, c->paths[file], &c->parts.special[i]));
    }
    return MLM_OK;
}

static mlm_status add(content *c, int32_t file, const mlm__added_token *token)
{
    mlm_status status = mlm__added_list_add(c->runtime, &c->parts.added, token);
    return status == MLM_ERR_FORMAT ? mlm__error_in(status, c->paths[file]) : status;
}

/* A special token without an id, which gets one behind all others. */
static mlm_status add_special(content *c, int32_t file, const json_t *given, bool named)
{
    mlm__added_token token;
    MLM__TRY(read_special(given, c->paths[file], &token));
    token.named = named;
    return add(c, file, &token);
}

/* An array of them, or an object from names to them. */
static mlm_status add_specials(content *c, int32_t file, json_t *given)
{
    const char *key;
    json_t *item;
    size_t index;
    json_array_foreach (given, index, item)
        MLM__TRY(add_special(c, file, item, false));
    json_object_foreach (given, key, item)
        MLM__TRY(add_special(c, file, item, true));
    return MLM_OK;
}

/* Whether a member names a special token that is none of BERT's five: "bos_token", "eos_token", which
   are usual, or others such as "image_token". */
static bool is_other_name(const char *key, bool usual)
{
    size_t length = strlen(key), end = strlen("_token");
    for (size_t i = 0; i < MLM__SPECIAL_COUNT; i++) {
        if (strcmp(key, name_members[i]) == 0)
            return false;
    }
    return length > end && strcmp(key + length - end, "_token") == 0 &&
           (strcmp(key, "bos_token") == 0 || strcmp(key, "eos_token") == 0) == usual;
}

/* Other names, unless the file that goes before has them; the usual ones first. */
static mlm_status read_other_names(content *c, int32_t file, const json_t *before)
{
    const char *key;
    json_t *given;
    for (int32_t usual = 1; usual >= 0; usual--) {
        json_object_foreach (c->roots[file], key, given) {
            if (is_other_name(key, usual) && (json_is_string(given) || json_is_object(given)) &&
                !json_object_get(before, key))
                MLM__TRY(add_special(c, file, given, true));
        }
    }
    return MLM_OK;
}

/* Lists of special tokens. The one of tokenizer_config.json has two names, of which the first goes
   before; the map adds to it under the first. */
static mlm_status read_lists(content *c, const json_t *map)
{
    static const char first[] = "extra_special_tokens", second[] = "additional_special_tokens";
    json_t *list = json_object_get(c->roots[CONFIG], first);
    if (!list)
        list = json_object_get(c->roots[CONFIG], second);
    MLM__TRY(add_specials(c, CONFIG, list));
    MLM__TRY(add_specials(c, MAP, json_object_get(map, first)));
    return (list && !json_is_object(list)) || json_object_get(map, first)
               ? MLM_OK
               : add_specials(c, MAP, json_object_get(map, second));
}

/* "added_tokens_decoder": {"30522": {"content": "x", ...}, ...} of tokenizer_config.json. */
static mlm_status read_decoder(content *c, json_t *decoder)
{
    const char *key, *path = c->paths[CONFIG];
    json_t *given;
    json_object_foreach (decoder, key, given) {
        mlm__added_token token;
        char *end;
        long id = strtol(key, &end, 10);
        if (end == key || *end != 0 || id < 0 || id > MLM__LAST_ADDED_ID)
            return mlm__error(MLM_ERR_FORMAT, "%s: added_tokens_decoder: '%s' is no id", path, key);
        MLM__TRY(mlm__added_token_read(given, path, &token));
        token.id = (int32_t)id;
        MLM__TRY(add(c, CONFIG, &token));
    }
    return MLM_OK;
}

/* {"x": 30522, ...}: the names of BERT's five are special, and so are tokens read before. */
static mlm_status read_added(content *c)
{
    const char *name, *path = c->paths[ADDED];
    json_t *id;
    json_object_foreach (c->roots[ADDED], name, id) {
        int64_t value = -1;
        MLM__TRY(mlm__json_int(c->roots[ADDED], name, 0, MLM__LAST_ADDED_ID, path, &value));
        mlm__added_token token = {.content = name, .id = (int32_t)value};
        for (size_t i = 0; i < MLM__SPECIAL_COUNT; i++) {
            const char *special = c->parts.special[i].content;
            token.special =
                token.special || strcmp(special ? special : mlm__special_names[i], name) == 0;
        }
        token.normalized = !token.special;
        MLM__TRY(add(c, ADDED, &token));
    }
    return MLM_OK;
}

/* As transformers, which passes over special_tokens_map.json and added_tokens.json where
   tokenizer_config.json has an added_tokens_decoder, and else lets the former go before. */
static mlm_status read_tokens(content *c)
{
    json_t *decoder = json_object_get(c->roots[CONFIG], "added_tokens_decoder");
    const json_t *map = c->roots[MAP];
    if (json_is_object(decoder)) {
        c->parts.has_added = true;
        map = NULL;
        MLM__TRY(read_decoder(c, decoder));
    } else {
        MLM__TRY(read_names(c, MAP));
        MLM__TRY(read_other_names(c, MAP, NULL));
    }
    MLM__TRY(read_names(c, CONFIG));
    MLM__TRY(read_other_names(c, CONFIG, map));
    MLM__TRY(read_lists(c, map));
    return c->parts.has_added ? MLM_OK : read_added(c);
}

static mlm_status read_files(content *c, const char *directory, mlm_tokenizer **out)
{
    MLM__TRY(open_files(c, directory));
    MLM__TRY(read_options(c));
    MLM__TRY(read_tokens(c));
    if (c->paths[JSON])
        return mlm__tokenizer_json_load(c->runtime, c->paths[JSON], &c->parts, out);
    if (c->paths[VOCABULARY])
        return mlm__vocabulary_file_load(c->runtime, c->paths[VOCABULARY], &c->parts, out);
    return mlm__error(
        MLM_ERR_NOT_FOUND, "%s: neither tokenizer.json nor vocab.txt is in it", directory);
}

mlm_status mlm__tokenizer_directory_load(mlm_runtime *runtime, const char *directory,
    const mlm__tokenizer_parts *parts, mlm_tokenizer **out)
{
    content c = {.runtime = runtime, .parts = *parts};
    mlm_status status = read_files(&c, directory, out);
    mlm__added_list_free(runtime, &c.parts.added);
    for (size_t i = 0; i < JSON; i++)
        json_decref(c.roots[i]);
    for (size_t i = 0; i < FILE_COUNT; i++)
        mlm__free(runtime, c.paths[i]);
    return status;
}
