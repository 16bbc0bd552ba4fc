/* Lists of records, the token store of two of them, and the census that keeps hashes in one. */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/runtime.h"
#include "batches/census.h"
#include "batches/records.h"
#include "batches/store.h"
#include "batches_suites.h"
#include "support/support.h"

static mlm_runtime *runtime;

static void setup(void)
{
    assert_ok(mlm__runtime_retain(NULL, &runtime));
}

static void teardown(void)
{
    int64_t now;
    mlm_runtime_memory(runtime, &now, NULL);
    ck_assert_int_eq(now, 0);
    mlm_runtime_free(runtime);
}

static int64_t memory_now(void)
{
    int64_t now;
    mlm_runtime_memory(runtime, &now, NULL);
    return now;
}

static int entries(const char *folder)
{
    DIR *list = opendir(folder);
    int count = -2; /* . and .. */
    while (readdir(list))
        count++;
    closedir(list);
    return count;
}

enum { WHERE_MEMORY, WHERE_TEMPORARY, WHERE_FILE, WHERES };

/* Whatever was appended comes back, from any place, in pieces of any size. */
START_TEST(records_come_back)
{
    enum { BYTES = 18000000 };
    static const size_t widths[] = {2, 4, 8, 24};
    size_t width = widths[_i / WHERES], count = BYTES / width; /* more than stays in memory */
    int where = _i % WHERES;
    char *data = malloc(BYTES), *got = malloc(BYTES);
    uint64_t state = 7;
    for (size_t i = 0; i < BYTES; i += 8)
        *(uint64_t *)(void *)(data + i) = test_random(&state);
    const char *folder = test_folder();
    mlm__records records;
    mlm__file file;
    if (where == WHERE_FILE) {
        assert_ok(mlm__file_temporary(runtime, folder, &file));
        mlm__records_init_in(runtime, width, &file, 100, 0, &records);
    } else {
        mlm__records_init(runtime, width, where == WHERE_TEMPORARY ? folder : NULL, &records);
    }
    for (size_t at = 0, run; at < count; at += run) {
        run = (size_t)(test_random(&state) % (test_random(&state) % 2 ? 10 : 300000));
        run = run < count - at ? run : count - at;
        assert_ok(mlm__records_append(&records, data + at * width, run));
        if (where != WHERE_MEMORY)
            ck_assert_int_lt(memory_now(), MLM__RECORDS_IN_MEMORY + 1000000);
    }
    assert_ok(mlm__records_finish(&records));
    ck_assert_int_eq(records.count, (int64_t)count);
    if (where != WHERE_MEMORY)
        ck_assert_int_lt(memory_now(), 1000);
    ck_assert_int_eq(entries(folder), 0); /* its file has no name */
    assert_ok(mlm__records_read(&records, 0, count, got));
    ck_assert(memcmp(got, data, count * width) == 0);
    for (int i = 0; i < 3000; i++) {
        size_t at = (size_t)(test_random(&state) % count);
        size_t run = 1 + (size_t)(test_random(&state) % (i % 2 ? 4 : 3000));
        run = run < count - at ? run : count - at;
        assert_ok(mlm__records_read(&records, (int64_t)at, run, got));
        ck_assert(memcmp(got, data + at * width, run * width) == 0);
    }
    mlm__records_clear(&records);
    if (where == WHERE_FILE)
        mlm__file_close(&file);
    free(data);
    free(got);
}
END_TEST

/* A disk that is full, a directory that is not there. */
START_TEST(records_without_room)
{
    char block[1 << 12] = "";
    mlm__records records;
    mlm__records_init(runtime, sizeof block, "/nowhere", &records);
    mlm_status status = MLM_OK;
    for (int i = 0; i < 1 << 13 && status == MLM_OK; i++)
        status = mlm__records_append(&records, block, 1);
    assert_error(status, MLM_ERR_NOT_FOUND, "temporary file in /nowhere: cannot create");
    mlm__records_clear(&records);
    if (access("/dev/full", W_OK) != 0)
        return;
    mlm__file full = {.fd = open("/dev/full", O_RDWR), .path = (char *)"full"};
    mlm__records_init_in(runtime, sizeof block, &full, 0, 0, &records);
    assert_ok(mlm__records_append(&records, block, 1));
    assert_error(mlm__records_finish(&records), MLM_ERR_IO, "full: cannot write: No space left");
    mlm__records_clear(&records);
    close(full.fd);
}
END_TEST

