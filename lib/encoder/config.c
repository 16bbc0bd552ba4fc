#include "encoder/config.h"

#include <stddef.h>

#include "base/error.h"
#include "base/options.h"

static const mlm_encoder_config config_defaults = {
    .struct_size = sizeof(mlm_encoder_config),
    .vocab_size = 30522,
    .hidden_size = 768,
    .num_hidden_layers = 12,
    .num_attention_heads = 12,
    .intermediate_size = 3072,
    .max_position_embeddings = 512,
    .type_vocab_size = 2,
    .hidden_act = MLM_GELU,
    .sentence_head = 0,
    .pad_token_id = 0,
    .hidden_dropout_prob = 0.1,
    .attention_probs_dropout_prob = 0.1,
    .layer_norm_eps = 1e-12,
    .initializer_range = 0.02,
};

/* The largest values keep the size of every tensor, and the sum over 1024 layers, within 63 bits.
 */
static const struct {
    const char *name;
    size_t offset;
    int32_t low, high;
} integers[] = {
    {"vocab_size", offsetof(mlm_encoder_config, vocab_size), 1, INT32_MAX},
    {"hidden_size", offsetof(mlm_encoder_config, hidden_size), 1, 1 << 20},
    {"num_hidden_layers", offsetof(mlm_encoder_config, num_hidden_layers), 1, 1024},
    {"num_attention_heads", offsetof(mlm_encoder_config, num_attention_heads), 1, 1 << 20},
    {"intermediate_size", offsetof(mlm_encoder_config, intermediate_size), 1, INT32_MAX},
    {"max_position_embeddings", offsetof(mlm_encoder_config, max_position_embeddings), 1,
        INT32_MAX},
    {"type_vocab_size", offsetof(mlm_encoder_config, type_vocab_size), 1, INT32_MAX},
    {"hidden_act", offsetof(mlm_encoder_config, hidden_act), MLM_GELU, MLM_SILU},
    {"sentence_head", offsetof(mlm_encoder_config, sentence_head), 0, 1},
    {"pad_token_id", offsetof(mlm_encoder_config, pad_token_id), -1, INT32_MAX},
    {"untied_word_embeddings", offsetof(mlm_encoder_config, untied_word_embeddings), 0, 1},
};

static const struct {
    const char *name;
    size_t offset;
} fractions[] = {
    {"hidden_dropout_prob", offsetof(mlm_encoder_config, hidden_dropout_prob)},
    {"attention_probs_dropout_prob", offsetof(mlm_encoder_config, attention_probs_dropout_prob)},
    {"layer_norm_eps", offsetof(mlm_encoder_config, layer_norm_eps)},
    {"initializer_range", offsetof(mlm_encoder_config, initializer_range)},
};

static int32_t integer_at(const mlm_encoder_config *config, size_t offset)
{
    return *(const int32_t *)((const char *)config + offset);
}

static double fraction_at(const mlm_encoder_config *config, size_t offset)
{
    return *(const double *)((const char *)config + offset);
}

void mlm_encoder_config_init(mlm_encoder_config *config, size_t size)
{
    mlm__struct_init(config, size, &config_defaults, sizeof config_defaults);
}

static mlm_status check_integers(
    const mlm_encoder_config *config, const char *where, mlm_status status)
{
    for (size_t i = 0; i < sizeof integers / sizeof *integers; i++) {
        int32_t value = integer_at(config, integers[i].offset);
        if (value < integers[i].low || value > integers[i].high)
            return mlm__error(status, "%s: %s is %d, not in %d to %d", where, integers[i].name,
                value, integers[i].low, integers[i].high);
    }
    if (config->hidden_size % config->num_attention_heads)
        return mlm__error(status, "%s: hidden_size %d is not a multiple of num_attention_heads %d",
            where, config->hidden_size, config->num_attention_heads);
    if (config->pad_token_id >= config->vocab_size)
        return mlm__error(status, "%s: pad_token_id is %d, vocab_size is %d", where,
            config->pad_token_id, config->vocab_size);
    return MLM_OK;
}

