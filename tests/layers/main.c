#include "layers/suites.h"
#include "support/cpu.h"

TEST_MAIN_ON_CPU(
    linear_suite, memory_suite, parameter_gradients_suite, reference_suite, threads_suite)
