/* oneDNN's matmul with its own threads, all operands in the layouts that it asks for. */
#include "peak.h"

#ifdef HAVE_ONEDNN

#include <dnnl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/threads.h"

/* Of libgomp, which Debian's oneDNN uses. */
extern void omp_set_num_threads(int threads);

typedef struct onednn_bare_product {
    bare_product base;
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_primitive_t matmul;
    dnnl_exec_arg_t operands[3];
} onednn_bare_product;

static void must(dnnl_status_t status)
{
    if (status == dnnl_success)
        return;
    fprintf(stderr, "train: oneDNN's status %d\n", (int)status);
    exit(1);
}

static void run(bare_product *base)
{
    onednn_bare_product *p = (onednn_bare_product *)base;
    must(dnnl_primitive_execute(p->matmul, p->stream, 3, p->operands));
    must(dnnl_stream_wait(p->stream));
}

/* plain [rows,columns] of floats, rows apart by strides[0], columns by strides[1], as `wanted`. */
static dnnl_memory_t reorder(onednn_bare_product *p, const float *plain, const dnnl_dims_t sizes,
    const dnnl_dims_t strides, const dnnl_memory_desc_t *wanted)
{
    dnnl_memory_desc_t from;
    dnnl_memory_t source, target;
    dnnl_primitive_desc_t description;
    dnnl_primitive_t copy;
    must(dnnl_memory_desc_init_by_strides(&from, 2, sizes, dnnl_f32, strides));
    must(dnnl_memory_create(&source, &from, p->engine, (void *)plain));
    must(dnnl_memory_create(&target, wanted, p->engine, DNNL_MEMORY_ALLOCATE));
    must(dnnl_reorder_primitive_desc_create(
        &description, &from, p->engine, wanted, p->engine, NULL));
    must(dnnl_primitive_create(&copy, description));
    const dnnl_exec_arg_t arguments[2] = {{DNNL_ARG_FROM, source}, {DNNL_ARG_TO, target}};
    must(dnnl_primitive_execute(copy, p->stream, 2, arguments));
    must(dnnl_stream_wait(p->stream));
    dnnl_primitive_destroy(copy);
    dnnl_primitive_desc_destroy(description);
    dnnl_memory_destroy(source);
    return target;
}

bare_product *onednn_product(
    mlm_runtime *runtime, int32_t precision, const float *x, const float *w)
{
    const dnnl_data_type_t type = precision == MLM_F32 ? dnnl_f32 : dnnl_bf16;
    const dnnl_dims_t x_sizes = {PEAK_N, PEAK_K}, x_strides = {PEAK_K, 1};
    const dnnl_dims_t w_sizes = {PEAK_K, PEAK_O}, w_strides = {1, PEAK_K};
    const dnnl_dims_t y_sizes = {PEAK_N, PEAK_O};
    dnnl_memory_desc_t x_any, w_any, y_plain;
    dnnl_matmul_desc_t matmul;
    dnnl_primitive_desc_t description;
    onednn_bare_product *p = peak_alloc(sizeof *p);
    *p = (onednn_bare_product){.base = {run, runtime, x, w, NULL}};
    omp_set_num_threads(mlm__threads(runtime));
    must(dnnl_engine_create(&p->engine, dnnl_cpu, 0));
    must(dnnl_stream_create(&p->stream, p->engine, dnnl_stream_default_flags));
    must(dnnl_memory_desc_init_by_tag(&x_any, 2, x_sizes, type, dnnl_format_tag_any));
    must(dnnl_memory_desc_init_by_tag(&w_any, 2, w_sizes, type, dnnl_format_tag_any));
    must(dnnl_memory_desc_init_by_tag(&y_plain, 2, y_sizes, dnnl_f32, dnnl_ab));
    must(dnnl_matmul_desc_init(&matmul, &x_any, &w_any, NULL, &y_plain));
    if (dnnl_primitive_desc_create(&description, &matmul, NULL, p->engine, NULL) != dnnl_success)
        return NULL; /* no bf16 on this CPU */
    must(dnnl_primitive_create(&p->matmul, description));
    p->base.y = peak_alloc(sizeof(float) * PEAK_N * PEAK_O);
    p->operands[0] = (dnnl_exec_arg_t){
        DNNL_ARG_SRC, reorder(p, x, x_sizes, x_strides,
                          dnnl_primitive_desc_query_md(description, dnnl_query_src_md, 0))};
    p->operands[1] = (dnnl_exec_arg_t){
        DNNL_ARG_WEIGHTS, reorder(p, w, w_sizes, w_strides,
                              dnnl_primitive_desc_query_md(description, dnnl_query_weights_md, 0))};
    p->operands[2].arg = DNNL_ARG_DST;
    must(dnnl_memory_create(&p->operands[2].memory, &y_plain, p->engine, p->base.y));
    dnnl_primitive_desc_destroy(description);
    return &p->base;
}

#else

bare_product *onednn_product(
    mlm_runtime *runtime, int32_t precision, const float *x, const float *w)
{
    (void)runtime, (void)precision, (void)x, (void)w;
    return NULL;
}

#endif
