#include "trainer/trainer_json.h"

#include <float.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "files/json.h"
#include "trainer/provenance.h"
#include "trainer/trainer_options.h"

typedef enum member_kind {
    KIND_INT32,
    KIND_INT64,
    KIND_DOUBLE,
    KIND_SEED, /* mlm__json_seed */
} member_kind;

/* A member of a struct and of the JSON object that stands for it. */
typedef struct member {
    const char *name;
    size_t offset;
    member_kind kind; /* integers are 0 or more */
    bool optional;    /* absent from files of older libraries: stays as it is */
} member;

#define MEMBER(type, field, its_kind)                                                              \
    {                                                                                              \
        .name = #field, .offset = offsetof(type, field), .kind = its_kind                          \
    }

static const member option_members[] = {
    MEMBER(mlm_trainer_options, adam_bias_correction, KIND_INT32),
    MEMBER(mlm_trainer_options, warmup_steps, KIND_INT64),
    MEMBER(mlm_trainer_options, total_steps, KIND_INT64),
    MEMBER(mlm_trainer_options, learning_rate, KIND_DOUBLE),
    MEMBER(mlm_trainer_options, weight_decay, KIND_DOUBLE),
    MEMBER(mlm_trainer_options, adam_beta1, KIND_DOUBLE),
    MEMBER(mlm_trainer_options, adam_beta2, KIND_DOUBLE),
    MEMBER(mlm_trainer_options, adam_epsilon, KIND_DOUBLE),
    MEMBER(mlm_trainer_options, max_grad_norm, KIND_DOUBLE),
    MEMBER(mlm_trainer_options, hidden_dropout_prob, KIND_DOUBLE),
    MEMBER(mlm_trainer_options, attention_probs_dropout_prob, KIND_DOUBLE),
    MEMBER(mlm_trainer_options, seed, KIND_SEED),
    {"freeze_embeddings", offsetof(mlm_trainer_options, freeze_embeddings), KIND_INT32, true},
    {"freeze_layers", offsetof(mlm_trainer_options, freeze_layers), KIND_INT32, true},
};

static const member state_members[] = {
    MEMBER(mlm__run_state, step, KIND_INT64),
    MEMBER(mlm__run_state, position, KIND_INT64),
    MEMBER(mlm__run_state, learning_rate, KIND_DOUBLE),
    MEMBER(mlm__run_state, observed, KIND_INT32),
    MEMBER(mlm__run_state, stale, KIND_INT32),
    MEMBER(mlm__run_state, lowest, KIND_DOUBLE),
    {"loss_average", offsetof(mlm__run_state, loss_average), KIND_DOUBLE, true},
    {"rate_factor", offsetof(mlm__run_state, rate_factor), KIND_DOUBLE, true},
    {"bad_updates", offsetof(mlm__run_state, bad_updates), KIND_INT32, true},
};

/* Not step and position, which the state has, and not seconds, which no two runs have alike: a
   checkpoint's bytes follow from its inputs. */
static const member metric_members[] = {
    MEMBER(mlm_metrics, sequences, KIND_INT64),
    MEMBER(mlm_metrics, tokens, KIND_INT64),
    MEMBER(mlm_metrics, labels, KIND_INT64),
    MEMBER(mlm_metrics, loss, KIND_DOUBLE),
    MEMBER(mlm_metrics, accuracy, KIND_DOUBLE),
    MEMBER(mlm_metrics, sentence_loss, KIND_DOUBLE),
    MEMBER(mlm_metrics, sentence_accuracy, KIND_DOUBLE),
    MEMBER(mlm_metrics, learning_rate, KIND_DOUBLE),
    MEMBER(mlm_metrics, grad_norm, KIND_DOUBLE),
};

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

enum { SCHEDULERS = 4 };
static const char *const scheduler_names[SCHEDULERS] = {
    [MLM_LR_LINEAR] = "linear",
    [MLM_LR_COSINE] = "cosine",
    [MLM_LR_CONSTANT] = "constant",
    [MLM_LR_WARMUP_STABLE_DECAY] = "warmup_stable_decay",
};

