/*
 * data_report.h - what a corpus holds, for a person and as JSON, and the traps that show in it.
 */
#ifndef DATA_REPORT_H
#define DATA_REPORT_H

#include "../args.h"

#include <jansson.h>

/* Shares above which something is wrong with most texts. */
static const double MOST_UNKNOWN = 0.01, MOST_DUPLICATES = 0.1, MOST_TRUNCATED = 0.01;
enum { FEW_LINES = 100, MOST_TRAPS = 8, TRAP_SIZE = 256 };

struct data_report {
    mlm_corpus_info info;
    int64_t T;
    int trap_count;
    char traps[MOST_TRAPS][TRAP_SIZE];
};

static inline double share(int64_t part, int64_t whole)
{
    return whole > 0 ? (double)part / (double)whole : 0;
}

/* Room for one trap more, for a message. */
static inline char *data_report_trap(struct data_report *report)
{
    return report->traps[report->trap_count++];
}

static inline void data_report_find_traps(
    struct data_report *report, size_t files, int next_sentence)
{
    const mlm_corpus_info *info = &report->info;
    if (share(info->unknown_tokens, info->tokens) > MOST_UNKNOWN)
        snprintf(data_report_trap(report), TRAP_SIZE,
            "%.1f %% of the tokens are [UNK]: the vocabulary is not one of this text",
            100 * share(info->unknown_tokens, info->tokens));
    if (share(info->duplicate_lines, info->sentences) > MOST_DUPLICATES)
        snprintf(data_report_trap(report), TRAP_SIZE,
            "%.1f %% of the lines came before, byte for byte: copies are learned by heart",
            100 * share(info->duplicate_lines, info->sentences));
    if (info->sentences >= FEW_LINES && info->documents <= (int64_t)files)
        snprintf(data_report_trap(report), TRAP_SIZE,
            "no empty line: each file is one document, and sequences run on from one text into the "
            "next");
    if (info->sentences >= FEW_LINES && info->documents == info->sentences)
        snprintf(data_report_trap(report), TRAP_SIZE,
            "an empty line behind every line: no sequence has more than one");
    if (share(info->truncated_tokens, info->tokens) > MOST_TRUNCATED)
        snprintf(data_report_trap(report), TRAP_SIZE, "%.1f %% of the tokens are in no sequence%s",
            100 * share(info->truncated_tokens, info->tokens),
            next_sentence ? ": pairs cut off what is longer than --seq-length" : "");
    if (info->invalid_bytes > 0)
        snprintf(data_report_trap(report), TRAP_SIZE, "%lld bytes are not UTF-8",
            (long long)info->invalid_bytes);
}

static inline void data_report_make(struct data_report *report, const mlm_corpus *corpus, int64_t T,
    size_t files, int next_sentence)
{
    memset(report, 0, sizeof *report);
    report->T = T;
    mlm_corpus_info_init(&report->info, sizeof report->info);
    check(mlm_corpus_get_info(corpus, &report->info));
    data_report_find_traps(report, files, next_sentence);
}

/* "1: 3 %, 2-3: 10 %, ...": the bins that have any. */
static inline void data_report_print_lengths(
    const char *name, const int64_t *lengths, int64_t count)
{
    int bin, printed = 0;
    fprintf(stderr, "  %-10s", name);
    for (bin = 0; bin < MLM_LENGTH_BINS; ++bin) {
        const long low = 1L << bin, high = (2L << bin) - 1;
        if (lengths[bin] == 0)
            continue;
        fprintf(stderr, "%s%ld", printed++ ? ", " : "", low);
        if (bin == MLM_LENGTH_BINS - 1)
            fputs(" and more", stderr);
        else if (high > low)
            fprintf(stderr, "-%ld", high);
        fprintf(stderr, ": %.3g %%", 100 * share(lengths[bin], count));
    }
    fputc('\n', stderr);
}

static inline void data_report_print(const struct data_report *report)
{
    const mlm_corpus_info *info = &report->info;
    fprintf(stderr,
        "data: %.1f MB, %lld documents, %lld lines, %lld tokens in %lld sequences of at most "
        "%lld\n",
        1e-6 * (double)info->bytes, (long long)info->documents, (long long)info->sentences,
        (long long)info->tokens, (long long)info->sequences, (long long)report->T);
    fprintf(stderr,
        "  %.3g %% [UNK], %.3g %% duplicate lines, %lld tokens cut off, unigram entropy %.3f "
        "nats\n",
        100 * share(info->unknown_tokens, info->tokens),
        100 * share(info->duplicate_lines, info->sentences), (long long)info->truncated_tokens,
        info->unigram_entropy);
    data_report_print_lengths("lines", info->sentence_lengths, info->sentences);
    data_report_print_lengths("sequences", info->sequence_lengths, info->sequences);
}

static inline void data_report_warn(const struct data_report *report)
{
    int i;
    for (i = 0; i < report->trap_count; ++i)
        complain("warning: %s", report->traps[i]);
}

static inline json_t *data_report_lengths(const int64_t *lengths)
{
    json_t *array = json_array();
    int bin;
    for (bin = 0; bin < MLM_LENGTH_BINS; ++bin)
        json_array_append_new(array, json_integer(lengths[bin]));
    return array;
}

/* The members of mlm_corpus_info, and "warnings". */
static inline json_t *data_report_json(const struct data_report *report)
{
    const mlm_corpus_info *info = &report->info;
    json_t *warnings = json_array();
    int i;
    for (i = 0; i < report->trap_count; ++i)
        json_array_append_new(warnings, json_string(report->traps[i]));
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:o, s:o, s:o}", "bytes",
        (json_int_t)info->bytes, "documents", (json_int_t)info->documents, "sentences",
        (json_int_t)info->sentences, "sequences", (json_int_t)info->sequences, "tokens",
        (json_int_t)info->tokens, "unknown_tokens", (json_int_t)info->unknown_tokens,
        "truncated_tokens", (json_int_t)info->truncated_tokens, "duplicate_lines",
        (json_int_t)info->duplicate_lines, "invalid_bytes", (json_int_t)info->invalid_bytes,
        "unigram_entropy", info->unigram_entropy, "sentence_lengths",
        data_report_lengths(info->sentence_lengths), "sequence_lengths",
        data_report_lengths(info->sequence_lengths), "warnings", warnings);
}

#endif /* DATA_REPORT_H */
