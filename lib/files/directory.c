#include "files/directory.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/line.h"
#include "base/memory.h"
#include "base/runtime.h"
#include "files/file.h"
#include "files/folder.h"
#include "files/sha256.h"

/* A file is hashed and written a slice at a time, and what waits for the disk is flushed before it
   is more than it takes in a second: between any two of these the progress callback is told. */
enum { BUFFER_SIZE = 1 << 16, SLICE_SIZE = 1 << 22, FLUSH_SIZE = 1 << 26 };

/* Behind the names of what a save is still writing and of what it replaces. Whatever has such a
   name is a save's, and what a killed one left goes with the next; so it must be a name that
   nobody else gives. */
#define FRESH ".mlm-new"
#define REPLACED ".mlm-old"

enum { WORKING_SIZE = NAME_MAX + sizeof FRESH };

struct mlm__directory {
    mlm_runtime *runtime; /* borrowed */
    int32_t mode;
    char *path;               /* as it was given, for messages */
    char *name, *fresh, *old; /* its name in the parent, NAME.mlm-new and NAME.mlm-old */
    char *fresh_path;         /* for messages */
    int parent;               /* where these are */
    int folder;               /* where files are written: NAME, or NAME.mlm-new */
    bool singly;              /* files are replaced in the folder that there is */

    int file; /* the one being written, files[count]; -1: none */
    mlm__sha256 sha;
    int64_t unflushed; /* bytes of it that may not be on the disk */
    int64_t written;   /* bytes of all files */
    size_t buffered;
    char buffer[BUFFER_SIZE];

    size_t count, capacity;
    mlm__written_file *files;
};

/* text and suffix in one block. */
static char *with_suffix(mlm_runtime *runtime, const char *text, const char *suffix)
{
    size_t length = strlen(text), more = strlen(suffix);
    char *joined = mlm__alloc(runtime, length + more + 1, 1);
    if (joined) {
        memcpy(joined, text, length);
        memcpy(joined + length, suffix, more + 1);
    }
    return joined;
}

/* The name under which a file is written. */
static void working_name(
    const mlm__directory *directory, const char *name, char working[WORKING_SIZE])
{
    snprintf(working, WORKING_SIZE, "%s%s", name, directory->singly ? FRESH : "");
}

static mlm_status file_failed(
    const mlm__directory *directory, const char *name, const char *what, int number)
{
    char path[PATH_MAX + WORKING_SIZE];
    snprintf(path, sizeof path, "%s/%s", directory->path, name);
    return mlm__file_error(path, what, number);
}

/* ---- begin ---------------------------------------------------------------- */

/* Length without final slashes, but for the root's. */
static size_t trimmed_length(const char *path)
{
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        length--;
    return length;
}

/* The directory that path names, with symbolic links followed, or path itself when there is none
   yet; *exists says which. */
static mlm_status resolve_links(const char *path, char resolved[PATH_MAX], bool *exists)
{
    struct stat status;
    *exists = stat(path, &status) == 0;
    if (*exists) {
        if (!S_ISDIR(status.st_mode))
            return mlm__error(MLM_ERR_IO, "%s: is not a directory", path);
        return realpath(path, resolved) ? MLM_OK : mlm__file_error(path, "resolve", errno);
    }
    if (errno != ENOENT)
        return mlm__file_error(path, "open", errno);
    size_t length = trimmed_length(path);
    if (length >= PATH_MAX)
        return mlm__file_error(path, "open", ENAMETOOLONG);
    memcpy(resolved, path, length);
    resolved[length] = 0;
    if (lstat(resolved, &status) == 0)
        return mlm__error(MLM_ERR_IO, "%s: is a symbolic link to nothing", path);
    return MLM_OK;
}

