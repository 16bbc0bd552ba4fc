#include "trainer/provenance.h"

#include <string.h>

#include "base/error.h"
#include "base/fpmode.h"
#include "base/memory.h"
#include "batches/corpus.h"
#include "batches/masker.h"
#include "files/json.h"
#include "tokens/tokenizer.h"
#include "trainer/trainer.h"

enum { SOURCES = 3, VALUE_TEXT = 128, MOST_TEXT = 1 << 16 };

static const char *const source_names[SOURCES] = {"tokenizer", "corpus", "masker"};

typedef struct sources {
    const mlm_tokenizer *tokenizer;
    const mlm_corpus *corpus;
    const mlm_masker *masker;
} sources;

/* *out is NULL where the source is. */
static mlm_status describe(const sources *from, int32_t source, json_t **out)
{
    *out = NULL;
    bool present = true;
    if (source == 0 && from->tokenizer)
        *out = mlm__tokenizer_provenance(from->tokenizer);
    else if (source == 1 && from->corpus)
        *out = mlm__corpus_provenance(from->corpus);
    else if (source == 2 && from->masker)
        *out = mlm__masker_provenance(from->masker);
    else
        present = false;
    return present && !*out ? mlm__error(MLM_ERR_MEMORY, "no memory for the %s's provenance",
                                  source_names[source])
                            : MLM_OK;
}

static mlm_status load_resumed(const mlm_trainer *trainer, json_t **out)
{
    const char *text = trainer->resumed_provenance ? trainer->resumed_provenance : "{}";
    return mlm__json_parse(text, strlen(text), "the provenance", out);
}

mlm_status mlm__provenance_of(const mlm_trainer *trainer, json_t **out)
{
    const sources attached = {trainer->tokenizer, trainer->corpus, trainer->masker};
    json_t *all;
    *out = NULL;
    MLM__TRY(load_resumed(trainer, &all));
    for (int32_t source = 0; source < SOURCES; source++) {
        json_t *one;
        mlm_status status = describe(&attached, source, &one);
        if (status == MLM_OK && one && json_object_set_new(all, source_names[source], one))
            status = mlm__error(MLM_ERR_MEMORY, "no memory for the provenance");
        if (status < MLM_OK) {
            json_decref(all);
            return status;
        }
    }
    *out = all;
    return MLM_OK;
}

/* A handle's is an object of numbers and short texts. More would come back in every later save. */
static mlm_status check_source(const char *name, json_t *source, const char *path)
{
    const char *member;
    json_t *value;
    if (!json_is_object(source))
        return mlm__error(MLM_ERR_FORMAT, "%s: provenance: %s: not an object", path, name);
    json_object_foreach (source, member, value)
        if (json_is_object(value) || json_is_array(value))
            return mlm__error(
                MLM_ERR_FORMAT, "%s: provenance: %s: %s: not a plain value", path, name, member);
    return MLM_OK;
}

mlm_status mlm__provenance_keep(mlm_trainer *trainer, json_t *provenance, const char *path)
{
    const char *name;
    json_t *source;
    if (!json_is_object(provenance))
        return mlm__error(MLM_ERR_FORMAT, "%s: provenance: not an object", path);
    json_object_foreach (provenance, name, source)
        MLM__TRY(check_source(name, source, path));
    MLM__TRY(mlm__json_text(trainer->runtime, provenance, &trainer->resumed_provenance));
    const size_t size = strlen(trainer->resumed_provenance);
    if (size > MOST_TEXT)
        return mlm__error(MLM_ERR_FORMAT, "%s: provenance: %zu bytes, at most %d are expected",
            path, size, MOST_TEXT);
    return MLM_OK;
}

/* A value as it stands in JSON, strings without quotes, cut to fit. */
static void value_text(const json_t *value, char text[VALUE_TEXT])
{
    if (!value || json_is_string(value)) {
        const char *string = value ? json_string_value(value) : "unknown";
        size_t length = strnlen(string, VALUE_TEXT - 1);
        memcpy(text, string, length);
        text[length] = '\0';
        return;
    }
    size_t length = json_dumpb(
        value, text, VALUE_TEXT - 1, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(15));
    text[length < VALUE_TEXT ? length : VALUE_TEXT - 1] = '\0';
}

static mlm_status differ(
    const char *source, const char *member, const json_t *now, const json_t *then)
{
    char now_text[VALUE_TEXT], then_text[VALUE_TEXT];
    value_text(now, now_text);
    value_text(then, then_text);
    return mlm__error(MLM_ERR_MISMATCH, "%s: %s is %s, the checkpoint was trained with %s", source,
        member, now_text, then_text);
}

static mlm_status compare(const char *source, json_t *now, json_t *then)
{
    const char *member;
    json_t *value;
    json_object_foreach (now, member, value)
        if (!json_equal(value, json_object_get(then, member)))
            return differ(source, member, value, json_object_get(then, member));
    json_object_foreach (then, member, value)
        if (!json_object_get(now, member))
            return differ(source, member, NULL, value);
    return MLM_OK;
}

mlm_status mlm__provenance_check(const mlm_trainer *resumed_trainer, const mlm_tokenizer *tokenizer,
    const mlm_corpus *corpus, const mlm_masker *masker)
{
    const sources given = {tokenizer, corpus, masker};
    json_t *resumed;
    MLM__TRY(load_resumed(resumed_trainer, &resumed));
    mlm_status status = MLM_OK;
    for (int32_t source = 0; source < SOURCES && status == MLM_OK; source++) {
        json_t *then = json_object_get(resumed, source_names[source]);
        json_t *now;
        status = describe(&given, source, &now);
        if (status == MLM_OK && now && then)
            status = compare(source_names[source], now, then);
        json_decref(now);
    }
    json_decref(resumed);
    return status;
}

mlm_status mlm_trainer_attach(mlm_trainer *trainer, const mlm_tokenizer *tokenizer,
    mlm_corpus *corpus, const mlm_masker *masker)
{
    if (!trainer)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_trainer_attach: trainer is NULL");
    fenv_t mode; /* numbers are read from decimal */
    mlm__fp_enter(&mode);
    mlm_status status = mlm__provenance_check(trainer, tokenizer, corpus, masker);
    mlm__fp_leave(&mode);
    MLM__TRY(status);
    if (corpus && trainer->resumed_provenance)
        MLM__TRY(mlm_corpus_seek(corpus, trainer->state.position));

    mlm_tokenizer *old_tokenizer = trainer->tokenizer;
    mlm_corpus *old_corpus = trainer->corpus;
    mlm_masker *old_masker = trainer->masker;
    trainer->tokenizer = tokenizer ? mlm__tokenizer_retain((mlm_tokenizer *)tokenizer) : NULL;
    trainer->corpus = corpus ? mlm__corpus_retain(corpus) : NULL;
    trainer->masker = masker ? mlm__masker_retain((mlm_masker *)masker) : NULL;
    mlm_tokenizer_free(old_tokenizer);
    mlm_corpus_free(old_corpus);
    mlm_masker_free(old_masker);
    return MLM_OK;
}
