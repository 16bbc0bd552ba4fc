#include "base/runtime.h"

#include <stdarg.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "base/line.h"
#include "base/options.h"
#include "base/runtime_state.h"

enum { MOST_THREADS = 1024 };

enum { PROGRESS_INTERVAL = 100000000 }; /* nanoseconds */

static const mlm_runtime_options default_options = {
    .struct_size = sizeof(mlm_runtime_options),
    .log_level = MLM_LOG_WARNING,
};

void mlm_runtime_options_init(mlm_runtime_options *options, size_t size)
{
    mlm__struct_init(options, size, &default_options, sizeof default_options);
}

static mlm_status check_options(const mlm_runtime_options *options)
{
    if (options->threads < 0 || options->threads > MOST_THREADS)
        return mlm__error(MLM_ERR_ARGUMENT,
            "mlm_runtime_create: threads is %d, must be 0 (one per core) to %d",
            (int)options->threads, MOST_THREADS);
    if (options->log_level < MLM_LOG_NONE || options->log_level > MLM_LOG_DEBUG)
        return mlm__error(MLM_ERR_ARGUMENT,
            "mlm_runtime_create: log_level is %d, must be MLM_LOG_NONE (0) to MLM_LOG_DEBUG (%d)",
            (int)options->log_level, MLM_LOG_DEBUG);
    if (options->reserved0)
        return mlm__error(MLM_ERR_UNSUPPORTED, "mlm_runtime_create: reserved0 is not 0");
    if (!options->alloc != !options->release)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_runtime_create: %s is NULL, but %s is not",
            options->alloc ? "release" : "alloc", options->alloc ? "alloc" : "release");
    return MLM_OK;
}

static size_t runtime_size(int32_t threads)
{
    return sizeof(mlm_runtime) + (size_t)threads * sizeof(mlm__worker);
}

mlm_status mlm_runtime_create(const mlm_runtime_options *options, mlm_runtime **out)
{
    if (!out)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_runtime_create: out is NULL");
    *out = NULL;
    mlm_runtime_options read;
    MLM__TRY(
        mlm__struct_read(options, &default_options, sizeof read, "mlm_runtime_options", &read));
    MLM__TRY(check_options(&read));
    int32_t threads = read.threads;
    if (threads == 0) {
        threads = mlm__core_count();
        if (threads > MOST_THREADS)
            threads = MOST_THREADS;
    }
    mlm_runtime *runtime = mlm__host_alloc(&read, runtime_size(threads));
    if (!runtime)
        return MLM_ERR_MEMORY;
    memset(runtime, 0, runtime_size(threads));
    runtime->references = 1;
    runtime->threads = threads;
    runtime->log_level = read.log_level;
    runtime->callbacks = read;
    *out = runtime;
    return MLM_OK;
}

mlm_status mlm__runtime_retain(mlm_runtime *given, mlm_runtime **out)
{
    if (!given) {
        mlm_runtime_options options = default_options;
        options.threads = 1;
        return mlm_runtime_create(&options, out);
    }
    atomic_fetch_add(&given->references, 1);
    *out = given;
    return MLM_OK;
}

void mlm_runtime_free(mlm_runtime *runtime)
{
    if (!runtime || atomic_fetch_sub(&runtime->references, 1) != 1)
        return;
    mlm__pool_stop(runtime);
    mlm_runtime_options callbacks = runtime->callbacks;
    mlm__host_release(&callbacks, runtime, runtime_size(runtime->threads));
}

void mlm_runtime_memory(const mlm_runtime *runtime, int64_t *now, int64_t *peak)
{
    if (now)
        *now = runtime ? atomic_load(&runtime->memory_now) : 0;
    if (peak)
        *peak = runtime ? atomic_load(&runtime->memory_peak) : 0;
}

void mlm__log(mlm_runtime *runtime, int32_t level, const char *format, ...)
{
    if (level > runtime->log_level || !runtime->callbacks.log)
        return;
    char line[MLM__LINE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    mlm__line_format(line, format, arguments);
    va_end(arguments);
    runtime->callbacks.log(runtime->callbacks.user, level, line);
}

bool mlm__progress(mlm_runtime *runtime, const char *what, int64_t done, int64_t total)
{
    if (!runtime->callbacks.progress)
        return true;
    long long now = mlm__nanoseconds();
    long long last = atomic_load(&runtime->last_progress);
    bool finished = total > 0 && done == total;
    if (!finished && last != 0 && now - last < PROGRESS_INTERVAL)
        return true;
    atomic_store(&runtime->last_progress, now);
    return runtime->callbacks.progress(runtime->callbacks.user, what, done, total) == MLM_CONTINUE;
}

int64_t mlm__nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

double mlm__seconds(void)
{
    return 1e-9 * (double)mlm__nanoseconds();
}
