#include "files/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "files/file.h"

mlm_status mlm__folder_open(int parent, const char *name, const char *path, int *fd)
{
    *fd = mlm__open_at(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
    if (*fd >= 0 || errno == ENOENT)
        return MLM_OK;
    if (errno == ENOTDIR || errno == ELOOP)
        return mlm__error(MLM_ERR_IO, "%s: is in the way: it is not a directory", path);
    return mlm__file_error(path, "open", errno);
}

mlm_status mlm__folder_each(int fd, const char *path, mlm__entry_fn *entry, void *context)
{
    int own = mlm__open_at(fd, ".", O_RDONLY | O_DIRECTORY, 0); /* fd's place is not ours */
    DIR *list = own < 0 ? NULL : fdopendir(own);
    if (!list) {
        mlm_status status = mlm__file_error(path, "list", errno);
        if (own >= 0)
            close(own);
        return status;
    }
    mlm_status status = MLM_OK;
    while (status == MLM_OK) {
        errno = 0;
        const struct dirent *next = readdir(list);
        if (!next) {
            if (errno != 0)
                status = mlm__file_error(path, "list", errno);
            break;
        }
        if (strcmp(next->d_name, ".") == 0 || strcmp(next->d_name, "..") == 0)
            continue;
        struct stat found;
        if (fstatat(fd, next->d_name, &found, AT_SYMLINK_NOFOLLOW) != 0)
            status = mlm__file_error(path, "look at its files", errno);
        else
            status = entry(context, fd, next->d_name, &found);
    }
    closedir(list);
    return status;
}

/* Where what is no regular file goes: the folder's descriptor, or -1. */
typedef struct leaving {
    int into;
    const char *path; /* of the folder that is left */
} leaving;

static mlm_status move_entry(void *context, int fd, const char *name, const struct stat *status)
{
    const leaving *from = context;
    struct stat taken;
    if (S_ISREG(status->st_mode))
        return MLM_OK;
    if (from->into < 0 || fstatat(from->into, name, &taken, AT_SYMLINK_NOFOLLOW) == 0)
        return mlm__error(MLM_ERR_IO,
            "%s: cannot be removed: it holds '%s', which is not a regular file", from->path, name);
    return renameat(fd, name, from->into, name) == 0
               ? mlm__folder_sync(from->into, from->path)
               : mlm__file_error(from->path, "move what is in it from", errno);
}

static mlm_status remove_entry(void *path, int fd, const char *name, const struct stat *status)
{
    (void)status;
    return unlinkat(fd, name, 0) == 0 ? MLM_OK : mlm__file_error(path, "remove its files", errno);
}

static mlm_status remove_all(int parent, int fd, const char *into, const char *path)
{
    /* A save holds this lock; file systems without locks cannot tell. */
    if (flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        return mlm__error(MLM_ERR_IO, "%s: another save is writing to it", path);
    leaving from = {-1, path};
    if (into)
        MLM__TRY(mlm__folder_open(parent, into, path, &from.into));
    mlm_status status = mlm__folder_each(fd, path, move_entry, &from);
    if (from.into >= 0)
        close(from.into);
    MLM__TRY(status);
    return mlm__folder_each(fd, path, remove_entry, (void *)path);
}

mlm_status mlm__folder_remove(int parent, const char *name, const char *into, const char *path)
{
    int fd;
    MLM__TRY(mlm__folder_open(parent, name, path, &fd));
    if (fd < 0)
        return MLM_OK;
    mlm_status status = remove_all(parent, fd, into, path);
    if (status == MLM_OK && unlinkat(parent, name, AT_REMOVEDIR) != 0)
        status = mlm__file_error(path, "remove", errno);
    close(fd);
    return status;
}

/* 0 or an errno. */
static int copy(int from, int to)
{
    char buffer[1 << 14];
    ssize_t got;
    while ((got = read(from, buffer, sizeof buffer)) != 0) {
        int failed = got > 0 ? mlm__file_append(to, buffer, (size_t)got) : errno;
        if (failed != 0 && failed != EINTR)
            return failed;
    }
    while (fsync(to) != 0)
        if (errno != EINTR)
            return errno;
    return 0;
}

int mlm__folder_keep(int from, const char *name, int to)
{
    if (linkat(from, name, to, name, 0) == 0)
        return 0;
    if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS && errno != EMLINK)
        return errno;
    int old = mlm__open_at(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
    int fresh = mlm__open_at(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0666);
    int failed = old < 0 || fresh < 0 ? errno : copy(old, fresh);
    if (fresh >= 0)
        close(fresh);
    if (old >= 0)
        close(old);
    return failed;
}

mlm_status mlm__folder_sync(int fd, const char *path)
{
    while (fsync(fd) != 0) {
        if (errno == EINVAL) /* a file system that has no such thing */
            return MLM_OK;
        if (errno != EINTR)
            return mlm__file_error(path, "flush to the disk", errno);
    }
    return MLM_OK;
}

/* renameat2 with RENAME_EXCHANGE, which not every libc declares. */
static int exchange(int parent, const char *a, const char *b)
{
#ifdef SYS_renameat2
    enum { EXCHANGE = 2 };
    return (int)syscall(SYS_renameat2, parent, a, parent, b, EXCHANGE);
#else
    (void)parent, (void)a, (void)b;
    errno = ENOSYS;
    return -1;
#endif
}

/* In two steps, between which there is no current: a reader then takes old. */
static mlm_status replace_in_two(
    int parent, const char *fresh, const char *current, const char *old, const char *path)
{
    if (renameat(parent, current, parent, old) != 0)
        return mlm__file_error(path, "rename", errno);
    if (renameat(parent, fresh, parent, current) != 0) {
        mlm_status failed = mlm__file_error(path, "replace", errno);
        renameat(parent, old, parent, current);
        return failed;
    }
    return MLM_OK;
}

mlm_status mlm__folder_replace(
    int parent, const char *fresh, const char *current, const char *old, const char *path)
{
    if (exchange(parent, fresh, current) == 0)
        return MLM_OK;
    if (errno == EINVAL || errno == ENOSYS) {
        struct stat status;
        if (fstatat(parent, current, &status, AT_SYMLINK_NOFOLLOW) == 0)
            return replace_in_two(parent, fresh, current, old, path);
    } else if (errno != ENOENT) {
        return mlm__file_error(path, "replace", errno);
    }
    if (renameat(parent, fresh, parent, current) != 0)
        return mlm__file_error(path, "create", errno);
    return MLM_OK;
}
