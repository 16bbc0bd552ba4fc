/* A caller's C program: text to tokens, tokens through a small encoder. */
#include <mlm/mlm.h>

#include <math.h>
#include <stdio.h>

static const char *const tokens[] = {
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "cat", "sat", "##s"};
enum { V = sizeof tokens / sizeof tokens[0], H = 8, CAPACITY = 16 };

static int fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, mlm_last_error());
    return 1;
}

int main(void)
{
    mlm_tokenizer *tokenizer;
    if (mlm_tokenizer_create(NULL, tokens, V, NULL, &tokenizer) != MLM_OK)
        return fail("mlm_tokenizer_create");

    int32_t ids[CAPACITY];
    size_t count;
    if (mlm_tokenizer_encode(tokenizer, "The cats sat", 12, NULL, ids, NULL, CAPACITY, &count) !=
        MLM_OK)
        return fail("mlm_tokenizer_encode");
    static const int32_t expected[] = {2, 5, 6, 8, 7, 3};
    if (count != 6)
        return fail("number of tokens");
    for (size_t i = 0; i < count; i++)
        if (ids[i] != expected[i])
            return fail("ids");

    mlm_encoder_config config;
    mlm_encoder_config_init(&config, sizeof config);
    config.vocab_size = V;
    config.hidden_size = H;
    config.num_hidden_layers = 2;
    config.num_attention_heads = 2;
    config.intermediate_size = 16;
    config.max_position_embeddings = CAPACITY;
    mlm_encoder *encoder;
    if (mlm_encoder_create(NULL, &config, NULL, &encoder) != MLM_OK)
        return fail("mlm_encoder_create");

    const int32_t offsets[] = {0, (int32_t)count};
    mlm_batch batch;
    mlm_batch_init(&batch, sizeof batch);
    batch.B = 1;
    batch.offsets = offsets;
    batch.input_ids = ids;
    float hidden[CAPACITY * H];
    if (mlm_encoder_forward(encoder, &batch, -1, hidden) != MLM_OK)
        return fail("mlm_encoder_forward");
    /* The last layer norm starts with weight 1 and bias 0: each row has mean 0, variance 1. */
    for (size_t i = 0; i < count; i++) {
        double sum = 0, squares = 0;
        for (int h = 0; h < H; h++) {
            sum += hidden[i * H + h];
            squares += (double)hidden[i * H + h] * hidden[i * H + h];
        }
        if (!(fabs(sum) < 1e-3 && fabs(squares / H - 1) < 1e-3))
            return fail("hidden states");
    }
    mlm_encoder_free(encoder);
    mlm_tokenizer_free(tokenizer);
    return 0;
}
