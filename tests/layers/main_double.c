#include "layers/suites.h"
#include "support/support.h"

TEST_MAIN(gradients_suite, reference_suite)
