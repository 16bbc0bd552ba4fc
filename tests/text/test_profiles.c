/* What each profile does with how many code points, and which Unicode version that is of: what the
   references say of themselves, against the tables. */
#include <stdbool.h>

#include "mlm/mlm.h"
#include "text/profiles_fixture.h"
#include "text/text_suites.h"
#include "text/unicode_tables.h"

enum { CASES = sizeof profiles_cases / sizeof profiles_cases[0] };

static bool is_so(const char *what, int32_t code, int32_t profile)
{
    static const struct {
        const char *what;
        uint16_t flag, except;
    } flags[] = {
        {"dropped", MLM__CHAR_DROP, 0},
        {"space", MLM__CHAR_SPACE, MLM__CHAR_DROP},
        {"break", MLM__CHAR_BREAK, 0},
        {"punctuation", MLM__CHAR_PUNCTUATION, 0},
        {"mark", MLM__CHAR_MARK, 0},
        {"chinese", MLM__CHAR_CHINESE, 0},
        {"decomposes", MLM__CHAR_DECOMPOSES, 0},
    };
    const mlm__character *character = mlm__character_of(code);
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        if (strcmp(what, flags[i].what) == 0)
            return character->flags[profile] & flags[i].flag &&
                   !(character->flags[profile] & flags[i].except);
    }
    if (strcmp(what, "combining") == 0)
        return character->combining[profile] > 0 &&
               !(character->flags[profile] & MLM__CHAR_DECOMPOSES);
    ck_assert_str_eq(what, "lowercase");
    return character->lower[profile] != 0;
}

START_TEST(test_what_the_profiles_do)
{
    const profiles_case *c = &profiles_cases[_i];
    uint32_t count[2] = {0, 0}, hash[2] = {2166136261, 2166136261}, both = 0;
    for (int32_t code = 0; code < 0x110000; code++) {
        bool so[2];
        if (code >= 0xD800 && code < 0xE000)
            continue;
        for (int32_t p = 0; p < 2; p++) {
            so[p] = is_so(c->what, code, p);
            count[p] += so[p];
            hash[p] = so[p] ? (hash[p] ^ (uint32_t)code) * 16777619 : hash[p];
        }
        both += so[0] && so[1];
    }
    for (int32_t p = 0; p < 2; p++)
        ck_assert_msg(count[p] == c->profiles[p].count && hash[p] == c->profiles[p].hash &&
                          is_so(c->what, c->profiles[p].code, p),
            "profile %d, %s: %u code points, and not the reference's %u up to Unicode %s", p,
            c->what, count[p], c->profiles[p].count, c->profiles[p].newest);
    ck_assert_msg(
        both == c->both, "%s: %u code points in both profiles, not %u", c->what, both, c->both);
}
END_TEST

Suite *profiles_suite(void)
{
    Suite *suite = suite_create("profiles");
    TCase *tests = tcase_create("profiles");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, test_what_the_profiles_do, 0, CASES);
    suite_add_tcase(suite, tests);
    return suite;
}
