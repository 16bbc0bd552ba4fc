#include "base/memory.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/error.h"
#include "base/runtime_state.h"

/* Before each block lies one line of MLM__ALIGNMENT bytes that begins with its whole size: the
   allocator is told what it gets back. */
enum { PREFIX = MLM__ALIGNMENT };

/* From LARGE bytes on in pages of 2 MB where the system has them: training reads all of its memory in
   every step, more than a CPU's tables have small pages for. Such blocks glibc's malloc takes from
   the system and gives back to it, so that nothing of the host's comes to lie there. */
enum { HUGE_PAGE = 2 << 20, LARGE = 32 << 20 };

static void *own_alloc(size_t size)
{
    void *memory;
#ifdef MADV_HUGEPAGE
    if (size >= LARGE) {
        if (posix_memalign(&memory, HUGE_PAGE, size) != 0)
            return NULL;
        madvise(memory, size, MADV_HUGEPAGE);
        return memory;
    }
#endif
    return posix_memalign(&memory, MLM__ALIGNMENT, size) == 0 ? memory : NULL;
}

void *mlm__host_alloc(const mlm_runtime_options *callbacks, size_t size)
{
    void *memory = callbacks->alloc ? callbacks->alloc(callbacks->user, size, MLM__ALIGNMENT)
                                    : own_alloc(size);
    if (memory && (uintptr_t)memory % MLM__ALIGNMENT != 0) {
        mlm__host_release(callbacks, memory, size);
        mlm__error(
            MLM_ERR_MEMORY, "the allocator's block is not aligned to %d bytes", MLM__ALIGNMENT);
        return NULL;
    }
    if (!memory)
        mlm__error(MLM_ERR_MEMORY, "no memory for %zu bytes", size);
    return memory;
}

void mlm__host_release(const mlm_runtime_options *callbacks, void *memory, size_t size)
{
    if (callbacks->release)
        callbacks->release(callbacks->user, memory, size);
    else
        free(memory);
}

static void account(mlm_runtime *runtime, size_t size)
{
    long long now = atomic_fetch_add(&runtime->memory_now, (long long)size) + (long long)size;
    long long peak = atomic_load(&runtime->memory_peak);
    while (now > peak && !atomic_compare_exchange_weak(&runtime->memory_peak, &peak, now))
        ;
}

void *mlm__alloc(mlm_runtime *runtime, size_t count, size_t size)
{
    if (size && count > ((size_t)PTRDIFF_MAX - PREFIX) / size) {
        mlm__error(MLM_ERR_MEMORY, "no memory for %zu elements of %zu bytes", count, size);
        return NULL;
    }
    size_t whole = PREFIX + count * size;
    char *memory = mlm__host_alloc(&runtime->callbacks, whole);
    if (!memory)
        return NULL;
    memcpy(memory, &whole, sizeof whole);
    account(runtime, whole);
    return memory + PREFIX;
}

void *mlm__alloc_zero(mlm_runtime *runtime, size_t count, size_t size)
{
    void *memory = mlm__alloc(runtime, count, size);
    if (memory)
        memset(memory, 0, count * size);
    return memory;
}

void mlm__free(mlm_runtime *runtime, void *memory)
{
    if (!memory)
        return;
    char *block = (char *)memory - PREFIX;
    size_t whole;
    memcpy(&whole, block, sizeof whole);
    mlm__host_release(&runtime->callbacks, block, whole);
    atomic_fetch_sub(&runtime->memory_now, (long long)whole);
}

mlm_status mlm__grow(mlm_runtime *runtime, void *array, size_t *capacity, size_t need, size_t size)
{
    if (need <= *capacity)
        return MLM_OK;
    size_t room = *capacity + *capacity / 2; /* cannot overflow: the elements are in memory */
    if (room < need)
        room = need;
    void *old, *grown = mlm__alloc(runtime, room, size);
    if (!grown)
        return MLM_ERR_MEMORY;
    memcpy(&old, array, sizeof old);
    if (old)
        memcpy(grown, old, *capacity * size);
    mlm__free(runtime, old);
    memcpy(array, &grown, sizeof grown);
    *capacity = room;
    return MLM_OK;
}

char *mlm__copy_text(mlm_runtime *runtime, const char *text, size_t length)
{
    char *copy = mlm__alloc(runtime, length + 1, 1);
    if (copy) {
        memcpy(copy, text, length);
        copy[length] = 0;
    }
    return copy;
}
