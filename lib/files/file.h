/* Files, read with pread and never mapped: a file that shrinks behind a mapping kills the host.
   Every message begins with the path. */
#ifndef MLM_FILES_FILE_H
#define MLM_FILES_FILE_H

#include <stdbool.h>

#include "mlm/mlm.h"

typedef struct mlm__file {
    int fd;
    int64_t size; /* when it was opened */
    char *path;
    mlm_runtime *runtime; /* borrowed */
} mlm__file;

/* openat, closed on exec, and once more after a signal: a pipe and a server's file are waited for. The
   descriptor, or -1 with errno. */
int mlm__open_at(int folder, const char *path, int flags, unsigned mode);

/* Opens a regular file. MLM_ERR_NOT_FOUND when there is none; anything else in its place is
   MLM_ERR_IO. */
mlm_status mlm__file_open(mlm_runtime *runtime, const char *path, mlm__file *out);
/* Reads size bytes from offset on; MLM_ERR_IO when the file ends before. */
mlm_status mlm__file_read_at(const mlm__file *file, int64_t offset, void *buffer, size_t size);
/* A new file without a name, which goes with its last descriptor, on the file system of directory;
   messages call it "temporary file in directory". */
mlm_status mlm__file_temporary(mlm_runtime *runtime, const char *directory, mlm__file *out);
/* Writes size bytes from offset on, and counts them into file->size; signals as mlm__file_append. */
mlm_status mlm__file_write_at(mlm__file *file, int64_t offset, const void *data, size_t size);
/* All that was written is on the disk after this. */
mlm_status mlm__file_flush(const mlm__file *file);
void mlm__file_close(mlm__file *file);

/* Writes all of it where the descriptor stands; 0 or an errno. The signal of a process that may
   write no larger file (RLIMIT_FSIZE) does not come through: EFBIG is an error like a full disk. */
int mlm__file_append(int fd, const void *data, size_t size);

/* A whole file and a final zero byte; one of more than limit bytes is MLM_ERR_FORMAT. */
mlm_status mlm__file_read_all(
    mlm_runtime *runtime, const char *path, size_t limit, char **data, size_t *size);

/* "directory/name", or name alone where directory is empty. NULL: no memory. */
char *mlm__path_join(mlm_runtime *runtime, const char *directory, const char *name);
/* The directory that path is in: "." where it names none. NULL: no memory. */
char *mlm__path_parent(mlm_runtime *runtime, const char *path);
bool mlm__path_is_directory(const char *path);
/* Also of a link to nothing, or where the system does not say: to open it then tells why it cannot be
   read, where to pass over it would change what a directory means. */
bool mlm__path_exists(const char *path);

/* Sets "path: cannot <what>: <the system's reason>" from an errno and returns its status:
   MLM_ERR_NOT_FOUND, MLM_ERR_MEMORY or MLM_ERR_IO. */
mlm_status mlm__file_error(const char *path, const char *what, int number);

#endif
