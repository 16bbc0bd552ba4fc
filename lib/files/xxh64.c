#include "files/xxh64.h"

#include <string.h>

static const uint64_t P1 = UINT64_C(0x9E3779B185EBCA87), P2 = UINT64_C(0xC2B2AE3D27D4EB4F),
                      P3 = UINT64_C(0x165667B19E3779F9), P4 = UINT64_C(0x85EBCA77C2B2AE63),
                      P5 = UINT64_C(0x27D4EB2F165667C5);

static uint64_t rotate(uint64_t x, int n)
{
    return x << n | x >> (64 - n);
}

static uint64_t load(const uint8_t *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

static uint64_t mix(uint64_t lane, uint64_t word)
{
    return rotate(lane + word * P2, 31) * P1;
}

void mlm__xxh64_init(mlm__xxh64 *xxh)
{
    *xxh = (mlm__xxh64){.lanes = {P1 + P2, P2, 0, -P1}};
}

/* Whole blocks of 32 bytes; returns what is left of size. */
static size_t take_blocks(uint64_t lanes[4], const uint8_t *from, size_t size)
{
    uint64_t a = lanes[0], b = lanes[1], c = lanes[2], d = lanes[3];
    for (; size >= 32; from += 32, size -= 32) {
        a = mix(a, load(from));
        b = mix(b, load(from + 8));
        c = mix(c, load(from + 16));
        d = mix(d, load(from + 24));
    }
    lanes[0] = a, lanes[1] = b, lanes[2] = c, lanes[3] = d;
    return size;
}

void mlm__xxh64_update(mlm__xxh64 *xxh, const void *data, size_t size)
{
    const uint8_t *from = data;
    size_t waiting = xxh->size % 32;
    xxh->size += size;
    if (waiting > 0) {
        size_t taken = size < 32 - waiting ? size : 32 - waiting;
        memcpy(xxh->block + waiting, from, taken);
        from += taken;
        size -= taken;
        if (waiting + taken < 32)
            return;
        take_blocks(xxh->lanes, xxh->block, 32);
    }
    size_t left = take_blocks(xxh->lanes, from, size);
    if (left > 0)
        memcpy(xxh->block, from + (size - left), left);
}

static uint64_t take_rest(uint64_t hash, const uint8_t *from, size_t size)
{
    for (; size >= 8; from += 8, size -= 8)
        hash = rotate(hash ^ mix(0, load(from)), 27) * P1 + P4;
    if (size >= 4) {
        uint32_t word;
        memcpy(&word, from, sizeof word);
        hash = rotate(hash ^ word * P1, 23) * P2 + P3;
        from += 4;
        size -= 4;
    }
    for (; size > 0; from++, size--)
        hash = rotate(hash ^ *from * P5, 11) * P1;
    return hash;
}

uint64_t mlm__xxh64_digest(const mlm__xxh64 *xxh)
{
    const uint64_t *lanes = xxh->lanes;
    uint64_t hash = lanes[2] + P5;
    if (xxh->size >= 32) {
        hash =
            rotate(lanes[0], 1) + rotate(lanes[1], 7) + rotate(lanes[2], 12) + rotate(lanes[3], 18);
        for (int i = 0; i < 4; i++)
            hash = (hash ^ mix(0, lanes[i])) * P1 + P4;
    }
    hash = take_rest(hash + xxh->size, xxh->block, xxh->size % 32);
    hash = (hash ^ hash >> 33) * P2;
    hash = (hash ^ hash >> 29) * P3;
    return hash ^ hash >> 32;
}
