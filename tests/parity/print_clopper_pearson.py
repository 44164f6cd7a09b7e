# SPDX-License-Identifier: Apache-2.0
"""Prints tests/core/clopper_pearson.inc: intervals by scipy.stats.beta.ppf."""

from scipy.stats import beta

CASES = [(0, 1), (1, 1), (1, 2), (3, 10), (5, 10), (9, 10), (0, 30), (30, 30), (45, 100), (1, 1000),
         (390, 1000), (999, 1000), (4703, 10000), (9999, 10000), (50000, 100000), (123, 1000000)]

print("// Printed by tests/parity/print_clopper_pearson.py: successes, n, confidence, low, high.")
for k, n in CASES:
    for confidence in (0.9, 0.95, 0.999):
        tail = (1 - confidence) / 2
        low = beta.ppf(tail, k, n - k + 1) if k > 0 else 0.0
        high = beta.isf(tail, k + 1, n - k) if k < n else 1.0
        print(f"{{{k}, {n}, {confidence}, {float(low)!r}, {float(high)!r}}},")
