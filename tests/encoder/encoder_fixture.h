/* Made by make_fixtures.py. */
#include <stdint.h>

extern const int32_t fixture_offsets[4];
extern const int32_t fixture_ids[15];
extern const int32_t fixture_types[15];
extern const int32_t fixture_sentence_labels[3];
extern const int32_t fixture_positions[5];
extern const int32_t fixture_labels[15];
extern const double masked_hidden[720];
extern const double masked_logits[200];
extern const double masked_losses[6];
extern const int32_t masked_correct[1];
extern const double masked_mean[48];
extern const double masked_max[48];
extern const double masked_unit_mean[48];
extern const int32_t masked_top_ids[35];
extern const double masked_top_probabilities[35];
extern const double pre_training_hidden[240];
extern const double pre_training_losses[6];
extern const double pre_training_sentence_logits[6];
extern const double pre_training_sentence_losses[3];
extern const int32_t pre_training_sentence_correct[1];
extern const double pre_training_pooled[48];
extern const double bare_hidden[240];
extern const double untied_logits[200];
