#include "support/paths.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/kernels.h"

bool test_take_path(void)
{
    static const char *const paths[] = {"baseline", "avx2", "avx512"};
    enum { PATHS = sizeof paths / sizeof paths[0] };
    const char *path = getenv("MLM_TEST_KERNELS");
    if (!path)
        return true;
    size_t most = 0;
    while (most < PATHS && strcmp(path, paths[most]) != 0)
        most++;
    if (most == PATHS) {
        fprintf(stderr, "MLM_TEST_KERNELS=%s is none of baseline, avx2, avx512\n", path);
        exit(EXIT_FAILURE);
    }
    const bool has = mlm__kernels_variant(most) != NULL;
    if (!has)
        printf("1..0 # SKIP this CPU or this build has no %s\n", path);
    mlm__kernels_most = (int)most;
    return has;
}

bool test_lacks(const mlm__products *products)
{
    /* Past stdio's buffer, which a forked test inherits and would print again. */
    if (!products && getenv("MLM_TEST_KERNELS"))
        dprintf(STDOUT_FILENO, "# elsewhere: the run without MLM_TEST_KERNELS has this\n");
    else if (!products)
        dprintf(STDOUT_FILENO, "# skipped: this CPU or this build lacks these instructions\n");
    return !products;
}
