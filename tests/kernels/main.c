#include "kernels/suites.h"
#include "support/support.h"

TEST_MAIN(accuracy_suite, dropout_suite, products_suite, variants_suite)