/* Sets the parent and the names in it. */
static mlm_status locate(mlm__directory *directory, const char *path, bool *exists)
{
    mlm_runtime *runtime = directory->runtime;
    char resolved[PATH_MAX];
    if (!(directory->path = mlm__copy_text(runtime, path, trimmed_length(path))))
        return MLM_ERR_MEMORY;
    MLM__TRY(resolve_links(path, resolved, exists));
    char *slash = strrchr(resolved, '/');
    const char *name = slash ? slash + 1 : resolved, *parent = ".";
    if (!*name)
        return mlm__error(MLM_ERR_IO, "'%s': is not a directory that can be written", path);
    if (!(directory->name = mlm__copy_text(runtime, name, strlen(name))) ||
        !(directory->fresh = with_suffix(runtime, name, FRESH)) ||
        !(directory->old = with_suffix(runtime, name, REPLACED)) ||
        !(directory->fresh_path = with_suffix(runtime, directory->path, FRESH)))
        return MLM_ERR_MEMORY;
    if (slash) {
        slash[slash == resolved] = 0;
        parent = resolved;
    }
    directory->parent = mlm__open_at(AT_FDCWD, parent, O_RDONLY | O_DIRECTORY, 0);
    return directory->parent < 0 ? mlm__file_error(parent, "open", errno) : MLM_OK;
}

static mlm_status begin_files(mlm__directory *directory)
{
    MLM__TRY(
        mlm__folder_open(directory->parent, directory->name, directory->path, &directory->folder));
    return directory->folder < 0 ? mlm__file_error(directory->path, "open", ENOENT) : MLM_OK;
}

/* Whether a folder is the working directory, where a process would be left in one that is gone. */
static bool is_working_directory(const struct stat *folder)
{
    struct stat working;
    return stat(".", &working) == 0 && working.st_dev == folder->st_dev &&
           working.st_ino == folder->st_ino;
}

/* A mount point cannot be moved. */
static mlm_status check_entry(void *context, int fd, const char *name, const struct stat *status)
{
    const mlm__directory *directory = context;
    struct stat folder;
    if (fstat(fd, &folder) != 0)
        return mlm__file_error(directory->path, "look at", errno);
    return status->st_dev == folder.st_dev
               ? MLM_OK
               : mlm__error(MLM_ERR_IO, "%s: cannot be replaced: '%s' in it is a mount point",
                     directory->path, name);
}

/* Refuses now what commit could not replace. */
static mlm_status check_replaceable(mlm__directory *directory, mode_t *mode)
{
    int fd;
    struct stat status, parent;
    MLM__TRY(mlm__folder_open(directory->parent, directory->name, directory->path, &fd));
    if (fd < 0)
        return MLM_OK;
    mlm_status result = MLM_OK;
    if (fstat(fd, &status) != 0 || fstat(directory->parent, &parent) != 0)
        result = mlm__file_error(directory->path, "look at", errno);
    else if (status.st_dev != parent.st_dev)
        result = mlm__error(MLM_ERR_IO,
            "%s: cannot be replaced: it is a mount point; name a directory in it", directory->path);
    else if (is_working_directory(&status))
        result = mlm__error(MLM_ERR_IO,
            "%s: cannot be replaced: it is the working directory; name a directory in it",
            directory->path);
    else
        result = mlm__folder_each(fd, directory->path, check_entry, directory);
    if (result == MLM_OK)
        *mode = status.st_mode & 07777;
    close(fd);
    return result;
}

/* What an earlier save left that was cut off between or after its two renames. */
static mlm_status mend(const mlm__directory *directory)
{
    struct stat status;
    if (fstatat(directory->parent, directory->old, &status, AT_SYMLINK_NOFOLLOW) != 0)
        return MLM_OK;
    if (fstatat(directory->parent, directory->name, &status, AT_SYMLINK_NOFOLLOW) == 0)
        return mlm__folder_remove(
            directory->parent, directory->old, directory->name, directory->path);
    return renameat(directory->parent, directory->old, directory->parent, directory->name) == 0
               ? MLM_OK
               : mlm__file_error(directory->path, "restore", errno);
}

