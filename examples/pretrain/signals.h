/*
 * signals.h - Ctrl-C and SIGTERM: finish the step, save, end.
 */
#ifndef SIGNALS_H
#define SIGNALS_H

#include <signal.h>
#include <string.h>

static volatile sig_atomic_t interrupted;

static inline void interrupt(int signal)
{
    (void)signal;
    interrupted = 1;
}

/* A second signal ends the program at once. */
static inline void catch_signals(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = interrupt;
    action.sa_flags = (int)(SA_RESETHAND | SA_RESTART);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

#endif /* SIGNALS_H */
