#include "base/threads.h"

#include <fenv.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/fpmode.h"
#include "base/runtime.h"
#include "base/runtime_state.h"

/*
 * Pool.state: the work's number in the upper bits, then whether it is open, then how many workers
 * are inside. A worker enters by a compare-and-exchange that finds the work open, and only then
 * reads it; the caller closes the work when no piece is left, and writes the next once nobody is
 * inside. A worker that comes late finds it closed. So nobody waits for a worker that sleeps, and
 * one that does not exist (after a fork) is not missed.
 */
enum { INSIDE_MASK = 0x7FF, OPEN = 0x800, NUMBER_ONE = 0x1000 };

/* How long a thread spins before it sleeps: longer than the gaps between the kernels of a step and
   than many waits for a kernel's last piece; shorter than anyone notices. Waking a sleeper takes some
   20 microseconds. */
enum { SPIN_NANOSECONDS = 50000 };

int32_t mlm__core_count(void)
{
#ifdef __linux__
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        return CPU_COUNT(&set);
#endif
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return cores > 0 ? (int32_t)cores : 1;
}

int32_t mlm__threads(const mlm_runtime *runtime)
{
    return runtime->threads;
}

static bool is_new(unsigned state, unsigned seen)
{
    return (state & OPEN) && (state & ~(unsigned)INSIDE_MASK) != seen;
}

static bool nobody_inside(const mlm__pool *pool)
{
    return (atomic_load(&pool->state) & INSIDE_MASK) == 0;
}

static void relax(const mlm__pool *pool)
{
    if (pool->crowded) {
        sched_yield();
        return;
    }
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb");
#endif
}

typedef bool condition_fn(const mlm__pool *pool, unsigned seen);

static bool work_or_stop(const mlm__pool *pool, unsigned seen)
{
    return is_new(atomic_load(&pool->state), seen) || atomic_load(&pool->stop);
}

static bool all_left(const mlm__pool *pool, unsigned seen)
{
    (void)seen;
    return nobody_inside(pool);
}

/* Whether the condition came true before it was time to sleep. */
static bool spin(const mlm__pool *pool, condition_fn *condition, unsigned seen)
{
    int64_t start = 0;
    for (unsigned i = 0;; i++) {
        if (condition(pool, seen))
            return true;
        relax(pool);
        if (i % 64 == 63) {
            const int64_t now = mlm__nanoseconds();
            if (start == 0)
                start = now;
            if (now - start > SPIN_NANOSECONDS)
                return false;
        }
    }
}

static void wait_for_work(mlm__pool *pool, unsigned seen)
{
    if (spin(pool, work_or_stop, seen))
        return;
    pthread_mutex_lock(&pool->mutex);
    /* Counted before the condition is looked at, as the caller publishes work before it looks at
       the count: one of the two sees the other. The same with caller_sleeps below. */
    atomic_fetch_add(&pool->sleepers, 1);
    while (!work_or_stop(pool, seen))
        pthread_cond_wait(&pool->work_came, &pool->mutex);
    atomic_fetch_sub(&pool->sleepers, 1);
    pthread_mutex_unlock(&pool->mutex);
}

static void wait_for_workers(mlm__pool *pool)
{
    if (spin(pool, all_left, 0))
        return;
    pthread_mutex_lock(&pool->mutex);
    atomic_store(&pool->caller_sleeps, true);
    while (!nobody_inside(pool))
        pthread_cond_wait(&pool->workers_left, &pool->mutex);
    atomic_store(&pool->caller_sleeps, false);
    pthread_mutex_unlock(&pool->mutex);
}

/* A thread's own share first, which lies together and is the same one whenever as many pieces are
   shared out, so that it finds in its core's cache what it left there; then what is left of the
   others'. */
static void run_pieces(mlm_runtime *runtime, int32_t thread)
{
    const mlm__pool *pool = &runtime->pool;
    for (int32_t i = 0; i < runtime->threads; i++) {
        mlm__worker *of = &runtime->workers[(thread + i) % runtime->threads];
        size_t piece;
        while (
            atomic_load(&of->next) < of->end && (piece = atomic_fetch_add(&of->next, 1)) < of->end)
            pool->work(pool->context, piece, thread);
    }
}

/* Enters work that is open and new; *seen becomes its number. */
static bool enter(mlm__pool *pool, unsigned *seen)
{
    unsigned state = atomic_load(&pool->state);
    while (is_new(state, *seen))
        if (atomic_compare_exchange_weak(&pool->state, &state, state + 1)) {
            *seen = state & ~(unsigned)INSIDE_MASK;
            return true;
        }
    return false;
}

