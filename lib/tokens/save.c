/* The four files of a tokenizer, as `tokenizers` and `transformers` write and read them. */
#include <string.h>

#include "base/error.h"
#include "files/json.h"
#include "tokens/handle.h"

static const char *special_name(const mlm_tokenizer *tokenizer, int32_t which)
{
    return tokenizer->vocabulary.tokens[tokenizer->special[which]];
}

/* The name of one of the five that is an added token; NULL where it is not, since transformers adds
   what these files name. */
static const char *added_name(const mlm_tokenizer *tokenizer, int32_t which)
{
    const char *name = special_name(tokenizer, which);
    return mlm__added_tokens_find(&tokenizer->added, name) ? name : NULL;
}

static bool all_added(const mlm_tokenizer *tokenizer)
{
    for (int32_t i = 0; i < MLM__SPECIAL_COUNT; i++) {
        if (!added_name(tokenizer, i))
            return false;
    }
    return true;
}

/* null where it follows lowercase, as in the references. */
static json_t *strip_accents(const mlm_tokenizer *tokenizer)
{
    const mlm_tokenizer_options *options = &tokenizer->options;
    return options->strip_accents == options->lowercase ? json_null()
                                                        : json_boolean(options->strip_accents);
}

static json_t *added_tokens(const mlm_tokenizer *tokenizer)
{
    json_t *array = json_array();
    for (size_t a = 0; a < tokenizer->added.count; a++) {
        const mlm__added_token *token = &tokenizer->added.tokens[a];
        json_array_append_new(
            array, json_pack("{s:i, s:s, s:b, s:b, s:b, s:b, s:b}", "id", token->id, "content",
                       token->content, "single_word", token->single_word, "lstrip", token->lstrip,
                       "rstrip", token->rstrip, "normalized", token->normalized, "special",
                       token->special));
    }
    if (json_array_size(array) == tokenizer->added.count)
        return array;
    json_decref(array);
    return NULL;
}

static json_t *post_processor(const mlm_tokenizer *tokenizer)
{
    const char *cls = special_name(tokenizer, MLM_TOKEN_CLS);
    const char *sep = special_name(tokenizer, MLM_TOKEN_SEP);
#define TOKEN "{s:{s:s, s:i}}"
    json_t *single = json_pack("[" TOKEN "," TOKEN "," TOKEN "]", "SpecialToken", "id", cls,
        "type_id", 0, "Sequence", "id", "A", "type_id", 0, "SpecialToken", "id", sep, "type_id", 0);
    json_t *pair = json_pack("[" TOKEN "," TOKEN "," TOKEN "," TOKEN "," TOKEN "]", "SpecialToken",
        "id", cls, "type_id", 0, "Sequence", "id", "A", "type_id", 0, "SpecialToken", "id", sep,
        "type_id", 0, "Sequence", "id", "B", "type_id", 1, "SpecialToken", "id", sep, "type_id", 1);
#undef TOKEN
    return json_pack("{s:s, s:o, s:o, s:{s:{s:s, s:[i], s:[s]}, s:{s:s, s:[i], s:[s]}}}", "type",
        "TemplateProcessing", "single", single, "pair", pair, "special_tokens", cls, "id", cls,
        "ids", tokenizer->special[MLM_TOKEN_CLS], "tokens", cls, sep, "id", sep, "ids",
        tokenizer->special[MLM_TOKEN_SEP], "tokens", sep);
}

static json_t *model(const mlm_tokenizer *tokenizer)
{
    const mlm__vocabulary *vocabulary = &tokenizer->vocabulary;
    json_t *vocab = json_object();
    for (size_t v = 0; v < vocabulary->model_count; v++)
        json_object_set_new(vocab, vocabulary->tokens[v], json_integer((json_int_t)v));
    if (json_object_size(vocab) != vocabulary->model_count) {
        json_decref(vocab);
        return NULL;
    }
    return json_pack("{s:s, s:s, s:s, s:i, s:o}", "type", "WordPiece", "unk_token",
        special_name(tokenizer, MLM_TOKEN_UNK), "continuing_subword_prefix", "##",
        "max_input_chars_per_word", tokenizer->options.max_input_chars_per_word, "vocab", vocab);
}

static json_t *tokenizer_json(const mlm_tokenizer *tokenizer)
{
    const mlm_tokenizer_options *options = &tokenizer->options;
    return json_pack(
        "{s:s, s:n, s:n, s:o, s:{s:s, s:b, s:b, s:o, s:b}, s:{s:s}, s:o, s:{s:s, s:s, s:b}, s:o}",
        "version", "1.0", "truncation", "padding", "added_tokens", added_tokens(tokenizer),
        "normalizer", "type", "BertNormalizer", "clean_text", options->clean_text,
        "handle_chinese_chars", options->handle_chinese_chars, "strip_accents",
        strip_accents(tokenizer), "lowercase", options->lowercase, "pre_tokenizer", "type",
        "BertPreTokenizer", "post_processor", post_processor(tokenizer), "decoder", "type",
        "WordPiece", "prefix", "##", "cleanup", 1, "model", model(tokenizer));
}

