#include "base/memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/suites.h"
#include "support/support.h"

START_TEST(blocks_are_aligned_and_counted)
{
    test_allocator allocator;
    mlm_runtime *runtime = test_allocator_runtime(&allocator, 1, 0);
    int64_t own = allocator.live_bytes, now, peak, most = 0;
    void *blocks[9];
    for (size_t i = 0; i < 9; i++) {
        blocks[i] = mlm__alloc_zero(runtime, i * 37, 3);
        ck_assert_ptr_nonnull(blocks[i]);
        ck_assert_uint_eq((uintptr_t)blocks[i] % MLM__ALIGNMENT, 0);
        for (size_t j = 0; j < i * 37 * 3; j++)
            ck_assert_int_eq(((char *)blocks[i])[j], 0);
        mlm_runtime_memory(runtime, &now, &peak);
        ck_assert_int_eq(now, allocator.live_bytes - own);
        ck_assert_int_ge(now - most, (int64_t)(i * 37 * 3));
        most = now;
    }
    for (size_t i = 0; i < 9; i++)
        mlm__free(runtime, blocks[i]);
    mlm__free(runtime, NULL);
    mlm_runtime_memory(runtime, &now, &peak);
    ck_assert_int_eq(now, 0);
    ck_assert_int_eq(peak, most);
    mlm_runtime_free(runtime);
    ck_assert_int_eq(allocator.live_bytes, 0);
    ck_assert_int_eq(allocator.live_blocks, 0);
}
END_TEST

START_TEST(sizes_that_overflow_are_no_memory)
{
    test_allocator allocator;
    mlm_runtime *runtime = test_allocator_runtime(&allocator, 1, 0);
    ck_assert_ptr_null(mlm__alloc(runtime, SIZE_MAX / 8 + 1, 8));
    ck_assert_ptr_null(mlm__alloc(runtime, SIZE_MAX, 1));
    ck_assert_ptr_null(mlm__alloc_zero(runtime, SIZE_MAX - 32, 1));
    int64_t *array = NULL;
    size_t capacity = 0;
    assert_status(
        mlm__grow(runtime, &array, &capacity, SIZE_MAX / 4, sizeof *array), MLM_ERR_MEMORY);
    ck_assert_ptr_null(array);
    ck_assert_uint_eq(capacity, 0);
    ck_assert_int_eq(allocator.allocations, 0);
    mlm_runtime_free(runtime);
}
END_TEST

/* Behind the line before each block: the system has whole pages of 2 MB for the rest. */
START_TEST(large_blocks_begin_with_a_large_page)
{
    enum { MEGABYTE = 1 << 20 };
    mlm_runtime *runtime;
    assert_ok(mlm_runtime_create(NULL, &runtime));
    char *block = mlm__alloc(runtime, 40 * MEGABYTE, 1);
    ck_assert_ptr_nonnull(block);
    block[40 * MEGABYTE - 1] = 1;
#ifdef MADV_HUGEPAGE
    ck_assert_uint_eq((uintptr_t)block % (2 * MEGABYTE), MLM__ALIGNMENT);
#endif
    mlm__free(runtime, block);
    mlm_runtime_free(runtime);
}
END_TEST

START_TEST(growing_keeps_what_is_there)
{
    mlm_runtime *runtime;
    test_allocator allocator;
    runtime = test_allocator_runtime(&allocator, 1, 0);
    int32_t *array = NULL;
    size_t capacity = 0;
    for (int32_t i = 0; i < 10000; i++) {
        assert_ok(mlm__grow(runtime, &array, &capacity, (size_t)i + 1, sizeof *array));
        array[i] = i;
    }
    for (int32_t i = 0; i < 10000; i++)
        ck_assert_int_eq(array[i], i);
    ck_assert_int_lt(allocator.allocations, 40); /* by half at least: log(10000) / log(1.5) = 23 */
    allocator.fail_at = allocator.allocations + 1;
    size_t before = capacity;
    assert_status(mlm__grow(runtime, &array, &capacity, before + 1, sizeof *array), MLM_ERR_MEMORY);
    ck_assert_uint_eq(capacity, before);
    ck_assert_int_eq(array[9999], 9999);
    mlm__free(runtime, array);
    mlm_runtime_free(runtime);
}
END_TEST

START_TEST(text_is_copied_with_its_end)
{
    test_allocator allocator;
    mlm_runtime *runtime = test_allocator_runtime(&allocator, 1, 0);
    char *copy = mlm__copy_text(runtime, "words", 4);
    ck_assert_str_eq(copy, "word");
    mlm__free(runtime, copy);
    mlm_runtime_free(runtime);
}
END_TEST

static char misplaced[4096];

static void *misaligned_alloc(void *user, size_t size, size_t alignment)
{
    (void)user, (void)size;
    uintptr_t place = ((uintptr_t)misplaced + alignment) / alignment * alignment;
    return (void *)(place + 8);
}

static void count_release(void *user, void *memory, size_t size)
{
    (void)memory, (void)size;
    ++*(int *)user;
}

START_TEST(misaligned_allocator_is_refused)
{
    int released = 0;
    mlm_runtime_options options;
    mlm_runtime_options_init(&options, sizeof options);
    options.user = &released;
    options.alloc = misaligned_alloc;
    options.release = count_release;
    mlm_runtime *runtime;
    assert_error(mlm_runtime_create(&options, &runtime), MLM_ERR_MEMORY, "aligned");
    ck_assert_ptr_null(runtime);
    ck_assert_int_eq(released, 1);
}
END_TEST

Suite *memory_suite(void)
{
    Suite *suite = suite_create("memory");
    TCase *tcase = tcase_create("blocks");
    tcase_add_test(tcase, blocks_are_aligned_and_counted);
    tcase_add_test(tcase, sizes_that_overflow_are_no_memory);
    tcase_add_test(tcase, large_blocks_begin_with_a_large_page);
    tcase_add_test(tcase, growing_keeps_what_is_there);
    tcase_add_test(tcase, text_is_copied_with_its_end);
    tcase_add_test(tcase, misaligned_allocator_is_refused);
    suite_add_tcase(suite, tcase);
    return suite;
}
