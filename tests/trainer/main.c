#include "support/paths.h"
#include "trainer_suites.h"

TEST_MAIN_ON_PATH(adamw_suite, schedule_suite, options_suite, training_suite, update_suite,
    ranks_suite, checkpoint_suite, attach_suite, freezing_suite, trouble_suite)
