#include "base/random.h"

/* Ten rounds of two 32 x 32 -> 64 bit multiplications; constants from Salmon, Moraes, Dror and
   Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011. */
void mlm__philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t a = UINT64_C(0xD2511F53) * c0;
        uint64_t b = UINT64_C(0xCD9E8D57) * c2;
        c0 = (uint32_t)(b >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)b;
        c2 = (uint32_t)(a >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)a;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

static uint32_t low(uint64_t x)
{
    return (uint32_t)x;
}

static uint32_t high(uint64_t x)
{
    return (uint32_t)(x >> 32);
}

mlm__random_key mlm__random_key_make(uint64_t seed, mlm__purpose purpose, int64_t step)
{
    uint32_t counter[4] = {(uint32_t)purpose, 0, low((uint64_t)step), high((uint64_t)step)};
    uint32_t key[2] = {low(seed), high(seed)}, out[4];
    mlm__philox(counter, key, out);
    return (mlm__random_key){{out[0], out[1]}};
}

void mlm__random_block(
    mlm__random_key key, int64_t position, uint32_t site, uint32_t index, uint32_t out[4])
{
    uint32_t counter[4] = {index, site, low((uint64_t)position), high((uint64_t)position)};
    mlm__philox(counter, key.word, out);
}

mlm__random_stream mlm__random_stream_make(mlm__random_key key, int64_t position, uint32_t site)
{
    return (mlm__random_stream){.key = key, .position = position, .site = site, .used = 4};
}

uint32_t mlm__random_u32(mlm__random_stream *stream)
{
    if (stream->used == 4) {
        mlm__random_block(
            stream->key, stream->position, stream->site, stream->index++, stream->word);
        stream->used = 0;
    }
    return stream->word[stream->used++];
}

double mlm__random_double(mlm__random_stream *stream)
{
    uint64_t first = mlm__random_u32(stream);
    uint64_t second = mlm__random_u32(stream);
    return (double)((first << 32 | second) >> 11) * 0x1p-53;
}

/* Lemire, "Fast random integer generation in an interval", 2019: x n / 2^32, where of the x that
   fall on one result the surplus ones (low half below 2^32 mod n) are drawn again. */
uint32_t mlm__random_below(mlm__random_stream *stream, uint32_t n)
{
    uint64_t product = (uint64_t)mlm__random_u32(stream) * n;
    if (low(product) < n) {
        uint32_t surplus = (0u - n) % n;
        while (low(product) < surplus)
            product = (uint64_t)mlm__random_u32(stream) * n;
    }
    return high(product);
}
