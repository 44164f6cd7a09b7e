#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Rounding error of F(4x4, 3x3) in float32 for pairs of points (0, ±a, ±b, infinity).

Random weights and rectified random images, products summed in the order of the channels; error
against float64, root mean square and largest, as parts of the result's.
    python bench/winograd_points.py [CHANNELS]
"""
import sys

import numpy as np


def matrices(a, b):
    total, product = a * a + b * b, a * a * b * b
    data = [[product, 0, -total, 0, 1, 0]]
    weight = [[1 / product, 0, 0]]
    result = [[1, 0, 0, 0]]
    for point, other in ((a, b), (-a, b), (b, a), (-b, a)):
        data.append([0, -point * other**2, -(other**2), point, 1, 0])
        scale = 2 * point**2 * (point**2 - other**2)
        weight.append([1 / scale, point / scale, point**2 / scale])
        result.append([point**power for power in range(4)])
    data.append([0, product, 0, -total, 0, 1])
    weight.append([0, 0, 1])
    result.append([0, 0, 0, 1])
    return np.array(data), np.array(weight), np.array(result).T


def errors(a, b, channels, tiles=256, outputs=32):
    random = np.random.default_rng(0)
    data, weight, result = matrices(a, b)
    images = np.maximum(random.standard_normal((tiles, channels, 6, 6)), 0).astype(np.float32)
    kernels = random.standard_normal((outputs, channels, 3, 3)).astype(np.float32)
    data32, result32 = data.astype(np.float32), result.astype(np.float32)
    u = (weight @ kernels.astype(np.float64) @ weight.T).astype(np.float32)
    v = data32 @ images @ data32.T
    m = np.zeros((tiles, outputs, 6, 6), np.float32)
    for channel in range(channels):
        m += v[:, channel, None] * u[None, :, channel]
    windows = np.lib.stride_tricks.sliding_window_view(images.astype(np.float64), (3, 3), (2, 3))
    exact = np.einsum("tcijkl,ockl->toij", windows, kernels.astype(np.float64), optimize=True)
    error = result32 @ m @ result32.T - exact
    return np.sqrt((error**2).mean() / (exact**2).mean()), abs(error).max() / abs(exact).max()


def main():
    channels = int(sys.argv[1]) if len(sys.argv) > 1 else 64
    root = np.sqrt(0.5)
    pairs = {"1, 2": (1, 2), "1, 1/2": (1, 1 / 2), "1/2, 3/2": (1 / 2, 3 / 2),
             "3/4, 5/4": (3 / 4, 5 / 4), "3/4, 4/3": (3 / 4, 4 / 3), "1/√2, √2": (root, 2 * root),
             "5/8, 8/5": (5 / 8, 8 / 5), "2/3, 3/2": (2 / 3, 3 / 2)}
    print("| a, b | root mean square | largest |\n|---|---|---|")
    for name, (a, b) in pairs.items():
        print("| {} | {:.2e} | {:.2e} |".format(name, *errors(a, b, channels)))


if __name__ == "__main__":
    main()
