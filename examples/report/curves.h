/*
 * curves.h - a metrics file as curves of at most CURVE_POINTS points, however many
 * lines it has: read once, in memory that does not grow.
 */
#ifndef CURVES_H
#define CURVES_H

#include "../args.h"

#include <float.h>
#include <jansson.h>

enum curve {
    CURVE_LOSS,
    CURVE_ACCURACY,
    CURVE_LEARNING_RATE,
    CURVE_GRAD_NORM,
    CURVE_SPEED, /* tokens a second */
    CURVE_SENTENCE_LOSS,
    CURVE_SENTENCE_ACCURACY,
    CURVE_EVAL_LOSS,
    CURVE_EVAL_ACCURACY,
    CURVE_EVAL_SENTENCE_LOSS,
    CURVE_EVAL_SENTENCE_ACCURACY,
    CURVES
};
enum { CURVE_POINTS = 512, NO_CURVE = -1 };

/* Members of a line, but for the speed, which follows from two. */
static const char *const curve_members[CURVES] = {"loss", "accuracy", "learning_rate", "grad_norm",
    NULL, "sentence_loss", "sentence_accuracy", "eval_loss", "eval_accuracy", "eval_sentence_loss",
    "eval_sentence_accuracy"};

/* The updates that share a point of the curves. */
struct point {
    int64_t first, last; /* steps */
    struct {
        int64_t count;
        double sum, low, high;
    } of[CURVES];
    double tokens, seconds;
};

struct curves {
    int64_t begin, width; /* step of the first point, steps of each */
    size_t count;
    struct point points[CURVE_POINTS];
    /* Of the whole file. */
    int64_t steps, unreadable;
    double tokens, seconds, previous_seconds;
    double entropy;   /* of the held-out text; 0: not known */
    double best_loss; /* held out, and its step; -1: none   */
    int64_t best_step;
    int64_t skipped; /* updates that were not finite       */
    double rate_factor;
    json_t *configuration, *data, *samples; /* NULL: the file has none     */
};

static inline void curves_init(struct curves *curves)
{
    memset(curves, 0, sizeof *curves);
    curves->width = 1;
    curves->rate_factor = 1;
    curves->best_step = -1;
}

static inline void curves_free(struct curves *curves)
{
    json_decref(curves->configuration);
    json_decref(curves->data);
    json_decref(curves->samples);
}

/* ---- points ------------------------------------------------------------------ */

static inline void point_merge(struct point *into, const struct point *from)
{
    int c;
    if (from->last == 0)
        return;
    if (into->last == 0) {
        *into = *from;
        return;
    }
    into->first = into->first < from->first ? into->first : from->first;
    into->last = into->last > from->last ? into->last : from->last;
    into->tokens += from->tokens;
    into->seconds += from->seconds;
    for (c = 0; c < CURVES; ++c) {
        if (from->of[c].count == 0)
            continue;
        if (into->of[c].count == 0 || from->of[c].low < into->of[c].low)
            into->of[c].low = from->of[c].low;
        if (into->of[c].count == 0 || from->of[c].high > into->of[c].high)
            into->of[c].high = from->of[c].high;
        into->of[c].count += from->of[c].count;
        into->of[c].sum += from->of[c].sum;
    }
}

/* Two points become one, until the step has a place. */
static inline void curves_halve(struct curves *curves)
{
    size_t i;
    for (i = 0; i < CURVE_POINTS; i += 2) {
        struct point merged = curves->points[i];
        point_merge(&merged, &curves->points[i + 1]);
        curves->points[i / 2] = merged;
    }
    memset(curves->points + CURVE_POINTS / 2, 0, sizeof curves->points / 2);
    curves->count = (curves->count + 1) / 2;
    curves->width *= 2;
}

static inline void curves_add(struct curves *curves, const struct point *update)
{
    size_t place;
    if (curves->count == 0)
        curves->begin = update->first;
    if (update->first < curves->begin)
        return;
    while ((update->first - curves->begin) / curves->width >= CURVE_POINTS)
        curves_halve(curves);
    place = (size_t)((update->first - curves->begin) / curves->width);
    point_merge(&curves->points[place], update);
    if (place >= curves->count)
        curves->count = place + 1;
}

