/* A small model and a batch for the tests of layers, over `real`. */
#ifndef MLM_TESTS_LAYERS_MODEL_H
#define MLM_TESTS_LAYERS_MODEL_H

#include "encoder/network.h"

typedef struct test_model {
    mlm_runtime *runtime;
    mlm__layout *layout;
    mlm__packed *packed;
    mlm__network *network;
    real *parameters, *gradients;
    mlm__chunk chunk;
} test_model;

mlm_encoder_config test_config(int32_t act, int32_t sentence_head);

/* Random parameters, larger than a real model's so that no derivative is close to 0, and a chunk of
   sequences of 1, 5 and 9 tokens with labels. */
test_model test_model_make(const mlm_encoder_config *config, int32_t threads);
/* The same, computed with these products over packed weights. */
test_model test_model_make_with(
    const mlm_encoder_config *config, int32_t threads, const mlm__products *products);
void test_model_free(test_model *model);

/* Losses with these scales; gradients are zeroed first. */
mlm__sums test_model_train(
    test_model *model, const mlm__dropout *dropout, double loss_scale, double sentence_scale);

#endif
