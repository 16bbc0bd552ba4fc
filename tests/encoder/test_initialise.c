#include <math.h>

#include "base/random.h"
#include "encoder/initialise.h"
#include "encoder/model.h"
#include "encoder_tests.h"

/* P(Z < z), by the C library's erfc. */
static double distribution(double z)
{
    return 0.5 * erfc(-z / sqrt(2));
}

/* A z that is off by a few roundings gives a p that is off by z^2 as many, in the tail. */
START_TEST(the_quantile_inverts_the_distribution)
{
    double worst = 0;
    for (uint64_t u = 0; u < UINT64_C(1) << 32; u += u < 1000 ? 1 : 65521) {
        double p = ((double)u + 0.5) * 0x1p-32, z = mlm__normal_quantile(p);
        double error = fabs(distribution(z) - p) / p / (2 + z * z);
        worst = error > worst ? error : worst;
    }
    ck_assert_msg(worst < 8 * 0x1p-53, "largest error %.3g roundings", worst * 0x1p53);
}
END_TEST

START_TEST(the_quantile_is_odd)
{
    for (uint32_t u = 0; u < 100000; u += 7) {
        double p = (u + 0.5) * 0x1p-32;
        ck_assert_double_eq(mlm__normal_quantile(p), -mlm__normal_quantile(1 - p));
    }
    ck_assert_double_eq(mlm__normal_quantile(0.5), 0);
    /* Tables: 97.5 % and 0.1 %. */
    ck_assert_double_eq_tol(mlm__normal_quantile(0.975), 1.959963984540054, 1e-15);
    ck_assert_double_eq_tol(mlm__normal_quantile(0.001), -3.090232306167813, 1e-14);
}
END_TEST

static mlm__model *model_of(mlm_runtime *runtime, const mlm_encoder_config *config, uint64_t seed)
{
    mlm__model *model;
    assert_ok(mlm__model_create(runtime, config, seed, &model));
    return model;
}

START_TEST(each_kind_of_parameter_has_its_values)
{
    mlm_runtime *runtime = threads_runtime(1);
    mlm_encoder_config config = small_config();
    config.pad_token_id = 3;
    config.sentence_head = 1;
    mlm__model *model = model_of(runtime, &config, 1);
    for (size_t i = 0; i < model->layout->count; i++) {
        const mlm__parameter *parameter = &model->layout->parameters[i];
        const float *values = model->parameters + parameter->offset;
        bool norm = strstr(parameter->name, "LayerNorm.weight") != NULL;
        bool bias = parameter->ndim == 1 && !norm;
        for (size_t e = 0; e < parameter->count; e++) {
            if (norm || bias)
                ck_assert_msg(values[e] == (norm ? 1 : 0), "%s[%zu]", parameter->name, e);
            bool pad = i == 0 && e / FIXTURE_H == 3;
            if (!norm && !bias)
                ck_assert_msg((values[e] == 0) == pad, "%s[%zu]", parameter->name, e);
        }
    }
    mlm__model_free(model);
    mlm_runtime_free(runtime);
}
END_TEST

/* Any element by its own random block, as docs/determinism.md has it. */
START_TEST(an_element_depends_on_its_place_alone)
{
    mlm_runtime *runtime = threads_runtime(1);
    mlm_encoder_config config = small_config();
    mlm__model *model = model_of(runtime, &config, 99);
    size_t index = 9; /* a matrix of layer 0 */
    const mlm__parameter *parameter = &model->layout->parameters[index];
    ck_assert_int_eq(parameter->init, MLM__INIT_NORMAL);
    mlm__random_key key = mlm__random_key_make(99, MLM__RANDOM_INIT, 0);
    for (uint32_t e = 0; e < parameter->count; e++) {
        uint32_t word[4];
        mlm__random_block(key, (int64_t)index, 0, e / 4, word);
        double z = mlm__normal_quantile((word[e % 4] + 0.5) / 4294967296.0);
        ck_assert_float_eq(
            model->parameters[parameter->offset + e], (float)(config.initializer_range * z));
    }
    mlm__model_free(model);
    mlm_runtime_free(runtime);
}
END_TEST

