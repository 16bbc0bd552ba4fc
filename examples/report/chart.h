/*
 * chart.h - a curve or two over the steps as SVG: axes with round numbers, the range
 * of each point's updates behind its mean, and the values for the page's script.
 */
#ifndef CHART_H
#define CHART_H

#include "curves.h"

#include <math.h>

enum number_format { FORMAT_NUMBER, FORMAT_PERCENT };
enum axis_kind { AXIS_LINEAR, AXIS_FROM_ZERO, AXIS_DECADES /* where there are more than two */ };

struct chart {
    const char *title, *unit;
    int training, held_out; /* enum curve, or NO_CURVE */
    enum number_format format;
    enum axis_kind kind;
    double reference; /* a line across; 0: none */
    const char *reference_name;
};

/* The drawing is stretched to its place on the page, and has so many units across and down. What
   must not be stretched, as text, lies over it at places in percent. */
enum { UNITS = 1000, MOST_DOTS = 60 };

struct axis {
    double low, high, step; /* of the logarithm where it is one */
    int logarithmic;
};

/* ---- numbers ----------------------------------------------------------------- */

struct number_text {
    char text[40];
};

/* "0.0002" as "2e-4": no zero too many. */
static inline struct number_text scientific(double number)
{
    struct number_text out;
    char digits[40], *e;
    size_t length;
    snprintf(digits, sizeof digits, "%.2e", number);
    e = strchr(digits, 'e');
    length = (size_t)(e - digits);
    while (length > 0 && digits[length - 1] == '0')
        --length;
    length -= length > 0 && digits[length - 1] == '.';
    snprintf(out.text, sizeof out.text, "%.*se%d", (int)length, digits, atoi(e + 1));
    return out;
}

/* 1234567 as "1,234,567". */
static inline struct number_text whole_number(int64_t number)
{
    struct number_text out;
    char digits[32];
    const int length = snprintf(digits, sizeof digits, "%lld", (long long)number);
    int i, n = 0;
    for (i = 0; i < length; ++i) {
        if (i > 0 && digits[i - 1] != '-' && (length - i) % 3 == 0)
            out.text[n++] = ',';
        out.text[n++] = digits[i];
    }
    out.text[n] = '\0';
    return out;
}

/* With as many decimals as a step of the axis needs. */
static inline struct number_text axis_number(double number, double step, enum number_format format)
{
    static const char *const suffixes[] = {"", "k", "M", "B", "T"};
    struct number_text out;
    int decimals, thousands = 0;
    if (format == FORMAT_PERCENT) {
        number *= 100;
        step *= 100;
    }
    if (fabs(number) < 1e-9 * fabs(step))
        number = 0;
    if (number == 0 || (fabs(step) >= 1 && fabs(number) < 1e4)) {
        out = whole_number((int64_t)floor(number + 0.5));
        strcat(out.text, format == FORMAT_PERCENT ? " %" : "");
        return out;
    }
    if (fabs(step) < 1e-3)
        return scientific(number);
    while (thousands < 4 && fabs(number) >= (thousands ? 1e3 : 1e4)) {
        number /= 1e3;
        step /= 1e3;
        ++thousands;
    }
    decimals = step > 0 ? (int)ceil(-log10(step) - 1e-9) : 0;
    decimals = decimals < 0 ? 0 : decimals > 6 ? 6 : decimals;
    snprintf(out.text, sizeof out.text, "%.*f%s%s", decimals, number, suffixes[thousands],
        format == FORMAT_PERCENT ? " %" : "");
    return out;
}

/* Four digits. */
static inline struct number_text value_number(double number, enum number_format format)
{
    struct number_text out;
    const double size = fabs(number);
    if (format == FORMAT_PERCENT)
        snprintf(out.text, sizeof out.text, "%.1f %%", 100 * number);
    else if (size >= 1e3)
        return whole_number((int64_t)(number + 0.5));
    else if (size != 0 && size < 1e-2)
        return scientific(number);
    else
        snprintf(out.text, sizeof out.text, "%.*f", size < 10 ? 3 : size < 100 ? 2 : 1, number);
    return out;
}

