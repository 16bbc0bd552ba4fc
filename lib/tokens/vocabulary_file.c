#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "files/file.h"
#include "text/unicode_tables.h"
#include "text/utf8.h"
#include "tokens/tokenizer_files.h"

static bool is_space(int32_t code, int32_t profile)
{
    return code != MLM__UTF8_INVALID && mlm__character_of(code)->flags[profile] & MLM__CHAR_BREAK;
}

/* Ends a line with a zero byte where its last white space begins; google skips the first too. */
static const char *trim(char *line, size_t length, int32_t profile)
{
    const uint8_t *begin = (const uint8_t *)line, *end = begin + length;
    size_t size;
    while (end > begin) {
        const uint8_t *last = mlm__utf8_previous(begin, end);
        if (!is_space(mlm__utf8_decode(last, end, &size), profile))
            break;
        end = last;
    }
    line[end - begin] = 0;
    while (profile == MLM_PROFILE_GOOGLE && begin < end &&
           is_space(mlm__utf8_decode(begin, end, &size), profile))
        begin += size;
    return (const char *)begin;
}

static size_t count_feeds(const char *data, size_t size)
{
    size_t count = 0;
    for (size_t i = 0; i < size; i++)
        count += data[i] == '\n';
    return count;
}

static void split_lines(char *data, size_t size, int32_t profile, const char **tokens)
{
    for (size_t begin = 0, v = 0; begin < size; v++) {
        char *feed = memchr(data + begin, '\n', size - begin);
        size_t end = feed ? (size_t)(feed - data) : size;
        tokens[v] = trim(data + begin, end - begin, profile);
        begin = end + 1;
    }
}

static mlm_status build(mlm_runtime *runtime, const char *path, char *data, size_t size,
    mlm__tokenizer_parts parts, mlm_tokenizer **out)
{
    const char *zero = memchr(data, 0, size);
    if (zero)
        return mlm__error(MLM_ERR_FORMAT, "%s:%zu: a zero byte: not a vocabulary", path,
            count_feeds(data, (size_t)(zero - data)) + 1);
    size_t V = count_feeds(data, size) + (size > 0 && data[size - 1] != '\n'), which;
    const char **tokens = mlm__alloc(runtime, V, sizeof *tokens);
    if (!tokens)
        return MLM_ERR_MEMORY;
    mlm__tokenizer_options_resolve(&parts.options);
    split_lines(data, size, parts.options.profile, tokens);
    parts.tokens = tokens;
    parts.count = V;
    mlm_status status = mlm__tokenizer_build(runtime, &parts, out, &which);
    mlm__free(runtime, tokens);
    if (status == MLM_ERR_FORMAT && which != SIZE_MAX)
        return mlm__error(status, "%s:%zu: %s", path, which + 1, mlm_last_error());
    return status == MLM_ERR_FORMAT ? mlm__error_in(status, path) : status;
}

mlm_status mlm__vocabulary_file_load(
    mlm_runtime *runtime, const char *path, const mlm__tokenizer_parts *parts, mlm_tokenizer **out)
{
    char *data;
    size_t size;
    MLM__TRY(mlm__file_read_all(runtime, path, MLM__TOKENIZER_FILE_SIZE, &data, &size));
    mlm_status status = build(runtime, path, data, size, *parts, out);
    mlm__free(runtime, data);
    return status;
}
