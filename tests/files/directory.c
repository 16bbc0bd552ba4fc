#include "files/directory.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __linux__
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif

#include "base/memory.h"
#include "base/runtime.h"
#include "files/sha256.h"
#include "files/suites.h"
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

/* ---- helpers ---------------------------------------------------------------- */

static mlm_status write_one(mlm__directory *directory, const char *name, const char *text)
{
    mlm_status status = mlm__directory_start(directory, name);
    if (status == MLM_OK)
        status = mlm__directory_write(directory, text, strlen(text));
    return status == MLM_OK ? mlm__directory_finish(directory) : status;
}

/* Saves two files with this text. */
static mlm_status save(mlm_runtime *with, const char *path, int32_t mode, const char *text)
{
    mlm__directory *directory;
    mlm_status status = mlm__directory_begin(with, path, mode, &directory);
    if (status != MLM_OK)
        return status;
    status = write_one(directory, "a", text);
    if (status == MLM_OK)
        status = write_one(directory, "b", text);
    if (status == MLM_OK)
        return mlm__directory_commit(directory);
    mlm__directory_abort(directory);
    return status;
}

static void put(const char *folder, const char *name, const char *text)
{
    test_write_file(test_path(folder, name), text, strlen(text));
}

static bool holds(const char *folder, const char *name, const char *text)
{
    const char *path = test_path(folder, name);
    if (access(path, F_OK) != 0)
        return text == NULL;
    char *read = test_read_file(path, NULL);
    bool same = text && strcmp(read, text) == 0;
    free(read);
    return same;
}

static bool absent(const char *path)
{
    struct stat status;
    return lstat(path, &status) != 0;
}

static const char *make(const char *folder, const char *name)
{
    const char *path = test_path(folder, name);
    ck_assert_int_eq(mkdir(path, 0755), 0);
    return path;
}

