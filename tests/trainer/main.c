#include "support/cpu.h"
#include "trainer_suites.h"

TEST_MAIN_ON_CPU(adamw_suite, schedule_suite, options_suite, training_suite, update_suite,
    ranks_suite, checkpoint_suite, attach_suite, freezing_suite, trouble_suite)
