#include "stress/suites.h"
#include "support/support.h"

TEST_MAIN(exhaustion_suite, forks_suite, host_suite, hostile_suite, orders_suite, threads_suite)
