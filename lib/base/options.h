/* Structs that grow: the one reader and writer of everything with a struct_size. */
#ifndef MLM_BASE_OPTIONS_H
#define MLM_BASE_OPTIONS_H

#include "mlm/mlm.h"

/* Fills exactly size bytes at options: known_size bytes of defaults, then zeros, with struct_size
   set to size. For mlm_x_options_init and mlm_x_init. */
void mlm__struct_init(void *options, size_t size, const void *defaults, size_t known_size);

/* Reads a caller's options: defaults where given is NULL or ends early, then given's own bytes.
   name is the struct's, for messages. A struct_size that none can have, as 0, is MLM_ERR_ARGUMENT;
   bytes beyond known_size that are not zero are MLM_ERR_UNSUPPORTED. out->struct_size becomes known_size. */
mlm_status mlm__struct_read(
    const void *given, const void *defaults, size_t known_size, const char *name, void *out);

/* Whether mlm__struct_write will take the struct, for calls whose work cannot be undone. */
mlm_status mlm__struct_check(const void *out, const char *name);

/* Writes a result of known_size bytes over a caller's struct, as far as the caller's struct_size
   goes, which stays as it was. A struct_size that none can have is MLM_ERR_ARGUMENT. */
mlm_status mlm__struct_write(void *out, const void *result, size_t known_size, const char *name);

#endif
