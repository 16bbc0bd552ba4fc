#include "kernels/blas.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>

#if defined(MLM_BLAS_BLIS)

#include <stdint.h>

/* dim_t of <blis.h> is int64_t on 64-bit machines. That header wants OpenMP's, which not every
   compiler that can use the library has. */
extern int64_t bli_thread_get_num_threads(void);
extern void bli_thread_set_num_threads(int64_t threads);

static int threads_of_blas(void)
{
    return (int)bli_thread_get_num_threads();
}

static void set_threads_of_blas(int threads)
{
    bli_thread_set_num_threads(threads);
}

const char *mlm__blas_name(void)
{
    return "blis";
}

#else

/* OpenBLAS declares these in its own cblas.h only, which not every system's <cblas.h> is. */
extern int openblas_get_num_threads(void);
extern void openblas_set_num_threads(int threads);

static int threads_of_blas(void)
{
    return openblas_get_num_threads();
}

static void set_threads_of_blas(int threads)
{
    openblas_set_num_threads(threads);
}

const char *mlm__blas_name(void)
{
    return "openblas";
}

#endif

/* A BLAS of these versions has one number of threads for the whole process. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int users, threads_of_host;

/* A child of fork() has none of the threads that were computing, but the BLAS as they left it. A lock
   of its own that one of them held would never be free again: so fork() waits for the products that
   are being computed, some milliseconds, and holds up the next ones. */
static bool forked_inside;
static atomic_int products;
static atomic_bool forking;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void before_fork(void)
{
    pthread_mutex_lock(&lock);
    atomic_store(&forking, true);
    while (atomic_load(&products) > 0)
        sched_yield();
}

static void after_fork_in_parent(void)
{
    atomic_store(&forking, false);
    pthread_mutex_unlock(&lock);
}

static void after_fork_in_child(void)
{
    forked_inside = forked_inside || users > 0;
    users = 0;
    atomic_store(&products, 0); /* a thread that counted itself, then saw the fork, is not here */
    after_fork_in_parent();
}

void mlm__blas_product_begin(void)
{
    atomic_fetch_add(&products, 1);
    while (atomic_load(&forking)) {
        atomic_fetch_sub(&products, 1);
        pthread_mutex_lock(&lock); /* until the fork is over */
        pthread_mutex_unlock(&lock);
        atomic_fetch_add(&products, 1);
    }
}

void mlm__blas_product_end(void)
{
    atomic_fetch_sub(&products, 1);
}

static void watch_forks(void)
{
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

void mlm__blas_begin(void)
{
    pthread_once(&once, watch_forks);
    pthread_mutex_lock(&lock);
    if (users++ == 0) {
        if (!forked_inside)
            threads_of_host = threads_of_blas();
        forked_inside = false;
        if (threads_of_host != 1)
            set_threads_of_blas(1);
    }
    pthread_mutex_unlock(&lock);
}

void mlm__blas_end(void)
{
    pthread_mutex_lock(&lock);
    if (--users == 0 && threads_of_host != 1)
        set_threads_of_blas(threads_of_host);
    pthread_mutex_unlock(&lock);
}
