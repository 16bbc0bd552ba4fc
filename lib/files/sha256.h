/* SHA-256 (FIPS 180-4). */
#ifndef MLM_FILES_SHA256_H
#define MLM_FILES_SHA256_H

#include <stddef.h>
#include <stdint.h>

typedef struct mlm__sha256 {
    uint32_t state[8];
    uint64_t size;     /* bytes so far */
    uint8_t block[64]; /* the size % 64 of them that wait for a whole block */
} mlm__sha256;

void mlm__sha256_init(mlm__sha256 *sha);
void mlm__sha256_update(mlm__sha256 *sha, const void *data, size_t size);
void mlm__sha256_final(mlm__sha256 *sha, uint8_t digest[32]);
/* Lower-case hex and a zero byte. */
void mlm__sha256_hex(const uint8_t digest[32], char hex[65]);

#endif
