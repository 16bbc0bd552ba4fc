/* What the tests of this folder share: the suites, and the fixture's batch and models. */
#ifndef MLM_TESTS_ENCODER_TESTS_H
#define MLM_TESTS_ENCODER_TESTS_H

#include <check.h>
#include <string.h>

#include "support/support.h"

/* Of every fixture's model, and of the batch. */
enum {
    FIXTURE_B = 3,
    FIXTURE_N = 15,
    FIXTURE_M = 6,
    FIXTURE_V = 40,
    FIXTURE_H = 16,
    FIXTURE_L = 2,
    FIXTURE_T = 12,
    FIXTURE_ASKED = 5,
    FIXTURE_K = 7,
};

/* Sums in float of 24 terms, twice a layer. */
static const double fixture_rtol = 4e-6, fixture_atol = 4e-6;

Suite *config_suite(void);
Suite *initialise_suite(void);
Suite *model_files_suite(void);
Suite *handle_suite(void);
Suite *compute_suite(void);
Suite *evaluate_suite(void);
Suite *exhaustion_suite(void);
Suite *add_tokens_suite(void);
Suite *precision_suite(void);

/* The folder of fixture `name`. */
const char *fixture_folder(const char *name);
mlm_encoder *fixture_encoder(mlm_runtime *runtime, const char *name);
/* The fixture's sequences with types, labels and sentence labels. */
mlm_batch fixture_batch(void);
/* The fixture's sequence b by itself; its offsets go to the array. */
mlm_batch fixture_sequence(int32_t b, int32_t offsets[2]);

/* A batch of B of the fixture's sequences in any order, several chunks of the encoder. One block,
   for free(). */
typedef struct long_batch {
    mlm_batch batch;
    int32_t *which; /* [B] the fixture's sequence */
    int32_t *offsets, *ids, *types, *labels, *sentence_labels;
    size_t label_count;
} long_batch;
long_batch *make_long(const mlm_encoder *encoder, int32_t B);

/* The shape of the fixtures' models, with the defaults for the rest.. */
mlm_encoder_config small_config(void);
/* A runtime of so many threads. */
mlm_runtime *threads_runtime(int32_t threads);
/* All parameters, one after the other; *count numbers, for free(). */
float *all_parameters(const mlm_encoder *encoder, size_t *count);

#endif
