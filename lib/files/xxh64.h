/* XXH64 (Collet, "xxHash fast digest algorithm", version 0.1.1), seed 0: finds accidents, as fast as
   memory is read. It keeps nobody from making two texts with the same hash. */
#ifndef MLM_FILES_XXH64_H
#define MLM_FILES_XXH64_H

#include <stddef.h>
#include <stdint.h>

typedef struct mlm__xxh64 {
    uint64_t lanes[4];
    uint64_t size;     /* bytes so far */
    uint8_t block[32]; /* the size % 32 of them that wait for a whole block */
} mlm__xxh64;

void mlm__xxh64_init(mlm__xxh64 *xxh);
void mlm__xxh64_update(mlm__xxh64 *xxh, const void *data, size_t size);
/* Of what came so far; more may come. */
uint64_t mlm__xxh64_digest(const mlm__xxh64 *xxh);

#endif
