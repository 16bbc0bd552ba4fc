/* A save that is killed, or fails, at each of its system calls. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/runtime.h"
#include "files/directory.h"
#include "files/suites.h"
#include "support/support.h"
#include "support/system_calls.h"

#ifdef __linux__
#include <sys/syscall.h>
#endif

static const char *const names[] = {"a", "b", "c"};
enum { NAMES = sizeof names / sizeof names[0] };

/* A save of all files with one text. */
typedef struct saving {
    const char *folder, *text;
    int32_t mode;
    mlm_runtime *runtime;
} saving;

static mlm_status save(const saving *how)
{
    mlm__directory *directory;
    mlm_status status = mlm__directory_begin(how->runtime, how->folder, how->mode, &directory);
    if (status != MLM_OK)
        return status;
    for (int i = 0; status == MLM_OK && i < NAMES; i++) {
        status = mlm__directory_start(directory, names[i]);
        if (status == MLM_OK)
            status = mlm__directory_write(directory, how->text, strlen(how->text));
        if (status == MLM_OK)
            status = mlm__directory_finish(directory);
    }
    if (status == MLM_OK)
        return mlm__directory_commit(directory);
    mlm__directory_abort(directory);
    return status;
}

static int save_action(void *context)
{
    return -save(context);
}

/* What becomes of a save. */
typedef struct plan {
    int64_t at;  /* the call, from 0 on */
    int answer;  /* TEST_KILL or an errno */
    bool simple; /* a file system that can neither exchange names nor link */
    int64_t calls;
    bool carried_out;
} plan;

#ifdef SYS_renameat2
/* A signal of the host's cuts short what may wait. */
static bool may_be_interrupted(const test_call *call)
{
    return call->number == SYS_openat || call->number == SYS_open || call->number == SYS_read ||
           call->number == SYS_write || call->number == SYS_fsync;
}

static int carry_out(void *context, const test_call *call)
{
    plan *p = context;
    if (p->answer == EINTR ? !may_be_interrupted(call) : !test_call_is_of_files(call))
        return 0;
    if (p->calls++ == p->at) {
        p->carried_out = true;
        return p->answer;
    }
    if (call->number == SYS_linkat)
        return p->simple ? EPERM : 0;
    return call->number == SYS_renameat2 && p->simple ? EINVAL : 0;
}
#else
static int carry_out(void *context, const test_call *call)
{
    (void)context, (void)call;
    return 0;
}
#endif

static bool holds(const char *folder, const char *name, const char *text)
{
    char *read = test_read_file(test_path(folder, name), NULL);
    bool same = strcmp(read, text) == 0;
    free(read);
    return same;
}

/* How many of the files have the text. */
static int count_of(const char *folder, const char *text)
{
    int count = 0;
    for (int i = 0; i < NAMES; i++)
        count += holds(folder, names[i], text);
    return count;
}

static bool exists(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0;
}

