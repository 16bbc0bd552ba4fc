/* Learning a WordPiece vocabulary from counted words: byte pair encoding with "##", as the
   WordPieceTrainer of tokenizers, with an order where that has none. docs/tokenizer.md has the rule. */
#ifndef MLM_TOKENS_LEARN_H
#define MLM_TOKENS_LEARN_H

#include "tokens/token_table.h"
#include "tokens/word_counts.h"

/* Puts the vocabulary into table, empty before. options are checked, with special_count above 0.
   Frees counts as soon as they are used up. */
mlm_status mlm__learn(mlm_runtime *runtime, mlm__word_counts *counts,
    const mlm_vocab_options *options, mlm__token_table *table);

#endif
