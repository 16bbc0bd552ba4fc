#include "files/json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "files/file.h"
#include "files/sha256.h"

/*
 * jansson 2.14 keeps the token that it reads in a buffer, and does not look whether that could be made
 * longer: a character is lost then, and what follows is a wrong value, an abort, or a write beyond a
 * block. So it is given ["xx...x",\nTEXT], where the string is as long as the longest token of TEXT:
 * after it the buffer is long enough. And it is given a byte at a time, so that what fails in this
 * string is seen before its end.
 */
typedef struct source {
    const char *text;
    size_t size;
    size_t padding; /* of the string */
    size_t place;   /* of the next byte */
} source;

static bool ends_word(char c)
{
    return strchr(" \t\r\n,:[]{}\"", c) != NULL; /* the final zero byte too */
}

/* Bytes of the longest string with its quotes, number or word. */
static size_t longest_token(const char *text, size_t size)
{
    size_t longest = 0;
    for (size_t begin = 0, end; begin < size; begin = end) {
        end = begin + 1;
        if (text[begin] == '"') {
            while (end < size && text[end] != '"')
                end += text[end] == '\\' ? 2 : 1;
            end++;
        } else if (!ends_word(text[begin])) {
            while (end < size && !ends_word(text[end]))
                end++;
        }
        if (end - begin > longest)
            longest = end - begin;
    }
    return longest;
}

/* The buffer has a power of two bytes from 16 on, one of them for a final zero, and it grows when it
   is full. With 2^k x's and quotes at both ends it does before the last x, not with the quote. */
static size_t padding_for(size_t token)
{
    size_t padding = 16;
    while (padding < token)
        padding *= 2;
    return padding;
}

static size_t next_byte(void *buffer, size_t room, void *context)
{
    source *from = context;
    const size_t begin = from->padding + 5, place = from->place;
    (void)room;
    if (errno == ENOMEM)
        return (size_t)-1;
    if (place > begin + from->size)
        return 0;
    char byte = 'x';
    if (place < 2)
        byte = "[\""[place];
    else if (place == begin + from->size)
        byte = ']';
    else if (place >= begin)
        byte = from->text[place - begin];
    else if (place >= begin - 3)
        byte = "\",\n"[place - (begin - 3)];
    *(char *)buffer = byte;
    from->place++;
    return 1;
}

/* *no_memory: that is why it returned NULL. */
static json_t *read_text(source *from, size_t flags, json_error_t *error, bool *no_memory)
{
    from->place = 0;
    errno = 0;
    json_t *both = json_load_callback(next_byte, from, flags | JSON_REJECT_DUPLICATES, error);
    *no_memory = errno == ENOMEM;
    json_t *root = *no_memory ? NULL : json_incref(json_array_get(both, 1));
    if (root && json_array_size(both) == 2 && (json_is_object(root) || json_is_array(root))) {
        json_decref(both);
        return root;
    }
    if (both) {
        error->line = 2;
        error->column = 1;
        snprintf(error->text, sizeof error->text, "not one object or array");
    }
    json_decref(root);
    json_decref(both);
    return NULL;
}

/* Our own ']' where the text should have gone on is the text's end. */
static void tell_end(const source *from, json_error_t *error)
{
    static const char ours[] = "near ']'";
    char *place = strstr(error->text, ours);
    if (place && from->place == from->padding + 6 + from->size) {
        snprintf(place, sizeof error->text - (size_t)(place - error->text), "near end of file");
        error->column--;
    }
}

static mlm_status parse(
    const char *text, size_t size, const char *name, bool large_numbers, json_t **out)
{
    source from = {.text = text, .size = size, .padding = padding_for(longest_token(text, size))};
    json_error_t error;
    bool no_memory;
    *out = read_text(&from, 0, &error, &no_memory);
    if (!*out && large_numbers && json_error_code(&error) == json_error_numeric_overflow)
        *out = read_text(&from, JSON_DECODE_INT_AS_REAL, &error, &no_memory);
    if (*out)
        return MLM_OK;
    if (no_memory)
        return mlm__error(MLM_ERR_MEMORY, "%s: no memory for its JSON", name);
    tell_end(&from, &error);
    return mlm__error(
        MLM_ERR_FORMAT, "%s:%d:%d: %s", name, error.line - 1, error.column, error.text);
}

mlm_status mlm__json_parse(const char *text, size_t size, const char *name, json_t **out)
{
    return parse(text, size, name, false, out);
}