/* 1 where the point has the curve; the mean, of the speed by time. */
static inline int point_value(const struct point *point, int curve, double *value)
{
    if (curve == CURVE_SPEED) {
        *value = point->seconds > 0 ? point->tokens / point->seconds : 0;
        return point->seconds > 0;
    }
    if (curve == NO_CURVE || point->of[curve].count == 0)
        return 0;
    *value = point->of[curve].sum / (double)point->of[curve].count;
    return 1;
}

/* The last value of a curve; 0 where there is none. */
static inline int curves_last(const struct curves *curves, int curve, double *value)
{
    size_t i = curves->count;
    while (i > 0)
        if (point_value(&curves->points[--i], curve, value))
            return 1;
    return 0;
}

/* ---- lines ------------------------------------------------------------------- */

/* 0: there is none, or none that was ever measured. */
static inline int read_member(const json_t *line, const char *name, double *number)
{
    const double most = 1e30;
    const json_t *member = json_object_get(line, name);
    *number = json_number_value(member);
    if (json_is_number(member) && *number <= most && *number >= -most)
        return 1;
    *number = 0;
    return 0;
}

static inline void curves_read_update(struct curves *curves, const json_t *line, int64_t step)
{
    struct point update;
    double seconds, number;
    int c;
    memset(&update, 0, sizeof update);
    update.first = update.last = step;
    read_member(line, "tokens", &update.tokens);
    read_member(line, "seconds", &seconds);
    /* The clock begins anew with each run that goes on. */
    update.seconds = seconds - (seconds < curves->previous_seconds ? 0 : curves->previous_seconds);
    curves->previous_seconds = seconds;
    for (c = 0; c < CURVES; ++c)
        if (curve_members[c] && read_member(line, curve_members[c], &number)) {
            update.of[c].count = 1;
            update.of[c].sum = update.of[c].low = update.of[c].high = number;
        }
    curves_add(curves, &update);
    if (step > curves->steps)
        curves->steps = step;
    curves->tokens += update.tokens;
    curves->seconds += update.seconds;
    curves->skipped += json_integer_value(json_object_get(line, "skipped"));
    if (read_member(line, "rate_factor", &number))
        curves->rate_factor = number;
    if (read_member(line, "eval_unigram_entropy", &number))
        curves->entropy = number;
    if (update.of[CURVE_EVAL_LOSS].count &&
        (curves->best_step < 0 || update.of[CURVE_EVAL_LOSS].sum < curves->best_loss)) {
        curves->best_step = step;
        curves->best_loss = update.of[CURVE_EVAL_LOSS].sum;
    }
}

static inline void curves_keep(json_t **kept, json_t *member)
{
    if (!member)
        return;
    json_decref(*kept);
    *kept = json_incref(member);
}

/* A line of a metrics file; what is none is counted. */
static inline void curves_read_line(struct curves *curves, const char *text, size_t length)
{
    json_t *line = json_loadb(text, length, 0, NULL);
    const json_t *step = json_object_get(line, "step");
    if (!json_is_object(line))
        ++curves->unreadable;
    else if (json_is_integer(step) && json_integer_value(step) > 0)
        curves_read_update(curves, line, json_integer_value(step));
    curves_keep(&curves->configuration, json_object_get(line, "configuration"));
    curves_keep(&curves->data, json_object_get(line, "data"));
    curves_keep(&curves->samples, json_object_get(line, "samples"));
    json_decref(line);
}

/* 0 after an error of the file. */
static inline int curves_read_file(struct curves *curves, FILE *file)
{
    char *line = NULL;
    size_t capacity = 0;
    ssize_t length;
    while ((length = getline(&line, &capacity, file)) > 0)
        if (line[0] != '\n')
            curves_read_line(curves, line, (size_t)length);
    free(line);
    return !ferror(file);
}

#endif /* CURVES_H */
