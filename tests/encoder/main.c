#include "encoder_tests.h"
#include "support/paths.h"

TEST_MAIN_ON_PATH(config_suite, initialise_suite, model_files_suite, handle_suite, compute_suite,
    evaluate_suite, exhaustion_suite, add_tokens_suite, precision_suite)
