#include "layers/suites.h"
#include "support/support.h"

TEST_MAIN(linear_suite, memory_suite, parameter_gradients_suite, reference_suite, threads_suite)
