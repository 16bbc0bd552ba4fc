#ifndef MLM_TESTS_STRESS_SUITES_H
#define MLM_TESTS_STRESS_SUITES_H

#include <check.h>

Suite *exhaustion_suite(void);
Suite *forks_suite(void);

#endif
