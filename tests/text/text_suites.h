#ifndef MLM_TESTS_TEXT_SUITES_H
#define MLM_TESTS_TEXT_SUITES_H

#include "support/support.h"

Suite *utf8_suite(void);
Suite *normalize_suite(void);
Suite *words_suite(void);
Suite *sweeps_suite(void);
Suite *profiles_suite(void);

#endif
