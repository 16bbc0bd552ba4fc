/* Writing the files of a directory so that a reader never sees half of one, whatever kills the
   process or the machine. docs/checkpoints.md tells the order of the steps. */
#ifndef MLM_FILES_DIRECTORY_H
#define MLM_FILES_DIRECTORY_H

#include "mlm/mlm.h"

enum {
    /* Each file is written as NAME.mlm-new in the directory, and gets its name at commit. Other
       files stay. A directory that is absent appears at commit, as with MLM__REPLACE_DIRECTORY. */
    MLM__REPLACE_FILES,
    /* All files are written to DIRECTORY.mlm-new, which takes the place of DIRECTORY at commit, all
       at once. Whatever else is in it moves along. */
    MLM__REPLACE_DIRECTORY,
};

typedef struct mlm__directory mlm__directory;

typedef struct mlm__written_file {
    char *name;
    int64_t size;
    char sha256[65]; /* lower-case hex; empty with MLM__REPLACE_FILES */
} mlm__written_file;

mlm_status mlm__directory_begin(
    mlm_runtime *runtime, const char *path, int32_t mode, mlm__directory **out);
/* Begins the next file. One is open at a time, and no name comes twice. */
mlm_status mlm__directory_start(mlm__directory *directory, const char *name);
/* Appends to it; small pieces are collected. Tells the progress callback; MLM_STOPPED. */
mlm_status mlm__directory_write(mlm__directory *directory, const void *data, size_t size);
/* Ends it: everything is on the disk after this. */
mlm_status mlm__directory_finish(mlm__directory *directory);
mlm_runtime *mlm__directory_runtime(const mlm__directory *directory);
/* The finished files in their order. */
size_t mlm__directory_count(const mlm__directory *directory);
const mlm__written_file *mlm__directory_file(const mlm__directory *directory, size_t index);
/* Makes the files visible. Frees directory in every case; after an error it has aborted. */
mlm_status mlm__directory_commit(mlm__directory *directory);
/* Removes what was written and frees; keeps this thread's error. NULL does nothing. */
void mlm__directory_abort(mlm__directory *directory);

/* Where to read: path, or path.mlm-old when a save was cut off between two renames and there is no
   path. Free it with mlm__free. NULL: no memory. */
char *mlm__directory_resolve(mlm_runtime *runtime, const char *path);

#endif
