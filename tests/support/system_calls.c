#include "support/system_calls.h"

#include <check.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__linux__) && defined(__x86_64__)

#include <errno.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>

bool test_call_is_of_files(const test_call *call)
{
    static const int64_t numbers[] = {SYS_openat, SYS_open, SYS_write, SYS_fsync, SYS_mkdirat,
        SYS_linkat, SYS_renameat, SYS_renameat2, SYS_unlinkat, SYS_newfstatat, SYS_fstat, SYS_stat,
        SYS_lstat, SYS_fchmod, SYS_getdents64, SYS_flock, SYS_ftruncate};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (call->number == numbers[i])
            return true;
    return false;
}

/* Lets the child run to its next stop. */
static int go_on(pid_t child)
{
    int status;
    ck_assert_int_eq(ptrace(PTRACE_SYSCALL, child, NULL, NULL), 0);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return status;
}

/* The call at which the child stands answers number, whatever it was. */
static int refuse_call(pid_t child, struct user_regs_struct *registers, int number)
{
    registers->orig_rax = (unsigned long long)-1;
    ck_assert_int_eq(ptrace(PTRACE_SETREGS, child, NULL, registers), 0);
    int status = go_on(child);
    if (WIFSTOPPED(status)) {
        registers->rax = (unsigned long long)-number;
        ck_assert_int_eq(ptrace(PTRACE_SETREGS, child, NULL, registers), 0);
    }
    return status;
}

static bool at_call(int status)
{
    return WIFSTOPPED(status) && WSTOPSIG(status) == (SIGTRAP | 0x80);
}

int test_trace(
    int (*action)(void *context), void *action_context, test_call_fn *next, void *next_context)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        raise(SIGSTOP);
        _exit(action(action_context));
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSTOPPED(status));
    ptrace(PTRACE_SETOPTIONS, child, NULL, (void *)(PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL));
    while (at_call(status = go_on(child))) {
        struct user_regs_struct registers;
        ck_assert_int_eq(ptrace(PTRACE_GETREGS, child, NULL, &registers), 0);
        test_call call = {
            (int64_t)registers.orig_rax, {registers.rdi, registers.rsi, registers.rdx,
                                             registers.r10, registers.r8, registers.r9}};
        int answer = next(next_context, &call);
        if (answer == TEST_KILL) {
            kill(child, SIGKILL);
            ck_assert_int_eq(waitpid(child, &status, 0), child);
        } else {
            status = answer > 0 ? refuse_call(child, &registers, answer) : go_on(child);
        }
        if (!WIFSTOPPED(status))
            break;
    }
    ck_assert_msg(!WIFSTOPPED(status), "the traced child got signal %d", WSTOPSIG(status));
    return status;
}

static int nothing(void *context)
{
    (void)context;
    return 0;
}

static int let_be(void *context, const test_call *call)
{
    *(bool *)context = *(bool *)context || call->number == SYS_exit_group;
    return 0;
}

bool test_can_trace(void)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        _exit(ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0);
    int status;
    bool seen = false;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        test_trace(nothing, NULL, let_be, &seen);
    if (!seen)
        dprintf(STDOUT_FILENO, "# skipped: no process may be traced here\n");
    return seen;
}

#else

bool test_call_is_of_files(const test_call *call)
{
    (void)call;
    return false;
}

int test_trace(
    int (*action)(void *context), void *action_context, test_call_fn *next, void *next_context)
{
    (void)action, (void)action_context, (void)next, (void)next_context;
    return -1;
}

bool test_can_trace(void)
{
    dprintf(STDOUT_FILENO, "# skipped: only Linux on x86-64 can trace system calls\n");
    return false;
}

#endif
