#ifndef MLM_TESTS_STRESS_SUITES_H
#define MLM_TESTS_STRESS_SUITES_H

#include <check.h>

Suite *exhaustion_suite(void);
Suite *forks_suite(void);
Suite *host_suite(void);
Suite *hostile_suite(void);
Suite *orders_suite(void);
Suite *threads_suite(void);

#endif
