# SPDX-License-Identifier: Apache-2.0
"""What paired timings share."""

import pathlib
import platform

import numpy


def median_interval(values, seed=0, resamples=10000):
    draws = numpy.random.default_rng(seed).choice(values, (resamples, len(values)))
    return numpy.quantile(numpy.median(draws, axis=1), [0.025, 0.975])


def cpu_name():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()
