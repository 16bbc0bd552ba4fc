#include "files/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"

/* Linux moves at most 2 GiB - 4096 bytes at a time, macOS fails above 2 GiB. */
enum { LARGEST_MOVE = 1 << 30 };

mlm_status mlm__file_error(const char *path, const char *what, int number)
{
    mlm_status status = number == ENOENT   ? MLM_ERR_NOT_FOUND
                        : number == ENOMEM ? MLM_ERR_MEMORY
                                           : MLM_ERR_IO;
    return mlm__error(status, "%s: cannot %s: %s", path, what, strerror(number));
}

static mlm_status check_regular(mlm__file *file)
{
    struct stat status;
    if (fstat(file->fd, &status) != 0)
        return mlm__file_error(file->path, "read its size", errno);
    if (S_ISDIR(status.st_mode))
        return mlm__error(MLM_ERR_IO, "%s: is a directory, not a file", file->path);
    if (!S_ISREG(status.st_mode))
        return mlm__error(MLM_ERR_IO, "%s: is not a regular file", file->path);
    file->size = status.st_size;
    return MLM_OK;
}

int mlm__open_at(int folder, const char *path, int flags, unsigned mode)
{
    int fd;
    do
        fd = openat(folder, path, flags | O_CLOEXEC, mode);
    while (fd < 0 && errno == EINTR);
    return fd;
}

mlm_status mlm__file_open(mlm_runtime *runtime, const char *path, mlm__file *out)
{
    *out = (mlm__file){.fd = -1, .runtime = runtime};
    out->path = mlm__copy_text(runtime, path, strlen(path));
    if (!out->path)
        return MLM_ERR_MEMORY;
    /* Without O_NONBLOCK a named pipe would wait for its writer. */
    out->fd = mlm__open_at(AT_FDCWD, path, O_RDONLY | O_NONBLOCK, 0);
    mlm_status status = out->fd < 0 ? mlm__file_error(path, "open", errno) : check_regular(out);
    if (status != MLM_OK)
        mlm__file_close(out);
    return status;
}

