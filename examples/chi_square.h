/*
 * chi_square.h - how likely chance alone gives a chi-square as large as one that was observed.
 */
#ifndef CHI_SQUARE_H
#define CHI_SQUARE_H

#include <float.h>
#include <math.h>

/* P(a, x), the lower regularised incomplete gamma function, by its series (Abramowitz and Stegun
   6.5.29): for x < a + 1. log_scale is log(x^a e^-x / Gamma(a)). */
static inline double gamma_lower(double a, double x, double log_scale)
{
    double term = 1 / a, sum = term, n;
    for (n = a + 1; term > sum * DBL_EPSILON; ++n)
        sum += term *= x / n;
    return sum * exp(log_scale);
}

/* Q(a, x) = 1 - P(a, x) by its continued fraction (6.5.31), evaluated from the front (Lentz): for
   x >= a + 1. */
static inline double gamma_upper(double a, double x, double log_scale)
{
    double b = x + 1 - a, c = 1 / DBL_MIN, d = 1 / b, value = d, change = 0;
    int i;
    for (i = 1; i < 100000 && fabs(change - 1) > DBL_EPSILON; ++i) {
        const double n = i * (a - i);
        b += 2;
        d = 1 / (n * d + b);
        c = b + n / c;
        change = c * d;
        value *= change;
    }
    return value * exp(log_scale);
}

/* The probability that chi-square with so many degrees of freedom is at least x. */
static inline double chi_square_survival(double x, double freedom)
{
    const double a = freedom / 2, half = x / 2;
    double log_scale;
    if (!(half > 0))
        return 1;
    if (half > DBL_MAX)
        return 0;
    log_scale = a * log(half) - half - lgamma(a);
    return half < a + 1 ? 1 - gamma_lower(a, half, log_scale) : gamma_upper(a, half, log_scale);
}

#endif /* CHI_SQUARE_H */