/* The object, or NULL where it lacks one of the five names: json_pack's "s*" leaves out what there is no
   memory for, as what is NULL. */
static json_t *with_all_names(const mlm_tokenizer *tokenizer, json_t *object)
{
    static const char *const members[MLM__SPECIAL_COUNT] = {
        "pad_token", "unk_token", "cls_token", "sep_token", "mask_token"};
    for (int32_t i = 0; object && i < MLM__SPECIAL_COUNT; i++)
        if (added_name(tokenizer, i) && !json_object_get(object, members[i])) {
            json_decref(object);
            return NULL;
        }
    return object;
}

/* transformers makes its BertTokenizer anew from a few options; where others differ from its
   defaults, another class takes tokenizer.json as it is. */
static json_t *tokenizer_config(const mlm_tokenizer *tokenizer)
{
    const mlm_tokenizer_options *options = &tokenizer->options;
    bool usual = options->profile == MLM_PROFILE_HF && options->clean_text &&
                 options->max_input_chars_per_word == 100 && all_added(tokenizer);
    json_t *root = json_pack("{s:s*, s:b, s:s*, s:s*, s:s*, s:o, s:b, s:s, s:s*}", "cls_token",
        added_name(tokenizer, MLM_TOKEN_CLS), "do_lower_case", options->lowercase, "mask_token",
        added_name(tokenizer, MLM_TOKEN_MASK), "pad_token", added_name(tokenizer, MLM_TOKEN_PAD),
        "sep_token", added_name(tokenizer, MLM_TOKEN_SEP), "strip_accents",
        strip_accents(tokenizer), "tokenize_chinese_chars", options->handle_chinese_chars,
        "tokenizer_class", usual ? "BertTokenizer" : "PreTrainedTokenizerFast", "unk_token",
        added_name(tokenizer, MLM_TOKEN_UNK));
    root = with_all_names(tokenizer, root);
    int failed = 0;
    if (root && options->profile == MLM_PROFILE_GOOGLE)
        failed |= json_object_set_new(root, "mlm_profile", json_string("google"));
    if (root && options->split_special_tokens)
        failed |= json_object_set_new(root, "split_special_tokens", json_true());
    if (failed) {
        json_decref(root);
        return NULL;
    }
    return root;
}

static json_t *special_tokens_map(const mlm_tokenizer *tokenizer)
{
    json_t *root = json_pack("{s:s*, s:s*, s:s*, s:s*, s:s*}", "cls_token",
        added_name(tokenizer, MLM_TOKEN_CLS), "mask_token", added_name(tokenizer, MLM_TOKEN_MASK),
        "pad_token", added_name(tokenizer, MLM_TOKEN_PAD), "sep_token",
        added_name(tokenizer, MLM_TOKEN_SEP), "unk_token", added_name(tokenizer, MLM_TOKEN_UNK));
    return with_all_names(tokenizer, root);
}

static mlm_status write_json(mlm__directory *directory, const char *name, json_t *root)
{
    mlm_status status = mlm__json_write(directory, name, root);
    json_decref(root);
    return status;
}

mlm_status mlm__tokenizer_write(const mlm_tokenizer *tokenizer, mlm__directory *directory)
{
    const mlm__vocabulary *vocabulary = &tokenizer->vocabulary;
    MLM__TRY(mlm__directory_start(directory, "vocab.txt"));
    for (size_t v = 0; v < vocabulary->model_count; v++) {
        MLM__TRY(
            mlm__directory_write(directory, vocabulary->tokens[v], strlen(vocabulary->tokens[v])));
        MLM__TRY(mlm__directory_write(directory, "\n", 1));
    }
    MLM__TRY(mlm__directory_finish(directory));
    MLM__TRY(write_json(directory, "tokenizer.json", tokenizer_json(tokenizer)));
    MLM__TRY(write_json(directory, "tokenizer_config.json", tokenizer_config(tokenizer)));
    return write_json(directory, "special_tokens_map.json", special_tokens_map(tokenizer));
}

mlm_status mlm_tokenizer_save(const mlm_tokenizer *tokenizer, const char *directory)
{
    if (!tokenizer || !directory)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_tokenizer_save: %s is NULL",
            tokenizer ? "directory" : "tokenizer");
    mlm__directory *writing;
    MLM__TRY(mlm__directory_begin(tokenizer->runtime, directory, MLM__REPLACE_FILES, &writing));
    mlm_status status = mlm__tokenizer_write(tokenizer, writing);
    if (status != MLM_OK) {
        mlm__directory_abort(writing);
        return status;
    }
    return mlm__directory_commit(writing);
}
