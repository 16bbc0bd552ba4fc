#include "tokens/tokens_suites.h"

TEST_MAIN(trie_suite, wordpiece_suite, encode_suite, encode_batch_suite, decode_suite,
    tokenizer_suite, tokenizer_directory_suite, tokenizer_files_suite, word_counts_suite,
    train_suite, conformance_suite, add_words_suite, invalid_utf8_suite)
