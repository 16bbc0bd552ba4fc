#include "base/line.h"

#include <stdio.h>
#include <string.h>

/* Length of the longest prefix of a cut line that does not end within a UTF-8 sequence. */
static size_t whole_characters(const char *line, size_t length)
{
    size_t lead = length;
    while (lead > 0 && length - lead < 3 && ((unsigned char)line[lead - 1] & 0xC0) == 0x80)
        lead--;
    if (lead == 0)
        return length;
    unsigned char first = (unsigned char)line[lead - 1];
    size_t need = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : first >= 0xC0 ? 2 : 1;
    return length - lead + 1 < need ? lead - 1 : length;
}

void mlm__line_format(char *line, const char *format, va_list arguments)
{
    int length = vsnprintf(line, MLM__LINE_SIZE, format, arguments);
    if (length < 0)
        line[0] = 0;
    else if (length >= MLM__LINE_SIZE)
        line[whole_characters(line, MLM__LINE_SIZE - 1)] = 0;
    for (char *c = line; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7F)
            *c = '?';
}