/* Written so that a NaN fails. */
static mlm_status check_fractions(
    const mlm_encoder_config *config, const char *where, mlm_status status)
{
    if (!(config->hidden_dropout_prob >= 0 && config->hidden_dropout_prob < 1))
        return mlm__error(status, "%s: hidden_dropout_prob is %g, not in [0,1)", where,
            config->hidden_dropout_prob);
    if (!(config->attention_probs_dropout_prob >= 0 && config->attention_probs_dropout_prob < 1))
        return mlm__error(status, "%s: attention_probs_dropout_prob is %g, not in [0,1)", where,
            config->attention_probs_dropout_prob);
    if (!(config->layer_norm_eps > 0 && config->layer_norm_eps <= 1))
        return mlm__error(
            status, "%s: layer_norm_eps is %g, not in (0,1]", where, config->layer_norm_eps);
    if (!(config->initializer_range >= 0 && config->initializer_range <= 100))
        return mlm__error(status, "%s: initializer_range is %g, not in [0,100]", where,
            config->initializer_range);
    return MLM_OK;
}

/* Parameters of the matrices, which are nearly all; training needs four arrays of floats that
   large. */
static mlm_status check_size(const mlm_encoder_config *config, const char *where)
{
    double H = config->hidden_size, I = config->intermediate_size, L = config->num_hidden_layers;
    double embeddings =
        (double)config->vocab_size + config->max_position_embeddings + config->type_vocab_size;
    if (config->untied_word_embeddings)
        embeddings += config->vocab_size;
    double count = embeddings * H + L * (4 * H * H + 2 * H * I) + 2 * H * H;
    if (count * 4 * sizeof(float) > (double)(SIZE_MAX / 2))
        return mlm__error(MLM_ERR_SHAPE,
            "%s: a model of %.3g parameters is more than memory can address", where, count);
    return MLM_OK;
}

/* Dropout draws 8 blocks of random numbers for each 64 columns, in rows of H numbers and of as many as
   a sequence has tokens, and counts those of a sequence in 32 bits (kernels/kernels.h). */
static mlm_status check_dropout(
    const mlm_encoder_config *config, const char *where, mlm_status status)
{
    const int64_t P = config->max_position_embeddings, H = config->hidden_size;
    const int64_t blocks = ((P > H ? P : H) + 63) / 64 * 8;
    if (P * blocks > INT64_C(1) << 32)
        return mlm__error(status,
            "%s: max_position_embeddings is %d, with hidden_size %d more than dropout can number",
            where, config->max_position_embeddings, config->hidden_size);
    return MLM_OK;
}

mlm_status mlm__encoder_config_check(
    const mlm_encoder_config *config, const char *where, mlm_status status)
{
    MLM__TRY(check_integers(config, where, status));
    MLM__TRY(check_fractions(config, where, status));
    MLM__TRY(check_dropout(config, where, status));
    return check_size(config, where);
}

mlm_status mlm__encoder_config_copy(const mlm_encoder_config *given, mlm_encoder_config *config)
{
    return mlm__struct_read(
        given, &config_defaults, sizeof config_defaults, "mlm_encoder_config", config);
}

mlm_status mlm__encoder_config_read(const mlm_encoder_config *given, mlm_encoder_config *config)
{
    MLM__TRY(mlm__encoder_config_copy(given, config));
    return mlm__encoder_config_check(config, "config", MLM_ERR_ARGUMENT);
}

mlm_status mlm__encoder_config_compare(
    const mlm_encoder_config *ours, const mlm_encoder_config *theirs, const char *where)
{
    for (size_t i = 0; i < sizeof integers / sizeof *integers; i++) {
        int32_t our = integer_at(ours, integers[i].offset);
        int32_t their = integer_at(theirs, integers[i].offset);
        if (our != their)
            return mlm__error(MLM_ERR_MISMATCH, "%s: %s is %d, the encoder has %d", where,
                integers[i].name, their, our);
    }
    for (size_t i = 0; i < sizeof fractions / sizeof *fractions; i++) {
        double our = fraction_at(ours, fractions[i].offset);
        double their = fraction_at(theirs, fractions[i].offset);
        if (our != their)
            return mlm__error(MLM_ERR_MISMATCH, "%s: %s is %.15g, the encoder has %.15g", where,
                fractions[i].name, their, our);
    }
    return MLM_OK;
}
