#include "kernels/blas.h"

#include <pthread.h>

#if defined(MLM_BLAS_BLIS)

#include <blis.h>

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

void mlm__blas_begin(void)
{
    pthread_mutex_lock(&lock);
    if (users++ == 0) {
        threads_of_host = threads_of_blas();
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
