/* Bytes that are no UTF-8 are encoded as the text that the references see after their usual decoding:
   Rust's from_utf8_lossy and Python's errors="replace" put U+FFFD for each maximal part, Python's
   errors="ignore" nothing. What that text becomes is tested elsewhere. */
#include <stdbool.h>
#include <stdio.h>

#include "tokens/tokens_suites.h"

/* Well-formed sequences, as the Unicode standard lists them (table 3-7): first byte, second byte,
   length; bytes from the third on are 80 to BF. */
static const struct {
    uint8_t first[2], second[2], length;
} rows[] = {
    {{0x00, 0x7F}, {0, 0}, 1},
    {{0xC2, 0xDF}, {0x80, 0xBF}, 2},
    {{0xE0, 0xE0}, {0xA0, 0xBF}, 3},
    {{0xE1, 0xEC}, {0x80, 0xBF}, 3},
    {{0xED, 0xED}, {0x80, 0x9F}, 3},
    {{0xEE, 0xEF}, {0x80, 0xBF}, 3},
    {{0xF0, 0xF0}, {0x90, 0xBF}, 4},
    {{0xF1, 0xF3}, {0x80, 0xBF}, 4},
    {{0xF4, 0xF4}, {0x80, 0x8F}, 4},
};

enum { TEXT = 64, DECODED = 3 * TEXT };

typedef struct decoded {
    size_t length;
    uint8_t bytes[DECODED];
    int32_t begins[DECODED + 1], ends[DECODED + 1]; /* of text: where the character begins, ends */
} decoded;

static void put(decoded *out, const uint8_t *bytes, size_t size, size_t from, size_t to)
{
    for (size_t i = 0; i < size; i++) {
        out->bytes[out->length] = bytes[i];
        out->begins[out->length] = (int32_t)from;
        out->ends[++out->length] = (int32_t)to;
    }
}

static void decode(const uint8_t *text, size_t length, bool replace, decoded *out)
{
    out->length = 0;
    out->ends[0] = 0;
    for (size_t at = 0, size; at < length; at += size) {
        bool whole = false;
        size = 1;
        for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
            if (text[at] < rows[r].first[0] || text[at] > rows[r].first[1])
                continue;
            while (size < rows[r].length && at + size < length &&
                   text[at + size] >= (size == 1 ? rows[r].second[0] : 0x80) &&
                   text[at + size] <= (size == 1 ? rows[r].second[1] : 0xBF))
                size++;
            whole = size == rows[r].length;
        }
        if (whole)
            put(out, text + at, size, at, at + size);
        else if (replace)
            put(out, (const uint8_t *)"\xEF\xBF\xBD", 3, at, at + size);
    }
}

static size_t encode(const mlm_tokenizer *tokenizer, const uint8_t *text, size_t length,
    int32_t ids[DECODED], int32_t spans[2 * DECODED])
{
    mlm_encode_options options;
    mlm_encode_options_init(&options, sizeof options);
    options.add_special_tokens = 0;
    size_t count;
    assert_ok(mlm_tokenizer_encode(
        tokenizer, (const char *)text, length, &options, ids, spans, DECODED, &count));
    return count;
}

typedef struct profile_case {
    int32_t profile, clean_text, lowercase;
    mlm_tokenizer *tokenizer;
} profile_case;

static void check(const profile_case *c, const uint8_t *text, size_t length)
{
    static decoded plain;
    int32_t ids[DECODED], spans[2 * DECODED], expected[DECODED], places[2 * DECODED];
    decode(text, length, c->profile == MLM_PROFILE_HF, &plain);
    size_t count = encode(c->tokenizer, text, length, ids, spans);
    size_t wanted = encode(c->tokenizer, plain.bytes, plain.length, expected, places);
    bool same = count == wanted && memcmp(ids, expected, count * sizeof *ids) == 0;
    for (size_t i = 0; same && i < count; i++)
        same = spans[2 * i] == plain.begins[places[2 * i]] &&
               spans[2 * i + 1] == plain.ends[places[2 * i + 1]];
    if (same)
        return;
    char hex[2 * TEXT + 1] = "";
    for (size_t i = 0; i < length; i++)
        snprintf(hex + 2 * i, 3, "%02x", text[i]);
    ck_abort_msg("profile %d, clean_text %d, lowercase %d: %s", c->profile, c->clean_text,
        c->lowercase, hex);
}

