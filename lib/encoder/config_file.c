/* config.json, with Hugging Face's names. */
#include <string.h>

#include "base/error.h"
#include "base/fpmode.h"
#include "base/memory.h"
#include "base/options.h"
#include "base/runtime.h"
#include "encoder/config.h"
#include "files/directory.h"
#include "files/file.h"
#include "files/json.h"

/* Real ones have about 1 kB; a model with many labels of a classifier some 100 kB. */
enum { CONFIG_LIMIT = 16 << 20 };

static const char masked_lm[] = "BertForMaskedLM", pre_training[] = "BertForPreTraining";

/* The names in transformers' ACT2CLS that compute one of our functions; the first of a function is
   the one we write. gelu_fast and gelu_accurate are the tanh form with the constant sqrt(2/pi)
   rounded and not. */
static const struct {
    const char *name;
    int32_t value;
} activations[] = {
    {"gelu", MLM_GELU},
    {"gelu_new", MLM_GELU_TANH},
    {"relu", MLM_RELU},
    {"silu", MLM_SILU},
    {"gelu_python", MLM_GELU},
    {"gelu_pytorch_tanh", MLM_GELU_TANH},
    {"gelu_python_tanh", MLM_GELU_TANH},
    {"gelu_fast", MLM_GELU_TANH},
    {"gelu_accurate", MLM_GELU_TANH},
    {"swish", MLM_SILU},
};

static mlm_status read_activation(const json_t *root, const char *path, int32_t *value)
{
    const char *name = NULL;
    MLM__TRY(mlm__json_string(root, "hidden_act", path, &name));
    if (!name)
        return MLM_OK;
    for (size_t i = 0; i < sizeof activations / sizeof *activations; i++)
        if (strcmp(name, activations[i].name) == 0) {
            *value = activations[i].value;
            return MLM_OK;
        }
    return mlm__error(MLM_ERR_UNSUPPORTED, "%s: hidden_act: \"%s\" is not supported", path, name);
}

static mlm_status refuse_other_name(
    const json_t *root, const char *member, const char *built, const char *path)
{
    const char *name = NULL;
    MLM__TRY(mlm__json_string(root, member, path, &name));
    if (name && strcmp(name, built) != 0)
        return mlm__error(MLM_ERR_UNSUPPORTED, "%s: %s: \"%s\" is not supported, only \"%s\"", path,
            member, name, built);
    return MLM_OK;
}

static mlm_status refuse_other_flag(
    const json_t *root, const char *member, bool built, const char *path)
{
    bool value = built;
    MLM__TRY(mlm__json_bool(root, member, path, &value));
    if (value != built)
        return mlm__error(MLM_ERR_UNSUPPORTED, "%s: %s: %s is not supported", path, member,
            value ? "true" : "false");
    return MLM_OK;
}

static mlm_status refuse_other_models(const json_t *root, const char *path)
{
    MLM__TRY(refuse_other_name(root, "model_type", "bert", path));
    MLM__TRY(refuse_other_name(root, "position_embedding_type", "absolute", path));
    MLM__TRY(refuse_other_flag(root, "is_decoder", false, path));
    return refuse_other_flag(root, "add_cross_attention", false, path);
}

/* The class that wrote the file decides about the pooler and the sentence head. */
static mlm_status read_architectures(const json_t *root, const char *path, int32_t *sentence_head)
{
    const json_t *names = json_object_get(root, "architectures");
    if (!names || json_is_null(names))
        return MLM_OK;
    if (!json_is_array(names))
        return mlm__error(MLM_ERR_FORMAT, "%s: architectures: not an array", path);
    *sentence_head = 0;
    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *name = json_string_value(json_array_get(names, i));
        if (!name)
            return mlm__error(MLM_ERR_FORMAT, "%s: architectures[%zu]: not a string", path, i);
        if (strcmp(name, pre_training) == 0)
            *sentence_head = 1;
    }
    return MLM_OK;
}

static mlm_status read_pad(const json_t *root, const char *path, int32_t *pad_token_id)
{
    if (json_is_null(json_object_get(root, "pad_token_id"))) {
        *pad_token_id = -1;
        return MLM_OK;
    }
    int64_t value = *pad_token_id;
    MLM__TRY(mlm__json_int(root, "pad_token_id", 0, INT32_MAX, path, &value));
    *pad_token_id = (int32_t)value;
    return MLM_OK;
}

static mlm_status read_tying(const json_t *root, const char *path, int32_t *untied)
{
    bool tied = !*untied;
    MLM__TRY(mlm__json_bool(root, "tie_word_embeddings", path, &tied));
    *untied = !tied;
    return MLM_OK;
}

static mlm_status read_sizes(const json_t *root, const char *path, mlm_encoder_config *config)
{
    const struct {
        const char *name;
        int32_t *value;
    } members[] = {
        {"vocab_size", &config->vocab_size},
        {"hidden_size", &config->hidden_size},
        {"num_hidden_layers", &config->num_hidden_layers},
        {"num_attention_heads", &config->num_attention_heads},
        {"intermediate_size", &config->intermediate_size},
        {"max_position_embeddings", &config->max_position_embeddings},
        {"type_vocab_size", &config->type_vocab_size},
    };
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        int64_t value = *members[i].value;
        MLM__TRY(mlm__json_int(root, members[i].name, 1, INT32_MAX, path, &value));
        *members[i].value = (int32_t)value;
    }
    return MLM_OK;
}