static mlm_status load(
    mlm_runtime *runtime, const char *path, size_t limit, bool large_numbers, json_t **out)
{
    *out = NULL;
    char *text;
    size_t size;
    MLM__TRY(mlm__file_read_all(runtime, path, limit, &text, &size));
    mlm_status status = parse(text, size, path, large_numbers, out);
    mlm__free(runtime, text);
    return status;
}

mlm_status mlm__json_load(mlm_runtime *runtime, const char *path, size_t limit, json_t **out)
{
    return load(runtime, path, limit, false, out);
}

mlm_status mlm__json_load_large(mlm_runtime *runtime, const char *path, size_t limit, json_t **out)
{
    return load(runtime, path, limit, true, out);
}

/* The member, or NULL when it is absent or null. */
static const json_t *member_of(const json_t *object, const char *member)
{
    const json_t *value = json_object_get(object, member);
    return json_is_null(value) ? NULL : value;
}

mlm_status mlm__json_int(const json_t *object, const char *member, int64_t low, int64_t high,
    const char *path, int64_t *value)
{
    const json_t *given = member_of(object, member);
    if (!given)
        return MLM_OK;
    if (!json_is_integer(given))
        return mlm__error(MLM_ERR_FORMAT, "%s: %s: is not an integer", path, member);
    int64_t number = json_integer_value(given);
    if (number < low || number > high)
        return mlm__error(MLM_ERR_FORMAT, "%s: %s: is %" PRId64 ", must be %" PRId64 " to %" PRId64,
            path, member, number, low, high);
    *value = number;
    return MLM_OK;
}

mlm_status mlm__json_double(const json_t *object, const char *member, double low, double high,
    const char *path, double *value)
{
    const json_t *given = member_of(object, member);
    if (!given)
        return MLM_OK;
    if (!json_is_number(given))
        return mlm__error(MLM_ERR_FORMAT, "%s: %s: is not a number", path, member);
    double number = json_number_value(given);
    if (!(number >= low && number <= high))
        return mlm__error(
            MLM_ERR_FORMAT, "%s: %s: is %g, must be %g to %g", path, member, number, low, high);
    *value = number;
    return MLM_OK;
}

mlm_status mlm__json_bool(const json_t *object, const char *member, const char *path, bool *value)
{
    const json_t *given = member_of(object, member);
    if (!given)
        return MLM_OK;
    if (!json_is_boolean(given))
        return mlm__error(MLM_ERR_FORMAT, "%s: %s: is not true or false", path, member);
    *value = json_is_true(given);
    return MLM_OK;
}

mlm_status mlm__json_string(
    const json_t *object, const char *member, const char *path, const char **value)
{
    const json_t *given = member_of(object, member);
    if (!given)
        return MLM_OK;
    if (!json_is_string(given))
        return mlm__error(MLM_ERR_FORMAT, "%s: %s: is not a string", path, member);
    *value = json_string_value(given);
    return MLM_OK;
}

mlm_status mlm__json_text(mlm_runtime *runtime, const json_t *root, char **out)
{
    *out = NULL;
    const size_t size = root ? json_dumpb(root, NULL, 0, JSON_COMPACT) : 0;
    if (size == 0)
        return mlm__error(MLM_ERR_MEMORY, "no memory for JSON");
    char *text = mlm__alloc(runtime, size + 1, 1);
    if (!text)
        return MLM_ERR_MEMORY;
    if (json_dumpb(root, text, size, JSON_COMPACT) != size) {
        mlm__free(runtime, text);
        return mlm__error(MLM_ERR_MEMORY, "no memory for JSON");
    }
    text[size] = 0;
    *out = text;
    return MLM_OK;
}

