#include "files/sha256.h"

#include <string.h>

#include "files/suites.h"
#include "support/support.h"

static void assert_digest(const mlm__sha256 *state, const char *expected)
{
    mlm__sha256 sha = *state;
    uint8_t digest[32];
    char hex[65];
    mlm__sha256_final(&sha, digest);
    mlm__sha256_hex(digest, hex);
    ck_assert_str_eq(hex, expected);
}

/* NIST's examples for FIPS 180 (SHA_All.pdf), and the empty message of its CAVS vectors. */
START_TEST(digests_are_the_published_ones)
{
    static const struct {
        const char *message, *digest;
    } vectors[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
        {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrl"
         "m"
         "nopqrsmnopqrstnopqrstu",
            "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
    };
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        mlm__sha256 sha;
        mlm__sha256_init(&sha);
        mlm__sha256_update(&sha, vectors[i].message, strlen(vectors[i].message));
        assert_digest(&sha, vectors[i].digest);
    }
    mlm__sha256 sha;
    mlm__sha256_init(&sha);
    for (int i = 0; i < 1000000; i++)
        mlm__sha256_update(&sha, "a", 1);
    assert_digest(&sha, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}
END_TEST

/* Every length around a block, in every split into two pieces, gives what one piece gives. */
START_TEST(pieces_do_not_matter)
{
    uint8_t text[150], whole[32], split[32];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (uint8_t)(i * 7);
    for (size_t length = 0; length <= sizeof text; length++)
        for (size_t cut = 0; cut <= length; cut++) {
            mlm__sha256 sha;
            mlm__sha256_init(&sha);
            mlm__sha256_update(&sha, text, length);
            mlm__sha256_final(&sha, whole);
            mlm__sha256_init(&sha);
            mlm__sha256_update(&sha, text, cut);
            mlm__sha256_update(&sha, text + cut, length - cut);
            mlm__sha256_final(&sha, split);
            ck_assert_mem_eq(whole, split, 32);
        }
}
END_TEST

Suite *sha256_suite(void)
{
    Suite *suite = suite_create("sha256");
    TCase *tcase = tcase_create("digests");
    tcase_add_test(tcase, digests_are_the_published_ones);
    tcase_add_test(tcase, pieces_do_not_matter);
    suite_add_tcase(suite, tcase);
    return suite;
}
