#include <pthread.h>
#include <stdio.h>

#include "kernels/blas.h"
#include "kernels/kernels.h"
#include "kernels/products.h"
#include "mlm/mlm.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static char info[160];

static void write_info(void)
{
    snprintf(info, sizeof info, "libmlm %d.%d.%d blas=%s kernels=%s products=%s bf16=%s",
        MLM_VERSION_MAJOR, MLM_VERSION_MINOR, MLM_VERSION_PATCH, mlm__blas_name(),
        mlm__kernels_get()->name, mlm__products_get(false)->name, mlm__products_get(true)->name);
}

const char *mlm_build_info(void)
{
    pthread_once(&once, write_info);
    return info;
}
