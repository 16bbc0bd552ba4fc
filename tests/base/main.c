#include "support/support.h"

#include "base/suites.h"

TEST_MAIN(error_suite, memory_suite, options_suite, random_suite, runtime_suite, threads_suite)