static json_t *member_value(const void *record, const member *m)
{
    const char *at = (const char *)record + m->offset;
    switch (m->kind) {
    case KIND_INT32:
        return json_integer(*(const int32_t *)(const void *)at);
    case KIND_INT64:
        return json_integer(*(const int64_t *)(const void *)at);
    case KIND_SEED:
        return mlm__json_seed(*(const uint64_t *)(const void *)at);
    default:
        return json_real(*(const double *)(const void *)at);
    }
}

/* NULL: no memory. */
static json_t *object_of(const void *record, const member *members, size_t count)
{
    json_t *object = json_object();
    for (size_t i = 0; object && i < count; i++) {
        if (json_object_set_new(object, members[i].name, member_value(record, &members[i]))) {
            json_decref(object);
            object = NULL;
        }
    }
    return object;
}

static json_t *options_object(const mlm_trainer_options *options)
{
    json_t *object = object_of(options, option_members, COUNT_OF(option_members));
    if (object && json_object_set_new(object, "lr_scheduler",
                      json_string(scheduler_names[options->lr_scheduler]))) {
        json_decref(object);
        return NULL;
    }
    return object;
}

static json_t *files_array(const mlm__directory *directory)
{
    json_t *files = json_array();
    for (size_t i = 0; files && i < mlm__directory_count(directory); i++) {
        const mlm__written_file *file = mlm__directory_file(directory, i);
        json_t *entry = json_pack("{s:s, s:I, s:s}", "name", file->name, "size",
            (json_int_t)file->size, "sha256", file->sha256);
        if (json_array_append_new(files, entry)) {
            json_decref(files);
            files = NULL;
        }
    }
    return files;
}

mlm__build_text mlm__trainer_json_build(const mlm_trainer *trainer)
{
    const bool bf16 = mlm__packed_products(trainer->encoder->model->packed)->bf16;
    mlm__build_text build;
    snprintf(
        build.text, sizeof build.text, "%s precision=%s", mlm_build_info(), bf16 ? "bf16" : "fp32");
    return build;
}

mlm_status mlm__trainer_json_make(
    const mlm_trainer *trainer, const mlm__directory *directory, json_t **out)
{
    const mlm__build_text build = mlm__trainer_json_build(trainer);
    json_t *provenance;
    *out = NULL;
    MLM__TRY(mlm__provenance_of(trainer, &provenance));
    /* json_pack takes the references of all its "o", also where it fails. */
    *out = json_pack("{s:i, s:s, s:o, s:o, s:o, s:o, s:o}", "format_version",
        (int)MLM__CHECKPOINT_FORMAT, "build", build.text, "options",
        options_object(&trainer->options), "state",
        object_of(&trainer->state, state_members, COUNT_OF(state_members)), "metrics",
        object_of(&trainer->metrics, metric_members, COUNT_OF(metric_members)), "provenance",
        provenance, "files", files_array(directory));
    return *out ? MLM_OK : mlm__error(MLM_ERR_MEMORY, "no memory for " MLM__TRAINER_JSON);
}

static mlm_status missing(const char *path, const char *name)
{
    return mlm__error(MLM_ERR_FORMAT, "%s: %s: missing", path, name);
}

static mlm_status read_seed(const json_t *object, const char *path, const char *name, uint64_t *out)
{
    const char *text = "";
    MLM__TRY(mlm__json_string(object, name, path, &text));
    uint64_t seed = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9'; at++) {
        const uint64_t digit = (uint64_t)(*at - '0');
        if (seed > (UINT64_MAX - digit) / 10)
            break;
        seed = 10 * seed + digit;
    }
    if (at == text || *at)
        return mlm__error(
            MLM_ERR_FORMAT, "%s: %s: '%s' is not a number of 64 bits", path, name, text);
    *out = seed;
    return MLM_OK;
}

