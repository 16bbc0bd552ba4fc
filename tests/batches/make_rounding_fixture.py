#!/usr/bin/env python3
"""Writes rounding_fixture.h: how many of n tokens Google's rule predicts, by Python's round()."""

SHARES = [0.15, 0.2, 0.25, 0.5, 0.3, 0.01, 1.0]
LENGTHS = 130

print('/* Written by make_rounding_fixture.py. max(1, round(p * n)) for n = 1, 2, 3, ... */')
print('static const struct {\n    double p;\n    int32_t counts[%d];\n} rounding[] = {' % LENGTHS)
for p in SHARES:
    counts = ', '.join(str(max(1, round(p * n))) for n in range(1, LENGTHS + 1))
    print('    {%r, {%s}},' % (p, counts))
print('};')
