#include "encoder/packed.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "layers/pack_operands.h"

enum { FORWARD, BACKWARD, FORMS };

/* A weight [O,K]. Forward multiplies by its transpose [K,O], backward by itself. */
typedef struct entry {
    mlm__affine at;
    size_t K, O;
    size_t place[FORMS]; /* bytes from the form's start */
} entry;

typedef struct form {
    char *memory;
    size_t size;
    _Atomic uint64_t version; /* 0: nothing is packed yet */
} form;

struct mlm__packed {
    mlm_runtime *runtime;
    const mlm__products *products;
    atomic_int packer; /* the process of which a thread packs; 0: none does */
    form forms[FORMS];
    size_t count;
    mlm__pack_task *tasks; /* [count], the packer's */
    entry entries[];
};

static size_t columns_of(const entry *e, int which)
{
    return which == FORWARD ? e->O : e->K;
}

static size_t rows_of(const entry *e, int which)
{
    return which == FORWARD ? e->K : e->O;
}

static void add_entry(mlm__packed *packed, mlm__affine at, size_t K, size_t O)
{
    entry *e = &packed->entries[packed->count++];
    *e = (entry){.at = at, .K = K, .O = O};
    for (int which = FORWARD; which < FORMS; which++) {
        form *f = &packed->forms[which];
        e->place[which] = f->size;
        f->size += packed->products->packed_size(rows_of(e, which), columns_of(e, which));
    }
}

mlm_status mlm__packed_create(mlm_runtime *runtime, const mlm__layout *layout,
    const mlm__products *products, mlm__packed **out)
{
    const mlm_encoder_config *config = &layout->config;
    const size_t L = (size_t)config->num_hidden_layers, H = (size_t)config->hidden_size;
    const size_t I = (size_t)config->intermediate_size, V = (size_t)config->vocab_size;
    const size_t count = 5 * L + 2;
    *out = NULL;
    mlm__packed *packed =
        mlm__alloc_zero(runtime, 1, sizeof *packed + count * sizeof *packed->entries);
    if (!packed)
        return MLM_ERR_MEMORY;
    packed->runtime = runtime;
    packed->products = products;
    packed->tasks = mlm__alloc(runtime, count, sizeof *packed->tasks);
    if (!packed->tasks) {
        mlm__packed_free(packed);
        return MLM_ERR_MEMORY;
    }
    for (size_t l = 0; l < L; l++) {
        add_entry(packed, layout->layers[l].query, H, H);
        add_entry(packed, layout->layers[l].key_value, H, 2 * H);
        add_entry(packed, layout->layers[l].attention_output, H, H);
        add_entry(packed, layout->layers[l].intermediate, H, I);
        add_entry(packed, layout->layers[l].output, I, H);
    }
    add_entry(packed, layout->transform, H, H);
    add_entry(packed, layout->decoder, H, V);
    *out = packed;
    return MLM_OK;
}

void mlm__packed_free(mlm__packed *packed)
{
    if (!packed)
        return;
    for (int which = FORWARD; which < FORMS; which++)
        mlm__free(packed->runtime, packed->forms[which].memory);
    mlm__free(packed->runtime, packed->tasks);
    mlm__free(packed->runtime, packed);
}

const mlm__products *mlm__packed_products(const mlm__packed *packed)
{
    return packed->products;
}

/* ---- packing ---------------------------------------------------------------------------- */

static mlm__pack_task task_of(
    const mlm__packed *packed, const entry *e, int which, const real *parameters)
{
    const real *weight = parameters + e->at.weight;
    return (mlm__pack_task){
        which == FORWARD ? mlm__transposed(weight, e->K) : mlm__plain(weight, e->K),
        rows_of(e, which), columns_of(e, which), packed->forms[which].memory + e->place[which]};
}

static bool is_packed(const mlm__packed *packed, int which, uint64_t version)
{
    const form *f = &packed->forms[which];
    return f->size == 0 || atomic_load(&f->version) == version;
}

static mlm_status pack_form(
    mlm__packed *packed, mlm_runtime *runtime, const real *parameters, uint64_t version, int which)
{
    form *f = &packed->forms[which];
    if (is_packed(packed, which, version))
        return MLM_OK;
    if (!f->memory)
        f->memory = mlm__alloc(packed->runtime, f->size, 1);
    if (!f->memory)
        return MLM_ERR_MEMORY;
    for (size_t i = 0; i < packed->count; i++)
        packed->tasks[i] = task_of(packed, &packed->entries[i], which, parameters);
    mlm__pack_operands(runtime, packed->products, packed->tasks, packed->count);
    atomic_store(&f->version, version);
    return MLM_OK;
}

/* Waits until no other thread of this process packs. Not a mutex: one that a thread of the parent
   held at a fork would stay locked in the child, where that thread's packing begins anew. */
static void take(mlm__packed *packed)
{
    const int process = getpid();
    for (;;) {
        int packer = atomic_load(&packed->packer);
        if (packer != process && atomic_compare_exchange_strong(&packed->packer, &packer, process))
            return;
        nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    }
}

mlm_status mlm__packed_update(mlm__packed *packed, mlm_runtime *runtime, const real *parameters,
    uint64_t version, bool training)
{
    if (is_packed(packed, FORWARD, version) && (!training || is_packed(packed, BACKWARD, version)))
        return MLM_OK;
    take(packed);
    mlm_status status = pack_form(packed, runtime, parameters, version, FORWARD);
    if (status == MLM_OK && training)
        status = pack_form(packed, runtime, parameters, version, BACKWARD);
    atomic_store(&packed->packer, 0);
    return status;
}

mlm__weights mlm__packed_weights(const mlm__packed *packed, const real *parameters, mlm__affine at)
{
    mlm__weights weights = {.weight = parameters + at.weight, .bias = parameters + at.bias};
    const entry *e = NULL;
    for (size_t i = 0; packed && i < packed->count; i++)
        if (packed->entries[i].at.weight == at.weight)
            e = &packed->entries[i];
    for (int which = FORWARD; e && which < FORMS; which++)
        if (atomic_load(&packed->forms[which].version) != 0)
            *(which == FORWARD ? &weights.packed_forward : &weights.packed_backward) =
                packed->forms[which].memory + e->place[which];
    return weights;
}
