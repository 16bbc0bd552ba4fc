/* A checkpoint of which one file is any bytes. The first byte says which: 0 trainer.json, 1
   config.json, 2 model.safetensors, 3 optimizer.safetensors; + 4: trainer.json has the sizes and
   hashes of the others and its own, so that they are read. */
#include <jansson.h>
#include <string.h>

#include "files/sha256.h"
#include "fuzz/models.h"

enum { TRAINER, CONFIG, MODEL, OPTIMIZER, FILES, MENDED = 4 };

/* Bytes of the last member of trainer.json and the line after it. */
enum { SEAL = 81 };

/* The buffer for hashing is a megabyte. */
enum { FIXED = 5 << 18, A_BYTE = FUZZ_JSON_BYTE };

static const char *const names[FILES] = {
    "trainer.json", "config.json", "model.safetensors", "optimizer.safetensors"};
static char *whole[FILES];
static size_t sizes[FILES];
static mlm_encoder *encoder;

static const char *path_of(const char *folder, int32_t file)
{
    char name[64];
    snprintf(name, sizeof name, "%s/%s", folder, names[file]);
    return fuzz_path(name);
}

static mlm_status update(mlm_trainer *trainer)
{
    mlm_batch batch = small_batch();
    FUZZ_CHECK(mlm_trainer_accumulate(trainer, &batch) == MLM_OK);
    return mlm_trainer_update(trainer, NULL);
}

static void prepare(void)
{
    if (encoder)
        return;
    encoder = small_encoder();
    mlm_trainer_options options;
    mlm_trainer_options_init(&options, sizeof options);
    options.total_steps = 10;
    mlm_trainer *trainer;
    FUZZ_CHECK(mlm_trainer_create(fuzz_runtime(), encoder, &options, &trainer) == MLM_OK);
    FUZZ_CHECK(update(trainer) == MLM_OK);
    FUZZ_CHECK(mlm_trainer_save(trainer, fuzz_path("whole")) == MLM_OK);
    FUZZ_CHECK(mlm_trainer_save(trainer, fuzz_path("changed")) == MLM_OK);
    mlm_trainer_free(trainer);
    for (int32_t i = 0; i < FILES; i++)
        whole[i] = fuzz_read(path_of("whole", i), &sizes[i]);
}

const fuzz_seed *fuzz_seeds(size_t *count)
{
    static seed_list list;
    if (!list.count) {
        prepare();
        for (int32_t i = 0; i < FILES; i++)
            seed_add(&list, &(char){(char)(i | MENDED)}, 1, path_of("whole", i));
    }
    *count = list.count;
    return list.seeds;
}

static void hash(const void *data, size_t size, char hex[65])
{
    mlm__sha256 sha;
    uint8_t digest[32];
    mlm__sha256_init(&sha);
    mlm__sha256_update(&sha, data, size);
    mlm__sha256_final(&sha, digest);
    mlm__sha256_hex(digest, hex);
}

/* Writes trainer.json with the hash of what is before its last member (docs/checkpoints.md). */
static void write_record(const void *text, size_t size)
{
    char hex[65];
    hash(text, size, hex);
    FILE *file = fopen(path_of("changed", TRAINER), "wb");
    FUZZ_CHECK(file && fwrite(text, 1, size, file) == size);
    FUZZ_CHECK(fprintf(file, "  \"sha256\": \"%s\"\n}\n", hex) == SEAL);
    FUZZ_CHECK(fclose(file) == 0);
}

/* Writes a trainer.json that has the size and hash of other bytes, or is these bytes up to its last
   member. */
static void mend(int32_t file, const uint8_t *data, size_t size)
{
    char hex[65];
    if (file == TRAINER) {
        write_record(data, size < SEAL ? size : size - SEAL);
        return;
    }
    hash(data, size, hex);
    json_t *root = json_loadb(whole[TRAINER], sizes[TRAINER], 0, NULL), *entry;
    size_t index;
    json_array_foreach (json_object_get(root, "files"), index, entry) {
        if (strcmp(json_string_value(json_object_get(entry, "name")), names[file]) != 0)
            continue;
        json_object_set_new(entry, "size", json_integer((json_int_t)size));
        json_object_set_new(entry, "sha256", json_string(hex));
    }
    json_object_del(root, "sha256");
    static char text[1 << 16];
    size_t length = json_dumpb(root, text, sizeof text, JSON_INDENT(2));
    FUZZ_CHECK(length > 2 && length <= sizeof text);
    memcpy(text + length - 2, ",\n", 2);
    write_record(text, length);
    json_decref(root);
}

/* A trainer that was resumed can be saved, goes on, and comes back. */
static void use(mlm_trainer *trainer)
{
    FUZZ_CHECK(mlm_trainer_save(trainer, fuzz_path("saved")) == MLM_OK);
    mlm_status status = update(trainer);
    FUZZ_CHECK(status == MLM_OK || status == MLM_ERR_NUMERIC);
    mlm_trainer *again;
    FUZZ_CHECK(
        mlm_trainer_resume(fuzz_runtime(), encoder, fuzz_path("saved"), NULL, &again) == MLM_OK);
    mlm_trainer_free(again);
}

static void change(int32_t file, bool mended, const uint8_t *data, size_t size)
{
    for (int32_t i = 0; i < FILES; i++) {
        if (i == file)
            fuzz_write(path_of("changed", i), data, size);
        else
            fuzz_write(path_of("changed", i), whole[i], sizes[i]);
    }
    if (mended)
        mend(file, data, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    prepare();
    const int32_t file = data[0] % FILES;
    change(file, data[0] & MENDED, data + 1, size - 1);
    /* What the encoder's network needs is there. */
    small_use(encoder);
    mlm_trainer *trainer;
    fuzz_begin();
    if (mlm_trainer_resume(fuzz_runtime(), encoder, fuzz_path("changed"), NULL, &trainer) == MLM_OK)
        use(trainer);
    else
        FUZZ_CHECK(!trainer && mlm_last_error()[0]);
    mlm_trainer_free(trainer);
    fuzz_end(FIXED, A_BYTE, size);
    return 0;
}
