/* The tokenizer handle, as the rooms after this one see it. */
#ifndef MLM_TOKENS_TOKENIZER_H
#define MLM_TOKENS_TOKENIZER_H

#include <jansson.h>

#include "files/directory.h"
#include "mlm/mlm.h"

/* A tokenizer does not change after its creation: const handles are retained by casting. */
mlm_tokenizer *mlm__tokenizer_retain(mlm_tokenizer *tokenizer);

enum {
    MLM__TOKEN_SPECIAL = 1,       /* [CLS] [SEP] [PAD] [MASK] and added special tokens; not [UNK] */
    MLM__TOKEN_CONTINUES = 2,     /* "##" pieces: they continue the word before them */
    MLM__TOKEN_ADDED_SPECIAL = 4, /* decoding leaves it out; of BERT's five those that are added */
};
/* [V], a combination of the above for each id. */
const uint8_t *mlm__tokenizer_flags(const mlm_tokenizer *tokenizer);

/* A flat object of what decides which ids a text gets: the options in effect and the SHA-256 of
   the vocabulary and of the added tokens' flags. A new reference; NULL without memory, with this thread's error set. */
json_t *mlm__tokenizer_provenance(const mlm_tokenizer *tokenizer);

/* The four files of mlm_tokenizer_save into an open directory. */
mlm_status mlm__tokenizer_write(const mlm_tokenizer *tokenizer, mlm__directory *directory);

#endif