static int stop_at_once(void *user, const char *what, int64_t done, int64_t total)
{
    (void)what;
    (void)done;
    (void)total;
    ++*(int *)user;
    return 0;
}

START_TEST(creating_tells_the_progress_callback)
{
    int calls = 0;
    mlm_runtime_options options;
    mlm_runtime_options_init(&options, sizeof options);
    options.threads = 1;
    options.user = &calls;
    options.progress = stop_at_once;
    mlm_runtime *runtime;
    assert_ok(mlm_runtime_create(&options, &runtime));
    mlm_encoder_config config = small_config();
    mlm_encoder *encoder;
    assert_error(mlm_encoder_create(runtime, &config, NULL, &encoder), MLM_STOPPED,
        "stopped by the progress callback");
    ck_assert_ptr_null(encoder);
    ck_assert_int_eq(calls, 1);
    int64_t now;
    mlm_runtime_memory(runtime, &now, NULL);
    ck_assert_int_eq(now, 0);
    mlm_runtime_free(runtime);
}
END_TEST

/* Of n numbers the mean is within 5 / sqrt(n) standard deviations, the variance within
   5 sqrt(2 / n), the fourth moment within 5 sqrt(96 / n) of 3. */
START_TEST(values_are_normal)
{
    mlm_runtime *runtime = threads_runtime(2);
    mlm_encoder_config config = small_config();
    config.vocab_size = 20000;
    config.pad_token_id = -1;
    mlm__model *model = model_of(runtime, &config, 5);
    double n = (double)model->layout->parameters[0].count, sums[4] = {0};
    for (size_t e = 0; e < model->layout->parameters[0].count; e++) {
        double z = model->parameters[e] / config.initializer_range;
        sums[0] += z;
        sums[1] += z * z;
        sums[2] += z * z * z * z;
        sums[3] += fabs(z) > 3;
    }
    ck_assert_double_lt(fabs(sums[0] / n), 5 / sqrt(n));
    ck_assert_double_lt(fabs(sums[1] / n - 1), 5 * sqrt(2 / n));
    ck_assert_double_lt(fabs(sums[2] / n - 3), 5 * sqrt(96 / n));
    ck_assert_double_lt(fabs(sums[3] / n - 0.0026998), 5 * sqrt(0.0027 / n));
    mlm__model_free(model);
    mlm_runtime_free(runtime);
}
END_TEST

START_TEST(threads_and_seeds)
{
    mlm_runtime *one = threads_runtime(1), *three = threads_runtime(3);
    mlm_encoder_config config = small_config();
    config.vocab_size = 10007;
    mlm__model *a = model_of(one, &config, 7), *b = model_of(three, &config, 7);
    mlm__model *c = model_of(three, &config, 8);
    size_t size = a->layout->size * sizeof *a->parameters;
    ck_assert_mem_eq(a->parameters, b->parameters, size);
    ck_assert_mem_ne(a->parameters, c->parameters, size);
    mlm__model_free(a);
    mlm__model_free(b);
    mlm__model_free(c);
    mlm_runtime_free(one);
    mlm_runtime_free(three);
}
END_TEST

Suite *initialise_suite(void)
{
    Suite *suite = suite_create("initialise");
    TCase *tests = tcase_create("values");
    tcase_add_test(tests, the_quantile_inverts_the_distribution);
    tcase_add_test(tests, the_quantile_is_odd);
    tcase_add_test(tests, each_kind_of_parameter_has_its_values);
    tcase_add_test(tests, an_element_depends_on_its_place_alone);
    tcase_add_test(tests, creating_tells_the_progress_callback);
    tcase_add_test(tests, values_are_normal);
    tcase_add_test(tests, threads_and_seeds);
    suite_add_tcase(suite, tests);
    return suite;
}