static void check_all(const profile_case cases[8], const uint8_t *text, size_t length)
{
    for (size_t i = 0; i < 8; i++)
        check(&cases[i], text, length);
}

/* Characters of every row, cut at every place, before what could be taken for their rest. */
static void check_cut(const profile_case cases[8])
{
    static const char *const characters[] = {"é", "\u07FF", "\u0800", "中", "\uD7FF", "\uE000",
        "\uFFFD", "\U00010000", "😀", "\U000FFFFF", "\U0010FFFF", "Σ", "\u0301",
        /* and of none: surrogates, too long forms, too large ones */
        "\xED\xA0\x80", "\xED\xBF\xBF", "\xC0\x80", "\xE0\x9F\xBF", "\xF0\x8F\xBF\xBF",
        "\xF4\x90\x80\x80", "\xF8\x88\x80\x80\x80"};
    static const char *const rests[] = {"", "a", "\x80", "\xBF\xBF", "\xC3", "é", "中", "[MASK]",
        " a", "\xF0\x9F\x98\x80", "\xFF", "\xCC\x81"};
    for (size_t c = 0; c < sizeof characters / sizeof characters[0]; c++) {
        for (size_t cut = 1; cut <= strlen(characters[c]); cut++) {
            for (size_t r = 0; r < sizeof rests / sizeof rests[0]; r++) {
                char text[TEXT] = "Aa";
                memcpy(text + 2, characters[c], cut);
                strcpy(text + 2 + cut, rests[r]);
                check_all(cases, (uint8_t *)text, strlen(text));
                check_all(cases, (uint8_t *)text + 2, strlen(text + 2));
            }
        }
    }
}

static void check_random(const profile_case cases[8])
{
    static const char *const parts[] = {"a", "E", " ", ".", "é", "中", "😀", "Σ", "\u0301", "\uFFFD",
        "[MASK]", "\xED\xA0\x80", "\xE4\xB8", "\xF0\x9F\x98", "\xC3"};
    uint32_t state = 1;
    for (size_t turn = 0; turn < 20000; turn++) {
        char text[TEXT];
        size_t length = 0;
        for (size_t more = 1 + turn % 9; more > 0; more--) {
            state = state * 1664525u + 1013904223u;
            const char *part = parts[(state >> 8) % (sizeof parts / sizeof parts[0])];
            if (state >> 30) {
                text[length++] = (char)(state >> 16);
            } else {
                memcpy(text + length, part, strlen(part));
                length += strlen(part);
            }
        }
        check_all(cases, (uint8_t *)text, length);
    }
}

START_TEST(test_invalid_bytes_are_what_decoding_makes_of_them)
{
    profile_case cases[8];
    for (int32_t i = 0; i < 8; i++) {
        cases[i] = (profile_case){i & 1, i >> 1 & 1, i >> 2, NULL};
        mlm_tokenizer_options options;
        mlm_tokenizer_options_init(&options, sizeof options);
        options.profile = cases[i].profile;
        options.clean_text = cases[i].clean_text;
        options.lowercase = cases[i].lowercase;
        cases[i].tokenizer = fixture_tokenizer(&options);
    }
    check_cut(cases);
    check_random(cases);
    for (int32_t i = 0; i < 8; i++)
        mlm_tokenizer_free(cases[i].tokenizer);
}
END_TEST

Suite *invalid_utf8_suite(void)
{
    Suite *suite = suite_create("invalid_utf8");
    TCase *tests = tcase_create("invalid_utf8");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_invalid_bytes_are_what_decoding_makes_of_them);
    suite_add_tcase(suite, tests);
    return suite;
}
