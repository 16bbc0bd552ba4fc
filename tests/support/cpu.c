#include "support/cpu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/kernels.h"

bool test_take_cpu(void)
{
    static const char *const cpus[] = {"baseline", "avx2", "avx512"};
    enum { CPUS = sizeof cpus / sizeof cpus[0] };
    const char *cpu = getenv("MLM_TEST_CPU");
    if (!cpu)
        return true;
    size_t most = 0;
    while (most < CPUS && strcmp(cpu, cpus[most]) != 0)
        most++;
    if (most == CPUS) {
        fprintf(stderr, "MLM_TEST_CPU=%s is none of baseline, avx2, avx512\n", cpu);
        exit(EXIT_FAILURE);
    }
    const bool has = mlm__kernels_variant(most) != NULL;
    if (!has)
        printf("1..0 # SKIP this CPU or this build has no %s\n", cpu);
    mlm__kernels_most = (int)most;
    return has;
}

bool test_lacks(const mlm__products *products)
{
    /* Past stdio's buffer, which a forked test inherits and would print again. */
    if (!products && getenv("MLM_TEST_CPU"))
        dprintf(STDOUT_FILENO, "# elsewhere: the run without MLM_TEST_CPU has this\n");
    else if (!products)
        dprintf(STDOUT_FILENO, "# skipped: this CPU or this build lacks these instructions\n");
    return !products;
}
