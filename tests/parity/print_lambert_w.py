# SPDX-License-Identifier: Apache-2.0
"""Prints tests/attacks/lambert_w.inc: W(z) by scipy.special.lambertw, W(exp(u)) by wrightomega."""

import numpy as np
from scipy.special import lambertw, wrightomega

Z = [-0.3678, -0.36, -0.3, -0.2, -0.1, -1e-3, -1e-9, 0.0, 1e-300, 1e-12, 1e-3, 0.1, 0.5, 1.0, 2.0,
     np.e, 3.0, 10.0, 123.456, 1e6, 1e30, 1e300]
U = [-1000.0, -700.0, -30.0, -2.0, 0.0, 0.999, 1.0, 1.001, 5.0, 40.0, 700.0, 1000.0, 1e6, 1e15]

print("// Printed by tests/parity/print_lambert_w.py: z, W(z); then u, W(exp(u)).")
print("const std::vector<std::pair<double, double>> kOfZ{")
for z in Z:
    print(f"    {{{float(z)!r}, {float(lambertw(z).real)!r}}},")
print("};\nconst std::vector<std::pair<double, double>> kOfExp{")
for u in U:
    print(f"    {{{u!r}, {float(wrightomega(u))!r}}},")
print("};")
