#include "text/normalize.h"

#include <string.h>

#include "mlm/mlm.h"
#include "text/unicode_tables.h"
#include "text/utf8.h"

enum { CAPITAL_SIGMA = 0x3A3, FINAL_SIGMA = 0x3C2, CAPITAL_I_DOT = 0x130, DOT_ABOVE = 0x307 };
enum { HANGUL_FIRST = 0xAC00, JAMO_L = 0x1100, JAMO_V = 0x1161, JAMO_T = 0x11A7 };
enum { HANGUL_V = 21, HANGUL_T = 28 };
/* Most parts of one character: two spaces and four of a decomposition. */
enum { MOST_PARTS = 6 };

/* Goes over the parts that the characters of a text become before marks are ordered. */
typedef struct walk {
    const uint8_t *at, *next; /* the character whose parts these are, and the one after it */
    int32_t parts[MOST_PARTS];
    int32_t count, index;
} walk;

typedef struct pass {
    const mlm__normalizer *normalizer;
    const uint8_t *text, *begin, *end;
    mlm__normalized *out;
} pass;

static uint32_t flags_of(const pass *p, int32_t code)
{
    return mlm__character_of(code)->flags[p->normalizer->profile];
}

static uint8_t combining_class(const pass *p, int32_t code)
{
    return mlm__character_of(code)->combining[p->normalizer->profile];
}

void mlm__normalizer_init(mlm__normalizer *normalizer, int32_t profile, bool clean_text,
    bool handle_chinese_chars, bool strip_accents, bool lowercase)
{
    *normalizer = (mlm__normalizer){.profile = profile,
        .clean_text = clean_text,
        .handle_chinese_chars = handle_chinese_chars,
        .strip_accents = strip_accents,
        .lowercase = lowercase};
    memset(normalizer->kind, MLM__KIND_WIDE, sizeof normalizer->kind);
    for (int32_t c = 0; c < 128; c++) {
        const mlm__character *character = mlm__character_of(c);
        uint32_t flags = character->flags[profile];
        normalizer->kind[c] = flags & MLM__CHAR_BREAK         ? MLM__KIND_BREAK
                              : flags & MLM__CHAR_PUNCTUATION ? MLM__KIND_PUNCTUATION
                                                              : MLM__KIND_LETTER;
        if (clean_text && flags & MLM__CHAR_DROP)
            normalizer->ascii[c] = MLM__ASCII_DROPPED;
        else if (clean_text && flags & MLM__CHAR_SPACE)
            normalizer->ascii[c] = ' ';
        else
            normalizer->ascii[c] = (uint8_t)(c + (lowercase ? character->lower[profile] : 0));
    }
}

/* Whether the first character that counts, going on from at, is a cased letter: what stands before
   and after a capital sigma decides its lowercase (Unicode 3.13, Final_Sigma). */
static bool cased_after(const pass *p, const uint8_t *at)
{
    for (size_t size; at < p->end; at += size) {
        int32_t code = mlm__utf8_decode(at, p->end, &size);
        if (code == MLM__UTF8_INVALID)
            continue;
        uint32_t flags = flags_of(p, code);
        if (!(flags & MLM__CHAR_CASE_IGNORABLE) &&
            !(p->normalizer->clean_text && flags & MLM__CHAR_DROP))
            return flags & MLM__CHAR_CASED;
    }
    return false;
}

static bool cased_before(const pass *p, const uint8_t *at)
{
    while (at > p->begin) {
        size_t size;
        at = mlm__utf8_previous(p->begin, at);
        int32_t code = mlm__utf8_decode(at, p->end, &size);
        if (code == MLM__UTF8_INVALID)
            continue;
        uint32_t flags = flags_of(p, code);
        if (!(flags & MLM__CHAR_CASE_IGNORABLE) &&
            !(p->normalizer->clean_text && flags & MLM__CHAR_DROP))
            return flags & MLM__CHAR_CASED;
    }
    return false;
}

static void add_decomposed(const pass *p, walk *w, int32_t code)
{
    if (!p->normalizer->strip_accents || !(flags_of(p, code) & MLM__CHAR_DECOMPOSES)) {
        w->parts[w->count++] = code;
        return;
    }
    int32_t syllable = code - HANGUL_FIRST;
    if (syllable >= 0 && syllable < 19 * HANGUL_V * HANGUL_T) {
        w->parts[w->count++] = JAMO_L + syllable / (HANGUL_V * HANGUL_T);
        w->parts[w->count++] = JAMO_V + syllable % (HANGUL_V * HANGUL_T) / HANGUL_T;
        if (syllable % HANGUL_T > 0)
            w->parts[w->count++] = JAMO_T + syllable % HANGUL_T;
        return;
    }
    const int32_t *decomposition = mlm__decomposition_of(code);
    for (int32_t i = 0; i < decomposition[0]; i++)
        w->parts[w->count++] = decomposition[1 + i];
}