/* 1, 2 or 5 times a power of ten, at least so large. */
static inline double round_step(double least)
{
    const double power = pow(10, floor(log10(least)));
    const double digits = least / power;
    return power * (digits <= 1 ? 1 : digits <= 2 ? 2 : digits <= 5 ? 5 : 10);
}

/* ---- axes -------------------------------------------------------------------- */

static inline struct axis step_axis(const struct curves *curves)
{
    struct axis axis = {0, 1, 1, 0};
    const double first = (double)curves->begin, last = (double)curves->steps;
    /* A run whose beginning is not in the file need not leave room for it. */
    axis.low = first > 0.5 * last ? first - 1 : 0;
    axis.high = last > axis.low ? last : axis.low + 1;
    axis.step = round_step((axis.high - axis.low) / 6);
    if (axis.step < 1)
        axis.step = 1;
    return axis;
}

/* To all means, and to the range that a point has on the average: a few updates far off do not
   press the rest flat. */
static inline void widen(const struct curves *curves, int curve, double *low, double *high)
{
    double value, lows = 0, highs = 0;
    size_t i, count = 0;
    for (i = 0; i < curves->count; ++i)
        if (point_value(&curves->points[i], curve, &value)) {
            *low = value < *low ? value : *low;
            *high = value > *high ? value : *high;
            lows += curves->points[i].of[curve].low;
            highs += curves->points[i].of[curve].high;
            ++count;
        }
    if (count == 0 || curve == CURVE_SPEED)
        return;
    *low = lows / (double)count < *low ? lows / (double)count : *low;
    *high = highs / (double)count > *high ? highs / (double)count : *high;
}

/* Over the curves and the reference. */
static inline struct axis value_axis(const struct curves *curves, const struct chart *chart)
{
    struct axis axis = {0, 1, 1, 0};
    double low = DBL_MAX, high = -DBL_MAX;
    widen(curves, chart->training, &low, &high);
    widen(curves, chart->held_out, &low, &high);
    if (low > high)
        return axis;
    if (chart->reference > 0) {
        low = chart->reference < low ? chart->reference : low;
        high = chart->reference > high ? chart->reference : high;
    }
    axis.logarithmic = chart->kind == AXIS_DECADES && low > 0 && high > 100 * low;
    if (axis.logarithmic) {
        axis.low = floor(log10(low));
        axis.high = ceil(log10(high));
        axis.step = ceil((axis.high - axis.low) / 6);
        return axis;
    }
    if (chart->kind == AXIS_FROM_ZERO && low > 0)
        low = 0;
    if (high - low <= 1e-9 * fabs(high)) {
        low -= high != 0 && chart->kind != AXIS_FROM_ZERO ? 0.1 * fabs(high) : 0;
        high += high != 0 ? 0.1 * fabs(high) : 1;
    }
    axis.step = round_step((high - low) / 5);
    axis.low = axis.step * floor(low / axis.step + 1e-9);
    axis.high = axis.step * ceil(high / axis.step - 1e-9);
    return axis;
}

static inline double place_x(const struct axis *axis, double step)
{
    return UNITS * (step - axis->low) / (axis->high - axis->low);
}

static inline double place_y(const struct axis *axis, double value)
{
    const double at = axis->logarithmic ? log10(value > 1e-300 ? value : 1e-300) : value;
    const double y = UNITS * (axis->high - at) / (axis->high - axis->low);
    /* What is far off is cut by the frame; viewers dislike huge numbers. */
    return y < -UNITS ? -UNITS : y > 2 * UNITS ? 2 * UNITS : y;
}

static inline double point_x(const struct axis *steps, const struct point *point)
{
    return place_x(steps, 0.5 * ((double)point->first + (double)point->last));
}

