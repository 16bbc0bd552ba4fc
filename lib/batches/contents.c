#include "batches/contents.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/runtime.h"
#include "tokens/tokenizer.h"

enum { SOME_LINES = 1024, SOME_TOKENS = 1 << 16, SOME_RECORDS = 256 };

/* Packing in progress. */
struct packer {
    mlm_runtime *runtime;
    const mlm_corpus_options *options;
    mlm__contents *contents;
    int32_t *ids; /* of some lines */
    size_t capacity;
    int64_t tokens; /* packed so far */
};

/* The bin of a length: floor(log2 length), or the last. */
static size_t bin_of(size_t length)
{
    size_t bin = 0;
    while (length >>= 1)
        bin++;
    return bin < MLM_LENGTH_BINS ? bin : MLM_LENGTH_BINS - 1;
}

static mlm_status add_line(struct packer *packer, uint32_t line, const int32_t *ids)
{
    mlm__contents *contents = packer->contents;
    size_t count = mlm__store_line_count(line);
    bool begins = mlm__store_line_begins(line) || packer->options->input == MLM_INPUT_LINES;
    contents->info.documents += begins;
    contents->info.sentence_lengths[bin_of(count)]++;
    if (packer->options->packing == MLM_PACK_PAIRS)
        return mlm__pairs_add(&contents->pairs, count, begins);
    if (begins)
        mlm__packing_end_document(&contents->packing);
    return mlm__packing_add(&contents->packing, ids, count);
}

/* Pairs are cut by lengths alone, and need no tokens. */
static mlm_status add_lines(
    struct packer *packer, const uint32_t *lines, size_t count, size_t tokens)
{
    if (packer->options->packing != MLM_PACK_PAIRS) {
        MLM__TRY(mlm__grow(
            packer->runtime, &packer->ids, &packer->capacity, tokens, sizeof *packer->ids));
        MLM__TRY(mlm__store_get(&packer->contents->store, packer->tokens, tokens, packer->ids));
    }
    const int32_t *ids = packer->ids;
    for (size_t i = 0; i < count; i++) {
        MLM__TRY(add_line(packer, lines[i], ids));
        if (ids)
            ids += mlm__store_line_count(lines[i]);
    }
    packer->tokens += (int64_t)tokens;
    return MLM_OK;
}

/* As many lines as have SOME_TOKENS, at least one. */
static size_t choose_lines(const uint32_t *lines, size_t count, size_t *tokens)
{
    size_t chosen = 0;
    *tokens = 0;
    do
        *tokens += mlm__store_line_count(lines[chosen++]);
    while (chosen < count && *tokens + mlm__store_line_count(lines[chosen]) <= SOME_TOKENS);
    return chosen;
}

static mlm_status pack_lines(struct packer *packer)
{
    mlm__contents *contents = packer->contents;
    mlm__records *all = &contents->store.lines;
    uint32_t lines[SOME_LINES];
    for (int64_t begin = 0; begin < all->count;) {
        int64_t rest = all->count - begin;
        size_t count = rest < SOME_LINES ? (size_t)rest : SOME_LINES, tokens;
        MLM__TRY(mlm__records_read(all, begin, count, lines));
        count = choose_lines(lines, count, &tokens);
        MLM__TRY(add_lines(packer, lines, count, tokens));
        begin += (int64_t)count;
        if (!mlm__progress(packer->runtime, "packing", begin, all->count))
            return mlm__error(MLM_STOPPED, "packing was stopped by the progress callback");
    }
    contents->info.sentences = all->count;
    mlm__records_clear(all);
    return packer->options->packing == MLM_PACK_PAIRS ? mlm__pairs_cut(&contents->pairs)
                                                      : mlm__packing_finish(&contents->packing);
}

static void count_sequence(mlm_corpus_info *info, size_t length)
{
    info->sequence_lengths[bin_of(length)]++;
}

/* Hashes where the sequences are and counts how long. */
static mlm_status look_at_sequences(mlm__contents *contents)
{
    mlm__xxh64 hash = contents->store.token_hash;
    int64_t count = contents->packing.count;
    int64_t starts[SOME_RECORDS + 1];
    for (int64_t begin = 0; begin < count; begin += SOME_RECORDS) {
        size_t some = count - begin < SOME_RECORDS ? (size_t)(count - begin) : SOME_RECORDS;
        MLM__TRY(mlm__records_read(&contents->packing.starts, begin, some + 1, starts));
        mlm__xxh64_update(&hash, starts, some * sizeof *starts);
        for (size_t i = 0; i < some; i++)
            count_sequence(&contents->info, (size_t)(starts[i + 1] - starts[i]) + 2);
    }
    contents->info.sequences = count;
    contents->hash = mlm__xxh64_digest(&hash);
    return MLM_OK;
}

static mlm_status look_at_pairs(mlm__contents *contents)
{
    mlm__xxh64 hash = contents->store.token_hash;
    int64_t count = contents->pairs.list.count;
    mlm__pair pairs[SOME_RECORDS];
    for (int64_t begin = 0; begin < count; begin += SOME_RECORDS) {
        size_t some = count - begin < SOME_RECORDS ? (size_t)(count - begin) : SOME_RECORDS;
        MLM__TRY(mlm__records_read(&contents->pairs.list, begin, some, pairs));
        mlm__xxh64_update(&hash, pairs, some * sizeof *pairs);
        for (size_t i = 0; i < some; i++) {
            int32_t b = pairs[i].b_length < 0 ? -pairs[i].b_length : pairs[i].b_length;
            count_sequence(&contents->info, (size_t)(pairs[i].a_length + b) + 3);
        }
    }
    contents->info.sequences = count;
    contents->info.truncated_tokens = contents->pairs.unused;
    contents->hash = mlm__xxh64_digest(&hash);
    return MLM_OK;
}

mlm_status mlm__contents_pack(mlm_runtime *runtime, const mlm_tokenizer *tokenizer,
    const mlm_corpus_options *options, const char *directory, mlm__contents *contents)
{
    const mlm__store_counts *counts = &contents->store.counts;
    contents->info = (mlm_corpus_info){.struct_size = sizeof contents->info,
        .bytes = counts->bytes,
        .tokens = contents->store.tokens.count,
        .unknown_tokens = counts->unknown_tokens,
        .duplicate_lines = counts->duplicate_lines,
        .invalid_bytes = counts->invalid_bytes,
        .unigram_entropy = counts->unigram_entropy};
    mlm__packing_init(
        runtime, options, mlm__tokenizer_flags(tokenizer), directory, &contents->packing);
    mlm__pairs_init(runtime, options, directory, &contents->pairs);
    struct packer packer = {.runtime = runtime, .options = options, .contents = contents};
    mlm_status status = pack_lines(&packer);
    mlm__free(runtime, packer.ids);
    if (status == MLM_OK)
        status = options->packing == MLM_PACK_PAIRS ? look_at_pairs(contents)
                                                    : look_at_sequences(contents);
    if (status != MLM_OK)
        mlm__contents_clear(contents);
    return status;
}

void mlm__contents_clear(mlm__contents *contents)
{
    mlm__store_clear(&contents->store);
    mlm__packing_clear(&contents->packing);
    mlm__pairs_clear(&contents->pairs);
}
