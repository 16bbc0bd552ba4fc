#include "mlm/mlm.h"

int32_t mlm_version(void)
{
    return MLM_VERSION;
}

int32_t mlm_abi_version(void)
{
    return MLM_ABI_VERSION;
}
