/* Counting the words of a text, over the threads. */
#ifndef MLM_TOKENS_COUNT_TEXT_H
#define MLM_TOKENS_COUNT_TEXT_H

#include "text/lines.h"
#include "text/normalize.h"
#include "tokens/word_counts.h"

/* Adds the words of all lines that are left to counts, empty before. Where there are more than
   max_words at the end of a block of lines, all but three quarters of max_words are forgotten,
   rarest first; 0 is no limit. */
mlm_status mlm__count_text(mlm_runtime *runtime, const mlm__normalizer *normalizer,
    mlm__lines *lines, size_t max_words, mlm__word_counts *counts);

#endif