/* Called twice: the lines of the drawing, and the text over it. */
static inline void draw_values(
    FILE *out, const struct axis *values, enum number_format format, int text)
{
    double tick;
    for (tick = values->low; tick <= values->high + 1e-6 * values->step; tick += values->step) {
        const double number = values->logarithmic                ? pow(10, tick)
                              : fabs(tick) < 1e-6 * values->step ? 0
                                                                 : tick;
        const double y = place_y(values, number);
        if (text)
            fprintf(out, "<span class=value style=\"top:%.2f%%\">%s</span>\n", y * 100 / UNITS,
                axis_number(number, values->logarithmic ? number : values->step, format).text);
        else
            fprintf(out, "<path class=grid d=\"M0 %.1fH%d\"/>", y, UNITS);
    }
}

static inline void draw_steps(FILE *out, const struct axis *steps)
{
    double tick;
    for (tick = steps->step * ceil(steps->low / steps->step); tick <= steps->high;
         tick += steps->step)
        fprintf(out, "<span class=step style=\"left:%.2f%%\">%s</span>\n",
            place_x(steps, tick) * 100 / UNITS, axis_number(tick, steps->step, FORMAT_NUMBER).text);
}

/* ---- curves ------------------------------------------------------------------ */

/* From the lowest to the highest update of each point, as far as the frame goes. */
static inline void draw_range(FILE *out, const struct curves *curves, int curve,
    const struct axis *steps, const struct axis *values)
{
    size_t i;
    int any = 0;
    if (curves->width == 1 || curve == CURVE_SPEED)
        return;
    fprintf(out, "<svg width=%d height=%d><path class=range d=\"", UNITS, UNITS);
    for (i = 0; i < curves->count; ++i)
        if (curves->points[i].of[curve].count)
            fprintf(out, "%c%.1f %.1f", any++ ? 'L' : 'M', point_x(steps, &curves->points[i]),
                place_y(values, curves->points[i].of[curve].high));
    while (i-- > 0)
        if (curves->points[i].of[curve].count)
            fprintf(out, "L%.1f %.1f", point_x(steps, &curves->points[i]),
                place_y(values, curves->points[i].of[curve].low));
    fputs("Z\"/></svg>\n", out);
}

static inline void draw_curve(FILE *out, const struct curves *curves, int curve, const char *class,
    const struct axis *steps, const struct axis *values)
{
    size_t i, dots = 0;
    double value;
    fprintf(out, "<path class=\"curve %s\" d=\"", class);
    for (i = 0; i < curves->count; ++i)
        if (point_value(&curves->points[i], curve, &value))
            fprintf(out, "%c%.1f %.1f", dots++ ? 'L' : 'M', point_x(steps, &curves->points[i]),
                place_y(values, value));
    fputs("\"/>\n", out);
    for (i = 0; dots <= MOST_DOTS && i < curves->count; ++i)
        if (point_value(&curves->points[i], curve, &value))
            fprintf(out, "<path class=\"dot %s\" d=\"M%.1f %.1fh0\"/>", class,
                point_x(steps, &curves->points[i]), place_y(values, value));
}

/* What the script shows under the pointer. */
static inline void write_values(FILE *out, const struct curves *curves, int curve)
{
    size_t i;
    double value;
    for (i = 0; i < curves->count; ++i)
        if (curves->points[i].last > 0) {
            if (point_value(&curves->points[i], curve, &value))
                fprintf(out, "%.6g,", value);
            else
                fputs("null,", out);
        }
    fputs("null]", out);
}

static inline void write_chart_data(
    FILE *out, const struct curves *curves, const struct chart *chart, const struct axis *steps)
{
    size_t i;
    fputs("<script type=\"application/json\">{\"points\":[", out);
    for (i = 0; i < curves->count; ++i)
        if (curves->points[i].last > 0)
            fprintf(out, "[%.1f,%lld,%lld],", point_x(steps, &curves->points[i]),
                (long long)curves->points[i].first, (long long)curves->points[i].last);
    fprintf(out, "null],\"percent\":%d,\"training\":[", chart->format == FORMAT_PERCENT);
    write_values(out, curves, chart->training);
    fputs(",\"held_out\":[", out);
    write_values(out, curves, chart->held_out);
    fputs("}</script>\n", out);
}

