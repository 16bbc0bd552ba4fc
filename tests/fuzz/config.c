/* Any bytes as config.json. */
#include <string.h>

#include "fuzz/fuzz.h"

FUZZ_SEEDS(FUZZ_SEED("{\"model_type\":\"bert\",\"vocab_size\":7,\"hidden_size\":4,"
                     "\"num_hidden_layers\":1,\"num_attention_heads\":2,\"intermediate_size\":8,"
                     "\"max_position_embeddings\":6,\"type_vocab_size\":2}"),
    FUZZ_SEED("{\"architectures\":[\"BertForPreTraining\"],\"hidden_act\":\"gelu_new\","
              "\"hidden_dropout_prob\":0.1,\"attention_probs_dropout_prob\":0,"
              "\"layer_norm_eps\":1e-12,\"initializer_range\":0.02,\"pad_token_id\":null,"
              "\"tie_word_embeddings\":false,\"hidden_size\":8,\"vocab_size\":31}"),
    FUZZ_SEED("{\"is_decoder\":false,\"position_embedding_type\":\"absolute\",\"hidden_size\":"
              "2147483647,\"vocab_size\":-1,\"intermediate_size\":9223372036854775807}"),
    FUZZ_SEED(
        "{\"architectures\":null,\"id2label\":{\"0\":\"a\",\"1\":\"b\"},\"hidden_size\":1e400,"
        "\"num_hidden_layers\":1024,\"num_attention_heads\":1}"))

enum { FIXED = 1 << 16, SMALL = 1 << 6 };

static bool is_small(const mlm_encoder_config *config)
{
    return config->vocab_size <= SMALL && config->hidden_size <= SMALL &&
           config->num_hidden_layers <= 2 && config->intermediate_size <= SMALL &&
           config->max_position_embeddings <= SMALL && config->type_vocab_size <= SMALL;
}

/* A model of a configuration that was read has this configuration, also in its file. */
static void use(const mlm_encoder_config *config)
{
    mlm_encoder *encoder;
    FUZZ_CHECK(mlm_encoder_create(fuzz_runtime(), config, NULL, &encoder) == MLM_OK);
    FUZZ_CHECK(mlm_encoder_save(encoder, fuzz_path("saved"), MLM_F32) == MLM_OK);
    mlm_encoder_free(encoder);
    mlm_encoder_config again;
    mlm_encoder_config_init(&again, sizeof again);
    FUZZ_CHECK(mlm_encoder_config_load(fuzz_runtime(), fuzz_path("saved"), &again) == MLM_OK);
    FUZZ_CHECK(memcmp(config, &again, sizeof again) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mlm_encoder_config config, before;
    mlm_encoder_config_init(&config, sizeof config);
    before = config;
    fuzz_write(fuzz_path("config.json"), data, size);
    fuzz_begin();
    mlm_status status = mlm_encoder_config_load(fuzz_runtime(), fuzz_path("config.json"), &config);
    fuzz_end(FIXED, FUZZ_JSON_BYTE, size);
    if (status != MLM_OK)
        FUZZ_CHECK(memcmp(&config, &before, sizeof config) == 0 && mlm_last_error()[0]);
    else if (is_small(&config))
        use(&config);
    return 0;
}