/* The exit status of a child that runs action. */
static int in_child(int (*action)(const char *folder), const char *folder)
{
    pid_t child = fork();
    if (child == 0)
        _exit(action(folder));
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* ---- MLM__REPLACE_FILES ------------------------------------------------------ */

START_TEST(files_are_replaced_and_others_stay)
{
    const char *folder = test_folder();
    put(folder, "a", "old");
    put(folder, "other", "other");
    put(folder, "a.mlm-new", "left by a killed save");
    put(folder, "b.new", "other");
    assert_ok(save(runtime, folder, MLM__REPLACE_FILES, "new"));
    ck_assert(holds(folder, "a", "new") && holds(folder, "b", "new"));
    ck_assert(holds(folder, "other", "other"));
    ck_assert(holds(folder, "a.mlm-new", NULL) && holds(folder, "b.mlm-new", NULL));
    ck_assert(holds(folder, "b.new", "other"));
}
END_TEST

START_TEST(nothing_shows_before_commit_and_after_abort)
{
    const char *parent = test_folder(), *folder = test_path(parent, "out");
    for (int32_t mode = MLM__REPLACE_FILES; mode <= MLM__REPLACE_DIRECTORY; mode++) {
        mlm__directory *directory;
        assert_ok(mlm__directory_begin(runtime, folder, mode, &directory));
        assert_ok(write_one(directory, "a", "new"));
        assert_ok(mlm__directory_start(directory, "b"));
        assert_ok(mlm__directory_write(directory, "half", 4));
        ck_assert(absent(folder));
        mlm__directory_abort(directory);
        ck_assert(absent(folder) && absent(test_path(parent, "out.mlm-new")));
    }
    mlm__directory_abort(NULL);
}
END_TEST

START_TEST(what_is_in_the_way_is_not_removed)
{
    const char *folder = test_folder(), *target = test_path(folder, "target");
    put(folder, "target", "precious");
    ck_assert_int_eq(symlink(target, test_path(folder, "a.mlm-new")), 0);
    assert_error(
        save(runtime, folder, MLM__REPLACE_FILES, "new"), MLM_ERR_IO, "a.mlm-new: is in the way");
    ck_assert(holds(folder, "target", "precious"));
    ck_assert(!absent(test_path(folder, "a.mlm-new")));
    assert_error(
        save(runtime, target, MLM__REPLACE_FILES, "new"), MLM_ERR_IO, "is not a directory");
    assert_error(save(runtime, test_path(folder, "no/where"), MLM__REPLACE_FILES, "new"),
        MLM_ERR_NOT_FOUND, "no: cannot open");
    assert_error(save(runtime, "", MLM__REPLACE_FILES, "new"), MLM_ERR_IO, "''");
    assert_error(save(runtime, "/", MLM__REPLACE_DIRECTORY, "new"), MLM_ERR_IO, "'/'");
}
END_TEST

START_TEST(written_files_are_listed_with_their_sums)
{
    mlm__directory *directory;
    const char *folder = test_path(test_folder(), "out");
    assert_ok(mlm__directory_begin(runtime, folder, MLM__REPLACE_DIRECTORY, &directory));
    assert_ok(write_one(directory, "abc", "abc"));
    /* Small and large pieces, across the buffer. */
    size_t size = 300000;
    char *text = malloc(size);
    for (size_t i = 0; i < size; i++)
        text[i] = (char)(i * 31 >> 3);
    assert_ok(mlm__directory_start(directory, "large"));
    for (size_t done = 0, piece = 1; done < size; done += piece, piece = piece * 3 % 100003) {
        if (piece > size - done)
            piece = size - done;
        assert_ok(mlm__directory_write(directory, text + done, piece));
    }
    assert_ok(mlm__directory_finish(directory));
    ck_assert_uint_eq(mlm__directory_count(directory), 2);
    const mlm__written_file *file = mlm__directory_file(directory, 0);
    ck_assert_str_eq(file->name, "abc");
    ck_assert_int_eq(file->size, 3);
    ck_assert_str_eq(
        file->sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    mlm__sha256 sha;
    uint8_t digest[32];
    char hex[65];
    mlm__sha256_init(&sha);
    mlm__sha256_update(&sha, text, size);
    mlm__sha256_final(&sha, digest);
    mlm__sha256_hex(digest, hex);
    file = mlm__directory_file(directory, 1);
    ck_assert_int_eq(file->size, (int64_t)size);
    ck_assert_str_eq(file->sha256, hex);
    assert_ok(mlm__directory_commit(directory));
    size_t read_size;
    char *read = test_read_file(test_path(folder, "large"), &read_size);
    ck_assert_uint_eq(read_size, size);
    ck_assert_mem_eq(read, text, size);
    free(read);
    free(text);
}
END_TEST

/* ---- MLM__REPLACE_DIRECTORY -------------------------------------------------- */

START_TEST(directory_is_replaced_and_other_files_move_along)
{
    const char *parent = test_folder(), *folder = test_path(parent, "out");
    assert_ok(save(runtime, folder, MLM__REPLACE_DIRECTORY, "first"));
    ck_assert(holds(folder, "a", "first"));
    put(folder, "log", "one ");
    ck_assert_int_eq(chmod(folder, 0750), 0);
    FILE *log = fopen(test_path(folder, "log"), "a"); /* as a metrics file is held open */
    assert_ok(save(runtime, test_path(parent, "out/"), MLM__REPLACE_DIRECTORY, "second"));
    fputs("two", log);
    fclose(log);
    ck_assert(holds(folder, "a", "second") && holds(folder, "b", "second"));
    ck_assert(holds(folder, "log", "one two"));
    struct stat status;
    ck_assert_int_eq(stat(folder, &status), 0);
    ck_assert_int_eq(status.st_mode & 07777, 0750);
    ck_assert(absent(test_path(parent, "out.mlm-new")) && absent(test_path(parent, "out.mlm-old")));
}
END_TEST

START_TEST(folders_and_links_in_a_directory_move_along)
{
    char parent[512], folder[600];
    snprintf(parent, sizeof parent, "%s", test_folder());
    snprintf(folder, sizeof folder, "%s", make(parent, "out"));
    make(folder, "deeper");
    put(test_path(folder, "deeper"), "file", "kept");
    ck_assert_int_eq(symlink("deeper/file", test_path(folder, "link")), 0);
    for (int i = 0; i < 2; i++) {
        assert_ok(save(runtime, folder, MLM__REPLACE_DIRECTORY, i ? "second" : "first"));
        ck_assert(holds(folder, "a", i ? "second" : "first"));
        ck_assert(holds(folder, "deeper/file", "kept") && holds(folder, "link", "kept"));
        ck_assert(absent(test_path(parent, "out.mlm-new")));
    }
    ck_assert_int_eq(unlink(test_path(folder, "a")), 0);
    make(folder, "a");
    assert_error(save(runtime, folder, MLM__REPLACE_DIRECTORY, "new"), MLM_ERR_IO,
        "out/a: is in the way: it is not a regular file");
    ck_assert(holds(folder, "b", "second") && holds(folder, "deeper/file", "kept"));
    ck_assert(absent(test_path(parent, "out.mlm-new")));
}
END_TEST

/* It would go on in a directory that is no more. */
static int save_working_directory(const char *folder)
{
    if (chdir(folder) != 0)
        return 1;
    if (save(runtime, ".", MLM__REPLACE_DIRECTORY, "new") != MLM_ERR_IO)
        return 2;
    if (!strstr(mlm_last_error(), "it is the working directory"))
        return 3;
    return save(runtime, ".", MLM__REPLACE_FILES, "new") == MLM_OK ? 0 : 4;
}

START_TEST(working_directory_is_not_replaced)
{
    const char *folder = make(test_folder(), "out");
    ck_assert_int_eq(in_child(save_working_directory, folder), 0);
    ck_assert(holds(folder, "a", "new"));
}
END_TEST

START_TEST(link_to_a_directory_stays_a_link)
{
    const char *parent = test_folder(), *folder = make(parent, "real"), *link;
    link = test_path(parent, "link");
    ck_assert_int_eq(symlink("real", link), 0);
    assert_ok(save(runtime, link, MLM__REPLACE_DIRECTORY, "new"));
    struct stat status;
    ck_assert_int_eq(lstat(link, &status), 0);
    ck_assert(S_ISLNK(status.st_mode));
    ck_assert(holds(folder, "a", "new"));
    ck_assert_int_eq(symlink("nothing", test_path(parent, "dangling")), 0);
    assert_error(save(runtime, test_path(parent, "dangling"), MLM__REPLACE_DIRECTORY, "new"),
        MLM_ERR_IO, "symbolic link to nothing");
}
END_TEST

START_TEST(leftover_of_a_killed_save_is_removed)
{
    const char *parent = test_folder(), *folder = test_path(parent, "out");
    const char *fresh = make(parent, "out.mlm-new");
    put(fresh, "a", "half");
    put(fresh, "c", "half");
    assert_ok(save(runtime, folder, MLM__REPLACE_DIRECTORY, "new"));
    ck_assert(holds(folder, "a", "new") && holds(folder, "c", NULL) && absent(fresh));
}
END_TEST

START_TEST(leftover_that_may_be_the_users_is_not)
{
    const char *parent = test_folder(), *folder = test_path(parent, "out");
    const char *fresh = make(parent, "out.mlm-new"), *other = make(parent, "other");
    put(fresh, "file", "precious");
    make(fresh, "deeper");
    assert_error(save(runtime, folder, MLM__REPLACE_DIRECTORY, "x"), MLM_ERR_IO, "out.mlm-new");
    ck_assert(holds(fresh, "file", "precious"));
    ck_assert_int_eq(rename(fresh, test_path(parent, "moved")), 0);
    put(other, "file", "precious");
    ck_assert_int_eq(symlink("other", fresh), 0);
    assert_error(save(runtime, folder, MLM__REPLACE_DIRECTORY, "x"), MLM_ERR_IO,
        "out.mlm-new: is in the way");
    ck_assert(holds(other, "file", "precious") && !absent(fresh) && absent(folder));
}
END_TEST

START_TEST(two_saves_at_once_do_not_mix)
{
    const char *parent = test_folder(), *folder = test_path(parent, "out");
    mlm__directory *first;
    assert_ok(mlm__directory_begin(runtime, folder, MLM__REPLACE_DIRECTORY, &first));
    assert_ok(write_one(first, "a", "first"));
    assert_error(save(runtime, folder, MLM__REPLACE_DIRECTORY, "second"), MLM_ERR_IO,
        "out.mlm-new: another save");
    assert_ok(mlm__directory_commit(first));
    ck_assert(holds(folder, "a", "first"));
    assert_ok(save(runtime, folder, MLM__REPLACE_DIRECTORY, "second"));
    ck_assert(holds(folder, "a", "second"));
}
END_TEST

/* A process that the host forks while a save goes on has its descriptors for as long as it lives. */
START_TEST(fork_during_a_save_forbids_no_later_one)
{
    const char *folder = test_path(test_folder(), "out");
    mlm__directory *first;
    assert_ok(mlm__directory_begin(runtime, folder, MLM__REPLACE_DIRECTORY, &first));
    pid_t child = fork();
    if (child == 0) {
        alarm(20);
        pause();
    }
    assert_ok(write_one(first, "a", "first"));
    assert_ok(mlm__directory_commit(first));
    mlm_status second = save(runtime, folder, MLM__REPLACE_DIRECTORY, "second");
    mlm_status third = save(runtime, folder, MLM__REPLACE_DIRECTORY, "third");
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_ok(second);
    assert_ok(third);
    ck_assert(holds(folder, "a", "third"));
}
END_TEST

/* ---- trouble ----------------------------------------------------------------- */

typedef struct stopping {
    int calls, stop_at; /* the call that says no */
    int64_t done;
} stopping;

/* Takes so long that the next call is due. */
static int stop_at(void *user, const char *what, int64_t done, int64_t total)
{
    stopping *state = user;
    ck_assert_str_eq(what, "saving");
    ck_assert(done > state->done && total == 0);
    state->done = done;
    usleep(110000);
    return ++state->calls == state->stop_at ? 0 : MLM_CONTINUE;
}

START_TEST(progress_stops_a_save_and_nothing_changes)
{
    const char *parent = test_folder(), *folder = make(parent, "out");
    stopping state = {0};
    mlm_runtime_options options;
    mlm_runtime *telling;
    mlm_runtime_options_init(&options, sizeof options);
    options.user = &state;
    options.progress = stop_at;
    assert_ok(mlm_runtime_create(&options, &telling));
    put(folder, "a", "old");
    for (int at = 1; at <= 2; at++) {
        state = (stopping){.stop_at = at};
        assert_error(save(telling, folder, _i, "new"), MLM_STOPPED, "/out: saving was stopped");
        ck_assert_int_eq(state.calls, at);
        ck_assert(holds(folder, "a", "old") && holds(folder, "b", NULL));
        ck_assert(holds(folder, "a.mlm-new", NULL) && absent(test_path(parent, "out.mlm-new")));
    }
    /* One file of several slices. */
    size_t size = 9 << 20;
    char *text = calloc(size + 1, 1);
    memset(text, 'x', size);
    state = (stopping){0};
    assert_ok(save(telling, folder, _i, text));
    ck_assert_int_eq(state.calls, 6);
    ck_assert_int_eq(state.done, 2 * (int64_t)size);
    ck_assert(holds(folder, "b", text));
    free(text);
    mlm_runtime_free(telling);
}
END_TEST

/* A file size limit: the first write is short, the next fails, as on a full disk. What the host
   does with the signal stays its own affair. */
static int save_beyond_limit(const char *folder)
{
    struct rlimit limit = {100000, 100000};
    sigset_t mask, pending;
    setrlimit(RLIMIT_FSIZE, &limit);
    static char text[200001];
    memset(text, 'x', 200000);
    for (int32_t mode = MLM__REPLACE_FILES; mode <= MLM__REPLACE_DIRECTORY; mode++) {
        if (save(runtime, folder, mode, text) != MLM_ERR_IO)
            return 1;
        if (!strstr(mlm_last_error(), "/a: cannot write: "))
            return 2;
    }
    sigpending(&pending);
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    return sigismember(&pending, SIGXFSZ) || sigismember(&mask, SIGXFSZ) ? 3 : 0;
}

START_TEST(full_disk_names_the_file_and_changes_nothing)
{
    const char *parent = test_folder(), *folder = make(parent, "out");
    put(folder, "a", "old");
    ck_assert_int_eq(in_child(save_beyond_limit, folder), 0);
    ck_assert(holds(folder, "a", "old") && holds(folder, "a.mlm-new", NULL));
    ck_assert(absent(test_path(parent, "out.mlm-new")));
}
END_TEST

typedef struct attempt {
    const char *folder;
    int32_t mode;
} attempt;

static mlm_status save_attempt(mlm_runtime *failing, void *context)
{
    const attempt *to = context;
    return save(failing, to->folder, to->mode, "new");
}

static mlm_status resolve_attempt(mlm_runtime *failing, void *path)
{
    char *resolved = mlm__directory_resolve(failing, path);
    mlm__free(failing, resolved);
    return resolved ? MLM_OK : MLM_ERR_MEMORY;
}

START_TEST(no_memory_is_reported_without_a_leak)
{
    const char *parent = test_folder(), *folder = make(parent, "out");
    test_out_of_memory(save_attempt, &(attempt){folder, MLM__REPLACE_FILES});
    test_out_of_memory(save_attempt, &(attempt){folder, MLM__REPLACE_DIRECTORY});
    ck_assert(holds(folder, "a", "new") && absent(test_path(parent, "out.mlm-new")));
    test_out_of_memory(resolve_attempt, (void *)test_path(parent, "absent"));
}
END_TEST

/* ---- without RENAME_EXCHANGE -------------------------------------------------- */

#if defined(__linux__) && defined(__x86_64__)
/* From here on this process's renameat2 answers EINVAL, as file systems that cannot exchange do. */
static bool forbid_exchange(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_renameat2, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 22 /* EINVAL */),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof filter[0], filter};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}
#else
static bool forbid_exchange(void)
{
    return false;
}
#endif

