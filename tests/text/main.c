#include "text/text_suites.h"

TEST_MAIN(utf8_suite, normalize_suite, words_suite, sweeps_suite, profiles_suite)
