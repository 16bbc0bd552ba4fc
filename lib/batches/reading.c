#include "batches/reading.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/threads.h"
#include "batches/census.h"
#include "text/utf8.h"
#include "tokens/tokenizer.h"

enum { PIECES = 32 };

/* Reading in progress; the arrays are of a block of lines. */
struct reading {
    mlm_runtime *runtime;
    const mlm_tokenizer *tokenizer;
    mlm__lines *lines;
    mlm__store *store;
    mlm__census census;
    int32_t *offsets, *ids; /* of the tokens */
    size_t offset_capacity, id_capacity;
    uint64_t *hashes; /* [lines] */
    size_t hash_capacity;
    int64_t invalid_bytes[PIECES];
    uint32_t *kept; /* [lines] of the store: those that have tokens */
    size_t kept_capacity;
    bool breaks; /* a document ends before the next line with tokens */
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

static void look_at_lines(void *context, size_t piece, int32_t thread)
{
    (void)thread;
    struct reading *reading = context;
    const mlm__lines *lines = reading->lines;
    size_t end = lines->count * (piece + 1) / PIECES;
    for (size_t i = lines->count * piece / PIECES; i < end; i++) {
        const char *text = lines->text[i];
        size_t length = lines->length[i];
        reading->hashes[i] = mlm__census_hash(text, length);
        reading->invalid_bytes[piece] +=
            (int64_t)mlm__utf8_count_invalid((const uint8_t *)text, length);
    }
}

static bool is_blank(const char *line, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (!strchr(" \t\r\v\f", line[i]))
            return false;
    return true;
}

static mlm_status add_block(struct reading *reading)
{
    const mlm__lines *lines = reading->lines;
    const int32_t *offsets = reading->offsets;
    size_t kept = 0, count = (size_t)offsets[lines->count];
    for (size_t i = 0; i < lines->count; i++) {
        if (lines->begins_file[i] || is_blank(lines->text[i], lines->length[i]))
            reading->breaks = true;
        if (offsets[i + 1] == offsets[i])
            continue;
        reading->kept[kept++] =
            mlm__store_line((size_t)(offsets[i + 1] - offsets[i]), reading->breaks);
        reading->breaks = false;
        MLM__TRY(mlm__census_add_line(&reading->census, reading->hashes[i]));
    }
    mlm__census_add_tokens(&reading->census, reading->ids, count);
    return mlm__store_append(reading->store, reading->ids, count, reading->kept, kept);
}

static mlm_status read_blocks(struct reading *reading)
{
    mlm_status status;
    const mlm__lines *lines = reading->lines;
    while ((status = mlm__lines_next(reading->lines)) == MLM_OK) {
        MLM__TRY(mlm__grow(reading->runtime, &reading->hashes, &reading->hash_capacity,
            lines->count, sizeof *reading->hashes));
        MLM__TRY(mlm__grow(reading->runtime, &reading->kept, &reading->kept_capacity, lines->count,
            sizeof *reading->kept));
        mlm__parallel(reading->runtime, PIECES, look_at_lines, reading);
        MLM__TRY(encode(reading));
        MLM__TRY(add_block(reading));
    }
    if (status != MLM_END)
        return status;
    if (reading->store->tokens.count == 0)
        return mlm__lines_no_text(reading->lines);
    MLM__TRY(mlm__census_finish(&reading->census));
    return mlm__store_finish(reading->store);
}

static void count_up(const struct reading *reading)
{
    const mlm__census *census = &reading->census;
    int32_t unknown = mlm_tokenizer_special(reading->tokenizer, MLM_TOKEN_UNK);
    mlm__store_counts *counts = &reading->store->counts;
    counts->bytes = reading->lines->bytes;
    counts->unknown_tokens = unknown < 0 ? 0 : census->counts[unknown];
    counts->duplicate_lines = census->duplicate_lines;
    for (size_t piece = 0; piece < PIECES; piece++)
        counts->invalid_bytes += reading->invalid_bytes[piece];
    counts->unigram_entropy = mlm__census_entropy(census, mlm__tokenizer_flags(reading->tokenizer));
}

mlm_status mlm__reading_run(mlm_runtime *runtime, const mlm_tokenizer *tokenizer, mlm__lines *lines,
    const char *directory, mlm__store *store)
{
    struct reading reading = {
        .runtime = runtime, .tokenizer = tokenizer, .lines = lines, .store = store};
    MLM__TRY(mlm__census_init(runtime, mlm_tokenizer_vocab_size(tokenizer), directory,
        MLM__CENSUS_SLOTS, &reading.census));
    mlm_status status = read_blocks(&reading);
    if (status == MLM_OK)
        count_up(&reading);
    mlm__census_clear(&reading.census);
    mlm__free(runtime, reading.offsets);
    mlm__free(runtime, reading.ids);
    mlm__free(runtime, reading.hashes);
    mlm__free(runtime, reading.kept);
    return status;
}