static mlm_status begin_directory(mlm__directory *directory)
{
    int parent = directory->parent;
    struct stat status;
    MLM__TRY(mend(directory));
    mode_t mode = 0;
    MLM__TRY(check_replaceable(directory, &mode));
    MLM__TRY(mlm__folder_remove(parent, directory->fresh, directory->name, directory->fresh_path));
    if (mkdirat(parent, directory->fresh, 0777) != 0)
        return mlm__file_error(directory->fresh_path, "create", errno);
    MLM__TRY(mlm__folder_open(parent, directory->fresh, directory->fresh_path, &directory->folder));
    if (directory->folder < 0)
        return mlm__file_error(directory->fresh_path, "open", ENOENT);
    flock(directory->folder, LOCK_EX | LOCK_NB); /* see mlm__folder_remove */
    if (mode != 0 && (fstat(directory->folder, &status) != 0 || (status.st_mode & 07777) != mode) &&
        fchmod(directory->folder, mode) != 0)
        return mlm__file_error(directory->fresh_path, "set the mode of", errno);
    return MLM_OK;
}

mlm_status mlm__directory_begin(
    mlm_runtime *runtime, const char *path, int32_t mode, mlm__directory **out)
{
    *out = NULL;
    mlm__directory *directory = mlm__alloc_zero(runtime, 1, sizeof *directory);
    if (!directory)
        return MLM_ERR_MEMORY;
    directory->runtime = runtime;
    directory->mode = mode;
    directory->parent = directory->folder = directory->file = -1;
    bool exists = false;
    mlm_status status = locate(directory, path, &exists);
    directory->singly = exists && mode == MLM__REPLACE_FILES;
    if (status == MLM_OK)
        status = directory->singly ? begin_files(directory) : begin_directory(directory);
    if (status != MLM_OK) {
        mlm__directory_abort(directory);
        return status;
    }
    *out = directory;
    return MLM_OK;
}

/* ---- files ---------------------------------------------------------------- */

