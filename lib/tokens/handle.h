/* The tokenizer handle's inside, and how one is made. */
#ifndef MLM_TOKENS_HANDLE_H
#define MLM_TOKENS_HANDLE_H

#include <stdatomic.h>

#include "mlm/mlm.h"
#include "text/normalize.h"
#include "tokens/added_list.h"
#include "tokens/tokenizer.h"
#include "tokens/vocabulary.h"
#include "tokens/wordpiece.h"

enum { MLM__SPECIAL_COUNT = 5 }; /* MLM_TOKEN_PAD .. MLM_TOKEN_MASK */

typedef struct mlm__scratch mlm__scratch;

/* What encoding a batch over several threads needs besides its result. */
typedef struct mlm__batch_room {
    size_t threads;
    mlm__scratch **scratch; /* [threads] */
    size_t texts;
    int32_t *piece_begins; /* [texts + 1] */
    size_t *begins;        /* [texts + 1] where each text's tokens begin in the arrays below */
    size_t *counts;        /* [texts] */
    size_t *needs;         /* [texts] the block it needs, 0: it is encoded */
    size_t tokens, span_tokens;
    int32_t *ids;   /* [tokens] */
    int32_t *spans; /* [span_tokens, 2] */
} mlm__batch_room;

/* What encoding one text needs besides its result; grows and stays. */
struct mlm__scratch {
    uint32_t slot; /* its place in idle, when that is free */
    size_t block;  /* bytes of text that the arrays have room for */
    mlm__normalized normalized;
    int32_t *from;      /* for normalized.from */
    mlm__piece *pieces; /* [block] */
    mlm__batch_room room;
};

enum { MLM__IDLE_SCRATCH = 256 }; /* calls at once that allocate nothing */

struct mlm_tokenizer {
    atomic_int references;
    mlm_runtime *runtime;
    mlm_tokenizer_options options; /* none is -1 */
    mlm__normalizer normalizer;
    mlm__vocabulary vocabulary;
    mlm__wordpiece wordpiece;
    mlm__added_tokens added;
    int32_t special[MLM__SPECIAL_COUNT];
    uint8_t *flags; /* [V] */
    /* Scratch that no call uses now. Without a lock, which a fork could leave held in the child. */
    _Atomic(mlm__scratch *) idle[MLM__IDLE_SCRATCH];
    atomic_uint scratch_made;
};

/* All that a tokenizer is made of. Nothing is kept. */
typedef struct mlm__tokenizer_parts {
    mlm_tokenizer_options options;                /* -1: what the profile does */
    mlm__added_token special[MLM__SPECIAL_COUNT]; /* content NULL: BERT's name */
    const char *const *tokens;                    /* [count] WordPiece's own */
    size_t count;
    mlm__added_list added;
    /* What transformers would do with a tokenizer.json beside: as_is, take it as it is; else make its
       BertTokenizer from the vocabulary alone, with the added tokens unless has_added. */
    bool as_is, has_added;
    bool only_listed; /* special ones are added tokens only where added has them */
} mlm__tokenizer_parts;

/* A caller's options, checked, as far as they are given; -1 elsewhere. */
mlm_status mlm__tokenizer_options_read(
    const mlm_tokenizer_options *given, const char *function, mlm_tokenizer_options *out);

/* Gives what is still -1 the profile's value. */
void mlm__tokenizer_options_resolve(mlm_tokenizer_options *options);

/* Where the trouble is one of parts->tokens, its position is in *which, and the message does not say
   where. */
mlm_status mlm__tokenizer_build(
    mlm_runtime *runtime, const mlm__tokenizer_parts *parts, mlm_tokenizer **out, size_t *which);

/* BERT's "[PAD]" for MLM_TOKEN_PAD, and so on. */
extern const char *const mlm__special_names[MLM__SPECIAL_COUNT];

#endif
