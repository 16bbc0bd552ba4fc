/*
 * args.h - the options of a program from a table, and one line on standard error
 * when something is wrong. All programs of this folder begin with it.
 */
#ifndef ARGS_H
#define ARGS_H

#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mlm/mlm.h"

enum { EXIT_USAGE = 2 };

enum option_kind {
    OPTION_SWITCH, /* target: int, set to 1                                           */
    OPTION_TEXT,   /* target: const char *                                            */
    OPTION_WHOLE,  /* target: int64_t in [low, high]                                  */
    OPTION_REAL,   /* target: double in [low, high]                                   */
    OPTION_CHOICE  /* target: int64_t, the index among the words of value, "one|two"  */
};

struct option {
    enum option_kind kind;
    const char *name;  /* "--steps"           */
    const char *value; /* what --help calls it */
    const char *help;
    void *target;
    double low, high;
};

struct program {
    const char *name, *arguments, *purpose;
    const struct option *options;
    size_t option_count;
    size_t least, most; /* arguments that are not options */
};

static const char *program_name = "";

/* ---- trouble ---------------------------------------------------------------- */

static inline void complain(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "%s: ", program_name);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
}

/* A mistake in the command line: ends the program. */
static inline void refuse(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "%s: ", program_name);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, " (see %s --help)\n", program_name);
    va_end(arguments);
    exit(EXIT_USAGE);
}

/* Ends the program with the library's line when a call failed. */
static inline void check(mlm_status status)
{
    if (status >= MLM_OK)
        return;
    complain("%s", mlm_last_error());
    exit(EXIT_FAILURE);
}

/* Zeroed; ends the program when there is none. */
static inline void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size);
    if (memory)
        return memory;
    complain("no memory for %zu times %zu bytes", count, size);
    exit(EXIT_FAILURE);
}

/* The exit status once everything printed has arrived. A reader that closed the pipe wants no
   more and needs no telling. */
static inline int finish_output(void)
{
    if ((fflush(stdout) == 0 && !ferror(stdout)) || errno == EPIPE)
        return EXIT_SUCCESS;
    complain("standard output: %s", strerror(errno));
    return EXIT_FAILURE;
}

/* ---- options ---------------------------------------------------------------- */

static inline void print_help(const struct program *program)
{
    size_t i;
    printf("usage: %s %s\n%s\n\n", program->name, program->arguments, program->purpose);
    for (i = 0; i < program->option_count; ++i) {
        const struct option *row = &program->options[i];
        int width =
            printf("  %s%s%s", row->name, row->value ? " " : "", row->value ? row->value : "");
        if (width > 27)
            width = printf("\n") - 1;
        printf("%*s%s\n", 28 - width, "", row->help);
    }
    printf("  %-24s  %s\n", "--help", "print this and end");
}

/* The index of word among "one|two|three", or -1. */
static inline int64_t find_choice(const char *choices, const char *word)
{
    const size_t length = strlen(word);
    int64_t index;
    for (index = 0;; ++index) {
        const size_t size = strcspn(choices, "|");
        if (size == length && memcmp(choices, word, size) == 0)
            return index;
        if (!choices[size])
            return -1;
        choices += size + 1;
    }
}

static inline void read_number(const struct option *row, const char *text)
{
    const char *kind = row->kind == OPTION_WHOLE ? "whole number" : "number";
    char *end = NULL;
    double number;
    errno = 0;
    if (row->kind == OPTION_WHOLE) {
        const long long whole = strtoll(text, &end, 10);
        *(int64_t *)row->target = whole;
        number = (double)whole;
    } else {
        number = strtod(text, &end);
        *(double *)row->target = number;
    }
    if (end == text || *end || errno || !(number >= row->low && number <= row->high))
        refuse(
            "%s: '%s' is not a %s from %.15g to %.15g", row->name, text, kind, row->low, row->high);
}

static inline void read_value(const struct option *row, const char *text)
{
    if (row->kind == OPTION_TEXT) {
        *(const char **)row->target = text;
    } else if (row->kind == OPTION_CHOICE) {
        const int64_t index = find_choice(row->value, text);
        if (index < 0)
            refuse("%s: '%s' is none of %s", row->name, text, row->value);
        *(int64_t *)row->target = index;
    } else {
        read_number(row, text);
    }
}

/* The row of "--name" or "--name=value", whose value is then at *value. */
static inline const struct option *find_option(
    const struct program *program, const char *argument, const char **value)
{
    const size_t length = strcspn(argument, "=");
    size_t i;
    *value = argument[length] ? argument + length + 1 : NULL;
    for (i = 0; i < program->option_count; ++i) {
        const struct option *row = &program->options[i];
        if (strlen(row->name) == length && memcmp(row->name, argument, length) == 0)
            return row;
    }
    refuse("unknown option '%s'", argument);
    return NULL;
}

/* Reads the options into their targets, moves the other arguments to the front of argv and
   returns their number. "--" ends the options. Ends the program on --help and on mistakes. */
static inline size_t read_options(const struct program *program, int argc, char **argv)
{
    int i, options_end = 0;
    size_t count = 0;
    program_name = program->name;
    for (i = 1; i < argc; ++i) {
        const struct option *row;
        const char *value;
        if (options_end || argv[i][0] != '-' || !argv[i][1]) {
            argv[count++] = argv[i];
            continue;
        }
        if (strcmp(argv[i], "--") == 0) {
            options_end = 1;
            continue;
        }
        if (strcmp(argv[i], "--help") == 0) {
            print_help(program);
            exit(finish_output());
        }
        row = find_option(program, argv[i], &value);
        if (row->kind == OPTION_SWITCH) {
            if (value)
                refuse("%s takes no value", row->name);
            *(int *)row->target = 1;
            continue;
        }
        if (!value && i + 1 == argc)
            refuse("%s: its value %s is missing", row->name, row->value);
        read_value(row, value ? value : argv[++i]);
    }
    if (count < program->least)
        refuse("an argument is missing: %s", program->arguments);
    if (count > program->most)
        refuse("one argument too many: '%s'", argv[program->most]);
    return count;
}

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- the runtime ------------------------------------------------------------ */

static inline void print_message(void *user, int32_t level, const char *message)
{
    (void)user;
    complain("%s%s", level == MLM_LOG_WARNING ? "warning: " : "", message);
}

/* A runtime that prints warnings. */
static inline mlm_runtime *make_runtime(int64_t threads)
{
    mlm_runtime_options options;
    mlm_runtime *runtime;
    mlm_runtime_options_init(&options, sizeof options);
    options.threads = (int32_t)threads;
    options.log = print_message;
    check(mlm_runtime_create(&options, &runtime));
    return runtime;
}

/* Where the tokens of a long text wait, in a file without a name. */
static inline const char *spill_directory(void)
{
    const char *directory = getenv("TMPDIR");
    return directory && *directory ? directory : "/var/tmp";
}

#endif /* ARGS_H */
