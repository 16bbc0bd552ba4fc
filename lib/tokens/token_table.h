/* A vocabulary that grows: strings with the numbers 0, 1, ... and the way back. */
#ifndef MLM_TOKENS_TOKEN_TABLE_H
#define MLM_TOKENS_TOKEN_TABLE_H

#include "mlm/mlm.h"

typedef struct mlm__token_entry {
    size_t begin; /* in text, where a zero byte follows */
    uint32_t length, hash;
} mlm__token_entry;

typedef struct mlm__token_table {
    size_t count, capacity;
    mlm__token_entry *entries;
    size_t text_length, text_capacity;
    char *text;
    size_t slot_count;
    uint32_t *slots;
} mlm__token_table;

/* The id of a string, a new one if need be. text is not the table's own. */
mlm_status mlm__token_table_add(
    mlm_runtime *runtime, mlm__token_table *table, const char *text, size_t length, int32_t *id);
/* The id, or -1. */
int32_t mlm__token_table_find(const mlm__token_table *table, const char *text, size_t length);
void mlm__token_table_free(mlm_runtime *runtime, mlm__token_table *table);

static inline const char *mlm__token_table_text(const mlm__token_table *table, int32_t id)
{
    return table->text + table->entries[id].begin;
}

/* FNV-1a, 32 bit, with a last mix for the low bits. */
uint32_t mlm__hash_text(const void *text, size_t length);

#endif
