/*
 * The binary interface in numbers: offsets and sizes of the public structs on 64-bit machines, and
 * the values of the constants. A released line never changes. Members and constants that are
 * appended get a line of their own, and the struct's SIZE its new value.
 */
#include <stddef.h>
#include <stdio.h>

#include "mlm/mlm.h"

#define SIZE(type, size) _Static_assert(sizeof(type) == (size), "the size of " #type " changed");
#define AT(type, member, offset)                                                                   \
    _Static_assert(offsetof(type, member) == (offset), #type "." #member " moved");
#define VALUE(name, value) _Static_assert((int)(name) == (value), #name " changed its value");

/* clang-format off */
#if UINTPTR_MAX == UINT64_MAX
SIZE(mlm_runtime_options, 56)
AT(mlm_runtime_options, struct_size, 0)
AT(mlm_runtime_options, threads, 4)
AT(mlm_runtime_options, log_level, 8)
AT(mlm_runtime_options, reserved0, 12)
AT(mlm_runtime_options, user, 16)
AT(mlm_runtime_options, alloc, 24)
AT(mlm_runtime_options, release, 32)
AT(mlm_runtime_options, log, 40)
AT(mlm_runtime_options, progress, 48)

SIZE(mlm_tokenizer_options, 32)
AT(mlm_tokenizer_options, struct_size, 0)
AT(mlm_tokenizer_options, profile, 4)
AT(mlm_tokenizer_options, lowercase, 8)
AT(mlm_tokenizer_options, strip_accents, 12)
AT(mlm_tokenizer_options, handle_chinese_chars, 16)
AT(mlm_tokenizer_options, clean_text, 20)
AT(mlm_tokenizer_options, max_input_chars_per_word, 24)
AT(mlm_tokenizer_options, split_special_tokens, 28)

SIZE(mlm_vocab_options, 32)
AT(mlm_vocab_options, struct_size, 0)
AT(mlm_vocab_options, vocab_size, 4)
AT(mlm_vocab_options, min_frequency, 8)
AT(mlm_vocab_options, limit_alphabet, 12)
AT(mlm_vocab_options, special_count, 16)
AT(mlm_vocab_options, max_words, 20)
AT(mlm_vocab_options, special_tokens, 24)

SIZE(mlm_encode_options, 16)
AT(mlm_encode_options, struct_size, 0)
AT(mlm_encode_options, add_special_tokens, 4)
AT(mlm_encode_options, max_length, 8)
AT(mlm_encode_options, reserved0, 12)

SIZE(mlm_batch, 64)
AT(mlm_batch, struct_size, 0)
AT(mlm_batch, B, 4)
AT(mlm_batch, position, 8)
AT(mlm_batch, offsets, 16)
AT(mlm_batch, input_ids, 24)
AT(mlm_batch, token_type_ids, 32)
AT(mlm_batch, labels, 40)
AT(mlm_batch, sentence_labels, 48)
AT(mlm_batch, reserved0, 56)

SIZE(mlm_corpus_options, 72)
AT(mlm_corpus_options, struct_size, 0)
AT(mlm_corpus_options, B, 4)
AT(mlm_corpus_options, T, 8)
AT(mlm_corpus_options, input, 12)
AT(mlm_corpus_options, packing, 16)
AT(mlm_corpus_options, rank, 20)
AT(mlm_corpus_options, ranks, 24)
AT(mlm_corpus_options, reserved0, 28)
AT(mlm_corpus_options, epochs, 32)
AT(mlm_corpus_options, seed, 40)
AT(mlm_corpus_options, short_seq_prob, 48)
AT(mlm_corpus_options, cache, 56)
AT(mlm_corpus_options, reserved1, 64)

SIZE(mlm_corpus_info, 344)
AT(mlm_corpus_info, struct_size, 0)
AT(mlm_corpus_info, reserved0, 4)
AT(mlm_corpus_info, bytes, 8)
AT(mlm_corpus_info, documents, 16)
AT(mlm_corpus_info, sentences, 24)
AT(mlm_corpus_info, sequences, 32)
AT(mlm_corpus_info, tokens, 40)
AT(mlm_corpus_info, unknown_tokens, 48)
AT(mlm_corpus_info, truncated_tokens, 56)
AT(mlm_corpus_info, duplicate_lines, 64)
AT(mlm_corpus_info, invalid_bytes, 72)
AT(mlm_corpus_info, unigram_entropy, 80)
AT(mlm_corpus_info, sentence_lengths, 88)
AT(mlm_corpus_info, sequence_lengths, 216)

SIZE(mlm_masker_options, 64)
AT(mlm_masker_options, struct_size, 0)
AT(mlm_masker_options, strategy, 4)
AT(mlm_masker_options, selection, 8)
AT(mlm_masker_options, random_tokens, 12)
AT(mlm_masker_options, mlm_probability, 16)
AT(mlm_masker_options, mask_replace_prob, 24)
AT(mlm_masker_options, random_replace_prob, 32)
AT(mlm_masker_options, max_predictions, 40)
AT(mlm_masker_options, max_span, 44)
AT(mlm_masker_options, span_p, 48)
AT(mlm_masker_options, seed, 56)

SIZE(mlm_encoder_config, 80)
AT(mlm_encoder_config, struct_size, 0)
AT(mlm_encoder_config, vocab_size, 4)
AT(mlm_encoder_config, hidden_size, 8)
AT(mlm_encoder_config, num_hidden_layers, 12)
AT(mlm_encoder_config, num_attention_heads, 16)
AT(mlm_encoder_config, intermediate_size, 20)
AT(mlm_encoder_config, max_position_embeddings, 24)
AT(mlm_encoder_config, type_vocab_size, 28)
AT(mlm_encoder_config, hidden_act, 32)
AT(mlm_encoder_config, sentence_head, 36)
AT(mlm_encoder_config, pad_token_id, 40)
AT(mlm_encoder_config, untied_word_embeddings, 44)
AT(mlm_encoder_config, hidden_dropout_prob, 48)
AT(mlm_encoder_config, attention_probs_dropout_prob, 56)
AT(mlm_encoder_config, layer_norm_eps, 64)
AT(mlm_encoder_config, initializer_range, 72)

SIZE(mlm_encoder_options, 24)
AT(mlm_encoder_options, struct_size, 0)
AT(mlm_encoder_options, precision, 4)
AT(mlm_encoder_options, seed, 8)
AT(mlm_encoder_options, sentence_head, 16)
AT(mlm_encoder_options, reserved0, 20)

SIZE(mlm_tensor, 56)
AT(mlm_tensor, struct_size, 0)
AT(mlm_tensor, ndim, 4)
AT(mlm_tensor, shape, 8)
AT(mlm_tensor, name, 40)
AT(mlm_tensor, data, 48)

SIZE(mlm_metrics, 136)
AT(mlm_metrics, struct_size, 0)
AT(mlm_metrics, reserved0, 4)
AT(mlm_metrics, step, 8)
AT(mlm_metrics, position, 16)
AT(mlm_metrics, sequences, 24)
AT(mlm_metrics, tokens, 32)
AT(mlm_metrics, labels, 40)
AT(mlm_metrics, loss, 48)
AT(mlm_metrics, accuracy, 56)
AT(mlm_metrics, sentence_loss, 64)
AT(mlm_metrics, sentence_accuracy, 72)
AT(mlm_metrics, learning_rate, 80)
AT(mlm_metrics, grad_norm, 88)
AT(mlm_metrics, seconds, 96)
AT(mlm_metrics, loss_average, 104)
AT(mlm_metrics, lowest_loss, 112)
AT(mlm_metrics, rate_factor, 120)
AT(mlm_metrics, stale, 128)
AT(mlm_metrics, bad_updates, 132)

SIZE(mlm_trainer_options, 112)
AT(mlm_trainer_options, struct_size, 0)
AT(mlm_trainer_options, lr_scheduler, 4)
AT(mlm_trainer_options, adam_bias_correction, 8)
AT(mlm_trainer_options, reserved0, 12)
AT(mlm_trainer_options, warmup_steps, 16)
AT(mlm_trainer_options, total_steps, 24)
AT(mlm_trainer_options, learning_rate, 32)
AT(mlm_trainer_options, weight_decay, 40)
AT(mlm_trainer_options, adam_beta1, 48)
AT(mlm_trainer_options, adam_beta2, 56)
AT(mlm_trainer_options, adam_epsilon, 64)
AT(mlm_trainer_options, max_grad_norm, 72)
AT(mlm_trainer_options, hidden_dropout_prob, 80)
AT(mlm_trainer_options, attention_probs_dropout_prob, 88)
AT(mlm_trainer_options, seed, 96)
AT(mlm_trainer_options, freeze_embeddings, 104)
AT(mlm_trainer_options, freeze_layers, 108)

#endif

VALUE(MLM_OK, 0)
VALUE(MLM_END, 1)
VALUE(MLM_ERR_ARGUMENT, -1)
VALUE(MLM_ERR_MEMORY, -2)
VALUE(MLM_ERR_IO, -3)
VALUE(MLM_ERR_FORMAT, -4)
VALUE(MLM_ERR_SHAPE, -5)
VALUE(MLM_ERR_CAPACITY, -6)
VALUE(MLM_ERR_UNSUPPORTED, -7)
VALUE(MLM_ERR_NUMERIC, -8)
VALUE(MLM_ERR_COMM, -9)
VALUE(MLM_ERR_NOT_FOUND, -10)
VALUE(MLM_ERR_MISMATCH, -11)
VALUE(MLM_ERR_INTERNAL, -12)
VALUE(MLM_STOPPED, -13)

VALUE(MLM_CONTINUE, 1)

VALUE(MLM_LOG_NONE, 0)
VALUE(MLM_LOG_ERROR, 1)
VALUE(MLM_LOG_WARNING, 2)
VALUE(MLM_LOG_INFO, 3)
VALUE(MLM_LOG_DEBUG, 4)

VALUE(MLM_PROFILE_HF, 0)
VALUE(MLM_PROFILE_GOOGLE, 1)

VALUE(MLM_TOKEN_PAD, 0)
VALUE(MLM_TOKEN_UNK, 1)
VALUE(MLM_TOKEN_CLS, 2)
VALUE(MLM_TOKEN_SEP, 3)
VALUE(MLM_TOKEN_MASK, 4)

VALUE(MLM_DECODE_SKIP_SPECIAL, 1)
VALUE(MLM_DECODE_CLEAN_UP, 2)

VALUE(MLM_NO_LABEL, -100)

VALUE(MLM_INPUT_SENTENCES, 0)
VALUE(MLM_INPUT_PARAGRAPHS, 1)
VALUE(MLM_INPUT_LINES, 2)

VALUE(MLM_PACK_FULL, 0)
VALUE(MLM_PACK_ACROSS, 1)
VALUE(MLM_PACK_PAIRS, 2)
VALUE(MLM_PACK_ONE, 3)

VALUE(MLM_LENGTH_BINS, 16)

VALUE(MLM_MASK_TOKENS, 0)
VALUE(MLM_MASK_WHOLE_WORDS, 1)
VALUE(MLM_MASK_SPANS, 2)

VALUE(MLM_SELECT_COUNT, 0)
VALUE(MLM_SELECT_EACH, 1)

VALUE(MLM_RANDOM_ANY, 0)
VALUE(MLM_RANDOM_ORDINARY, 1)

VALUE(MLM_GELU, 0)
VALUE(MLM_GELU_TANH, 1)
VALUE(MLM_RELU, 2)
VALUE(MLM_SILU, 3)

VALUE(MLM_F32, 0)
VALUE(MLM_BF16, 1)
VALUE(MLM_F64, 2)
VALUE(MLM_I64, 3)

VALUE(MLM_POOL_MEAN, 0)
VALUE(MLM_POOL_CLS, 1)
VALUE(MLM_POOL_MAX, 2)
VALUE(MLM_POOL_BERT, 3)

VALUE(MLM_LR_LINEAR, 0)
VALUE(MLM_LR_COSINE, 1)
VALUE(MLM_LR_CONSTANT, 2)
VALUE(MLM_LR_WARMUP_STABLE_DECAY, 3)

/* clang-format on */

int main(void)
{
    int same = mlm_version() == MLM_VERSION && mlm_abi_version() == MLM_ABI_VERSION;
    printf("%sok 1 - library and header are of the same version\n1..1\n", same ? "" : "not ");
    return !same;
}
