/* The BLAS and its threads. */
#ifndef MLM_KERNELS_BLAS_H
#define MLM_KERNELS_BLAS_H

/* Around every call that computes products: from the first begin to the last end in the process,
   the BLAS computes on the thread that calls it; then it has the host's number of threads again.
   Any number of threads may be between the two. What that means for a host that uses the same
   BLAS is in docs/threads.md. */
void mlm__blas_begin(void);
void mlm__blas_end(void);

/* Around each product, on the thread that computes it. */
void mlm__blas_product_begin(void);
void mlm__blas_product_end(void);

/* "openblas" or "blis". */
const char *mlm__blas_name(void);

#endif
