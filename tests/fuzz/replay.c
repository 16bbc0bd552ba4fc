/* replay RUNS: runs the target on its seeds and on RUNS changed ones, the same every time.
   replay --write FOLDER: writes the seeds there, for libFuzzer to begin with. */
#include <string.h>

#include "fuzz/fuzz.h"

enum { ROOM = 8192 };

static const fuzz_seed *seeds;
static size_t seed_count;
static uint64_t state = 1;

static size_t below(size_t limit)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (size_t)(state >> 33) % limit;
}

/* Replaces bytes [at, at + cut) by size bytes. */
static size_t splice(
    uint8_t *data, size_t length, size_t at, size_t cut, const void *bytes, size_t size)
{
    if (length - cut + size > ROOM)
        return length;
    memmove(data + at + size, data + at + cut, length - at - cut);
    memcpy(data + at, bytes, size);
    return length - cut + size;
}

static size_t change(uint8_t *data, size_t length)
{
    const fuzz_seed *other = &seeds[below(seed_count)];
    size_t at = below(length + 1), cut = below(3) ? 0 : below(length - at + 1);
    size_t from = below(other->size + 1), size = below(other->size - from + 1);
    uint8_t byte = (uint8_t)below(256);
    switch (below(3)) {
    case 0:
        return splice(data, length, at, at < length ? below(2) : 0, &byte, 1);
    case 1:
        return splice(data, length, at, cut, other->bytes + from, size);
    default:
        return splice(data, length, at, at < length ? 1 + below(length - at) % 8 : 0, "", 0);
    }
}

static void write_seeds(const char *folder)
{
    char path[512];
    for (size_t i = 0; i < seed_count; i++) {
        snprintf(path, sizeof path, "%s/%zu", folder, i);
        fuzz_write(path, seeds[i].bytes, seeds[i].size);
    }
}

/* The target gets the bytes alone, so that a sanitizer sees what it reads beyond them. */
static void run(const void *bytes, size_t size)
{
    uint8_t *data = malloc(size ? size : 1);
    FUZZ_CHECK(data);
    memcpy(data, bytes, size);
    LLVMFuzzerTestOneInput(data, size);
    free(data);
}

int main(int argc, char **argv)
{
    seeds = fuzz_seeds(&seed_count);
    if (argc == 3 && strcmp(argv[1], "--write") == 0) {
        write_seeds(argv[2]);
        return 0;
    }
    if (argc != 2)
        return 2;
    for (size_t i = 0; i < seed_count; i++)
        run(seeds[i].bytes, seeds[i].size);
    static uint8_t data[ROOM];
    for (long runs = atol(argv[1]); runs > 0; runs--) {
        const fuzz_seed *seed = &seeds[below(seed_count)];
        size_t length = seed->size;
        memcpy(data, seed->bytes, length);
        for (size_t changes = 1 + below(6); changes > 0; changes--)
            length = change(data, length);
        run(data, length);
    }
    return 0;
}
