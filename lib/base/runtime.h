/* The runtime: what all handles share. */
#ifndef MLM_BASE_RUNTIME_H
#define MLM_BASE_RUNTIME_H

#include <stdbool.h>

#include "mlm/mlm.h"

/* Gives *out a reference to given, or to a new runtime with malloc, no messages and one thread
   when given is NULL. Every handle holds one reference and ends it with mlm_runtime_free. */
mlm_status mlm__runtime_retain(mlm_runtime *given, mlm_runtime **out);

/* Calling thread only. */
void mlm__log(mlm_runtime *runtime, int32_t level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Tells the progress callback, at most ten times a second unless done == total, and returns
   whether to go on. Call it freely, at least every second. Calling thread only. */
bool mlm__progress(mlm_runtime *runtime, const char *what, int64_t done, int64_t total);

/* A clock that never goes back. Without floating-point operations, which raise the host's flags: for
   what is not between mlm__fp_enter and mlm__fp_leave. */
int64_t mlm__nanoseconds(void);
double mlm__seconds(void);

#endif
