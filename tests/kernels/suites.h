#ifndef MLM_TESTS_KERNELS_SUITES_H
#define MLM_TESTS_KERNELS_SUITES_H

#include <check.h>

Suite *accuracy_suite(void);
Suite *dropout_suite(void);
Suite *products_suite(void);
Suite *variants_suite(void);

#endif
