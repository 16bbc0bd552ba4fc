/*
 * signals.h - Ctrl-C, SIGTERM and the end of a terminal: finish the step, save, end.
 */
#ifndef SIGNALS_H
#define SIGNALS_H

#include <signal.h>
#include <string.h>

static volatile sig_atomic_t interrupted;

/* A second Ctrl-C or SIGTERM ends the program at once. SIGHUP may come twice when a terminal closes,
   from its shell and from the kernel, and may come after another signal: the save goes on. */
static inline void interrupt(int number)
{
    (void)number;
    interrupted = 1;
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    signal(SIGHUP, SIG_IGN);
}

/* A file that reaches a limit of its size is an error like a full disk, and a reader that has gone
   wants no more: neither is an end. What nohup started outlives its terminal. */
static inline void catch_signals(void)
{
    struct sigaction action, old;
    memset(&action, 0, sizeof action);
    action.sa_handler = interrupt;
    action.sa_flags = SA_RESTART;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    if (sigaction(SIGHUP, NULL, &old) == 0 && old.sa_handler != SIG_IGN)
        sigaction(SIGHUP, &action, NULL);
    signal(SIGXFSZ, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
}

#endif /* SIGNALS_H */