static mlm_status read_member(const json_t *object, const char *path, const member *m, void *record)
{
    const json_t *given = json_object_get(object, m->name);
    if (!given && m->optional)
        return MLM_OK;
    if (!given || json_is_null(given))
        return missing(path, m->name);
    char *at = (char *)record + m->offset;
    if (m->kind == KIND_DOUBLE)
        return mlm__json_double(object, m->name, -DBL_MAX, DBL_MAX, path, (double *)(void *)at);
    if (m->kind == KIND_SEED)
        return read_seed(object, path, m->name, (uint64_t *)(void *)at);
    int64_t value = 0, high = m->kind == KIND_INT32 ? INT32_MAX : INT64_MAX;
    MLM__TRY(mlm__json_int(object, m->name, 0, high, path, &value));
    if (m->kind == KIND_INT32)
        *(int32_t *)(void *)at = (int32_t)value;
    else
        *(int64_t *)(void *)at = value;
    return MLM_OK;
}

static mlm_status read_object(const json_t *root, const char *name, const char *path,
    const member *members, size_t count, void *record)
{
    const json_t *object = json_object_get(root, name);
    if (!json_is_object(object))
        return mlm__error(MLM_ERR_FORMAT, "%s: %s: not an object", path, name);
    for (size_t i = 0; i < count; i++)
        MLM__TRY(read_member(object, path, &members[i], record));
    return MLM_OK;
}

static mlm_status read_options(const json_t *root, const char *path, mlm_trainer_options *out)
{
    mlm_trainer_options_init(out, sizeof *out);
    MLM__TRY(read_object(root, "options", path, option_members, COUNT_OF(option_members), out));
    const char *scheduler = NULL;
    MLM__TRY(mlm__json_string(json_object_get(root, "options"), "lr_scheduler", path, &scheduler));
    if (!scheduler)
        return missing(path, "lr_scheduler");
    int32_t found = 0;
    while (found < SCHEDULERS && strcmp(scheduler, scheduler_names[found]) != 0)
        found++;
    if (found == SCHEDULERS)
        return mlm__error(MLM_ERR_FORMAT, "%s: lr_scheduler: '%s' is not known", path, scheduler);
    out->lr_scheduler = found;
    return mlm__trainer_options_check(out) < MLM_OK ? mlm__error_in(MLM_ERR_FORMAT, path) : MLM_OK;
}

static mlm_status read_format(const json_t *root, const char *path)
{
    int64_t format = 0;
    MLM__TRY(mlm__json_int(root, "format_version", 1, INT32_MAX, path, &format));
    if (format == 0)
        return missing(path, "format_version");
    if (format > MLM__CHECKPOINT_FORMAT)
        return mlm__error(MLM_ERR_UNSUPPORTED,
            "%s: format_version is %d, this library reads up to %d", path, (int)format,
            MLM__CHECKPOINT_FORMAT);
    return MLM_OK;
}

static mlm_status read_build(const json_t *root, const char *path, const char **out)
{
    MLM__TRY(mlm__json_string(root, "build", path, out));
    return *out ? MLM_OK : missing(path, "build");
}

mlm_status mlm__trainer_json_read(const json_t *root, const char *path, mlm__trainer_record *out)
{
    memset(out, 0, sizeof *out);
    MLM__TRY(read_format(root, path));
    MLM__TRY(read_build(root, path, &out->build));
    MLM__TRY(read_options(root, path, &out->options));
    out->state.rate_factor = 1;
    MLM__TRY(read_object(root, "state", path, state_members, COUNT_OF(state_members), &out->state));
    if (out->state.step > INT64_MAX / 2) /* counting on would overflow */
        return mlm__error(MLM_ERR_FORMAT, "%s: step: %" PRId64 " are more than any run has", path,
            out->state.step);
    if (out->state.learning_rate != -1 && out->state.learning_rate < 0)
        return mlm__error(MLM_ERR_FORMAT, "%s: learning_rate: %g is neither -1 nor 0 or more", path,
            out->state.learning_rate);
    if (!(out->state.rate_factor > 0 && out->state.rate_factor <= 1))
        return mlm__error(
            MLM_ERR_FORMAT, "%s: rate_factor: %g is not in (0,1]", path, out->state.rate_factor);
    MLM__TRY(read_object(
        root, "metrics", path, metric_members, COUNT_OF(metric_members), &out->metrics));
    out->metrics.struct_size = sizeof out->metrics;
    out->metrics.step = out->state.step;
    out->metrics.position = out->state.position;
    return MLM_OK;
}