static void leave(mlm__pool *pool)
{
    unsigned state = atomic_fetch_sub(&pool->state, 1) - 1;
    if ((state & (OPEN | INSIDE_MASK)) == 0 && atomic_load(&pool->caller_sleeps)) {
        pthread_mutex_lock(&pool->mutex);
        pthread_cond_signal(&pool->workers_left);
        pthread_mutex_unlock(&pool->mutex);
    }
}

static void *worker_main(void *argument)
{
    const mlm__worker *worker = argument;
    mlm__pool *pool = &worker->runtime->pool;
    fenv_t inherited;
    mlm__fp_enter(&inherited); /* a new thread has its creator's mode */
    unsigned seen = 0;         /* closed work is never entered, so 0 is no work's number */
    while (!atomic_load(&pool->stop)) {
        if (enter(pool, &seen)) {
            run_pieces(worker->runtime, worker->index);
            leave(pool);
        } else {
            wait_for_work(pool, seen);
        }
    }
    return NULL;
}

/* Starts as many threads as can be had; the host's signal handlers never run on them. */
static void start(mlm_runtime *runtime, pid_t process)
{
    mlm__pool *pool = &runtime->pool;
    pool->process = process;
    pool->worker_count = 0;
    pool->crowded = runtime->threads > mlm__core_count();
    atomic_store(&pool->state, 0);
    atomic_store(&pool->sleepers, 0);
    atomic_store(&pool->caller_sleeps, false);
    atomic_store(&pool->stop, false);
    /* After a fork they may have been in use: never destroyed then, only made new. */
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->work_came, NULL);
    pthread_cond_init(&pool->workers_left, NULL);

    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (int32_t i = 1; i < runtime->threads; i++) {
        mlm__worker *worker = &runtime->workers[i];
        worker->runtime = runtime;
        worker->index = i;
        if (pthread_create(&worker->thread, NULL, worker_main, worker) != 0)
            break;
        pool->worker_count++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void mlm__pool_stop(mlm_runtime *runtime)
{
    mlm__pool *pool = &runtime->pool;
    if (pool->process != getpid())
        return;
    pthread_mutex_lock(&pool->mutex);
    atomic_store(&pool->stop, true);
    pthread_cond_broadcast(&pool->work_came);
    pthread_mutex_unlock(&pool->mutex);
    for (int32_t i = 1; i <= pool->worker_count; i++)
        pthread_join(runtime->workers[i].thread, NULL);
    pthread_cond_destroy(&pool->workers_left);
    pthread_cond_destroy(&pool->work_came);
    pthread_mutex_destroy(&pool->mutex);
}

/* Takes the pool for this thread, unless another one of this process has it. */
static bool take(mlm__pool *pool, pid_t process)
{
    int user = atomic_load(&pool->user);
    return user != process && atomic_compare_exchange_strong(&pool->user, &user, process);
}

static void publish(mlm_runtime *runtime, size_t pieces, mlm__work_fn *work, void *context)
{
    mlm__pool *pool = &runtime->pool;
    pool->work = work;
    pool->context = context;
    const size_t threads = (size_t)runtime->threads;
    const size_t share = pieces / threads, more = pieces % threads;
    for (size_t i = 0, first = 0; i < threads; i++) {
        atomic_store(&runtime->workers[i].next, first);
        first += share + (i < more);
        runtime->workers[i].end = first;
    }
    unsigned number = (atomic_load(&pool->state) & ~(unsigned)(OPEN | INSIDE_MASK)) + NUMBER_ONE;
    atomic_store(&pool->state, number | OPEN);
    if (atomic_load(&pool->sleepers) > 0) {
        pthread_mutex_lock(&pool->mutex);
        size_t sleepers = (size_t)atomic_load(&pool->sleepers);
        for (size_t i = 0; i < sleepers && i < pieces - 1; i++)
            pthread_cond_signal(&pool->work_came);
        pthread_mutex_unlock(&pool->mutex);
    }
}

void mlm__parallel(mlm_runtime *runtime, size_t pieces, mlm__work_fn *work, void *context)
{
    mlm__pool *pool = &runtime->pool;
    pid_t process = pieces > 1 && runtime->threads > 1 ? getpid() : 0;
    if (process == 0 || !take(pool, process)) {
        for (size_t piece = 0; piece < pieces; piece++)
            work(context, piece, 0);
        return;
    }
    if (pool->process != process)
        start(runtime, process);
    publish(runtime, pieces, work, context);
    run_pieces(runtime, 0);
    atomic_fetch_and(&pool->state, ~(unsigned)OPEN);
    wait_for_workers(pool);
    atomic_store(&pool->user, 0);
}
