/* One text to ids: added tokens, blocks, words, pieces. */
#include "base/error.h"
#include "text/utf8.h"
#include "text/words.h"
#include "tokens/encode.h"
#include "tokens/scratch.h"

typedef struct encoding {
    const mlm_tokenizer *tokenizer;
    mlm__scratch *scratch;
    const uint8_t *text;
    size_t length;
    mlm__sink *sink;
} encoding;

void mlm__sink_put(mlm__sink *sink, int32_t id, size_t from, size_t to)
{
    if (sink->count < sink->capacity) {
        sink->ids[sink->count] = id;
        if (sink->spans) {
            sink->spans[2 * sink->count] = (int32_t)from;
            sink->spans[2 * sink->count + 1] = (int32_t)to;
        }
    }
    sink->count++;
}

static bool is_full(const encoding *e)
{
    return e->sink->count >= e->sink->limit;
}

/* The bytes of text behind normalised bytes [begin, end). */
static void put_with_span(const encoding *e, int32_t id, size_t begin, size_t end)
{
    size_t from = 0, to = 0;
    if (e->sink->spans) {
        const int32_t *origin = e->scratch->normalized.from;
        size_t last = (size_t)origin[end - 1], size;
        mlm__utf8_decode(e->text + last, e->text + e->length, &size);
        from = (size_t)origin[begin];
        to = last + size;
    }
    mlm__sink_put(e->sink, id, from, to);
}

static void encode_words(const encoding *e, size_t begin, size_t end)
{
    const mlm_tokenizer *tokenizer = e->tokenizer;
    const uint8_t *bytes = e->scratch->normalized.bytes;
    mlm__piece *pieces = e->scratch->pieces;
    mlm__word word;
    for (size_t at = begin; !is_full(e); at = word.end) {
        if (!mlm__word_next(&tokenizer->normalizer, bytes, end, at, &word))
            return;
        size_t count = mlm__wordpiece_split(&tokenizer->wordpiece, bytes + word.begin,
            word.end - word.begin, pieces, e->scratch->block);
        size_t from = word.begin;
        for (size_t i = 0; i < count && !is_full(e); i++) {
            put_with_span(e, pieces[i].id, from, word.begin + pieces[i].end);
            from = word.begin + pieces[i].end;
        }
    }
}

/* Added tokens that are looked for in normalised text, and the words between them. */
static void encode_block(const encoding *e, size_t begin, size_t end)
{
    const mlm_tokenizer *tokenizer = e->tokenizer;
    mlm__normalized *normalized = &e->scratch->normalized;
    mlm__normalize(&tokenizer->normalizer, e->text, begin, end, normalized);
    size_t at = 0;
    if (tokenizer->added.has_normalized && tokenizer->options.profile == MLM_PROFILE_HF) {
        mlm__added_search search = {.added = &tokenizer->added,
            .trie = &tokenizer->added.normalized,
            .skip_special = tokenizer->options.split_special_tokens,
            .text = normalized->bytes,
            .length = normalized->length};
        mlm__added_match match;
        while (!is_full(e) && mlm__added_search_next(&search, &match)) {
            if (at < match.begin)
                encode_words(e, at, match.begin);
            if (!is_full(e))
                put_with_span(e, match.id, match.begin, match.end);
            at = match.end;
        }
    }
    encode_words(e, at, normalized->length);
}

/* Where the block that begins at begin ends: after white space, so that no word is cut. */
static size_t block_end(const encoding *e, size_t begin, size_t end)
{
    if (end - begin <= MLM__ENCODE_BLOCK || e->tokenizer->added.has_normalized)
        return end;
    for (size_t at = begin + MLM__ENCODE_BLOCK; at < end; at++) {
        if (e->text[at] == ' ' || e->text[at] == '\n')
            return at + 1;
    }
    return end;
}

static size_t encode_segment(const encoding *e, size_t begin, size_t end)
{
    while (begin < end && !is_full(e)) {
        size_t stop = block_end(e, begin, end);
        if (stop - begin > e->scratch->block)
            return stop - begin;
        encode_block(e, begin, stop);
        begin = stop;
    }
    return 0;
}

size_t mlm__encode_text(const mlm_tokenizer *tokenizer, mlm__scratch *scratch, const char *text,
    size_t length, mlm__sink *sink)
{
    encoding e = {tokenizer, scratch, (const uint8_t *)text, length, sink};
    size_t before = sink->count, at = 0, need = 0;
    scratch->normalized.from = sink->spans ? scratch->from : NULL;
    if (tokenizer->added.has_exact && tokenizer->options.profile == MLM_PROFILE_HF) {
        mlm__added_search search = {.added = &tokenizer->added,
            .trie = &tokenizer->added.exact,
            .skip_special = tokenizer->options.split_special_tokens,
            .text = e.text,
            .length = length};
        mlm__added_match match;
        while (need == 0 && !is_full(&e) && mlm__added_search_next(&search, &match)) {
            need = encode_segment(&e, at, match.begin);
            if (need == 0 && !is_full(&e))
                mlm__sink_put(sink, match.id, match.begin, match.end);
            at = match.end;
        }
    }
    if (need == 0)
        need = encode_segment(&e, at, length);
    if (need > 0)
        sink->count = before;
    return need;
}

mlm_status mlm__encode_growing(const mlm_tokenizer *tokenizer, mlm__scratch *scratch,
    const char *text, size_t length, mlm__sink *sink)
{
    size_t need;
    while ((need = mlm__encode_text(tokenizer, scratch, text, length, sink)) > 0)
        MLM__TRY(mlm__scratch_reserve(tokenizer->runtime, scratch, need));
    return MLM_OK;
}
