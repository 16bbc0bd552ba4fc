/*
 * trouble.h - what pretrain says when a training goes wrong, and what it did about it.
 */
#ifndef TROUBLE_H
#define TROUBLE_H

#include "progress.h"
#include "settings.h"

#include "mlm/compose.h"

static inline void tell_trouble(
    const struct progress *progress, mlm_trouble what, const mlm_metrics *state)
{
    const double max_loss_rise = progress->settings->max_loss_rise;
    clear_progress(progress);
    if (what == MLM_BAD_UPDATE)
        complain("warning: after step %lld: %s; the update is dropped (%d in a row)",
            (long long)state->step, mlm_last_error(), (int)state->bad_updates);
    else if (what == MLM_LOSS_ROSE && state->loss > state->loss_average + max_loss_rise)
        complain("step %lld: the loss, %.3f nats, is %.3f above its moving average once more",
            (long long)state->step, state->loss, state->loss - state->loss_average);
    else if (what == MLM_LOSS_ROSE)
        complain("step %lld: the sentence loss, %.3f nats, is far above that of guessing once more",
            (long long)state->step, state->sentence_loss);
    else if (what == MLM_BAD_EVALUATION)
        complain("step %lld: the held-out loss is no number", (long long)state->step);
    else
        complain("diverged: back to the checkpoint of step %lld, and on with %g times the "
                 "learning rate",
            (long long)state->step, state->rate_factor);
}

/* The end: nothing more is done about it. */
static inline void tell_divergence(const struct settings *settings, const mlm_metrics *last)
{
    if (settings->on_divergence && last->rate_factor < 1)
        complain("diverged at step %lld, also with %g times the learning rate; stopped, and %s is "
                 "as it was saved last",
            (long long)last->step, last->rate_factor, settings->output);
    else
        complain("diverged at step %lld; stopped, and %s is as it was saved last: try a lower "
                 "--learning-rate or a longer --warmup, or --on-divergence back",
            (long long)last->step, settings->output);
}

#endif /* TROUBLE_H */
