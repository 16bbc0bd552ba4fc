/* Every parameter's gradient, or some numbers of it, against central differences, in double. */
#include <math.h>
#include <stdlib.h>

#include "layers/model.h"
#include "layers/suites.h"
#include "support/support.h"

/* Differs from 0, 1 and each other, so that a scale in the wrong place shows. */
static const double LOSS_SCALE = 0.7, SENTENCE_SCALE = 1.3;

static double loss_of(test_model *model, const mlm__dropout *dropout)
{
    mlm__sums sums = test_model_train(model, dropout, LOSS_SCALE, SENTENCE_SCALE);
    return LOSS_SCALE * sums.loss + SENTENCE_SCALE * sums.sentence_loss;
}

/* Fourth-order differences. The step is small for the sake of ReLU, whose corners must lie outside;
   rounding then leaves an error of about 1e-9. */
static double difference(test_model *model, const mlm__dropout *dropout, real *parameter)
{
    const double step = 1e-5, at = *parameter;
    double loss[4];
    static const double places[4] = {-2, -1, 1, 2};
    for (int i = 0; i < 4; i++) {
        *parameter = (real)(at + places[i] * step);
        loss[i] = loss_of(model, dropout);
    }
    *parameter = (real)at;
    return (loss[0] - 8 * loss[1] + 8 * loss[2] - loss[3]) / (12 * step);
}

/* At most so many numbers of each parameter, evenly spread and with the last one. */
static void check(test_model *model, const mlm__dropout *dropout, size_t most)
{
    loss_of(model, dropout);
    double *gradients = malloc(model->layout->size * sizeof *gradients);
    ck_assert_ptr_nonnull(gradients);
    for (size_t i = 0; i < model->layout->size; i++)
        gradients[i] = model->gradients[i];
    for (size_t i = 0; i < model->layout->count; i++) {
        const mlm__parameter *p = &model->layout->parameters[i];
        double largest = 0, error = 0;
        const size_t step = p->count / most + 1;
        for (size_t j = (p->count - 1) % step; j < p->count; j += step) {
            double expected = difference(model, dropout, &model->parameters[p->offset + j]);
            largest = fmax(largest, fabs(expected));
            error = fmax(error, fabs(gradients[p->offset + j] - expected));
        }
        ck_assert_msg(
            error <= 1e-8 * fmax(largest, 1), "%s: largest %g, error %g", p->name, largest, error);
    }
    free(gradients);
}

static void check_model(const mlm_encoder_config *config, const mlm__dropout *dropout)
{
    test_model model = test_model_make(config, 1);
    check(&model, dropout, SIZE_MAX);
    test_model_free(&model);
}

static void check_gradients(int32_t act, int32_t sentence_head, const mlm__dropout *dropout)
{
    mlm_encoder_config config = test_config(act, sentence_head);
    config.pad_token_id = 33; /* not in the batch: as an input it would get no gradient */
    check_model(&config, dropout);
}

static const mlm__dropout none = {0},
                          some = {.hidden = 0.3, .attention = 0.2, .seed = 5, .step = 3};

START_TEST(without_dropout)
{
    check_gradients(_i, 1, &none);
}
END_TEST

START_TEST(with_dropout)
{
    check_gradients(_i, 1, &some);
}
END_TEST

START_TEST(without_sentence_head)
{
    check_gradients(MLM_GELU, 0, &some);
}
END_TEST

START_TEST(with_an_untied_decoder)
{
    mlm_encoder_config config = test_config(MLM_GELU, 1);
    config.pad_token_id = 33;
    config.untied_word_embeddings = 1;
    check_model(&config, &some);
}
END_TEST

/* Of the chunk's 1, 5 and 9 tokens: some of one sequence; all; none, and the first sequence is not
   labelled either. */
static const int32_t few[15] = {-1, -1, -1, 5, -1, 9, -1, -1, -1, -1, -1, -1, -1, -1, -1},
                     every[15] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
                     sentences[3] = {-1, 1, 0};

static const struct {
    const int32_t *labels, *sentence_labels;
} labellings[] = {{few, NULL}, {every, NULL}, {NULL, sentences}};

/* The last layer is computed for the tokens that these leave; also where it is the first one. */
START_TEST(of_any_tokens)
{
    mlm_encoder_config config = test_config(MLM_GELU, 1);
    config.pad_token_id = 33;
    config.num_hidden_layers = 1 + _i % 2;
    test_model model = test_model_make(&config, 1);
    model.chunk.labels = labellings[_i / 2].labels;
    model.chunk.sentence_labels = labellings[_i / 2].sentence_labels;
    check(&model, &some, SIZE_MAX);
    test_model_free(&model);
}
END_TEST

/* Cut into 15 groups of two blocks each, but the last one's second has no width; with labels in
   several of them. 40 numbers of the decoder's bias are one of every block at least. */
START_TEST(of_a_large_vocabulary)
{
    static const int32_t large[15] = {
        0, -1, 319, -1, 320, -1, 576, -1, -1, 4000, -1, 8063, 8064, -1, 8199};
    mlm_encoder_config config = test_config(MLM_GELU, 0);
    config.vocab_size = 8200;
    config.num_hidden_layers = 1;
    test_model model = test_model_make(&config, 1);
    model.chunk.labels = large;
    check(&model, &none, 40);
    test_model_free(&model);
}
END_TEST

Suite *gradients_suite(void)
{
    Suite *suite = suite_create("gradients");
    TCase *tests = tcase_create("central differences");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, without_dropout, MLM_GELU, MLM_SILU + 1);
    tcase_add_loop_test(tests, with_dropout, MLM_GELU, MLM_SILU + 1);
    tcase_add_test(tests, without_sentence_head);
    tcase_add_test(tests, with_an_untied_decoder);
    tcase_add_loop_test(tests, of_any_tokens, 0, 6);
    tcase_add_test(tests, of_a_large_vocabulary);
    suite_add_tcase(suite, tests);
    return suite;
}