/* The parts of the character at w->at: none when it is dropped. */
static void split_character(const pass *p, walk *w)
{
    const mlm__normalizer *normalizer = p->normalizer;
    bool google = normalizer->profile == MLM_PROFILE_GOOGLE;
    size_t size;
    int32_t code = mlm__utf8_decode(w->at, p->end, &size);
    w->next = w->at + size;
    w->count = w->index = 0;
    if (code == MLM__UTF8_INVALID) {
        if (google)
            return;
        code = MLM__UTF8_REPLACEMENT;
    }
    uint32_t flags = flags_of(p, code);
    if (normalizer->clean_text && flags & MLM__CHAR_DROP)
        return;
    if (normalizer->clean_text && flags & MLM__CHAR_SPACE) {
        w->parts[w->count++] = ' ';
        return;
    }
    bool spaced = normalizer->handle_chinese_chars && flags & MLM__CHAR_CHINESE;
    if (spaced)
        w->parts[w->count++] = ' ';
    if (google && normalizer->lowercase && code == CAPITAL_I_DOT) {
        w->parts[w->count++] = 'i';
        code = DOT_ABOVE;
    } else if (google && normalizer->lowercase) {
        code = code == CAPITAL_SIGMA && cased_before(p, w->at) && !cased_after(p, w->next)
                   ? FINAL_SIGMA
                   : code + mlm__character_of(code)->lower[MLM_PROFILE_GOOGLE];
    }
    add_decomposed(p, w, code);
    if (spaced)
        w->parts[w->count++] = ' ';
}

/* Stands on the next part; false: the text is at its end. */
static bool find_part(const pass *p, walk *w)
{
    while (w->index == w->count) {
        w->at = w->next;
        if (w->at == p->end)
            return false;
        split_character(p, w);
    }
    return true;
}

static void put(const pass *p, int32_t code, const uint8_t *from)
{
    mlm__normalized *out = p->out;
    size_t size = mlm__utf8_encode(code, out->bytes + out->length);
    for (size_t i = 0; out->from && i < size; i++)
        out->from[out->length + i] = (int32_t)(from - p->text);
    out->length += size;
}

/* What remains to be done after decomposition: dropping marks and, in profile hf, lowercase. */
static void put_part(const pass *p, int32_t code, const uint8_t *from)
{
    const mlm__normalizer *normalizer = p->normalizer;
    const mlm__character *character = mlm__character_of(code);
    if (normalizer->strip_accents && character->flags[normalizer->profile] & MLM__CHAR_MARK)
        return;
    if (normalizer->lowercase && normalizer->profile == MLM_PROFILE_HF) {
        if (code == CAPITAL_I_DOT) {
            put(p, 'i', from);
            code = DOT_ABOVE;
        } else {
            code += character->lower[MLM_PROFILE_HF];
        }
    }
    put(p, code, from);
}

/* Puts the combining characters from the part of *w up to the next starter in canonical order: by
   class, equal ones as they stood. Nearly always they are all dropped or in order already. Else one
   pass for each class that occurs, which needs no memory and stays linear: there are 55 classes.
   A part that a character only becomes when decomposed has its origin where the part before it in
   the result has; any other takes the next origin in the order of the text (as tokenizers, whose
   alignments know of insertions and not of movements). */
static void put_marks(const pass *p, walk *w)
{
    walk first = *w;
    bool present[256] = {false};
    bool ordered = true, kept = false;
    uint8_t highest = 0;
    for (; find_part(p, w); w->index++) {
        int32_t code = w->parts[w->index];
        uint8_t class = combining_class(p, code);
        if (class == 0)
            break;
        ordered = ordered && class >= highest;
        highest = class > highest ? class : highest;
        present[class] = true;
        kept = kept || !(flags_of(p, code) & MLM__CHAR_MARK);
    }
    if (!kept)
        return;
    walk origin = first;
    const uint8_t *from = first.at;
    bool begun = first.index > 0;
    for (int32_t class = ordered ? 255 : 1; class < 256; class ++) {
        if (!ordered && !present[class])
            continue;
        walk part = first;
        for (; find_part(p, &part) && (part.at != w->at || part.index != w->index); part.index++) {
            int32_t code = part.parts[part.index];
            if (!ordered && combining_class(p, code) != class)
                continue;
            if (part.index == 0) {
                if (begun) {
                    origin.index = origin.count;
                    find_part(p, &origin);
                }
                from = origin.at;
                begun = true;
            }
            put_part(p, code, from);
        }
    }
}

void mlm__normalize(const mlm__normalizer *normalizer, const uint8_t *text, size_t begin,
    size_t end, mlm__normalized *out)
{
    pass p = {normalizer, text, text + begin, text + end, out};
    walk w = {.at = text + begin, .next = text + begin};
    out->length = 0;
    for (;;) {
        if (w.index == w.count) {
            while (w.next < p.end && *w.next < 128) {
                uint8_t byte = normalizer->ascii[*w.next];
                if (byte != MLM__ASCII_DROPPED) {
                    if (out->from)
                        out->from[out->length] = (int32_t)(w.next - text);
                    out->bytes[out->length++] = byte;
                }
                w.next++;
            }
        }
        if (!find_part(&p, &w))
            return;
        int32_t code = w.parts[w.index];
        if (normalizer->strip_accents && combining_class(&p, code) > 0) {
            put_marks(&p, &w);
        } else {
            put_part(&p, code, w.at);
            w.index++;
        }
    }
}
