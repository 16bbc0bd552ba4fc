#include "trainer/trainer_options.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>

#include "base/error.h"
#include "base/options.h"

static const mlm_trainer_options defaults = {
    .struct_size = sizeof(mlm_trainer_options),
    .lr_scheduler = MLM_LR_LINEAR,
    .adam_bias_correction = 1,
    .learning_rate = 1e-4,
    .weight_decay = 0.01,
    .adam_beta1 = 0.9,
    .adam_beta2 = 0.999,
    .adam_epsilon = 1e-6,
    .max_grad_norm = 1.0,
    .hidden_dropout_prob = -1,
    .attention_probs_dropout_prob = -1,
};

void mlm_trainer_options_init(mlm_trainer_options *options, size_t size)
{
    mlm__struct_init(options, size, &defaults, sizeof defaults);
}

static mlm_status refuse_int(const char *option, int64_t value, const char *want)
{
    return mlm__error(
        MLM_ERR_ARGUMENT, "mlm_trainer_options: %s is %" PRId64 ", not %s", option, value, want);
}

static mlm_status refuse(const char *option, double value, const char *want)
{
    return mlm__error(
        MLM_ERR_ARGUMENT, "mlm_trainer_options: %s is %g, not %s", option, value, want);
}

static bool at_least_zero(double value)
{
    return value >= 0 && isfinite(value);
}

static bool share_below_one(double value)
{
    return value >= 0 && value < 1;
}

static mlm_status check_schedule(const mlm_trainer_options *o)
{
    if (o->lr_scheduler < MLM_LR_LINEAR || o->lr_scheduler > MLM_LR_WARMUP_STABLE_DECAY)
        return refuse_int("lr_scheduler", o->lr_scheduler, "one of MLM_LR_...");
    if (o->warmup_steps < 0)
        return refuse_int("warmup_steps", o->warmup_steps, "0 or more");
    if (o->total_steps < 0)
        return refuse_int("total_steps", o->total_steps, "0 or more");
    if (o->lr_scheduler == MLM_LR_CONSTANT)
        return MLM_OK;
    if (o->total_steps == 0)
        return refuse_int("total_steps", 0, "set: this lr_scheduler needs it");
    if (o->warmup_steps > o->total_steps)
        return mlm__error(MLM_ERR_ARGUMENT,
            "mlm_trainer_options: warmup_steps is %" PRId64 ", more than total_steps, %" PRId64,
            o->warmup_steps, o->total_steps);
    return MLM_OK;
}

mlm_status mlm__trainer_options_check(const mlm_trainer_options *o)
{
    MLM__TRY(check_schedule(o));
    if (o->adam_bias_correction != 0 && o->adam_bias_correction != 1)
        return refuse_int("adam_bias_correction", o->adam_bias_correction, "0 or 1");
    if (!at_least_zero(o->learning_rate))
        return refuse("learning_rate", o->learning_rate, "a number of 0 or more");
    if (!at_least_zero(o->weight_decay))
        return refuse("weight_decay", o->weight_decay, "a number of 0 or more");
    if (!share_below_one(o->adam_beta1))
        return refuse("adam_beta1", o->adam_beta1, "in [0,1)");
    if (!share_below_one(o->adam_beta2))
        return refuse("adam_beta2", o->adam_beta2, "in [0,1)");
    /* As a float it must stay above 0, or a parameter without gradient becomes 0/0. */
    if (!(o->adam_epsilon >= 1e-30 && isfinite(o->adam_epsilon)))
        return refuse("adam_epsilon", o->adam_epsilon, "a number of 1e-30 or more");
    if (!at_least_zero(o->max_grad_norm))
        return refuse("max_grad_norm", o->max_grad_norm, "a number of 0 or more");
    if (o->hidden_dropout_prob != -1 && !share_below_one(o->hidden_dropout_prob))
        return refuse("hidden_dropout_prob", o->hidden_dropout_prob, "-1 or in [0,1)");
    if (o->attention_probs_dropout_prob != -1 && !share_below_one(o->attention_probs_dropout_prob))
        return refuse(
            "attention_probs_dropout_prob", o->attention_probs_dropout_prob, "-1 or in [0,1)");
    if (o->freeze_embeddings != 0 && o->freeze_embeddings != 1)
        return refuse_int("freeze_embeddings", o->freeze_embeddings, "0 or 1");
    if (o->freeze_layers < 0)
        return refuse_int("freeze_layers", o->freeze_layers, "0 or more");
    return MLM_OK;
}

mlm_status mlm__trainer_options_read(const mlm_trainer_options *given, mlm_trainer_options *out)
{
    MLM__TRY(mlm__struct_read(given, &defaults, sizeof defaults, "mlm_trainer_options", out));
    if (out->reserved0 != 0)
        return mlm__error(MLM_ERR_UNSUPPORTED, "mlm_trainer_options: reserved0 is not 0");
    return mlm__trainer_options_check(out);
}
