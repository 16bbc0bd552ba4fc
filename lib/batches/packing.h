/* Packing: where each sequence begins in the stream of tokens. Sequences follow each other
   without gaps, so that no token is lost and one number each says all. */
#ifndef MLM_BATCHES_PACKING_H
#define MLM_BATCHES_PACKING_H

#include <stdbool.h>

#include "batches/records.h"
#include "mlm/mlm.h"

typedef struct mlm__packing {
    const uint8_t *flags; /* mlm__tokenizer_flags */
    int32_t room;         /* tokens of text in a sequence: T without [CLS] and [SEP] */
    bool whole;           /* a unit that fits is not divided: units are sentences */
    bool alone;           /* a sequence has tokens of one unit only */
    bool across;          /* a sequence runs on into the next document */
    int64_t end;          /* of the tokens so far */
    int32_t filled;       /* tokens of the last sequence; 0: the next token begins one */
    int64_t count;        /* of the sequences */
    mlm__records starts;  /* int64_t; after mlm__packing_finish also the end */
} mlm__packing;

/* directory as in records.h. */
void mlm__packing_init(mlm_runtime *runtime, const mlm_corpus_options *options,
    const uint8_t *flags, const char *directory, mlm__packing *packing);
/* The next unit (sentence, paragraph, line): ids [count]. */
mlm_status mlm__packing_add(mlm__packing *packing, const int32_t *ids, size_t count);
void mlm__packing_end_document(mlm__packing *packing);
mlm_status mlm__packing_finish(mlm__packing *packing);
/* The first token of a sequence of [0,count), and how many it has. MLM_ERR_IO. */
mlm_status mlm__packing_get(
    mlm__packing *packing, int64_t sequence, int64_t *begin, size_t *length);
void mlm__packing_clear(mlm__packing *packing);

#endif
