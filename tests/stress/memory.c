#include "stress/memory.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "support/support.h"

static atomic_llong fail_at, count, blocks;

static bool fails(void)
{
    return atomic_fetch_add(&count, 1) + 1 == fail_at;
}

static void *counted(void *memory)
{
    if (memory)
        atomic_fetch_add(&blocks, 1);
    return memory;
}

static void *counted_alloc(void *user, size_t size, size_t alignment)
{
    (void)user;
    void *memory = NULL;
    return fails() || posix_memalign(&memory, alignment, size) != 0 ? NULL : counted(memory);
}

static void counted_release(void *user, void *memory, size_t size)
{
    (void)user, (void)size;
    atomic_fetch_sub(&blocks, 1);
    free(memory);
}

/* A host may give jansson functions of its own: what free() gets of these would be no block. */
enum { PREFIX = 16 };

static void *json_malloc(size_t size)
{
    char *memory = fails() ? NULL : counted(malloc(PREFIX + size));
    if (memory)
        return memory + PREFIX;
    errno = ENOMEM; /* as malloc does */
    return NULL;
}

static void json_free(void *memory)
{
    if (!memory)
        return;
    atomic_fetch_sub(&blocks, 1);
    free((char *)memory - PREFIX);
}

/* In place of the C library's, which takes memory. */
DIR *fdopendir(int fd)
{
    DIR *(*real)(int);
    *(void **)&real = dlsym(RTLD_NEXT, "fdopendir");
    if (!fails())
        return real(fd);
    errno = ENOMEM;
    return NULL;
}

/* Nothing here has to outlive the machine, and thousands of saves are not to wait for the disk. */
int fsync(int fd)
{
    (void)fd;
    return 0;
}

void memory_watch(void)
{
    json_set_alloc_funcs(json_malloc, json_free);
}

mlm_runtime_options memory_options(int32_t threads)
{
    mlm_runtime_options options;
    mlm_runtime_options_init(&options, sizeof options);
    options.threads = threads;
    options.alloc = counted_alloc;
    options.release = counted_release;
    return options;
}

mlm_runtime *memory_runtime(int32_t threads)
{
    mlm_runtime_options options = memory_options(threads);
    mlm_runtime *runtime;
    assert_ok(mlm_runtime_create(&options, &runtime));
    return runtime;
}

void memory_fail(int64_t n)
{
    fail_at = 0;
    count = 0;
    fail_at = n;
}

int64_t memory_count(void)
{
    return count;
}

int64_t memory_blocks(void)
{
    return blocks;
}