/* What a killed save left under the working name goes; anything else stays and is an error. */
static mlm_status remove_leftover(const mlm__directory *directory, const char *name)
{
    struct stat status;
    if (fstatat(directory->folder, name, &status, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? MLM_OK : file_failed(directory, name, "look at", errno);
    if (!S_ISREG(status.st_mode))
        return mlm__error(
            MLM_ERR_IO, "%s/%s: is in the way: it is not a regular file", directory->path, name);
    return unlinkat(directory->folder, name, 0) == 0
               ? MLM_OK
               : file_failed(directory, name, "remove", errno);
}

static mlm_status create_file(mlm__directory *directory, const char *name)
{
    char working[WORKING_SIZE];
    working_name(directory, name, working);
    MLM__TRY(remove_leftover(directory, working));
    directory->file =
        mlm__open_at(directory->folder, working, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0666);
    return directory->file < 0 ? file_failed(directory, working, "create", errno) : MLM_OK;
}

mlm_status mlm__directory_start(mlm__directory *directory, const char *name)
{
    assert(directory->file < 0 && *name && !strchr(name, '/'));
    MLM__TRY(mlm__grow(directory->runtime, &directory->files, &directory->capacity,
        directory->count + 1, sizeof *directory->files));
    mlm__written_file *file = &directory->files[directory->count];
    *file = (mlm__written_file){0};
    if (!(file->name = mlm__copy_text(directory->runtime, name, strlen(name))))
        return MLM_ERR_MEMORY;
    mlm_status status = create_file(directory, name);
    if (status != MLM_OK) {
        mlm__free(directory->runtime, file->name);
        return status;
    }
    directory->buffered = 0;
    mlm__sha256_init(&directory->sha);
    return MLM_OK;
}

static mlm_status flush_to_disk(mlm__directory *directory)
{
    while (fsync(directory->file) != 0)
        if (errno != EINTR)
            return file_failed(
                directory, directory->files[directory->count].name, "flush to the disk", errno);
    directory->unflushed = 0;
    return MLM_OK;
}

static mlm_status write_slice(mlm__directory *directory, const char *data, size_t size)
{
    mlm__written_file *file = &directory->files[directory->count];
    if (directory->mode == MLM__REPLACE_DIRECTORY)
        mlm__sha256_update(&directory->sha, data, size);
    file->size += (int64_t)size;
    directory->written += (int64_t)size;
    directory->unflushed += (int64_t)size;
    int failed = mlm__file_append(directory->file, data, size);
    if (failed != 0)
        return file_failed(directory, file->name, "write", failed);
    return directory->unflushed >= FLUSH_SIZE ? flush_to_disk(directory) : MLM_OK;
}

static mlm_status write_out(mlm__directory *directory, const char *data, size_t size)
{
    while (size > 0) {
        size_t slice = size < SLICE_SIZE ? size : SLICE_SIZE;
        MLM__TRY(write_slice(directory, data, slice));
        data += slice;
        size -= slice;
        if (!mlm__progress(directory->runtime, "saving", directory->written, 0))
            return mlm__error(
                MLM_STOPPED, "%s: saving was stopped by the progress callback", directory->path);
    }
    return MLM_OK;
}

static mlm_status write_buffered(mlm__directory *directory)
{
    size_t size = directory->buffered;
    directory->buffered = 0;
    return write_out(directory, directory->buffer, size);
}

mlm_status mlm__directory_write(mlm__directory *directory, const void *data, size_t size)
{
    assert(directory->file >= 0);
    if (size > BUFFER_SIZE - directory->buffered)
        MLM__TRY(write_buffered(directory));
    if (size >= BUFFER_SIZE)
        return write_out(directory, data, size);
    memcpy(directory->buffer + directory->buffered, data, size);
    directory->buffered += size;
    return MLM_OK;
}

mlm_status mlm__directory_finish(mlm__directory *directory)
{
    assert(directory->file >= 0);
    mlm__written_file *file = &directory->files[directory->count];
    MLM__TRY(write_buffered(directory));
    MLM__TRY(flush_to_disk(directory));
    int closed = close(directory->file);
    directory->file = -1;
    if (directory->mode == MLM__REPLACE_DIRECTORY) {
        uint8_t digest[32];
        mlm__sha256_final(&directory->sha, digest);
        mlm__sha256_hex(digest, file->sha256);
    }
    directory->count++; /* from here on abort removes it as a finished one */
    if (closed != 0 && errno != EINTR)
        return file_failed(directory, file->name, "close", errno);
    return MLM_OK;
}

mlm_runtime *mlm__directory_runtime(const mlm__directory *directory)
{
    return directory->runtime;
}

size_t mlm__directory_count(const mlm__directory *directory)
{
    return directory->count;
}

const mlm__written_file *mlm__directory_file(const mlm__directory *directory, size_t index)
{
    assert(index < directory->count);
    return &directory->files[index];
}

/* ---- end ------------------------------------------------------------------ */

static void free_directory(mlm__directory *directory)
{
    mlm_runtime *runtime = directory->runtime;
    int descriptors[] = {directory->file, directory->folder, directory->parent};
    for (size_t i = 0; i < sizeof descriptors / sizeof descriptors[0]; i++)
        if (descriptors[i] >= 0)
            close(descriptors[i]);
    for (size_t i = 0; i < directory->count; i++)
        mlm__free(runtime, directory->files[i].name);
    mlm__free(runtime, directory->files);
    mlm__free(runtime, directory->fresh_path);
    mlm__free(runtime, directory->old);
    mlm__free(runtime, directory->fresh);
    mlm__free(runtime, directory->name);
    mlm__free(runtime, directory->path);
    mlm__free(runtime, directory);
}

/* The lock goes first: a process that the host forked meanwhile has the descriptor too, and would
   keep it. */
static void close_locked(mlm__directory *directory)
{
    flock(directory->folder, LOCK_UN);
    close(directory->folder);
    directory->folder = -1;
}

static void remove_files(const mlm__directory *directory)
{
    for (size_t i = 0; i < directory->count; i++) {
        char working[WORKING_SIZE];
        working_name(directory, directory->files[i].name, working);
        unlinkat(directory->folder, working, 0);
    }
}

void mlm__directory_abort(mlm__directory *directory)
{
    if (!directory)
        return;
    if (directory->file >= 0)
        directory->count++; /* the unfinished one goes with the others */
    if (directory->singly) {
        remove_files(directory);
    } else if (directory->folder >= 0) {
        char error[MLM__LINE_SIZE];
        memcpy(error, mlm_last_error(), sizeof error);
        close_locked(directory);
        if (mlm__folder_remove(directory->parent, directory->fresh, NULL, directory->fresh_path))
            mlm__error(MLM_ERR_IO, "%s", error);
    }
    free_directory(directory);
}

static mlm_status commit_files(const mlm__directory *directory)
{
    for (size_t i = 0; i < directory->count; i++) {
        const char *name = directory->files[i].name;
        char working[WORKING_SIZE];
        working_name(directory, name, working);
        if (renameat(directory->folder, working, directory->folder, name) != 0)
            return file_failed(directory, name, "replace", errno);
    }
    return mlm__folder_sync(directory->folder, directory->path);
}

/* What is no regular file moves along later, when the directory is replaced. */
static mlm_status keep_entry(void *context, int fd, const char *name, const struct stat *status)
{
    const mlm__directory *directory = context;
    const bool regular = S_ISREG(status->st_mode);
    for (size_t i = 0; i < directory->count; i++)
        if (strcmp(directory->files[i].name, name) == 0)
            return regular
                       ? MLM_OK
                       : mlm__error(MLM_ERR_IO, "%s/%s: is in the way: it is not a regular file",
                             directory->path, name);
    int failed = regular ? mlm__folder_keep(fd, name, directory->folder) : 0;
    return failed == 0 ? MLM_OK : file_failed(directory, name, "keep", failed);
}

static mlm_status commit_directory(mlm__directory *directory)
{
    int current;
    MLM__TRY(mlm__folder_open(directory->parent, directory->name, directory->path, &current));
    if (current >= 0) {
        mlm_status kept = mlm__folder_each(current, directory->path, keep_entry, directory);
        close(current);
        MLM__TRY(kept);
    }
    MLM__TRY(mlm__folder_sync(directory->folder, directory->fresh_path));
    MLM__TRY(mlm__folder_replace(
        directory->parent, directory->fresh, directory->name, directory->old, directory->path));
    close_locked(directory);
    MLM__TRY(mlm__folder_sync(directory->parent, directory->path));
    mlm_status removed = mlm__folder_remove(
        directory->parent, directory->fresh, directory->name, directory->fresh_path);
    if (removed == MLM_OK)
        removed =
            mlm__folder_remove(directory->parent, directory->old, directory->name, directory->path);
    if (removed != MLM_OK)
        mlm__log(directory->runtime, MLM_LOG_WARNING, "saved, but what it replaced remains: %s",
            mlm_last_error());
    return MLM_OK;
}

mlm_status mlm__directory_commit(mlm__directory *directory)
{
    assert(directory->file < 0);
    mlm_status status = directory->singly ? commit_files(directory) : commit_directory(directory);
    if (status == MLM_OK)
        free_directory(directory);
    else
        mlm__directory_abort(directory);
    return status;
}

/* ---- reading -------------------------------------------------------------- */

char *mlm__directory_resolve(mlm_runtime *runtime, const char *path)
{
    size_t length = trimmed_length(path);
    char *current = mlm__copy_text(runtime, path, length);
    if (!current || mlm__path_exists(current))
        return current;
    char *old = with_suffix(runtime, current, REPLACED);
    bool cut_off = old && mlm__path_is_directory(old);
    mlm__free(runtime, cut_off || !old ? current : old);
    return cut_off || !old ? old : current;
}
