/* Any bytes as model.safetensors.index.json beside two shards. */
#include <string.h>
#include <sys/stat.h>

#include "fuzz/models.h"

enum { FIXED = 1 << 18, INDEX_SIZE = 1 << 13 };

static mlm_encoder *expected;

/* The second shard: one tensor that no model has. */
static const char other[] = "\x40\0\0\0\0\0\0\0{\"x\":{\"dtype\":\"F32\",\"shape\":[1],"
                            "\"data_offsets\":[0,4]}}              1234";

static void move(const char *from, const char *to)
{
    char path[128];
    snprintf(path, sizeof path, "%s", fuzz_path(from));
    FUZZ_CHECK(rename(path, fuzz_path(to)) == 0);
}

static void prepare(void)
{
    if (expected)
        return;
    expected = small_encoder();
    FUZZ_CHECK(mlm_encoder_save(expected, fuzz_path("model"), MLM_F32) == MLM_OK);
    move("model/model.safetensors", "model/a.safetensors");
    fuzz_write(fuzz_path("model/b.safetensors"), other, sizeof other - 1);
    FUZZ_CHECK(mlm_encoder_save(expected, fuzz_path("elsewhere"), MLM_F32) == MLM_OK);
}

const fuzz_seed *fuzz_seeds(size_t *count)
{
    static char index[INDEX_SIZE];
    static fuzz_seed seeds[] = {
        {index, 0}, FUZZ_SEED("{\"weight_map\":{\"x\":\"b.safetensors\","
                              "\"bert.pooler.dense.bias\":\"../elsewhere/"
                              "model.safetensors\",\"y\":\"config.json\"}}")};
    prepare();
    size_t length = (size_t)snprintf(index, INDEX_SIZE, "{\"metadata\":{},\"weight_map\":{");
    for (size_t i = 0; i < mlm_encoder_tensor_count(expected); i++) {
        mlm_tensor tensor;
        mlm_tensor_init(&tensor, sizeof tensor);
        FUZZ_CHECK(mlm_encoder_get_tensor(expected, i, &tensor) == MLM_OK);
        length += (size_t)snprintf(
            index + length, INDEX_SIZE - length, "\"%s\":\"a.safetensors\",", tensor.name);
    }
    length += (size_t)snprintf(index + length, INDEX_SIZE - length, "\"x\":\"b.safetensors\"}}");
    FUZZ_CHECK(length < INDEX_SIZE);
    seeds[0].size = length;
    *count = sizeof seeds / sizeof seeds[0];
    return seeds;
}

/* Whatever the index says: a model that is read is the one whose shards lie there. */
static void check(const mlm_encoder *encoder)
{
    for (size_t i = 0; i < mlm_encoder_tensor_count(expected); i++) {
        mlm_tensor a, b;
        mlm_tensor_init(&a, sizeof a);
        mlm_tensor_init(&b, sizeof b);
        FUZZ_CHECK(mlm_encoder_get_tensor(encoder, i, &a) == MLM_OK);
        FUZZ_CHECK(mlm_encoder_get_tensor(expected, i, &b) == MLM_OK);
        size_t numbers = (size_t)a.shape[0] * (a.ndim > 1 ? (size_t)a.shape[1] : 1);
        FUZZ_CHECK(memcmp(a.data, b.data, numbers * sizeof *a.data) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mlm_encoder *encoder;
    prepare();
    fuzz_write(fuzz_path("model/model.safetensors.index.json"), data, size);
    fuzz_begin();
    if (mlm_encoder_load(fuzz_runtime(), fuzz_path("model"), NULL, &encoder) == MLM_OK)
        check(encoder);
    else
        FUZZ_CHECK(!encoder && mlm_last_error()[0]);
    mlm_encoder_free(encoder);
    fuzz_end(FIXED, FUZZ_JSON_BYTE, size);
    return 0;
}