static inline void draw_table(FILE *out, const struct curves *curves, const struct chart *chart)
{
    const size_t every = curves->count / 20 + 1;
    size_t i;
    double value;
    fputs("<details><summary>Values</summary><table><tr><th>steps<th>training", out);
    fputs(chart->held_out != NO_CURVE ? "<th>held-out</tr>\n" : "</tr>\n", out);
    for (i = 0; i < curves->count; i += every) {
        struct point row = curves->points[i];
        size_t k;
        for (k = i + 1; k < i + every && k < curves->count; ++k)
            point_merge(&row, &curves->points[k]);
        if (row.last == 0)
            continue;
        fprintf(out, "<tr><td>%s", whole_number(row.first).text);
        if (row.last > row.first)
            fprintf(out, "&ndash;%s", whole_number(row.last).text);
        fprintf(out, "<td>%s",
            point_value(&row, chart->training, &value) ? value_number(value, chart->format).text
                                                       : "");
        if (chart->held_out != NO_CURVE)
            fprintf(out, "<td>%s",
                point_value(&row, chart->held_out, &value) ? value_number(value, chart->format).text
                                                           : "");
        fputs("</tr>\n", out);
    }
    fputs("</table></details>", out);
}

static inline void describe_curve(
    FILE *out, const struct curves *curves, int curve, const char *name, enum number_format format)
{
    double value;
    size_t i = 0;
    while (i < curves->count && !point_value(&curves->points[i], curve, &value))
        ++i;
    if (i == curves->count)
        return;
    fprintf(out, "%s from %s", name, value_number(value, format).text);
    if (curves_last(curves, curve, &value))
        fprintf(out, " to %s; ", value_number(value, format).text);
}

/* A single curve needs no name. */
static inline void write_key(FILE *out, const struct curves *curves, const struct chart *chart)
{
    const int range = curves->width > 1 && chart->training != CURVE_SPEED;
    double value;
    if (curves_last(curves, chart->held_out, &value))
        fprintf(out,
            "<span class=key><i class=training></i>training%s</span>"
            "<span class=key><i class=held-out></i>held-out</span>",
            range ? ", mean and range" : "");
    else if (range)
        fputs("<span class=key><i class=training></i>mean and range</span>", out);
    if (chart->reference > 0)
        fprintf(out, "<span class=key><i class=reference></i>%s</span>", chart->reference_name);
}

/* Nothing where there is no such curve. */
static inline void draw_chart(FILE *out, const struct curves *curves, const struct chart *chart)
{
    const struct axis steps = step_axis(curves), values = value_axis(curves, chart);
    double value;
    const int held_out = curves_last(curves, chart->held_out, &value);
    if (!curves_last(curves, chart->training, &value))
        return;
    fprintf(out, "<figure class=chart><figcaption><h3>%s</h3><span class=unit>%s</span>",
        chart->title, chart->unit);
    write_key(out, curves, chart);
    fprintf(out,
        "</figcaption>\n<div class=plot><svg viewBox=\"0 0 %d %d\" "
        "preserveAspectRatio=none role=img tabindex=0 aria-label=\"%s over the steps: ",
        UNITS, UNITS, chart->title);
    describe_curve(out, curves, chart->training, "training", chart->format);
    describe_curve(out, curves, chart->held_out, "held-out", chart->format);
    fputs("arrow keys read the values\">\n", out);
    draw_values(out, &values, chart->format, 0);
    draw_range(out, curves, chart->training, &steps, &values);
    if (chart->reference > 0)
        fprintf(out, "<path class=reference d=\"M0 %.1fH%d\"/>\n",
            place_y(&values, chart->reference), UNITS);
    draw_curve(out, curves, chart->training, "training", &steps, &values);
    if (held_out)
        draw_curve(out, curves, chart->held_out, "held-out", &steps, &values);
    fprintf(out, "<path class=pointer d=\"M0 0V%d\"/></svg>\n", UNITS);
    draw_values(out, &values, chart->format, 1);
    draw_steps(out, &steps);
    fputs("<output></output></div>\n", out);
    write_chart_data(out, curves, chart, &steps);
    draw_table(out, curves, chart);
    fputs("</figure>\n", out);
}

#endif /* CHART_H */
