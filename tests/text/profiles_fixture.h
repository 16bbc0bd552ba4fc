/* Written by make_profiles_fixture.py. */
#include <stddef.h>
#include <stdint.h>

typedef struct profiles_case {
    const char *what;
    struct {
        uint32_t count, hash; /* of the code points */
        const char *newest;   /* Unicode version of which a character is so, */
        int32_t code;         /* as this one */
    } profiles[2];
    uint32_t both; /* code points that are so in both */
} profiles_case;

static const profiles_case profiles_cases[] = {
    {"dropped",
        {{137681, 0x95cc1c46, "7.0", 0x605}, {226, 0x87f4ce58, "14.0", 0x890}},
        213},
    {"space",
        {{22, 0xaefe4219, "3.2", 0x205F}, {20, 0xedced868, "3.2", 0x205F}},
        20},
    {"break",
        {{25, 0x884fd6d9, "3.2", 0x205F}, {29, 0x577b98c9, "3.2", 0x205F}},
        25},
    {"punctuation",
        {{726, 0xb9893b24, "8.0", 0xA8FC}, {828, 0x1cfd4a88, "14.0", 0x61D}},
        724},
    {"mark",
        {{1567, 0xf01d6773, "8.0", 0x8E3}, {1950, 0xf996ce2e, "14.0", 0x898}},
        1566},
    {"chinese",
        {{81264, 0xccfba3f5, "any", 0x2FA1F}, {81520, 0xb67acaf5, "any", 0x2FA1F}},
        81264},
    {"decomposes",
        {{13232, 0xb1fdd3d5, "7.0", 0x1134B}, {13233, 0xb1110a45, "13.0", 0x11938}},
        13232},
    {"combining",
        {{810, 0x3999ac76, "9.0", 0x8D4}, {908, 0x9f97483c, "14.0", 0x898}},
        810},
    {"lowercase",
        {{1488, 0xb3d5d567, "later than 15.0", 0x1C89}, {1433, 0xc8961082, "14.0", 0x2C2F}},
        1433},
};
