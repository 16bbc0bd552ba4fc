/* Every public function, while its first, second, third ... allocation fails. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stress/memory.h"
#include "stress/suites.h"
#include "stress/world.h"
#include "support/support.h"

/* A new function of the library needs a call in world_calls. */
START_TEST(every_exported_function_has_a_call)
{
    size_t length, functions = 0;
    char *map = test_read_file(LIBRARY_MAP, &length);
    for (char *line = strtok(map, "\n"); line; line = strtok(NULL, "\n")) {
        char name[64];
        if (sscanf(line, " mlm_%59[a-z0-9_];", name) != 1)
            continue;
        functions++;
        bool found = false;
        for (size_t i = 0; i < world_call_count; i++)
            found = found || strcmp(world_calls[i].function + 4, name) == 0;
        ck_assert_msg(found, "mlm_%s has no call in world.c", name);
    }
    ck_assert_uint_gt(functions, 70);
    free(map);
}
END_TEST

static int64_t held_by(const mlm_runtime *runtime)
{
    int64_t now;
    mlm_runtime_memory(runtime, &now, NULL);
    return now;
}

/* A call that goes well when nothing disturbs it: what it gives, how many allocations it makes, and
   what the world's handles hold afterwards, some of which keep room for the next call. */
typedef struct undisturbed {
    char *bytes;
    size_t size;
    int64_t allocations, held;
} undisturbed;

static undisturbed without_failure(const world_call *call)
{
    undisturbed u;
    mlm_runtime *runtime = memory_runtime(1);
    world *w = world_make(runtime, call);
    memory_fail(0);
    assert_ok(call->call(w));
    u.allocations = memory_count();
    world_forget(w);
    u.held = held_by(runtime);
    world_free(w);
    mlm_runtime_free(runtime);
    u.bytes = world_expected(call, &u.size);
    return u;
}

/* After an allocation that failed, the call has left nothing behind, and made again it gives what it
   would have given. Or it could do without and has given that already. */
static void fail_at(const world_call *call, int64_t n, const undisturbed *u)
{
    const char *name = world_call_name(call);
    const int64_t at_first = memory_blocks();
    mlm_runtime *runtime = memory_runtime(1);
    world *w = world_make(runtime, call);
    memory_fail(n);
    mlm_status status = call->call(w);
    memory_fail(0);
    if (status != MLM_OK) {
        ck_assert_msg(status == MLM_ERR_MEMORY, "%s: allocation %lld fails: %s (%s)", name,
            (long long)n, mlm_status_name(status), mlm_last_error());
        const int64_t held = held_by(runtime);
        ck_assert_msg(held <= u->held, "%s: allocation %lld fails: %lld bytes are held, not %lld",
            name, (long long)n, (long long)held, (long long)u->held);
        status = call->call(w);
        ck_assert_msg(status == MLM_OK, "%s: again after allocation %lld failed: %s (%s)", name,
            (long long)n, mlm_status_name(status), mlm_last_error());
    }
    size_t size;
    char *given = world_describe(w, &size);
    ck_assert_msg(size == u->size && memcmp(given, u->bytes, size) == 0,
        "%s: after allocation %lld failed: other results", name, (long long)n);
    free(given);
    world_free(w);
    mlm_runtime_free(runtime);
    ck_assert_msg(memory_blocks() == at_first, "%s: allocation %lld fails: %lld blocks are left",
        name, (long long)n, (long long)(memory_blocks() - at_first));
}

/* Of many allocations, most of them jansson's for one tensor after the other, only the first, the
   last and some between fail, unless MLM_TEST_EVERY_ALLOCATION is set. */
static bool is_tried(int64_t n, int64_t of)
{
    enum { FIRST = 40, LAST = 40, BETWEEN = 30 };
    return of < FIRST + LAST + BETWEEN || n <= FIRST || n > of - LAST || n % (of / BETWEEN) == 0 ||
           getenv("MLM_TEST_EVERY_ALLOCATION");
}

START_TEST(any_allocation_may_fail)
{
    memory_watch();
    undisturbed u = without_failure(&world_calls[_i]);
    for (int64_t n = 1; n <= u.allocations; n++)
        if (is_tried(n, u.allocations))
            fail_at(&world_calls[_i], n, &u);
    free(u.bytes);
}
END_TEST

Suite *exhaustion_suite(void)
{
    Suite *suite = suite_create("exhaustion");
    TCase *tests = tcase_create("memory");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, every_exported_function_has_a_call);
    tcase_add_loop_test(tests, any_allocation_may_fail, 0, (int)world_call_count);
    suite_add_tcase(suite, tests);
    return suite;
}
