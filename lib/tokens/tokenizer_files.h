/* Reading tokenizer files. */
#ifndef MLM_TOKENS_TOKENIZER_FILES_H
#define MLM_TOKENS_TOKENIZER_FILES_H

#include "tokens/handle.h"

/* Bytes; no tokenizer's file comes near. */
enum { MLM__TOKENIZER_FILE_SIZE = 1 << 28 };

/* Completes parts with what the file says and builds the tokenizer. What parts has already, from
   the caller or a file that goes before, stays. */
mlm_status mlm__vocabulary_file_load(
    mlm_runtime *runtime, const char *path, const mlm__tokenizer_parts *parts, mlm_tokenizer **out);
mlm_status mlm__tokenizer_json_load(
    mlm_runtime *runtime, const char *path, const mlm__tokenizer_parts *parts, mlm_tokenizer **out);
mlm_status mlm__tokenizer_directory_load(mlm_runtime *runtime, const char *directory,
    const mlm__tokenizer_parts *parts, mlm_tokenizer **out);

/* An object with the content and flags of an added token; its id is MLM__NEXT_ID. The content is the
   object's. */
mlm_status mlm__added_token_read(const json_t *given, const char *path, mlm__added_token *out);

/* Sets *option from a JSON member that is true or false, unless it is set. */
mlm_status mlm__tokenizer_read_flag(
    const json_t *object, const char *member, const char *path, int32_t *option);

#endif
