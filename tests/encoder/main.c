#include "encoder_tests.h"
#include "support/cpu.h"

TEST_MAIN_ON_CPU(config_suite, initialise_suite, model_files_suite, handle_suite, compute_suite,
    evaluate_suite, exhaustion_suite, add_tokens_suite, precision_suite)
