/*
 * page.h - the report on a training as one HTML page that needs nothing else: curves,
 * sample predictions, the data, the configuration. All text from outside is escaped.
 */
#ifndef PAGE_H
#define PAGE_H

#include "chart.h"
#include "style.h"

/* ---- text from outside --------------------------------------------------------- */

static inline void write_text(FILE *out, const char *text)
{
    for (; text && *text; ++text)
        switch (*text) {
        case '&':
            fputs("&amp;", out);
            break;
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        case '\'':
            fputs("&#39;", out);
            break;
        default:
            fputc(*text, out);
        }
}

/* A member's name as words. */
static inline void write_name(FILE *out, const char *name)
{
    char word[2] = {0, 0};
    for (; *name; ++name) {
        word[0] = *name == '_' || *name == '-' ? ' ' : *name;
        write_text(out, word);
    }
}

/* ---- JSON as tables ------------------------------------------------------------ */

static inline void write_value(FILE *out, const json_t *value, int depth);

/* Whether a member counts by lengths: of 1, 2 to 3, 4 to 7 and so on. */
static inline int counts_lengths(const char *name, const json_t *value)
{
    static const char suffix[] = "_lengths";
    const size_t length = strlen(name);
    size_t i;
    if (length < sizeof suffix || strcmp(name + length - (sizeof suffix - 1), suffix) != 0)
        return 0;
    for (i = 0; i < json_array_size(value); ++i)
        if (!json_is_number(json_array_get(value, i)))
            return 0;
    return json_array_size(value) > 0 && json_array_size(value) < 63;
}

/* A bar a length, as far as there are any. */
static inline void write_lengths(FILE *out, const json_t *counts)
{
    size_t i, used = 0;
    double most = 0;
    for (i = 0; i < json_array_size(counts); ++i) {
        const double count = json_number_value(json_array_get(counts, i));
        used = count > 0 ? i + 1 : used;
        most = count > most ? count : most;
    }
    fputs("<div class=bars>", out);
    for (i = 0; i < used; ++i) {
        const double count = json_number_value(json_array_get(counts, i));
        fprintf(out, "<div title=\"%s or more: %.15g\"><i style=\"height:%.1f%%\"></i>%s</div>",
            whole_number((int64_t)1 << i).text, count, count > 0 ? 80 * count / most : 0.0,
            axis_number((double)((int64_t)1 << i), 1, FORMAT_NUMBER).text);
    }
    fputs("</div>", out);
}

static inline void write_array(FILE *out, const json_t *array, int depth)
{
    size_t i;
    for (i = 0; i < json_array_size(array); ++i) {
        if (i > 0)
            fputs("<br>", out);
        write_value(out, json_array_get(array, i), depth + 1);
    }
}

static inline void write_object(FILE *out, json_t *object, int depth)
{
    const char *name;
    json_t *value;
    fputs("<table>", out);
    json_object_foreach (object, name, value) {
        fputs("<tr><th>", out);
        write_name(out, name);
        fputs("<td>", out);
        if (counts_lengths(name, value))
            write_lengths(out, value);
        else
            write_value(out, value, depth + 1);
        fputs("</tr>\n", out);
    }
    fputs("</table>", out);
}

static inline void write_value(FILE *out, const json_t *value, int depth)
{
    enum { DEEPEST = 8 };
    if (depth > DEEPEST)
        fputs("&hellip;", out);
    else if (json_is_object(value))
        write_object(out, (json_t *)value, depth);
    else if (json_is_array(value))
        write_array(out, value, depth);
    else if (json_is_string(value))
        write_text(out, json_string_value(value));
    else if (json_is_integer(value))
        fputs(whole_number(json_integer_value(value)).text, out);
    else if (json_is_real(value))
        fprintf(out, "%.6g", json_real_value(value));
    else
        fputs(json_is_true(value) ? "yes" : json_is_false(value) ? "no" : "", out);
}

/* ---- sample predictions --------------------------------------------------------- */

