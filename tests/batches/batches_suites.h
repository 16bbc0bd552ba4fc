#ifndef MLM_TESTS_BATCHES_SUITES_H
#define MLM_TESTS_BATCHES_SUITES_H

#include <check.h>

Suite *batch_suite(void);
Suite *cache_suite(void);
Suite *corpus_suite(void);
Suite *corpus_text_suite(void);
Suite *lines_suite(void);
Suite *masker_suite(void);
Suite *masker_options_suite(void);
Suite *order_suite(void);
Suite *packing_suite(void);
Suite *pairs_suite(void);
Suite *random_map_suite(void);
Suite *store_suite(void);

#endif
