#ifndef MLM_TESTS_TOKENS_SUITES_H
#define MLM_TESTS_TOKENS_SUITES_H

#include "support/support.h"

Suite *trie_suite(void);
Suite *wordpiece_suite(void);
Suite *encode_suite(void);
Suite *encode_batch_suite(void);
Suite *decode_suite(void);
Suite *tokenizer_suite(void);
Suite *tokenizer_directory_suite(void);
Suite *tokenizer_files_suite(void);
Suite *word_counts_suite(void);
Suite *train_suite(void);
Suite *conformance_suite(void);
Suite *add_words_suite(void);
Suite *invalid_utf8_suite(void);
Suite *steps_suite(void);

/* The tokenizer of encoding_fixture.h's vocabulary. */
mlm_tokenizer *fixture_tokenizer(const mlm_tokenizer_options *options);

#endif
