/* Any bytes as model.safetensors of a small model. */
#include <string.h>
#include <unistd.h>

#include "fuzz/models.h"

/* A tensor that a file has is 64 bytes and its name in memory, and 40 bytes of JSON at least. */
enum { FIXED = 1 << 20, A_BYTE = FUZZ_JSON_BYTE };

static void prepare(void)
{
    static bool done;
    if (done)
        return;
    done = true;
    mlm_encoder *encoder = small_encoder();
    FUZZ_CHECK(mlm_encoder_save(encoder, fuzz_path("wide"), MLM_F32) == MLM_OK);
    FUZZ_CHECK(mlm_encoder_save(encoder, fuzz_path("narrow"), MLM_BF16) == MLM_OK);
    FUZZ_CHECK(mlm_encoder_save(encoder, fuzz_path("model"), MLM_F32) == MLM_OK);
    mlm_encoder_free(encoder);
}

const fuzz_seed *fuzz_seeds(size_t *count)
{
    static seed_list list;
    if (!list.count) {
        prepare();
        seed_add(&list, "", 0, fuzz_path("wide/model.safetensors"));
        seed_add(&list, "", 0, fuzz_path("narrow/model.safetensors"));
    }
    *count = list.count;
    return list.seeds;
}

/* What was read comes back from what it saves, bit for bit. */
static void use(mlm_encoder *encoder)
{
    small_use(encoder);
    FUZZ_CHECK(mlm_encoder_save(encoder, fuzz_path("saved"), MLM_F32) == MLM_OK);
    mlm_encoder *loaded;
    FUZZ_CHECK(mlm_encoder_load(fuzz_runtime(), fuzz_path("saved"), NULL, &loaded) == MLM_OK);
    for (size_t i = 0; i < mlm_encoder_tensor_count(encoder); i++) {
        mlm_tensor a, b;
        mlm_tensor_init(&a, sizeof a);
        mlm_tensor_init(&b, sizeof b);
        FUZZ_CHECK(mlm_encoder_get_tensor(encoder, i, &a) == MLM_OK);
        FUZZ_CHECK(mlm_encoder_get_tensor(loaded, i, &b) == MLM_OK);
        size_t numbers = (size_t)a.shape[0] * (a.ndim > 1 ? (size_t)a.shape[1] : 1);
        FUZZ_CHECK(memcmp(a.data, b.data, numbers * sizeof *a.data) == 0);
    }
    mlm_encoder_free(loaded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mlm_encoder *encoder;
    prepare();
    fuzz_write(fuzz_path("model/model.safetensors"), data, size);
    fuzz_begin();
    if (mlm_encoder_load(fuzz_runtime(), fuzz_path("model"), NULL, &encoder) == MLM_OK)
        use(encoder);
    else
        FUZZ_CHECK(!encoder && mlm_last_error()[0]);
    mlm_encoder_free(encoder);
    fuzz_end(FIXED, A_BYTE, size);
    return 0;
}
