/* The system calls of an action, one by one: what if the process is killed there, or the call
   fails. Linux on x86-64, where processes may be traced. */
#ifndef MLM_TESTS_SYSTEM_CALLS_H
#define MLM_TESTS_SYSTEM_CALLS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct test_call {
    int64_t number; /* SYS_... */
    uint64_t arguments[6];
} test_call;

/* Of the call that comes next: 0 lets it be, TEST_KILL kills the process instead of it, and an
   errno is what it answers without having done anything. */
enum { TEST_KILL = -1 };
typedef int test_call_fn(void *context, const test_call *call);

/* Runs action in a child, whose exit status is what action returns. The status of waitpid. */
int test_trace(
    int (*action)(void *context), void *action_context, test_call_fn *next, void *next_context);

/* Whether test_trace works here; a TAP comment says when a test is skipped for that. */
bool test_can_trace(void);

/* Whether the call opens, writes, renames, removes or looks at files. */
bool test_call_is_of_files(const test_call *call);

#endif