static mlm_status read_fractions(const json_t *root, const char *path, mlm_encoder_config *config)
{
    MLM__TRY(
        mlm__json_double(root, "hidden_dropout_prob", 0, 1, path, &config->hidden_dropout_prob));
    MLM__TRY(mlm__json_double(
        root, "attention_probs_dropout_prob", 0, 1, path, &config->attention_probs_dropout_prob));
    MLM__TRY(mlm__json_double(root, "layer_norm_eps", 0, 1, path, &config->layer_norm_eps));
    return mlm__json_double(root, "initializer_range", 0, 100, path, &config->initializer_range);
}

static mlm_status read_members(const json_t *root, const char *path, mlm_encoder_config *config)
{
    if (!json_is_object(root))
        return mlm__error(MLM_ERR_FORMAT, "%s: not an object", path);
    MLM__TRY(refuse_other_models(root, path));
    MLM__TRY(read_sizes(root, path, config));
    MLM__TRY(read_fractions(root, path, config));
    MLM__TRY(read_activation(root, path, &config->hidden_act));
    MLM__TRY(read_pad(root, path, &config->pad_token_id));
    MLM__TRY(read_tying(root, path, &config->untied_word_embeddings));
    MLM__TRY(read_architectures(root, path, &config->sentence_head));
    return mlm__encoder_config_check(config, path, MLM_ERR_FORMAT);
}

mlm_status mlm__encoder_config_load(
    mlm_runtime *runtime, const char *path, mlm_encoder_config *config)
{
    json_t *root = NULL;
    MLM__TRY(mlm__json_load(runtime, path, CONFIG_LIMIT, &root));
    mlm_encoder_config read = *config;
    mlm_status status = read_members(root, path, &read);
    json_decref(root);
    if (status == MLM_OK)
        *config = read;
    return status;
}

static mlm_status load_resolved(mlm_runtime *runtime, const char *path, mlm_encoder_config *config)
{
    if (!mlm__path_is_directory(path))
        return mlm__encoder_config_load(runtime, path, config);
    char *file = mlm__path_join(runtime, path, "config.json");
    if (!file)
        return MLM_ERR_MEMORY;
    mlm_status status = mlm__encoder_config_load(runtime, file, config);
    mlm__free(runtime, file);
    return status;
}

static mlm_status load_path(mlm_runtime *runtime, const char *path, mlm_encoder_config *config)
{
    char *resolved = mlm__directory_resolve(runtime, path);
    if (!resolved)
        return MLM_ERR_MEMORY;
    mlm_status status = load_resolved(runtime, resolved, config);
    mlm__free(runtime, resolved);
    return status;
}

mlm_status mlm_encoder_config_load(
    mlm_runtime *runtime, const char *path, mlm_encoder_config *config)
{
    if (!path)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_encoder_config_load: path is NULL");
    if (!config)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_encoder_config_load: config is NULL");
    mlm_encoder_config read;
    MLM__TRY(mlm__encoder_config_copy(config, &read));
    MLM__TRY(mlm__runtime_retain(runtime, &runtime));
    fenv_t mode; /* numbers are read from decimal */
    mlm__fp_enter(&mode);
    mlm_status status = load_path(runtime, path, &read);
    mlm__fp_leave(&mode);
    mlm_runtime_free(runtime);
    MLM__TRY(status);
    return mlm__struct_write(config, &read, sizeof read, "mlm_encoder_config");
}

static const char *activation_name(int32_t value)
{
    size_t i = 0;
    while (activations[i].value != value)
        i++;
    return activations[i].name;
}

mlm_status mlm__encoder_config_write(
    const mlm_encoder_config *config, mlm__directory *directory, int32_t dtype)
{
    json_t *root = json_pack("{s:[s], s:f, s:s, s:s, s:f, s:i, s:f, s:i, s:f, s:i, s:s, s:i, s:i,"
                             " s:o, s:b, s:i, s:i}",
        "architectures", config->sentence_head ? pre_training : masked_lm,
        "attention_probs_dropout_prob", config->attention_probs_dropout_prob, "dtype",
        dtype == MLM_BF16 ? "bfloat16" : "float32", "hidden_act",
        activation_name(config->hidden_act), "hidden_dropout_prob", config->hidden_dropout_prob,
        "hidden_size", config->hidden_size, "initializer_range", config->initializer_range,
        "intermediate_size", config->intermediate_size, "layer_norm_eps", config->layer_norm_eps,
        "max_position_embeddings", config->max_position_embeddings, "model_type", "bert",
        "num_attention_heads", config->num_attention_heads, "num_hidden_layers",
        config->num_hidden_layers, "pad_token_id",
        config->pad_token_id < 0 ? json_null() : json_integer(config->pad_token_id),
        "tie_word_embeddings", !config->untied_word_embeddings, "type_vocab_size",
        config->type_vocab_size, "vocab_size", config->vocab_size);
    mlm_status status = mlm__json_write(directory, "config.json", root);
    json_decref(root);
    return status;
}
