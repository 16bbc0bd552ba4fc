/* The suites of this program, one a file. */
#ifndef MLM_TESTS_FILES_SUITES_H
#define MLM_TESTS_FILES_SUITES_H

#include <check.h>

Suite *directory_suite(void);
Suite *file_suite(void);
Suite *half_suite(void);
Suite *interruption_suite(void);
Suite *json_suite(void);
Suite *safetensors_suite(void);
Suite *sha256_suite(void);
Suite *xxh64_suite(void);

#endif
