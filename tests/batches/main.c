#include "batches_suites.h"
#include "support/support.h"

TEST_MAIN(store_suite, cache_suite, lines_suite, batch_suite, packing_suite, order_suite,
    corpus_suite, corpus_text_suite, masker_suite, masker_options_suite, pairs_suite,
    random_map_suite)
