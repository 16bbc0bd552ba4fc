#include "layers/suites.h"
#include "support/support.h"

TEST_MAIN(linear_suite, reference_suite, threads_suite)
