#ifndef MLM_TESTS_LAYERS_SUITES_H
#define MLM_TESTS_LAYERS_SUITES_H

#include <check.h>

Suite *linear_suite(void);
Suite *gradients_suite(void);
Suite *memory_suite(void);
Suite *parameter_gradients_suite(void);
Suite *reference_suite(void);
Suite *threads_suite(void);

#endif
