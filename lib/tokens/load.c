#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/runtime.h"
#include "files/file.h"
#include "tokens/tokenizer_files.h"

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), size = strlen(end);
    return length >= size && strcmp(text + length - size, end) == 0;
}

static mlm_status load(
    mlm_runtime *runtime, const char *path, mlm__tokenizer_parts *parts, mlm_tokenizer **out)
{
    char *resolved = mlm__directory_resolve(runtime, path);
    if (!resolved)
        return MLM_ERR_MEMORY;
    mlm_status status;
    if (mlm__path_is_directory(resolved))
        status = mlm__tokenizer_directory_load(runtime, resolved, parts, out);
    else if (ends_with(path, ".json"))
        status = mlm__tokenizer_json_load(runtime, path, parts, out);
    else
        status = mlm__vocabulary_file_load(runtime, path, parts, out);
    mlm__free(runtime, resolved);
    return status;
}

mlm_status mlm_tokenizer_load(mlm_runtime *runtime, const char *path,
    const mlm_tokenizer_options *options, mlm_tokenizer **out)
{
    if (!out)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_tokenizer_load: out is NULL");
    *out = NULL;
    if (!path)
        return mlm__error(MLM_ERR_ARGUMENT, "mlm_tokenizer_load: path is NULL");
    mlm__tokenizer_parts parts = {.as_is = true};
    MLM__TRY(mlm__tokenizer_options_read(options, "mlm_tokenizer_load", &parts.options));
    mlm_runtime *retained;
    MLM__TRY(mlm__runtime_retain(runtime, &retained));
    mlm_status status = load(retained, path, &parts, out);
    mlm_runtime_free(retained);
    return status;
}