enum { NO_FILTER = 77 };

static int save_in_two_renames(const char *folder)
{
    if (!forbid_exchange())
        return NO_FILTER;
    return -save(runtime, folder, MLM__REPLACE_DIRECTORY, "two");
}

static bool filter_missing(int status)
{
    if (status == NO_FILTER)
        dprintf(STDOUT_FILENO, "# skipped: no system call filters here\n");
    return status == NO_FILTER;
}

START_TEST(two_renames_do_where_names_cannot_be_exchanged)
{
    const char *parent = test_folder(), *folder = test_path(parent, "out");
    int status = in_child(save_in_two_renames, folder); /* where nothing was */
    if (filter_missing(status))
        return;
    ck_assert_int_eq(status, 0);
    put(folder, "log", "kept");
    put(folder, "a", "one");
    ck_assert_int_eq(in_child(save_in_two_renames, folder), 0);
    ck_assert(holds(folder, "a", "two") && holds(folder, "log", "kept"));
    ck_assert(absent(test_path(parent, "out.mlm-new")) && absent(test_path(parent, "out.mlm-old")));
}
END_TEST

/* No name of theirs is in the way. */
START_TEST(users_own_directories_beside_are_never_taken_nor_removed)
{
    const char *parent = test_folder(), *folder = test_path(parent, "out");
    const char *old = make(parent, "out.old"), *fresh = make(parent, "out.new");
    put(old, "a", "backup");
    put(fresh, "a", "better");
    char *resolved = mlm__directory_resolve(runtime, folder);
    ck_assert_str_eq(resolved, folder);
    mlm__free(runtime, resolved);
    assert_ok(save(runtime, folder, MLM__REPLACE_DIRECTORY, "one"));
    assert_ok(save(runtime, folder, MLM__REPLACE_DIRECTORY, "one"));
    int status = in_child(save_in_two_renames, folder);
    if (!filter_missing(status))
        ck_assert_int_eq(status, 0);
    ck_assert(holds(old, "a", "backup") && holds(fresh, "a", "better"));
}
END_TEST

