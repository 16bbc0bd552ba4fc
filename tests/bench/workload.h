/* The batches of a training step, and how many FLOPs a step over one takes. */
#ifndef MLM_TESTS_BENCH_WORKLOAD_H
#define MLM_TESTS_BENCH_WORKLOAD_H

#include <stddef.h>

#include "mlm/mlm.h"

enum { VOCAB_SIZE = 30522, NATURAL_BATCHES = 8, NATURAL_TOKENS = 4096, MAX_LENGTH = 512 };

/* 15 % of a batch's tokens are labelled, rounded. Sequences of T tokens, or of natural lengths: then
   there are several batches, with as many sequences as make NATURAL_TOKENS. */
typedef struct workload {
    size_t count;
    struct mlm_batch *batches;
} workload;

/* B sequences of T tokens; the ids are random. */
workload workload_full(int32_t B, int32_t T);
/* Lengths as those of the paragraphs and headings of an encyclopedia, cut at MAX_LENGTH; the ids
   are random. */
workload workload_natural(void);
/* The non-empty lines of a file from its beginning, a sequence each, tokenized with VOCAB_SIZE
   tokens learned from the file itself. */
mlm_status workload_text(const char *path, workload *out);
void workload_free(workload *w);

/* FLOPs of the matrix products of a step, two for a multiplication and addition, for a batch of N
   tokens in sequences of t_b, with M labels, m_b of a sequence:
     6 ( (L - 1) (N (4 H^2 + 2 H I) + 2 H sum of t_b^2)
         + N 2 H^2 + M (2 H^2 + 2 H I) + 2 H sum of m_b t_b + M (H^2 + H V) )
   Forward is a third: of a layer the projections to query, key, value and output, the two of the
   feed-forward half, scores and context, in the last layer of labelled tokens but for keys and
   values; of the head the transform and the decoder, of labelled tokens. Each product has two in
   backward. What an implementation computes again is not counted again, nor is anything element by
   element. */
double step_flops(const mlm_encoder_config *config, const mlm_batch *batch);

#endif
