/* The number type of everything that computes: float in the library; double where the tests
   compile the same files a second time to check gradients. */
#ifndef MLM_KERNELS_REAL_H
#define MLM_KERNELS_REAL_H

#ifdef MLM_REAL_DOUBLE
typedef double real;
#else
typedef float real;
#endif

#endif