/* As a crash leaves things between and after the two renames. */
START_TEST(save_that_was_cut_off_is_found_and_mended)
{
    const char *parent = test_folder(), *folder = test_path(parent, "out");
    const char *old = make(parent, "out.mlm-old"), *fresh = make(parent, "out.mlm-new");
    put(old, "a", "valid");
    put(old, "log", "kept");
    put(fresh, "a", "newer");
    char *resolved = mlm__directory_resolve(runtime, test_path(parent, "out//"));
    ck_assert_str_eq(resolved, old);
    mlm__free(runtime, resolved);
    assert_ok(save(runtime, folder, MLM__REPLACE_DIRECTORY, "next"));
    ck_assert(holds(folder, "a", "next") && holds(folder, "log", "kept"));
    ck_assert(absent(old) && absent(fresh));

    make(parent, "out.mlm-old");
    resolved = mlm__directory_resolve(runtime, folder);
    ck_assert_str_eq(resolved, folder);
    mlm__free(runtime, resolved);
    assert_ok(save(runtime, folder, MLM__REPLACE_DIRECTORY, "last"));
    ck_assert(holds(folder, "a", "last") && absent(old));
}
END_TEST

Suite *directory_suite(void)
{
    Suite *suite = suite_create("directory");
    TCase *tcase = tcase_create("directory");
    tcase_set_timeout(tcase, 30);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, files_are_replaced_and_others_stay);
    tcase_add_test(tcase, nothing_shows_before_commit_and_after_abort);
    tcase_add_test(tcase, what_is_in_the_way_is_not_removed);
    tcase_add_test(tcase, written_files_are_listed_with_their_sums);
    tcase_add_test(tcase, directory_is_replaced_and_other_files_move_along);
    tcase_add_test(tcase, folders_and_links_in_a_directory_move_along);
    tcase_add_test(tcase, working_directory_is_not_replaced);
    tcase_add_test(tcase, link_to_a_directory_stays_a_link);
    tcase_add_test(tcase, leftover_of_a_killed_save_is_removed);
    tcase_add_test(tcase, leftover_that_may_be_the_users_is_not);
    tcase_add_test(tcase, two_saves_at_once_do_not_mix);
    tcase_add_test(tcase, fork_during_a_save_forbids_no_later_one);
    tcase_add_loop_test(tcase, progress_stops_a_save_and_nothing_changes, MLM__REPLACE_FILES,
        MLM__REPLACE_DIRECTORY + 1);
    tcase_add_test(tcase, full_disk_names_the_file_and_changes_nothing);
    tcase_add_test(tcase, no_memory_is_reported_without_a_leak);
    tcase_add_test(tcase, two_renames_do_where_names_cannot_be_exchanged);
    tcase_add_test(tcase, users_own_directories_beside_are_never_taken_nor_removed);
    tcase_add_test(tcase, save_that_was_cut_off_is_found_and_mended);
    suite_add_tcase(suite, tcase);
    return suite;
}
