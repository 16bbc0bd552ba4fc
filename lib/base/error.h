/* Errors: a status, and one line per thread that says which and where. */
#ifndef MLM_BASE_ERROR_H
#define MLM_BASE_ERROR_H

#include "mlm/mlm.h"

/* Sets this thread's message and returns status. The message is one line that names the thing,
   in the form "vocab.txt:31: duplicate token 'the'", and ends without a full stop. Control
   characters that come in with names and tokens are written as '?'. Call it on the calling
   thread only, never in a piece of mlm__parallel. */
mlm_status mlm__error(mlm_status status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Puts "context: " before this thread's message and returns status. */
mlm_status mlm__error_in(mlm_status status, const char *context);

/* Leaves the function with the status of an expression that failed. */
#define MLM__TRY(expression)                                                                       \
    do {                                                                                           \
        mlm_status mlm__try_status = (expression);                                                 \
        if (mlm__try_status < MLM_OK)                                                              \
            return mlm__try_status;                                                                \
    } while (0)

#endif
