#include "layers/suites.h"
#include "support/support.h"

TEST_MAIN(reference_suite, threads_suite)
