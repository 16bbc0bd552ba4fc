/* Folders that saves make, replace and leave behind. A folder is known by its parent's descriptor
   and its name there, so that nothing happens to another that takes its place; path is for
   messages. No symbolic link is followed. */
#ifndef MLM_FILES_FOLDER_H
#define MLM_FILES_FOLDER_H

#include <sys/stat.h>

#include "mlm/mlm.h"

/* Opens it; *fd is -1, with MLM_OK, when there is none. */
mlm_status mlm__folder_open(int parent, const char *name, const char *path, int *fd);

/* Calls entry for every name but "." and "..", in no order, until one fails. */
typedef mlm_status mlm__entry_fn(void *context, int fd, const char *name, const struct stat *status);
mlm_status mlm__folder_each(int fd, const char *path, mlm__entry_fn *entry, void *context);

/* Removes a folder that a save left, if there is one. What is no regular file in it no save made:
   that moves to the folder called into, its sibling, where it has to be; if it cannot, or another
   process still writes to the folder, it is MLM_ERR_IO, and nothing is removed. */
mlm_status mlm__folder_remove(int parent, const char *name, const char *into, const char *path);

/* Gives a file of from a second name in to: even a process that is appending to it goes on
   undisturbed. Where the file system has no hard links it is copied. 0 or an errno. */
int mlm__folder_keep(int from, const char *name, int to);

/* Flushes the names of its entries to the disk. */
mlm_status mlm__folder_sync(int fd, const char *path);

/* Gives fresh the name current. What had it keeps its content under the name fresh, where the file
   system can exchange two names at once, and else under old; either is then for
   mlm__folder_remove. */
mlm_status mlm__folder_replace(
    int parent, const char *fresh, const char *current, const char *old, const char *path);

#endif