/* Both widths. */
START_TEST(the_store_gives_back_what_it_got)
{
    static const int32_t sizes[] = {100, 65536, 65537, 1000000};
    enum { COUNT = 1000000 };
    int32_t V = sizes[_i], *ids = malloc(COUNT * sizeof *ids), *got = malloc(COUNT * sizeof *got);
    uint64_t state = 3;
    mlm__store store;
    mlm__store_init(runtime, V, NULL, &store);
    ck_assert_uint_eq(store.tokens.width, V <= 65536 ? 2 : 4);
    for (size_t i = 0; i < COUNT; i++)
        ids[i] = (int32_t)(test_random(&state) % (uint64_t)V);
    ids[COUNT / 2] = V - 1;
    for (size_t at = 0, run; at < COUNT; at += run) {
        run = (size_t)(test_random(&state) % 300000);
        run = run < COUNT - at ? run : COUNT - at;
        uint32_t line = mlm__store_line(run, at == 0);
        assert_ok(mlm__store_append(&store, ids + at, run, &line, 1));
    }
    assert_ok(mlm__store_finish(&store));
    ck_assert_int_eq(store.tokens.count, COUNT);
    assert_ok(mlm__store_get(&store, 0, COUNT, got));
    ck_assert_mem_eq(got, ids, COUNT * sizeof *ids);
    for (int i = 0; i < 1000; i++) {
        size_t at = (size_t)(test_random(&state) % COUNT);
        size_t run = (size_t)(test_random(&state) % 10000);
        run = run < COUNT - at ? run : COUNT - at;
        assert_ok(mlm__store_get(&store, (int64_t)at, run, got));
        ck_assert(memcmp(got, ids + at, run * sizeof *ids) == 0);
    }
    mlm__store_clear(&store);
    free(ids);
    free(got);
}
END_TEST

START_TEST(lines_of_the_store)
{
    static const size_t counts[] = {1, 2, 65536, INT32_MAX};
    for (size_t i = 0; i < 4; i++)
        for (int begins = 0; begins < 2; begins++) {
            uint32_t line = mlm__store_line(counts[i], begins);
            ck_assert_uint_eq(mlm__store_line_count(line), counts[i]);
            ck_assert_int_eq(mlm__store_line_begins(line), begins);
        }
}
END_TEST

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* More lines than the table has room for: the others wait in a list, and are counted in passes.
   Also with hashes that all lie together, which no text has by accident. */
START_TEST(duplicates_beyond_the_table)
{
    enum { LINES = 200000, SLOTS = 1 << 12 };
    uint64_t *hashes = malloc(LINES * sizeof *hashes), state = 5;
    mlm__census census;
    assert_ok(mlm__census_init(runtime, 10, _i ? test_folder() : NULL, SLOTS, &census));
    for (size_t i = 0; i < LINES; i++) {
        uint64_t number = 1 + test_random(&state) % 100000;
        hashes[i] = i % 3 ? number * UINT64_C(0x9E3779B97F4A7C15) : number;
        assert_ok(mlm__census_add_line(&census, hashes[i]));
        ck_assert_uint_le(census.slots, SLOTS);
    }
    ck_assert_int_gt(census.waiting.count, LINES / 4);
    assert_ok(mlm__census_finish(&census));
    qsort(hashes, LINES, sizeof *hashes, compare);
    int64_t duplicates = 0;
    for (size_t i = 1; i < LINES; i++)
        duplicates += hashes[i] == hashes[i - 1];
    ck_assert_int_eq(census.duplicate_lines, duplicates);
    mlm__census_clear(&census);
    free(hashes);
}
END_TEST

static mlm_status fill_store(mlm_runtime *failing, void *folder)
{
    static int32_t ids[100000];
    uint32_t line = mlm__store_line(100000, false);
    mlm__store store;
    mlm__store_init(failing, 70000, folder, &store);
    mlm_status status = MLM_OK;
    for (int i = 0; i < 60 && status == MLM_OK; i++) /* 24 MB: it leaves memory */
        status = mlm__store_append(&store, ids, 100000, &line, 1);
    if (status == MLM_OK)
        status = mlm__store_finish(&store);
    mlm__store_clear(&store);
    return status;
}

START_TEST(without_memory)
{
    test_out_of_memory(fill_store, (void *)test_folder());
}
END_TEST

Suite *store_suite(void)
{
    Suite *suite = suite_create("store");
    TCase *tests = tcase_create("store");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, records_come_back, 0, 4 * WHERES);
    tcase_add_test(tests, records_without_room);
    tcase_add_loop_test(tests, the_store_gives_back_what_it_got, 0, 4);
    tcase_add_test(tests, lines_of_the_store);
    tcase_add_loop_test(tests, duplicates_beyond_the_table, 0, 2);
    tcase_add_test(tests, without_memory);
    suite_add_tcase(suite, tests);
    return suite;
}
