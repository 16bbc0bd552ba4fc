/* How the encoder's calls walk over a batch: in chunks, so that memory is bounded. */
#ifndef MLM_ENCODER_CHUNKS_H
#define MLM_ENCODER_CHUNKS_H

#include "encoder/encoder.h"

/* Makes room in the encoder's network for every chunk of the batch. */
mlm_status mlm__chunks_reserve(mlm_encoder *encoder, const mlm_batch *batch, int32_t training);

/* The chunk that begins at sequence *b, and moves *b behind it; false at the batch's end. The
   chunk's first token is token chunk->offsets[0] of the batch. */
bool mlm__chunks_next(
    const mlm_encoder *encoder, const mlm_batch *batch, int32_t *b, mlm__chunk *chunk);

/* hidden [N,H] of the last layer, in the encoder's scratch, of a chunk that room was made for. */
mlm_status mlm__chunks_forward(mlm_encoder *encoder, const mlm__chunk *chunk, float **hidden);

/* The same of used tokens alone [U,H]. row_of [N] is in the encoder's scratch, all 0; the caller sets
   it to 1 for the tokens that it uses; then it has their rows of hidden. With none, hidden is NULL. */
mlm_status mlm__chunks_row_of(mlm_encoder *encoder, const mlm__chunk *chunk, int32_t **row_of);
void mlm__chunks_use_firsts(const mlm__chunk *chunk, int32_t *row_of);
mlm_status mlm__chunks_forward_used(
    mlm_encoder *encoder, const mlm__chunk *chunk, int32_t *row_of, float **hidden);
/* The three calls above for the first token of each sequence: hidden [B,H], row_of as above. */
mlm_status mlm__chunks_forward_firsts(
    mlm_encoder *encoder, const mlm__chunk *chunk, int32_t **row_of, float **hidden);

#endif
