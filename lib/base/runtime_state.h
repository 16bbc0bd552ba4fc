/* What a runtime is made of, for the files of this folder only. */
#ifndef MLM_BASE_RUNTIME_STATE_H
#define MLM_BASE_RUNTIME_STATE_H

#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/threads.h"
#include "mlm/mlm.h"

/* A thread of the pool; 0 is the caller's, whoever that is. */
typedef struct mlm__worker {
    /* Its share of the pieces of the work on hand: from next on, to end - 1. */
    alignas(64) atomic_size_t next;
    size_t end;
    pthread_t thread;
    struct mlm_runtime *runtime;
    int32_t index;
} mlm__worker;

/* docs/threads.md has the life of a pool. All zero is a pool that has not started. */
typedef struct mlm__pool {
    /* Who may give it work: the process id of the thread inside mlm__parallel, or 0. After a fork
       the child finds its parent's id here and knows that this thread is not among its own. */
    alignas(64) atomic_int user;
    pid_t process;        /* whose threads these are; 0: none yet */
    int32_t worker_count; /* of those that could be started */
    bool crowded;         /* more threads than cores: a waiting one yields its core */

    /* The work on hand, written while no worker is inside. */
    mlm__work_fn *work;
    void *context;

    /* Number of the work, whether it is open, and how many workers are inside (threads.c). */
    alignas(64) atomic_uint state;

    /* Sleeping, for those that spun in vain. */
    alignas(64) pthread_mutex_t mutex;
    pthread_cond_t work_came, workers_left;
    atomic_int sleepers;
    atomic_bool caller_sleeps;
    atomic_bool stop;
} mlm__pool;

struct mlm_runtime {
    atomic_int references;
    int32_t threads, log_level;
    mlm_runtime_options callbacks; /* user, alloc, release, log, progress as given */
    atomic_llong memory_now, memory_peak;
    atomic_llong last_progress; /* mlm__nanoseconds */
    mlm__pool pool;
    mlm__worker workers[]; /* threads */
};

/* Cores this process may use, at least 1. */
int32_t mlm__core_count(void);

/* Ends and joins the pool's threads, unless they are those of a parent process. */
void mlm__pool_stop(mlm_runtime *runtime);

/* A block straight from the allocator, neither counted nor with a prefix: for the runtime itself.
   NULL, with the error set, when there is none. */
void *mlm__host_alloc(const mlm_runtime_options *callbacks, size_t size);
void mlm__host_release(const mlm_runtime_options *callbacks, void *memory, size_t size);

#endif
