/* All memory that the library takes, its own through a runtime's allocator and jansson's, in one
   count, of which any can be made to fail. */
#ifndef MLM_TESTS_STRESS_MEMORY_H
#define MLM_TESTS_STRESS_MEMORY_H

#include <stdint.h>

#include "mlm/mlm.h"

/* From now on jansson's memory is counted. Before the first use of jansson in a process. */
void memory_watch(void);
/* A runtime with the counted allocator. */
mlm_runtime *memory_runtime(int32_t threads);
mlm_runtime_options memory_options(int32_t threads);

/* The n-th allocation from here on fails, and only that; 0: none. */
void memory_fail(int64_t n);
/* Allocations since. */
int64_t memory_count(void);
/* Blocks that were not given back. */
int64_t memory_blocks(void);

#endif
