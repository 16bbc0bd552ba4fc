#include "base/options.h"

#include <string.h>

#include "base/error.h"

/* No struct of this library comes near: a larger struct_size was never set. */
enum { LARGEST_STRUCT = 4096 };

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* 0, with the error set, when it cannot be one. */
static size_t read_size(const void *given, const char *name)
{
    uint32_t struct_size;
    memcpy(&struct_size, given, sizeof struct_size);
    if (struct_size < sizeof struct_size || struct_size > LARGEST_STRUCT) {
        mlm__error(MLM_ERR_ARGUMENT, "%s: struct_size is %u: the struct was not initialised", name,
            (unsigned)struct_size);
        return 0;
    }
    return struct_size;
}

void mlm__struct_init(void *options, size_t size, const void *defaults, size_t known_size)
{
    if (!options)
        return;
    uint32_t struct_size = (uint32_t)size;
    memset(options, 0, size);
    memcpy(options, defaults, smaller(size, known_size));
    memcpy(options, &struct_size, smaller(size, sizeof struct_size));
}

mlm_status mlm__struct_read(
    const void *given, const void *defaults, size_t known_size, const char *name, void *out)
{
    memcpy(out, defaults, known_size);
    if (given) {
        size_t size = read_size(given, name);
        if (!size)
            return MLM_ERR_ARGUMENT;
        for (size_t i = known_size; i < size; i++)
            if (((const unsigned char *)given)[i])
                return mlm__error(MLM_ERR_UNSUPPORTED,
                    "%s: byte %zu is set, this version of the library knows %zu", name, i,
                    known_size);
        memcpy(out, given, smaller(size, known_size));
    }
    uint32_t struct_size = (uint32_t)known_size;
    memcpy(out, &struct_size, sizeof struct_size);
    return MLM_OK;
}

mlm_status mlm__struct_check(const void *out, const char *name)
{
    return read_size(out, name) ? MLM_OK : MLM_ERR_ARGUMENT;
}

mlm_status mlm__struct_write(void *out, const void *result, size_t known_size, const char *name)
{
    size_t size = read_size(out, name), head = sizeof(uint32_t);
    if (!size)
        return MLM_ERR_ARGUMENT;
    memcpy((char *)out + head, (const char *)result + head, smaller(size, known_size) - head);
    return MLM_OK;
}
