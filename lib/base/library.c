#include "mlm/mlm.h"

int32_t mlm_version(void)
{
    return MLM_VERSION;
}

int32_t mlm_abi_version(void)
{
    return MLM_ABI_VERSION;
}

const char *mlm_status_name(mlm_status status)
{
    switch (status) {
    case MLM_OK:
        return "MLM_OK";
    case MLM_END:
        return "MLM_END";
    case MLM_ERR_ARGUMENT:
        return "MLM_ERR_ARGUMENT";
    case MLM_ERR_MEMORY:
        return "MLM_ERR_MEMORY";
    case MLM_ERR_IO:
        return "MLM_ERR_IO";
    case MLM_ERR_FORMAT:
        return "MLM_ERR_FORMAT";
    case MLM_ERR_SHAPE:
        return "MLM_ERR_SHAPE";
    case MLM_ERR_CAPACITY:
        return "MLM_ERR_CAPACITY";
    case MLM_ERR_UNSUPPORTED:
        return "MLM_ERR_UNSUPPORTED";
    case MLM_ERR_NUMERIC:
        return "MLM_ERR_NUMERIC";
    case MLM_ERR_COMM:
        return "MLM_ERR_COMM";
    case MLM_ERR_NOT_FOUND:
        return "MLM_ERR_NOT_FOUND";
    case MLM_ERR_MISMATCH:
        return "MLM_ERR_MISMATCH";
    case MLM_ERR_INTERNAL:
        return "MLM_ERR_INTERNAL";
    case MLM_STOPPED:
        return "MLM_STOPPED";
    }
    return "unknown status";
}