mlm_status mlm__file_read_at(const mlm__file *file, int64_t offset, void *buffer, size_t size)
{
    char *to = buffer;
    while (size > 0) {
        ssize_t got = pread(file->fd, to, size < LARGEST_MOVE ? size : LARGEST_MOVE, offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return mlm__file_error(file->path, "read", errno);
        if (got == 0)
            return mlm__error(MLM_ERR_IO,
                "%s: ends before byte %" PRId64 ", and had %" PRId64 " when it was opened",
                file->path, offset + (int64_t)size, file->size);
        to += got;
        offset += got;
        size -= (size_t)got;
    }
    return MLM_OK;
}

/* At offset, or where the descriptor stands if that is negative. */
static int write_all(int fd, int64_t offset, const char *data, size_t size)
{
    while (size > 0) {
        size_t some = size < LARGEST_MOVE ? size : LARGEST_MOVE;
        ssize_t put = offset < 0 ? write(fd, data, some) : pwrite(fd, data, some, offset);
        if (put < 0 && errno != EINTR)
            return errno;
        if (put > 0) {
            data += put;
            size -= (size_t)put;
            offset += offset < 0 ? 0 : put;
        }
    }
    return 0;
}

static bool is_pending(int signal)
{
    sigset_t pending;
    return sigpending(&pending) == 0 && sigismember(&pending, signal) == 1;
}

/* The same, without the signal of a process that may write no larger file. */
static int write_quietly(int fd, int64_t offset, const void *data, size_t size)
{
    sigset_t limit, mask;
    sigemptyset(&limit);
    sigaddset(&limit, SIGXFSZ);
    pthread_sigmask(SIG_BLOCK, &limit, &mask);
    bool hosts = is_pending(SIGXFSZ);
    int failed = write_all(fd, offset, data, size), taken;
    if (failed == EFBIG && !hosts && is_pending(SIGXFSZ))
        sigwait(&limit, &taken);
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    return failed;
}

int mlm__file_append(int fd, const void *data, size_t size)
{
    return write_quietly(fd, -1, data, size);
}

mlm_status mlm__file_write_at(mlm__file *file, int64_t offset, const void *data, size_t size)
{
    int failed = write_quietly(file->fd, offset, data, size);
    if (failed != 0)
        return mlm__file_error(file->path, "write", failed);
    if (offset + (int64_t)size > file->size)
        file->size = offset + (int64_t)size;
    return MLM_OK;
}

/* Not O_TMPFILE, which not every file system and libc knows. */
static int open_nameless(const char *directory)
{
    char path[PATH_MAX];
    for (int tries = 0; tries < 100; tries++) {
        int length =
            snprintf(path, sizeof path, "%s/.mlm-%ld-%d", directory, (long)getpid(), tries);
        if (length >= (int)sizeof path) {
            errno = ENAMETOOLONG;
            return -1;
        }
        int fd = mlm__open_at(AT_FDCWD, path, O_RDWR | O_CREAT | O_EXCL, 0600);
        if (fd >= 0)
            unlink(path);
        if (fd >= 0 || errno != EEXIST)
            return fd;
    }
    return -1;
}

mlm_status mlm__file_temporary(mlm_runtime *runtime, const char *directory, mlm__file *out)
{
    static const char prefix[] = "temporary file in ";
    size_t length = strlen(directory);
    *out = (mlm__file){.fd = -1, .runtime = runtime};
    out->path = mlm__alloc(runtime, sizeof prefix + length, 1);
    if (!out->path)
        return MLM_ERR_MEMORY;
    memcpy(out->path, prefix, sizeof prefix - 1);
    memcpy(out->path + sizeof prefix - 1, directory, length + 1);
    out->fd = open_nameless(directory);
    if (out->fd >= 0)
        return MLM_OK;
    mlm_status status = mlm__file_error(out->path, "create", errno);
    mlm__file_close(out);
    return status;
}

mlm_status mlm__file_flush(const mlm__file *file)
{
    while (fsync(file->fd) != 0)
        if (errno != EINTR)
            return mlm__file_error(file->path, "flush to the disk", errno);
    return MLM_OK;
}

void mlm__file_close(mlm__file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    mlm__free(file->runtime, file->path);
    file->fd = -1;
    file->path = NULL;
}

mlm_status mlm__file_read_all(
    mlm_runtime *runtime, const char *path, size_t limit, char **data, size_t *size)
{
    *data = NULL;
    *size = 0;
    mlm__file file;
    MLM__TRY(mlm__file_open(runtime, path, &file));
    mlm_status status = MLM_OK;
    char *text = NULL;
    if ((uint64_t)file.size > limit)
        status = mlm__error(MLM_ERR_FORMAT, "%s: has %" PRId64 " bytes, at most %zu are expected",
            path, file.size, limit);
    else if (!(text = mlm__alloc(runtime, (size_t)file.size + 1, 1)))
        status = MLM_ERR_MEMORY;
    else
        status = mlm__file_read_at(&file, 0, text, (size_t)file.size);
    if (status == MLM_OK) {
        text[file.size] = 0;
        *data = text;
        *size = (size_t)file.size;
    } else {
        mlm__free(runtime, text);
    }
    mlm__file_close(&file);
    return status;
}

char *mlm__path_join(mlm_runtime *runtime, const char *directory, const char *name)
{
    size_t before = strlen(directory), after = strlen(name);
    size_t slash = before > 0 && directory[before - 1] != '/';
    char *path = mlm__alloc(runtime, before + slash + after + 1, 1);
    if (path) {
        memcpy(path, directory, before);
        path[before] = '/';
        memcpy(path + before + slash, name, after + 1);
    }
    return path;
}

char *mlm__path_parent(mlm_runtime *runtime, const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? mlm__copy_text(runtime, path, (size_t)(slash - path) + 1)
                 : mlm__copy_text(runtime, ".", 1);
}

bool mlm__path_is_directory(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

bool mlm__path_exists(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0 || (errno != ENOENT && errno != ENOTDIR);
}
