#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/line.h"

static _Thread_local char last_error[MLM__LINE_SIZE];

mlm_status mlm__error(mlm_status status, const char *format, ...)
{
    char line[MLM__LINE_SIZE]; /* an argument may be last_error itself */
    va_list arguments;
    va_start(arguments, format);
    mlm__line_format(line, format, arguments);
    va_end(arguments);
    memcpy(last_error, line, sizeof line);
    return status;
}

mlm_status mlm__error_in(mlm_status status, const char *context)
{
    return mlm__error(status, "%s: %s", context, last_error);
}

const char *mlm_last_error(void)
{
    return last_error;
}
