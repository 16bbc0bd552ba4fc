#ifndef MLM_TESTS_TRAINER_SUITES_H
#define MLM_TESTS_TRAINER_SUITES_H

#include <check.h>

Suite *adamw_suite(void);
Suite *schedule_suite(void);
Suite *options_suite(void);
Suite *training_suite(void);
Suite *update_suite(void);
Suite *ranks_suite(void);
Suite *checkpoint_suite(void);
Suite *attach_suite(void);
Suite *freezing_suite(void);
Suite *trouble_suite(void);

#endif
