#include "tokens/token_table.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"

uint32_t mlm__hash_text(const void *text, size_t length)
{
    const uint8_t *bytes = text;
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ bytes[i]) * 16777619u;
    hash ^= hash >> 15;
    hash *= 2654435761u;
    return hash ^ hash >> 16;
}

/* The slot of a string, or the empty one where it belongs. There is always an empty one. */
static size_t find_slot(
    const mlm__token_table *table, const char *text, size_t length, uint32_t hash)
{
    size_t mask = table->slot_count - 1, slot = hash & mask;
    for (; table->slots[slot]; slot = (slot + 1) & mask) {
        const mlm__token_entry *entry = &table->entries[table->slots[slot] - 1];
        if (entry->hash == hash && entry->length == length &&
            memcmp(table->text + entry->begin, text, length) == 0)
            break;
    }
    return slot;
}

static mlm_status grow_slots(mlm_runtime *runtime, mlm__token_table *table)
{
    size_t slot_count = table->slot_count ? 2 * table->slot_count : 1024;
    uint32_t *slots = mlm__alloc_zero(runtime, slot_count, sizeof *slots);
    if (!slots)
        return MLM_ERR_MEMORY;
    for (size_t i = 0; i < table->count; i++) {
        size_t slot = table->entries[i].hash & (slot_count - 1);
        while (slots[slot])
            slot = (slot + 1) & (slot_count - 1);
        slots[slot] = (uint32_t)(i + 1);
    }
    mlm__free(runtime, table->slots);
    table->slots = slots;
    table->slot_count = slot_count;
    return MLM_OK;
}

mlm_status mlm__token_table_add(
    mlm_runtime *runtime, mlm__token_table *table, const char *text, size_t length, int32_t *id)
{
    if (2 * table->count >= table->slot_count)
        MLM__TRY(grow_slots(runtime, table));
    uint32_t hash = mlm__hash_text(text, length);
    size_t slot = find_slot(table, text, length, hash);
    if (table->slots[slot]) {
        *id = (int32_t)(table->slots[slot] - 1);
        return MLM_OK;
    }
    MLM__TRY(mlm__grow(
        runtime, &table->entries, &table->capacity, table->count + 1, sizeof *table->entries));
    MLM__TRY(mlm__grow(
        runtime, &table->text, &table->text_capacity, table->text_length + length + 1, 1));
    memcpy(table->text + table->text_length, text, length);
    table->text[table->text_length + length] = 0;
    table->entries[table->count] = (mlm__token_entry){table->text_length, (uint32_t)length, hash};
    *id = (int32_t)table->count;
    table->text_length += length + 1;
    table->slots[slot] = (uint32_t)++table->count;
    return MLM_OK;
}

int32_t mlm__token_table_find(const mlm__token_table *table, const char *text, size_t length)
{
    if (table->count == 0)
        return -1;
    size_t slot = find_slot(table, text, length, mlm__hash_text(text, length));
    return (int32_t)table->slots[slot] - 1;
}

void mlm__token_table_free(mlm_runtime *runtime, mlm__token_table *table)
{
    mlm__free(runtime, table->slots);
    mlm__free(runtime, table->text);
    mlm__free(runtime, table->entries);
    *table = (mlm__token_table){0};
}
