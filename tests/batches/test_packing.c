#include <stdlib.h>
#include <string.h>

#include "base/runtime.h"
#include "batches/packing.h"
#include "batches_suites.h"
#include "support/support.h"
#include "tokens/tokenizer.h"

/* Ids 0 to 9 begin a word, 10 to 19 continue one. */
static uint8_t flags[20];

static void make_packing(
    mlm_runtime *runtime, int32_t T, int32_t input, int32_t packing, mlm__packing *out)
{
    mlm_corpus_options options;
    mlm_corpus_options_init(&options, sizeof options);
    options.T = T;
    options.input = input;
    options.packing = packing;
    memset(flags + 10, MLM__TOKEN_CONTINUES, 10);
    mlm__packing_init(runtime, &options, flags, NULL, out);
}

/* Units as strings: lower case begins a word, upper case continues one; "." is the end of a
   document. What comes back has the same letters, with "|" before each sequence. */
static char *pack(const char *const *units, size_t count, int32_t T, int32_t input, int32_t packing)
{
    mlm_runtime *runtime;
    mlm__packing state;
    static char all[256], shown[512];
    size_t size = 0, written = 0;
    assert_ok(mlm__runtime_retain(NULL, &runtime));
    make_packing(runtime, T, input, packing, &state);
    for (size_t u = 0; u < count; u++) {
        int32_t ids[64];
        size_t length = strlen(units[u]);
        if (units[u][0] == '.') {
            mlm__packing_end_document(&state);
            continue;
        }
        for (size_t i = 0; i < length; i++)
            ids[i] = units[u][i] >= 'a' ? 0 : 10;
        assert_ok(mlm__packing_add(&state, ids, length));
        memcpy(all + size, units[u], length);
        size += length;
    }
    assert_ok(mlm__packing_finish(&state));
    for (int64_t s = 0, at = 0; s < state.count; s++) {
        int64_t begin;
        size_t length;
        assert_ok(mlm__packing_get(&state, s, &begin, &length));
        ck_assert_int_eq(begin, at);
        shown[written++] = '|';
        memcpy(shown + written, all + begin, length);
        written += length;
        at += (int64_t)length;
        if (s + 1 == state.count)
            ck_assert_int_eq(at, (int64_t)size);
    }
    shown[written] = 0;
    mlm__packing_clear(&state);
    mlm_runtime_free(runtime);
    return shown;
}

static const struct {
    int32_t T, input, packing;
    const char *units[8];
    const char *packed;
} cases[] = {
    /* Whole sentences until the next does not fit. */
    {8, MLM_INPUT_SENTENCES, MLM_PACK_FULL, {"abc", "de", "fg", "hijk"}, "|abcde|fghijk"},
    {8, MLM_INPUT_SENTENCES, MLM_PACK_FULL, {"abc", "def", "g"}, "|abcdef|g"},
    /* Documents do not mix, unless asked to. */
    {8, MLM_INPUT_SENTENCES, MLM_PACK_FULL, {"ab", ".", "cd", "."}, "|ab|cd"},
    {8, MLM_INPUT_SENTENCES, MLM_PACK_ACROSS, {"ab", ".", "cd", "efg"}, "|abcd|efg"},
    /* A sentence that is too long begins a sequence of its own, and its rest is filled up. */
    {6, MLM_INPUT_SENTENCES, MLM_PACK_FULL, {"ab", "cdefghijkl", "mn", "o"},
        "|ab|cdef|ghij|klmn|o"},
    {6, MLM_INPUT_SENTENCES, MLM_PACK_FULL, {"abcdefgh", "i"}, "|abcd|efgh|i"},
    /* A sentence each. */
    {6, MLM_INPUT_SENTENCES, MLM_PACK_ONE, {"a", "b", "cdefgh", "i"}, "|a|b|cdef|gh|i"},
    /* Paragraphs are divided wherever a sequence is full. */
    {6, MLM_INPUT_PARAGRAPHS, MLM_PACK_FULL, {"abc", "defgh", ".", "ij"}, "|abcd|efgh|ij"},
    {6, MLM_INPUT_PARAGRAPHS, MLM_PACK_ACROSS, {"abc", "defghi", ".", "jk"}, "|abcd|efgh|ijk"},
    {6, MLM_INPUT_LINES, MLM_PACK_ACROSS, {"abc", ".", "def", ".", "ghij"}, "|abcd|efgh|ij"},
    {6, MLM_INPUT_LINES, MLM_PACK_FULL, {"abc", ".", "defghi", "."}, "|abc|defg|hi"},
    /* Words are not divided ... */
    {6, MLM_INPUT_PARAGRAPHS, MLM_PACK_FULL, {"abcDEfGh"}, "|ab|cDE|fGh"},
    {6, MLM_INPUT_PARAGRAPHS, MLM_PACK_FULL, {"abc", "dEf"}, "|abc|dEf"},
    {6, MLM_INPUT_SENTENCES, MLM_PACK_FULL, {"aBcDeFgH"}, "|aBcD|eFgH"},
    /* ... but where they are longer than a sequence. */
    {6, MLM_INPUT_PARAGRAPHS, MLM_PACK_FULL, {"abCDEFGHIj"}, "|a|bCDE|FGHI|j"},
    {6, MLM_INPUT_SENTENCES, MLM_PACK_FULL, {"aBCDEFGHIJ", "k"}, "|aBCD|EFGH|IJk"},
    {3, MLM_INPUT_SENTENCES, MLM_PACK_FULL, {"aBc", "d"}, "|a|B|c|d"},
};

START_TEST(packed_as_documented)
{
    size_t count = 0;
    while (count < 8 && cases[_i].units[count])
        count++;
    ck_assert_str_eq(pack(cases[_i].units, count, cases[_i].T, cases[_i].input, cases[_i].packing),
        cases[_i].packed);
}
END_TEST

static mlm_status fill_packing(mlm_runtime *runtime, void *context)
{
    static const int32_t ids[1000];
    mlm__packing packing;
    (void)context;
    make_packing(runtime, 8, MLM_INPUT_SENTENCES, MLM_PACK_FULL, &packing);
    mlm_status status = MLM_OK;
    for (int i = 0; i < 600 && status == MLM_OK; i++)
        status = mlm__packing_add(&packing, ids, 1000);
    mlm__packing_clear(&packing);
    return status;
}

START_TEST(without_memory)
{
    test_out_of_memory(fill_packing, NULL);
}
END_TEST

Suite *packing_suite(void)
{
    Suite *suite = suite_create("packing");
    TCase *tests = tcase_create("packing");
    tcase_add_loop_test(tests, packed_as_documented, 0, sizeof cases / sizeof cases[0]);
    tcase_add_test(tests, without_memory);
    suite_add_tcase(suite, tests);
    return suite;
}
