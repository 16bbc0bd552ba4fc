/*
 * command.h - the command line that goes on with a run, to be copied into a shell.
 */
#ifndef COMMAND_H
#define COMMAND_H

#include "../args.h"

static char *resume_command;

/* The word as a shell reads it back; the end of what was written to text. */
static inline char *quote_word(char *text, const char *word)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./=:,+@%";
    if (*word && word[strspn(word, plain)] == '\0')
        return text + sprintf(text, "%s", word);
    *text++ = '\'';
    for (; *word; ++word)
        text += *word == '\'' ? sprintf(text, "'\\''") : sprintf(text, "%c", *word);
    *text++ = '\'';
    *text = '\0';
    return text;
}

/* Before the options are read, which moves them. What overwrote goes on with what it has begun. */
static inline void remember_command(int argc, char **argv)
{
    size_t size = sizeof " --resume";
    int i, resumes = 0;
    char *end;
    for (i = 0; i < argc; ++i) {
        size += 4 * strlen(argv[i]) + 3;
        resumes = resumes || strcmp(argv[i], "--resume") == 0;
    }
    end = resume_command = allocate(size, 1);
    for (i = 0; i < argc; ++i) {
        if (strcmp(argv[i], "--overwrite") == 0)
            continue;
        if (i > 0)
            *end++ = ' ';
        end = quote_word(end, argv[i]);
        if (i == 0 && !resumes)
            end += sprintf(end, " --resume");
    }
}

#endif /* COMMAND_H */
