/* What single layers compute with, and numbers for them. */
#ifndef MLM_TESTS_LAYERS_WORKSPACE_H
#define MLM_TESTS_LAYERS_WORKSPACE_H

#include "layers/compute.h"

/* Two threads, with scratch for linear layers and their gradients. */
mlm__compute test_compute(const mlm__products *products);
void test_compute_free(mlm__compute *compute);

/* In [-1, 1), the same for the same site; the caller frees them. */
real *test_numbers(size_t count, uint32_t site);

#endif
