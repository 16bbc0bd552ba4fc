/* The two 16-bit floating-point formats of files. Little-endian, as they lie in memory. */
#ifndef MLM_FILES_HALF_H
#define MLM_FILES_HALF_H

#include <stdint.h>

/* IEEE 754 binary16, with subnormals, infinities and NaN; exact. */
float mlm__half_to_float(uint16_t half);
/* bfloat16: the upper half of a float; exact. */
float mlm__bfloat_to_float(uint16_t bfloat);
/* To nearest, ties to even; NaN stays NaN, and what is too large becomes infinite. */
uint16_t mlm__bfloat_from_float(float value);

#endif
