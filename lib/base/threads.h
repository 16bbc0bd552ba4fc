/* The thread pool: cuts work into pieces whose number and size never depend on the threads. */
#ifndef MLM_BASE_THREADS_H
#define MLM_BASE_THREADS_H

#include "mlm/mlm.h"

/* thread is in [0, mlm__threads()) and of no two pieces at a time the same within one
   mlm__parallel: it picks scratch memory, and must not change a result. */
typedef void mlm__work_fn(void *context, size_t piece, int32_t thread);

/* Calls work for every piece in [0, pieces) and returns when all are done. Pieces run in any
   order. They must not allocate, call back into the host, set errors, or call mlm__parallel.
   When the pool is busy with another caller's work, all pieces run on the calling thread.
   The pool's threads compute in the default floating-point mode (fpmode.h). */
void mlm__parallel(mlm_runtime *runtime, size_t pieces, mlm__work_fn *work, void *context);

/* The most threads that mlm__parallel uses, the caller's included. */
int32_t mlm__threads(const mlm_runtime *runtime);

#endif
