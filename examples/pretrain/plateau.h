/*
 * plateau.h - a loss that sits at the unigram entropy of the text: the model guesses by
 * frequency. What usually is the cause is looked at, and told once.
 */
#ifndef PLATEAU_H
#define PLATEAU_H

#include "handles.h"
#include "progress.h"

/* The step at which it is looked at: some time after the warmup. */
static inline int64_t plateau_step(const struct settings *settings)
{
    enum { LEAST = 300, MOST = 5000 };
    const int64_t fifth = (settings->steps - settings->warmup) / 5;
    return settings->warmup + (fifth < LEAST ? LEAST : fifth > MOST ? MOST : fifth);
}

/* What masking made of a batch. */
struct masked_counts {
    int64_t tokens, labels, masks;
    int64_t wrong; /* labels that are not the masked token, and changes without a label */
};

/* The batch that comes next is looked at, and comes next again. */
static inline mlm_status count_masked(
    const struct handles *handles, int64_t position, struct masked_counts *counts)
{
    const int32_t mask = mlm_tokenizer_special(handles->tokenizer, MLM_TOKEN_MASK);
    mlm_batch batch, masked;
    mlm_status status;
    int32_t n;
    memset(counts, 0, sizeof *counts);
    mlm_batch_init(&batch, sizeof batch);
    mlm_batch_init(&masked, sizeof masked);
    status = mlm_corpus_next(handles->corpus, &batch);
    if (status == MLM_OK)
        status = mlm_masker_apply(handles->masker, &batch, &masked);
    for (n = 0; status == MLM_OK && n < masked.offsets[masked.B]; ++n) {
        const int labelled = masked.labels[n] >= 0;
        ++counts->tokens;
        counts->labels += labelled;
        counts->masks += labelled && masked.input_ids[n] == mask;
        counts->wrong += labelled ? masked.labels[n] != batch.input_ids[n]
                                  : masked.input_ids[n] != batch.input_ids[n];
    }
    return status < MLM_OK ? status : mlm_corpus_seek(handles->corpus, position);
}

static inline double percent(int64_t part, int64_t whole)
{
    return whole > 0 ? 100.0 * (double)part / (double)whole : 0.0;
}

static inline const char *verdict(int fine, const char *advice)
{
    return fine ? "fine" : advice;
}

static inline void tell_causes(const struct settings *settings, const struct handles *handles,
    const mlm_metrics *update, const mlm_corpus_info *info, const struct masked_counts *counts)
{
    const double usual = handles->learning_rate, rate = update->learning_rate;
    const double labels = percent(counts->labels, counts->tokens);
    const double asked = 100 * settings->mask_probability;
    const double duplicates = percent(info->duplicate_lines, info->sentences);
    const double unknown = percent(info->unknown_tokens, info->tokens);
    complain("  learning rate %g: %s", rate,
        rate < 0.1 * usual ? "low for this model: try a higher --learning-rate"
        : rate > 3 * usual ? "high for this model: try a lower --learning-rate or a longer --warmup"
                           : "fine");
    complain("  masking %.1f %% of the tokens, %.1f %% of these by [MASK]: %s", labels,
        percent(counts->masks, counts->labels),
        verdict(labels > 5 && labels < 40 && labels > 0.7 * asked && labels < 1.4 * asked,
            "not the usual 15 % and 80 %"));
    complain("  labels: %lld of %lld are not what was masked: %s", (long long)counts->wrong,
        (long long)counts->labels, verdict(counts->wrong == 0, "a bug: please report it"));
    complain("  duplicate lines: %.1f %%: %s", duplicates,
        verdict(duplicates < 10, "the model learns them by heart: take them out"));
    complain("  unknown tokens: %.1f %%: %s", unknown,
        verdict(unknown < 5, "there is little to learn from: another vocabulary"));
}

/* After each update. Once in each start: a run that is resumed later, perhaps for another number of
   steps, may never have been looked at. */
static inline void watch_plateau(const struct settings *settings, const struct handles *handles,
    const struct progress *progress, const mlm_metrics *update)
{
    const int64_t due = plateau_step(settings), first = progress->first_step + 1;
    mlm_corpus_info info;
    struct masked_counts counts;
    if (update->step != (first > due ? first : due))
        return;
    mlm_corpus_info_init(&info, sizeof info);
    check(mlm_corpus_get_info(handles->corpus, &info));
    if (update->loss_average < 0.95 * info.unigram_entropy)
        return;
    check(count_masked(handles, update->position, &counts));
    clear_progress(progress);
    complain("warning: after %lld updates the loss, %.3f nats, is no lower than the text's unigram "
             "entropy, %.3f: nothing is learned from context. Looked at:",
        (long long)update->step, update->loss_average, info.unigram_entropy);
    tell_causes(settings, handles, update, &info, &counts);
}

#endif /* PLATEAU_H */
