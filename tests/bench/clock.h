/* What a benchmark divides by. */
#ifndef MLM_TESTS_BENCH_CLOCK_H
#define MLM_TESTS_BENCH_CLOCK_H

#include <stdbool.h>
#include <time.h>

#include "base/runtime.h"

typedef struct bench_clock {
    bool cpu_time; /* of the whole process, divided by threads; else the wall clock's */
    int32_t threads;
} bench_clock;

static inline double bench_seconds(bench_clock clock)
{
    struct timespec now;
    if (!clock.cpu_time)
        return mlm__seconds();
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return ((double)now.tv_sec + 1e-9 * (double)now.tv_nsec) / clock.threads;
}

#endif