json_t *mlm__json_seed(uint64_t seed)
{
    char text[sizeof "18446744073709551615"];
    snprintf(text, sizeof text, "%" PRIu64, seed);
    return json_string(text);
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Decimal digits with which every number of a tree reads back as it is: 15 write 0.1 as 0.1, 17
   always suffice. */
static size_t digits_needed(json_t *tree)
{
    size_t digits = 15, index;
    const char *member;
    json_t *value;
    if (json_is_real(tree)) {
        for (char text[32]; digits < 17; digits++) {
            snprintf(text, sizeof text, "%.*g", (int)digits, json_real_value(tree));
            if (strtod(text, NULL) == json_real_value(tree))
                break;
        }
    } else if (json_is_array(tree)) {
        json_array_foreach (tree, index, value)
            digits = larger(digits, digits_needed(value));
    } else {
        json_object_foreach (tree, member, value)
            digits = larger(digits, digits_needed(value));
    }
    return digits;
}

typedef struct dump {
    mlm__directory *directory;
    mlm_status status;
} dump;

static int write_piece(const char *text, size_t size, void *context)
{
    dump *to = context;
    to->status = mlm__directory_write(to->directory, text, size);
    return to->status == MLM_OK ? 0 : -1;
}

mlm_status mlm__json_write(mlm__directory *directory, const char *name, json_t *root)
{
    if (!root)
        return mlm__error(MLM_ERR_MEMORY, "%s: no memory for its JSON", name);
    MLM__TRY(mlm__directory_start(directory, name));
    dump to = {directory, MLM_OK};
    size_t flags = JSON_INDENT(2) | JSON_REAL_PRECISION(digits_needed(root));
    if (json_dump_callback(root, write_piece, &to, flags) != 0)
        return to.status != MLM_OK ? to.status
                                   : mlm__error(MLM_ERR_MEMORY, "%s: no memory for its JSON", name);
    MLM__TRY(mlm__directory_write(directory, "\n", 1));
    return mlm__directory_finish(directory);
}

/* ---- sealed ----------------------------------------------------------------- */

/* The last member of a sealed file. */
static const char seal_begin[] = "  \"sha256\": \"", seal_end[] = "\"\n}\n";
enum { HASH_SIZE = 64, SEAL_SIZE = sizeof seal_begin - 1 + HASH_SIZE + sizeof seal_end - 1 };

static void make_seal(const char *text, size_t size, char seal[SEAL_SIZE + 1])
{
    mlm__sha256 sha;
    uint8_t digest[32];
    char hex[HASH_SIZE + 1];
    mlm__sha256_init(&sha);
    mlm__sha256_update(&sha, text, size);
    mlm__sha256_final(&sha, digest);
    mlm__sha256_hex(digest, hex);
    snprintf(seal, SEAL_SIZE + 1, "%s%s%s", seal_begin, hex, seal_end);
}

/* The text is an object's; its final line end and brace give way to a comma and a line end. */
static mlm_status write_sealed(mlm__directory *directory, const char *name, char *text, size_t size)
{
    char seal[SEAL_SIZE + 1];
    memcpy(text + size - 2, ",\n", 2);
    make_seal(text, size, seal);
    MLM__TRY(mlm__directory_start(directory, name));
    MLM__TRY(mlm__directory_write(directory, text, size));
    MLM__TRY(mlm__directory_write(directory, seal, SEAL_SIZE));
    return mlm__directory_finish(directory);
}

mlm_status mlm__json_write_sealed(mlm__directory *directory, const char *name, json_t *root)
{
    mlm_runtime *runtime = mlm__directory_runtime(directory);
    size_t flags = JSON_INDENT(2) | JSON_REAL_PRECISION(root ? digits_needed(root) : 0);
    size_t size = root ? json_dumpb(root, NULL, 0, flags) : 0;
    if (size == 0)
        return mlm__error(MLM_ERR_MEMORY, "%s: no memory for its JSON", name);
    char *text = mlm__alloc(runtime, size, 1);
    if (!text)
        return MLM_ERR_MEMORY;
    mlm_status status = json_dumpb(root, text, size, flags) == size
                            ? write_sealed(directory, name, text, size)
                            : mlm__error(MLM_ERR_MEMORY, "%s: no memory for its JSON", name);
    mlm__free(runtime, text);
    return status;
}

static bool is_sealed(const char *text, size_t size)
{
    char seal[SEAL_SIZE + 1];
    if (size < SEAL_SIZE)
        return false;
    make_seal(text, size - SEAL_SIZE, seal);
    return memcmp(text + size - SEAL_SIZE, seal, SEAL_SIZE) == 0;
}

mlm_status mlm__json_load_sealed(mlm_runtime *runtime, const char *path, size_t limit, json_t **out)
{
    *out = NULL;
    char *text;
    size_t size;
    MLM__TRY(mlm__file_read_all(runtime, path, limit, &text, &size));
    mlm_status status =
        is_sealed(text, size)
            ? mlm__json_parse(text, size, path, out)
            : mlm__error(MLM_ERR_FORMAT,
                  "%s: damaged: its last member is not the SHA-256 of what is before it", path);
    mlm__free(runtime, text);
    return status;
}
