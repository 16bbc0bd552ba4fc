/* The floating-point mode: every computing call runs in the default one and gives the caller's
   back, with its exception flags. */
#ifndef MLM_BASE_FPMODE_H
#define MLM_BASE_FPMODE_H

#include <fenv.h>

/* Round to nearest, subnormals kept, nothing traps. Pair the two around the body of a public
   call that computes; the body is a function of its own, so that every return passes the second. */
void mlm__fp_enter(fenv_t *saved);
void mlm__fp_leave(const fenv_t *saved);

#endif
