/* JSON, over jansson. Its trees are malloc's: freed before the public call returns. */
#ifndef MLM_FILES_JSON_H
#define MLM_FILES_JSON_H

#include <jansson.h>
#include <stdbool.h>

#include "files/directory.h"
#include "mlm/mlm.h"

/* An object or array from a file of at most limit bytes, or from text that is called name in
   messages. Errors are "path:line:column: what"; an object with a member twice is one. */
mlm_status mlm__json_load(mlm_runtime *runtime, const char *path, size_t limit, json_t **out);
mlm_status mlm__json_parse(const char *text, size_t size, const char *name, json_t **out);
/* The same, but integers may be too big for 64 bits: then all of the file's are real numbers.
   transformers writes "model_max_length": 1000000000000000019884624838656 for no limit. */
mlm_status mlm__json_load_large(mlm_runtime *runtime, const char *path, size_t limit, json_t **out);

/* Members of an object. Absent or null: *value stays and MLM_OK. Another type or out of
   [low, high]: MLM_ERR_FORMAT, "path: member: what". */
mlm_status mlm__json_int(const json_t *object, const char *member, int64_t low, int64_t high,
    const char *path, int64_t *value);
/* Integers are accepted. */
mlm_status mlm__json_double(const json_t *object, const char *member, double low, double high,
    const char *path, double *value);
mlm_status mlm__json_bool(const json_t *object, const char *member, const char *path, bool *value);
/* The string is the object's. */
mlm_status mlm__json_string(
    const json_t *object, const char *member, const char *path, const char **value);

/* An object or array as compact text with a final zero byte, for mlm__free. A NULL root is
   MLM_ERR_MEMORY. Not json_dumps: its text is freed as the host told jansson, which may use it too. */
mlm_status mlm__json_text(mlm_runtime *runtime, const json_t *root, char **out);

/* As decimal text: many readers of JSON have no integers above 2^63 - 1. NULL: no memory. */
json_t *mlm__json_seed(uint64_t seed);

/* Writes a file with two spaces of indent and a final newline; members in the order they were
   set, numbers so that they read back as they are. Borrows root; a NULL root is MLM_ERR_MEMORY, so
   that trees may be built unchecked. */
mlm_status mlm__json_write(mlm__directory *directory, const char *name, json_t *root);

/* The same of an object with members, and behind them "sha256": the hash of every byte before that
   member's line. Loading refuses a file of which a bit is another, with MLM_ERR_FORMAT. */
mlm_status mlm__json_write_sealed(mlm__directory *directory, const char *name, json_t *root);
mlm_status mlm__json_load_sealed(
    mlm_runtime *runtime, const char *path, size_t limit, json_t **out);

#endif