static const struct kind {
    int32_t mode;
    bool simple;
    bool begun; /* whether there is something to replace */
} kinds[] = {
    {MLM__REPLACE_DIRECTORY, false, true},
    {MLM__REPLACE_DIRECTORY, true, true},
    {MLM__REPLACE_DIRECTORY, false, false},
    {MLM__REPLACE_DIRECTORY, true, false},
    {MLM__REPLACE_FILES, false, true},
    {MLM__REPLACE_FILES, false, false},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

/* One save of a kind that ends as the plan says: what is there is checked, and that the next save
   is as any other. Whether the plan was carried out. */
static bool interrupted(const struct kind *kind, plan *p, mlm_runtime *runtime)
{
    const char *parent = test_folder(), *folder = test_path(parent, "out");
    saving how = {folder, "old", kind->mode, runtime};
    if (kind->begun) {
        assert_ok(save(&how));
        test_write_file(test_path(folder, "log"), "kept", 4);
        ck_assert_int_eq(mkdir(test_path(folder, "deeper"), 0755), 0);
        test_write_file(test_path(folder, "deeper/file"), "kept", 4);
    }
    how.text = "new";
    p->simple = kind->simple;
    int status = test_trace(save_action, &how, carry_out, p);
    ck_assert(WIFEXITED(status) || (p->answer == TEST_KILL && WTERMSIG(status) == SIGKILL));
    bool saved = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    ck_assert(saved || p->answer != EINTR);

    char *found = mlm__directory_resolve(runtime, folder);
    if (exists(found)) {
        int fresh = count_of(found, "new"), old = kind->begun ? count_of(found, "old") : 0;
        ck_assert_int_eq(fresh + old, NAMES);
        if (kind->mode == MLM__REPLACE_DIRECTORY || !kind->begun)
            ck_assert_msg(fresh == 0 || old == 0, "a mixture at call %d", (int)p->at);
        if (saved)
            ck_assert_int_eq(fresh, NAMES);
        if (kind->begun)
            ck_assert(holds(found, "log", "kept"));
    } else {
        ck_assert(!kind->begun && !saved);
    }
    mlm__free(runtime, found);

    ck_assert(!kind->begun || p->answer == TEST_KILL || exists(folder));

    how.text = "next";
    assert_ok(save(&how));
    ck_assert_int_eq(count_of(folder, "next"), NAMES);
    if (kind->begun)
        ck_assert(holds(folder, "log", "kept") && holds(folder, "deeper/file", "kept"));
    ck_assert(!exists(test_path(parent, "out.mlm-new")));
    ck_assert(!exists(test_path(parent, "out.mlm-old")));
    for (int i = 0; i < NAMES; i++) {
        char working[16];
        snprintf(working, sizeof working, "%s.mlm-new", names[i]);
        ck_assert(!exists(test_path(folder, working)));
    }
    return p->carried_out;
}

static void interrupt_everywhere(int answer)
{
    if (!test_can_trace())
        return;
    mlm_runtime *runtime;
    assert_ok(mlm__runtime_retain(NULL, &runtime));
    for (int k = 0; k < KINDS; k++) {
        plan p = {.at = 0, .answer = answer, .carried_out = true};
        while (interrupted(&kinds[k], &p, runtime))
            p = (plan){.at = p.at + 1, .answer = answer};
        ck_assert_int_gt(p.at, answer == EINTR ? 6 : 15);
    }
    mlm_runtime_free(runtime);
}

START_TEST(killed_at_any_call)
{
    interrupt_everywhere(TEST_KILL);
}
END_TEST

START_TEST(full_disk_at_any_call)
{
    interrupt_everywhere(ENOSPC);
}
END_TEST

START_TEST(broken_disk_at_any_call)
{
    interrupt_everywhere(EIO);
}
END_TEST

START_TEST(signals_at_any_call)
{
    interrupt_everywhere(EINTR);
}
END_TEST

/* ---- a power cut ------------------------------------------------------------- */

enum { DESCRIPTORS = 64 };

/* What a power cut might undo: descriptors of files written to, and of folders with new names, since
   each was flushed. */
typedef struct unflushed {
    bool files[DESCRIPTORS], folders[DESCRIPTORS];
    bool replaced;   /* something got its name, and that may still be undone */
    int files_early; /* names given to what was not on the disk */
    int folders_early;
    int removed_early; /* removals of what was replaced, before the name was on the disk */
    int flushes;
} unflushed;

static int count_set(const bool *set)
{
    int count = 0;
    for (int i = 0; i < DESCRIPTORS; i++)
        count += set[i];
    return count;
}

#ifdef SYS_renameat2
static int watch(void *context, const test_call *call)
{
    unflushed *u = context;
    const uint64_t *to = call->arguments;
    const uint64_t first = to[0] % DESCRIPTORS, third = to[2] % DESCRIPTORS;
    switch (call->number) {
    case SYS_write:
        u->files[first] = true;
        break;
    case SYS_fsync:
        u->flushes++;
        u->replaced = u->replaced && !u->folders[first];
        u->files[first] = u->folders[first] = false;
        break;
    case SYS_openat:
        u->folders[first] = u->folders[first] || (to[2] & O_CREAT);
        break;
    case SYS_linkat:
        u->folders[third] = true;
        break;
    case SYS_renameat:
    case SYS_renameat2:
        u->files_early += count_set(u->files);
        u->folders_early += count_set(u->folders) - u->folders[third];
        u->folders[third] = u->replaced = true;
        break;
    case SYS_unlinkat:
        u->removed_early += u->replaced;
        break;
    default:
        break;
    }
    return 0;
}
#else
static int watch(void *context, const test_call *call)
{
    (void)context, (void)call;
    return 0;
}
#endif

START_TEST(everything_is_on_the_disk_before_it_counts)
{
    if (!test_can_trace())
        return;
    mlm_runtime *runtime;
    assert_ok(mlm__runtime_retain(NULL, &runtime));
    for (int32_t mode = MLM__REPLACE_FILES; mode <= MLM__REPLACE_DIRECTORY; mode++) {
        saving how = {test_path(test_folder(), "out"), "old", mode, runtime};
        assert_ok(save(&how));
        test_write_file(test_path(how.folder, "log"), "kept", 4);
        unflushed u = {0};
        ck_assert_int_eq(test_trace(save_action, &how, watch, &u), 0);
        ck_assert_int_ge(u.flushes, NAMES + 1);
        ck_assert_int_eq(u.files_early, 0);
        ck_assert_int_eq(u.folders_early, 0);
        ck_assert_int_eq(u.removed_early, 0);
        ck_assert(!u.replaced);
    }
    mlm_runtime_free(runtime);
}
END_TEST

Suite *interruption_suite(void)
{
    Suite *suite = suite_create("interruption");
    TCase *tcase = tcase_create("interruption");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, killed_at_any_call);
    tcase_add_test(tcase, full_disk_at_any_call);
    tcase_add_test(tcase, broken_disk_at_any_call);
    tcase_add_test(tcase, signals_at_any_call);
    tcase_add_test(tcase, everything_is_on_the_disk_before_it_counts);
    suite_add_tcase(suite, tcase);
    return suite;
}
