#include "files/half.h"

#include <string.h>

static float float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

float mlm__half_to_float(uint16_t half)
{
    uint32_t sign = (uint32_t)(half >> 15) << 31;
    uint32_t exponent = half >> 10 & 0x1F, fraction = half & 0x3FF;
    if (exponent == 0x1F)
        return float_of(sign | 0x7F800000u | fraction << 13);
    if (exponent == 0) { /* a multiple of 2^-24, all of which a float holds */
        float magnitude = (float)fraction * 0x1p-24f;
        return sign ? -magnitude : magnitude;
    }
    return float_of(sign | (exponent + 127 - 15) << 23 | fraction << 13);
}

float mlm__bfloat_to_float(uint16_t bfloat)
{
    return float_of((uint32_t)bfloat << 16);
}

uint16_t mlm__bfloat_from_float(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if ((bits & 0x7FFFFFFFu) > 0x7F800000u)
        return (
            uint16_t)(bits >> 16 | 0x40); /* quiet: a payload in the lower half may not vanish */
    uint32_t odd = bits >> 16 & 1;
    return (uint16_t)((bits + 0x7FFF + odd) >> 16);
}
