/* One-line messages for people: errors and the log. */
#ifndef MLM_BASE_LINE_H
#define MLM_BASE_LINE_H

#include <stdarg.h>

/* Room for a message with its final zero byte; what is longer is cut between characters. */
enum { MLM__LINE_SIZE = 1024 };

/* printf into a line of MLM__LINE_SIZE bytes, in which control characters become '?'. */
void mlm__line_format(char *line, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));

#endif
