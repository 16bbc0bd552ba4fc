#include "layers/suites.h"
#include "support/paths.h"

TEST_MAIN_ON_PATH(
    linear_suite, memory_suite, parameter_gradients_suite, reference_suite, threads_suite)