static inline const char *text_member(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

/* The masked place of a sentence, counted from 1; 0: this token is shown. */
static inline size_t masked_place(const json_t *masked, size_t token)
{
    size_t i;
    for (i = 0; i < json_array_size(masked); ++i) {
        const json_t *place = json_object_get(json_array_get(masked, i), "place");
        if (json_is_integer(place) && json_integer_value(place) == (json_int_t)token)
            return i + 1;
    }
    return 0;
}

static inline void write_sentence(FILE *out, const json_t *tokens, const json_t *masked)
{
    size_t i;
    fputs("<p class=sentence>", out);
    for (i = 0; i < json_array_size(tokens); ++i) {
        const char *token = json_string_value(json_array_get(tokens, i));
        const size_t place = masked_place(masked, i);
        const int inside = token && strncmp(token, "##", 2) == 0 && token[2];
        if (i > 0 && !inside)
            fputc(' ', out);
        if (place)
            fputs("<mark>", out);
        write_text(out, inside ? token + 2 : token);
        if (place)
            fprintf(out, "</mark><sup>%zu</sup>", place);
    }
    fputs("</p>\n", out);
}

static inline void write_guesses(FILE *out, const json_t *masked)
{
    size_t i, k;
    fputs("<dl class=guesses>", out);
    for (i = 0; i < json_array_size(masked); ++i) {
        const json_t *place = json_array_get(masked, i);
        const json_t *predictions = json_object_get(place, "predictions");
        const char *token = text_member(place, "token");
        fprintf(out, "<dt><sup>%zu</sup> ", i + 1);
        write_text(out, token);
        if (json_object_get(place, "shown")) {
            fputs(" (shown: ", out);
            write_text(out, text_member(place, "shown"));
            fputs(")", out);
        }
        fputs("<dd>", out);
        for (k = 0; k < json_array_size(predictions); ++k) {
            const json_t *guess = json_array_get(predictions, k);
            const double share = json_number_value(json_object_get(guess, "probability"));
            const int right = strcmp(text_member(guess, "token"), token) == 0;
            fprintf(out, "<span class=\"guess%s\" style=\"--share:%.0f%%\">", right ? " right" : "",
                100 * share);
            write_text(out, text_member(guess, "token"));
            fprintf(out, " %s%.0f&#8239;%%%s</span>", share < 0.005 ? "&lt;" : "",
                share < 0.005 ? 1 : 100 * share, right ? " &#10003;" : "");
        }
        fputs("</dd>\n", out);
    }
    fputs("</dl>", out);
}

static inline void write_samples(FILE *out, const json_t *samples)
{
    const json_t *sentences = json_object_get(samples, "sentences");
    size_t i;
    if (json_array_size(sentences) == 0)
        return;
    fprintf(out,
        "<h2>Sample predictions</h2><p class=soft>Held-out text after step %s. The marked words "
        "were "
        "masked as in training; beside each are the likeliest in its place.</p>"
        "<div class=samples>",
        whole_number(json_integer_value(json_object_get(samples, "step"))).text);
    for (i = 0; i < json_array_size(sentences); ++i) {
        const json_t *sentence = json_array_get(sentences, i);
        const json_t *masked = json_object_get(sentence, "masked");
        fputs("<div class=card>", out);
        write_sentence(out, json_object_get(sentence, "tokens"), masked);
        write_guesses(out, masked);
        fputs("</div>\n", out);
    }
    fputs("</div>\n", out);
}

/* ---- the page -------------------------------------------------------------------- */

static inline void write_lines(FILE *out, const char *const *lines, size_t count)
{
    size_t i;
    for (i = 0; i < count; ++i)
        fprintf(out, "%s\n", lines[i]);
}

static inline void write_tile(
    FILE *out, const char *name, const char *value, const char *note, const char *more)
{
    fprintf(out, "<div><dt>%s<dd>%s<small>%s%s</small></dd></div>\n", name, value, note, more);
}

static inline void write_tiles(FILE *out, const struct curves *curves)
{
    const long seconds = (long)(curves->seconds + 0.5);
    char text[64];
    double value;
    fputs("<dl class=tiles>", out);
    write_tile(out, "Updates", whole_number(curves->steps).text,
        axis_number(curves->tokens, curves->tokens / 100, FORMAT_NUMBER).text, " tokens");
    if (curves_last(curves, CURVE_LOSS, &value))
        write_tile(out, "Training loss", value_number(value, FORMAT_NUMBER).text,
            "nats, at the end", curves->width > 1 ? " (mean)" : "");
    if (curves_last(curves, CURVE_EVAL_LOSS, &value))
        write_tile(out, "Held-out loss", value_number(value, FORMAT_NUMBER).text,
            "nats; perplexity ", value_number(exp(value), FORMAT_NUMBER).text);
    if (curves->best_step >= 0)
        write_tile(out, "Best held-out loss", value_number(curves->best_loss, FORMAT_NUMBER).text,
            "nats, at step ", whole_number(curves->best_step).text);
    if (curves_last(curves, CURVE_EVAL_ACCURACY, &value))
        write_tile(out, "Held-out accuracy", value_number(value, FORMAT_PERCENT).text,
            "of the masked tokens", "");
    snprintf(text, sizeof text, "%ld:%02ld:%02ld", seconds / 3600, seconds / 60 % 60, seconds % 60);
    write_tile(out, "Time", text,
        curves->seconds > 0 ? value_number(curves->tokens / curves->seconds, FORMAT_NUMBER).text
                            : "0",
        " tokens/s");
    fputs("</dl>\n", out);
}

/* What a reader should know before believing the curves. */
static inline void write_notes(FILE *out, const struct curves *curves)
{
    if (!curves->skipped && curves->rate_factor == 1 && !curves->unreadable && curves->begin <= 1)
        return;
    fputs("<ul class=\"card notes\">", out);
    if (curves->rate_factor != 1)
        fprintf(out,
            "<li>The training diverged, went back to a checkpoint and went on with %g "
            "times the learning rate.",
            curves->rate_factor);
    if (curves->skipped)
        fprintf(out, "<li>Updates that were not finite and were dropped: %s.",
            whole_number(curves->skipped).text);
    if (curves->begin > 1)
        fprintf(out, "<li>Updates before step %s are not in these metrics.",
            whole_number(curves->begin).text);
    if (curves->unreadable)
        fprintf(out, "<li>Lines of the metrics file that are no JSON object: %s.",
            whole_number(curves->unreadable).text);
    fputs("</ul>\n", out);
}

static inline void write_charts(FILE *out, const struct curves *curves)
{
    const struct chart charts[] = {
        {"Loss", "nats", CURVE_LOSS, CURVE_EVAL_LOSS, FORMAT_NUMBER, AXIS_LINEAR, curves->entropy,
            "unigram entropy of the held-out text"},
        {"Accuracy", "of masked tokens", CURVE_ACCURACY, CURVE_EVAL_ACCURACY, FORMAT_PERCENT,
            AXIS_FROM_ZERO, 0, NULL},
        {"Learning rate", "", CURVE_LEARNING_RATE, NO_CURVE, FORMAT_NUMBER, AXIS_FROM_ZERO, 0,
            NULL},
        {"Gradient norm", "before clipping", CURVE_GRAD_NORM, NO_CURVE, FORMAT_NUMBER, AXIS_DECADES,
            0, NULL},
        {"Speed", "tokens/s, evaluation and saving included", CURVE_SPEED, NO_CURVE, FORMAT_NUMBER,
            AXIS_FROM_ZERO, 0, NULL},
        {"Sentence loss", "nats", CURVE_SENTENCE_LOSS, CURVE_EVAL_SENTENCE_LOSS, FORMAT_NUMBER,
            AXIS_LINEAR, 0, NULL},
        {"Sentence accuracy", "of pairs", CURVE_SENTENCE_ACCURACY, CURVE_EVAL_SENTENCE_ACCURACY,
            FORMAT_PERCENT, AXIS_FROM_ZERO, 0, NULL},
    };
    size_t i;
    fputs("<h2>Curves</h2>\n<div class=charts>\n", out);
    for (i = 0; i < COUNT(charts); ++i)
        draw_chart(out, curves, &charts[i]);
    fputs("</div>\n", out);
}

static inline void write_section(FILE *out, const char *title, const json_t *object)
{
    if (!object)
        return;
    fprintf(out, "<section class=card><h2 style=\"margin-top:0\">%s</h2>", title);
    write_value(out, object, 0);
    fputs("</section>\n", out);
}

static inline void write_page(FILE *out, const struct curves *curves)
{
    fputs("<!DOCTYPE html>\n<html lang=en>\n<head>\n<meta charset=utf-8>\n"
          "<meta name=viewport content=\"width=device-width, initial-scale=1\">\n"
          "<title>Pre-training report</title>\n<style>\n",
        out);
    write_lines(out, page_style, COUNT(page_style));
    fputs(
        "</style>\n</head>\n<body>\n<header><h1>Pre-training report</h1></header>\n<main>\n", out);
    if (curves->count > 0) {
        write_tiles(out, curves);
        write_notes(out, curves);
        write_charts(out, curves);
    } else {
        fputs("<p>No update is in these metrics.</p>\n", out);
    }
    write_samples(out, curves->samples);
    if (curves->data || curves->configuration) {
        fputs("<h2>What was trained on what</h2>\n<div class=columns>\n", out);
        write_section(out, "Data", curves->data);
        write_section(out, "Configuration", curves->configuration);
        fputs("</div>\n", out);
    }
    fputs("</main>\n<script>\n", out);
    write_lines(out, page_script, COUNT(page_script));
    fputs("</script>\n</body>\n</html>\n", out);
}

#endif /* PAGE_H */
