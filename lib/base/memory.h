/* Memory: every block of a runtime comes from its allocator and is counted. */
#ifndef MLM_BASE_MEMORY_H
#define MLM_BASE_MEMORY_H

#include "mlm/mlm.h"

enum { MLM__ALIGNMENT = 64 };

/* count elements of size bytes, aligned to MLM__ALIGNMENT and uninitialised. NULL, with
   this thread's error set, when there is no memory or count * size overflows; the caller returns
   MLM_ERR_MEMORY. A count of 0 gives a block that may be freed. Calling thread only. */
void *mlm__alloc(mlm_runtime *runtime, size_t count, size_t size);
/* The same, zeroed. */
void *mlm__alloc_zero(mlm_runtime *runtime, size_t count, size_t size);
/* NULL does nothing. */
void mlm__free(mlm_runtime *runtime, void *memory);

/* Makes room for at least need elements of size bytes in *array (a pointer to any object type),
   keeping the *capacity elements it has; grows by half at least. After MLM_ERR_MEMORY the array
   is as before. */
mlm_status mlm__grow(mlm_runtime *runtime, void *array, size_t *capacity, size_t need, size_t size);

/* A copy of length bytes with a final zero byte. */
char *mlm__copy_text(mlm_runtime *runtime, const char *text, size_t length);

#endif
