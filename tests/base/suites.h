/* The suites of this program, one a file. */
#ifndef MLM_TESTS_BASE_SUITES_H
#define MLM_TESTS_BASE_SUITES_H

#include <check.h>

Suite *error_suite(void);
Suite *memory_suite(void);
Suite *options_suite(void);
Suite *random_suite(void);
Suite *runtime_suite(void);
Suite *threads_suite(void);

#endif
