#include "batches/contents.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/runtime.h"
#include "batches/census.h"
#include "files/sha256.h"
#include "tokens/tokenizer.h"

/* Reading in progress. */
struct reading {
    mlm_runtime *runtime;
    const mlm_tokenizer *tokenizer;
    const mlm_corpus_options *options;
    mlm__lines *lines;
    mlm__contents *contents;
    mlm__census census;
    int32_t *offsets, *ids; /* of the tokens of a block of lines */
    size_t offset_capacity, id_capacity;
    bool in_document; /* it has a token */
};

/* Most texts have fewer tokens than half their bytes; where not, the tokenizer says the need. */
static mlm_status encode(struct reading *reading)
{
    const mlm__lines *lines = reading->lines;
    size_t size = 0, count = 0;
    for (size_t i = 0; i < lines->count; i++)
        size += lines->length[i];
    MLM__TRY(mlm__grow(reading->runtime, &reading->offsets, &reading->offset_capacity,
        lines->count + 1, sizeof *reading->offsets));
    MLM__TRY(mlm__grow(reading->runtime, &reading->ids, &reading->id_capacity, size / 2 + 1,
        sizeof *reading->ids));
    mlm_encode_options options;
    mlm_encode_options_init(&options, sizeof options);
    options.add_special_tokens = 0;
    mlm_status status = mlm_tokenizer_encode_batch(reading->tokenizer, lines->text, lines->length,
        (int32_t)lines->count, &options, reading->offsets, reading->ids, NULL, reading->id_capacity,
        &count);
    if (status != MLM_ERR_CAPACITY)
        return status;
    MLM__TRY(mlm__grow(
        reading->runtime, &reading->ids, &reading->id_capacity, count, sizeof *reading->ids));
    return mlm_tokenizer_encode_batch(reading->tokenizer, lines->text, lines->length,
        (int32_t)lines->count, &options, reading->offsets, reading->ids, NULL, reading->id_capacity,
        &count);
}

static bool is_blank(const char *line, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (!strchr(" \t\r\v\f", line[i]))
            return false;
    return true;
}

static void end_document(struct reading *reading)
{
    mlm__packing_end_document(&reading->contents->packing);
    reading->contents->info.documents += reading->in_document;
    reading->in_document = false;
}

static mlm_status add_line(struct reading *reading, size_t line)
{
    const mlm__lines *lines = reading->lines;
    mlm__contents *contents = reading->contents;
    const int32_t *ids = reading->ids + reading->offsets[line];
    size_t count = (size_t)(reading->offsets[line + 1] - reading->offsets[line]);
    if (lines->begins_file[line] || reading->options->input == MLM_INPUT_LINES ||
        is_blank(lines->text[line], lines->length[line]))
        end_document(reading);
    if (count == 0)
        return MLM_OK;
    MLM__TRY(mlm__store_append(&contents->store, ids, count));
    if (reading->options->packing == MLM_PACK_PAIRS)
        MLM__TRY(mlm__pairs_add(&contents->pairs, count, !reading->in_document));
    else
        MLM__TRY(mlm__packing_add(&contents->packing, ids, count));
    reading->in_document = true;
    contents->info.sentences++;
    return mlm__census_add(&reading->census, lines->text[line], lines->length[line], ids, count);
}

static mlm_status read_lines(struct reading *reading)
{
    mlm_status status;
    while ((status = mlm__lines_next(reading->lines)) == MLM_OK) {
        MLM__TRY(encode(reading));
        for (size_t i = 0; i < reading->lines->count; i++)
            MLM__TRY(add_line(reading, i));
    }
    if (status != MLM_END)
        return status;
    end_document(reading);
    if (reading->contents->store.count == 0)
        return mlm__lines_no_text(reading->lines);
    return reading->options->packing == MLM_PACK_PAIRS
               ? mlm__pairs_cut(&reading->contents->pairs)
               : mlm__packing_finish(&reading->contents->packing);
}

static mlm_status hash(mlm_runtime *runtime, mlm__contents *contents)
{
    const mlm__store *store = &contents->store;
    mlm__sha256 sha;
    mlm__sha256_init(&sha);
    size_t count;
    for (int64_t begin = 0; begin < store->count; begin += (int64_t)count) {
        const void *run = mlm__store_run(store, begin, &count);
        mlm__sha256_update(&sha, run, count * store->width);
        if (!mlm__progress(runtime, "hashing tokens", begin + (int64_t)count, store->count))
            return mlm__error(MLM_STOPPED, "hashing tokens was stopped by the progress callback");
    }
    const mlm__packing *packing = &contents->packing;
    const mlm__pairs *pairs = &contents->pairs;
    if (pairs->count > 0)
        mlm__sha256_update(&sha, pairs->list, pairs->count * sizeof *pairs->list);
    else
        mlm__sha256_update(&sha, packing->starts, packing->count * sizeof *packing->starts);
    uint8_t digest[32];
    mlm__sha256_final(&sha, digest);
    mlm__sha256_hex(digest, contents->sha256);
    return MLM_OK;
}

static void count_up(const struct reading *reading)
{
    mlm_corpus_info *info = &reading->contents->info;
    int32_t unknown = mlm_tokenizer_special(reading->tokenizer, MLM_TOKEN_UNK);
    info->struct_size = sizeof *info;
    info->bytes = reading->lines->bytes;
    info->invalid_bytes = reading->lines->invalid_bytes;
    info->sequences = (int64_t)(reading->contents->packing.count + reading->contents->pairs.count);
    info->truncated_tokens = reading->contents->pairs.unused;
    info->tokens = reading->contents->store.count;
    info->unknown_tokens = unknown < 0 ? 0 : reading->census.counts[unknown];
    info->duplicate_lines = reading->census.duplicate_lines;
    info->unigram_entropy =
        mlm__census_entropy(&reading->census, mlm__tokenizer_flags(reading->tokenizer));
}

mlm_status mlm__contents_read(mlm_runtime *runtime, const mlm_tokenizer *tokenizer,
    const mlm_corpus_options *options, mlm__lines *lines, mlm__contents *contents)
{
    int32_t V = mlm_tokenizer_vocab_size(tokenizer);
    struct reading reading = {.runtime = runtime,
        .tokenizer = tokenizer,
        .options = options,
        .lines = lines,
        .contents = contents};
    memset(contents, 0, sizeof *contents);
    MLM__TRY(mlm__census_init(runtime, V, &reading.census));
    mlm__store_init(runtime, V, &contents->store);
    mlm__packing_init(runtime, options, mlm__tokenizer_flags(tokenizer), &contents->packing);
    mlm__pairs_init(runtime, options, &contents->pairs);
    mlm_status status = read_lines(&reading);
    if (status == MLM_OK)
        status = hash(runtime, contents);
    if (status == MLM_OK)
        count_up(&reading);
    else
        mlm__contents_clear(contents);
    mlm__census_clear(&reading.census);
    mlm__free(runtime, reading.offsets);
    mlm__free(runtime, reading.ids);
    return status;
}

void mlm__contents_clear(mlm__contents *contents)
{
    mlm__store_clear(&contents->store);
    mlm__packing_clear(&contents->packing);
    mlm__pairs_clear(&contents->pairs);
}
