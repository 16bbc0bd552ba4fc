#include "trainer/pieces.h"

#include "base/memory.h"

mlm_status mlm__pieces_create(mlm_runtime *runtime, const mlm__layout *layout,
    const mlm__frozen *frozen, mlm__pieces *out)
{
    size_t count = 0;
    for (size_t i = 0; i < layout->count; i++)
        count += (layout->parameters[i].count + MLM__PIECE_SIZE - 1) / MLM__PIECE_SIZE;
    out->piece = mlm__alloc(runtime, count, sizeof *out->piece);
    if (!out->piece)
        return MLM_ERR_MEMORY;
    out->count = 0;
    for (size_t i = 0; i < layout->count; i++) {
        const mlm__parameter *parameter = &layout->parameters[i];
        if (mlm__is_frozen(frozen, parameter->offset))
            continue;
        for (size_t done = 0; done < parameter->count; done += MLM__PIECE_SIZE) {
            size_t left = parameter->count - done;
            out->piece[out->count++] = (mlm__piece){
                .offset = parameter->offset + done,
                .count = (uint32_t)(left < MLM__PIECE_SIZE ? left : MLM__PIECE_SIZE),
                .decay = parameter->decay,
                .place = mlm__trained_place(frozen, parameter->offset) + done,
            };
        }
    }
    return MLM_OK;
}

void mlm__pieces_free(mlm_runtime *runtime, mlm__pieces *pieces)
{
    mlm__free(runtime, pieces->piece);
    *pieces = (mlm__pieces){0};
}
