#include "tokens/tokens_suites.h"

TEST_MAIN(steps_suite)
