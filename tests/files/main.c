#include "support/support.h"

#include "files/suites.h"

TEST_MAIN(sha256_suite, xxh64_suite, half_suite, file_suite, json_suite, safetensors_suite,
    directory_suite, interruption_suite)
